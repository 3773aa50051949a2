#pragma once

#include "kernels/vector/vector_kernel.h"

namespace tilewright {

/// y = x / sqrt(mean(x^2) + eps) * w, row by row. Tensors x, w (1 x cols), y. Halves are
/// summed in f32; f16 takes its scale and w in f16. Whole rows stay in UB where they fit; longer
/// rows are read twice in pieces of tile_cols, for the sum of squares and for the result, the
/// second time from L2.
class RmsNormKernel : public VectorKernel {
 public:
  static constexpr double kEpsilon = 1e-6;  ///< rms_norm_eps of the common models

  std::string name() const override { return "rms_norm"; }
  int revision() const override { return 5; }
  std::string summary() const override;
  std::vector<SizeInfo> sizes() const override;
  Launch build(const Problem& problem, const Config& config, const Machine& machine) const override;
  /// The launch for a model whose eps is another one.
  Launch build(const Problem& problem, const Config& config, const Machine& machine,
               double epsilon) const;
  void fill_inputs(const Problem& problem, const Launch& launch, const InputValues& values,
                   GmImage& image) const override;
  std::vector<ExpectedTensor> reference(const Problem& problem, const Launch& launch,
                                        const GmImage& inputs) const override;
  int64_t ub_bytes(const Problem& problem, const VectorTile& tile,
                   const Machine& machine) const override;

 protected:
  std::vector<DType> tensor_types(DType type) const override { return {type, type, type}; }
  bool prefers_whole_rows() const override { return true; }
  virtual bool adds_residual() const { return false; }
};

/// sum = x + r (rounded to its type), y = rms_norm(sum) * w; writes both. Tensors x, r, w, sum, y.
class AddRmsNormKernel : public RmsNormKernel {
 public:
  std::string name() const override { return "add_rms_norm"; }
  int revision() const override { return 6; }
  std::string summary() const override;

 protected:
  bool needs_small_tiles(const Problem& problem) const override {
    return problem.types[0] == DType::kBF16;
  }
  std::vector<DType> tensor_types(DType type) const override {
    return {type, type, type, type, type};
  }
  bool adds_residual() const override { return true; }
};

/// The sum of tensors 0 and 1 of a norm with residual, as tensor `sum` (3 of rms_norm).
ExpectedTensor added_rows(const Launch& launch, const GmImage& inputs, int sum, int64_t rows,
                          int64_t cols);

/// Values as a tensor of that type holds them.
std::vector<float> rounded_rows(const Tensor& tensor, const std::vector<double>& values);

}  // namespace tilewright
