#pragma once

#include "kernels/vector/row_passes.h"

namespace tilewright {

/// y = (x - mean(x)) / sqrt(var(x) + eps) * w + b, row by row, normalised in f32 (w and b of f16
/// apply in f16); the variance is that of the differences, so that nothing cancels. Tensors x, w, b
/// (1 x cols), y.
class LayerNormKernel : public RowPassKernel {
 public:
  static constexpr double kEpsilon = 1e-5;  ///< layer_norm_eps of the common models

  std::string name() const override { return "layer_norm"; }
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
  bool needs_small_tiles(const Problem& problem) const override {
    return problem.types[0] == DType::kF16;
  }
  std::vector<DType> tensor_types(DType type) const override { return {type, type, type, type}; }
  virtual bool adds_residual() const { return false; }
};

/// sum = x + r (rounded to its type), y = layer_norm(sum); writes both. Tensors x, r, w, b, sum, y.
class AddLayerNormKernel : public LayerNormKernel {
 public:
  std::string name() const override { return "add_layer_norm"; }
  int revision() const override { return 3; }
  std::string summary() const override;

 protected:
  std::vector<DType> tensor_types(DType type) const override {
    return {type, type, type, type, type, type};
  }
  bool adds_residual() const override { return true; }
};

}  // namespace tilewright
