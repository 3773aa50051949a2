#pragma once

#include "kernels/vector/vector_kernel.h"

namespace tilewright {

/// out[i] = table[index[i]]: embedding lookup, permutation of tokens to experts and back. Tensors
/// table (vocab x cols) and out (rows x cols). The indices stand in the launch's table 0, drawn
/// from the problem's name: they come with the task descriptors, so reading them costs nothing
/// here. Each row is a transfer of its own; rows shorter than the lookahead burst of the machine
/// wait for the latency of GM one by one.
class GatherKernel : public VectorKernel {
 public:
  std::string name() const override { return "gather"; }
  std::string summary() const override;
  std::vector<SizeInfo> sizes() const override;
  Launch build(const Problem& problem, const Config& config, const Machine& machine) const override;
  void fill_inputs(const Problem& problem, const Launch& launch, const InputValues& values,
                   GmImage& image) const override;
  std::vector<ExpectedTensor> reference(const Problem& problem, const Launch& launch,
                                        const GmImage& inputs) const override;
  int64_t ub_bytes(const Problem& problem, const VectorTile& tile,
                   const Machine& machine) const override;

 protected:
  std::vector<DType> tensor_types(DType type) const override { return {type, type}; }
  bool loads_whole_tiles() const override { return false; }
};

}  // namespace tilewright
