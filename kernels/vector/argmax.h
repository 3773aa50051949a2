#pragma once

#include "kernels/vector/vector_kernel.h"

namespace tilewright {

/// index[r] = column of the first maximum of row r, as i32: greedy sampling over the vocabulary.
/// Tensors x and index (rows x 1); when rows are cut, also maximum and place (rows x pieces, f32).
///
/// Rows are cut into pieces of tile_cols that all cores share out; each piece yields its maximum
/// and the maximum's place: maxima of blocks of 32 bytes tell the block, the block's elements the
/// place. After a barrier, cores that have rows of the result find the first piece with the largest
/// maximum; its place is picked with arithmetic that is exact on column numbers up to 2^24.
class ArgmaxKernel : public VectorKernel {
 public:
  std::string name() const override { return "argmax"; }
  int revision() const override { return 4; }
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
  std::vector<DType> tensor_types(DType type) const override { return {type, DType::kI32}; }
  /// Fewer, longer reductions: the vector unit is the limit.
  int64_t transfer_bytes() const override { return 32768; }
};

}  // namespace tilewright
