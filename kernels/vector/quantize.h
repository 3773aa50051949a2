#pragma once

#include "kernels/vector/row_passes.h"

namespace tilewright {

/// Dynamic quantisation by token: scale = max |x| / 127 of a row, y = round(x / scale) as i8. A row
/// of zeros gives zeros. Tensors x, y (i8), scale (rows x 1, f32). The vector unit reaches i8 by
/// way of f16, so an x halfway between two numbers, within 1/32, may go to either. Rows of f16 are
/// multiplied in f16, by two factors, which triples that.
class QuantizeKernel : public RowPassKernel {
 public:
  std::string name() const override { return "quantize"; }
  int revision() const override { return 2; }
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
  std::vector<DType> tensor_types(DType type) const override {
    return {type, DType::kI8, DType::kF32};
  }
};

/// Error of y = round(x * factor) to i8 by way of f16, where the product has size |y|.
double quantization_error(double y);

}  // namespace tilewright
