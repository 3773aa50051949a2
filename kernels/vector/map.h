#pragma once

#include <string>
#include <vector>

#include "kernels/vector/vector_kernel.h"
#include "simulator/launch.h"

namespace tilewright {

/// A tensor that a map reads or writes by tile.
struct MapTensor {
  std::string name;
  DType type = DType::kF16;
  bool output = false;
  bool one_row = false;  ///< 1 x cols, the same for all rows
};

/// Kernels that compute each element of their outputs from the elements at the same place of their
/// inputs: rows x cols, tile by tile. UB holds a slot with a tile of each tensor, and f32 tiles to
/// work in.
class MapKernel : public VectorKernel {
 public:
  std::vector<SizeInfo> sizes() const override;
  Launch build(const Problem& problem, const Config& config, const Machine& machine) const override;
  int64_t ub_bytes(const Problem& problem, const VectorTile& tile,
                   const Machine& machine) const override;

 protected:
  /// In the order of the launch's tensors; at least one input and one output.
  virtual std::vector<MapTensor> tensors(const Problem& problem) const = 0;
  /// Number of f32 tiles to work in; neighbours begin in different halves of the bank groups.
  virtual int work_tiles(const Problem& problem) const = 0;
  virtual double flops_per_element() const = 0;
  /// Instructions that compute the outputs' tiles; at least one.
  virtual void compute(const std::vector<Tile>& tensors, const std::vector<Tile>& work,
                       std::vector<Instruction>& list) const = 0;
};

}  // namespace tilewright
