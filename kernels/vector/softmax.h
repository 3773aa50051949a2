#pragma once

#include "kernels/vector/row_passes.h"

namespace tilewright {

/// y = exp(x - max(x)) / sum of those, row by row, computed in f32. Elements of -inf give 0; a row
/// that is all -inf, as one whose every key is masked, gives zeros. Tensors x, y. Rows that are cut
/// are read twice: the first pass keeps a running maximum and rescales its sum (online softmax).
/// Whole rows of f16 are divided by their sum in f16.
class SoftmaxKernel : public RowPassKernel {
 public:
  std::string name() const override { return "softmax"; }
  int revision() const override { return 3; }
  std::string summary() const override;
  RowPassShape shape(const Problem& problem) const override;
  void begin(const RowPiece& piece, std::vector<Instruction>& list) const override;
  void add_pass(int pass, const RowPiece& piece, const Machine& machine,
                std::vector<Instruction>& list) const override;
  void finish(int pass, const RowPiece& piece, int64_t cols,
              std::vector<Instruction>& list) const override;
  void fill_inputs(const Problem& problem, const Launch& launch, const InputValues& values,
                   GmImage& image) const override;
  std::vector<ExpectedTensor> reference(const Problem& problem, const Launch& launch,
                                        const GmImage& inputs) const override;

 protected:
  std::vector<DType> tensor_types(DType type) const override { return {type, type}; }
};

}  // namespace tilewright
