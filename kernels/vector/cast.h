#pragma once

#include "kernels/vector/map.h"

namespace tilewright {

/// y = x in another type, rounded to nearest even: between f32, f16 and bf16. What f16 cannot hold
/// becomes infinite. Tensors x, y.
class CastKernel : public MapKernel {
 public:
  std::string name() const override { return "cast"; }
  int revision() const override { return 2; }
  std::string summary() const override;
  Problem problem(const ProblemRequest& request) const override;
  void fill_inputs(const Problem& problem, const Launch& launch, const InputValues& values,
                   GmImage& image) const override;
  std::vector<ExpectedTensor> reference(const Problem& problem, const Launch& launch,
                                        const GmImage& inputs) const override;

 protected:
  std::vector<DType> tensor_types(DType type) const override;
  std::vector<MapTensor> tensors(const Problem& problem) const override;
  int work_tiles(const Problem& problem) const override;
  double flops_per_element() const override { return 1; }
  void compute(const std::vector<Tile>& tensors, const std::vector<Tile>& work,
               std::vector<Instruction>& list) const override;
};

/// Static quantisation by channel: y = round(x * factor) as i8, saturated; factor is 1 / scale of
/// each column. Tensors x, factor (1 x cols, f32), y. Rounds by way of f16, as `quantize` does.
class QuantizeChannelsKernel : public MapKernel {
 public:
  std::string name() const override { return "quantize_channels"; }
  int revision() const override { return 2; }
  std::string summary() const override;
  void fill_inputs(const Problem& problem, const Launch& launch, const InputValues& values,
                   GmImage& image) const override;
  std::vector<ExpectedTensor> reference(const Problem& problem, const Launch& launch,
                                        const GmImage& inputs) const override;

 protected:
  std::vector<DType> tensor_types(DType type) const override {
    return {type, DType::kF32, DType::kI8};
  }
  std::vector<MapTensor> tensors(const Problem& problem) const override;
  int work_tiles(const Problem& problem) const override;
  /// Tall tiles: each loads its columns' factors once.
  int64_t good_columns() const override { return 2048; }
  double flops_per_element() const override { return 2; }
  void compute(const std::vector<Tile>& tensors, const std::vector<Tile>& work,
               std::vector<Instruction>& list) const override;
};

}  // namespace tilewright
