#pragma once

#include "kernels/vector/map.h"

namespace tilewright {

/// y = gelu(x) in the tanh form: x / (1 + exp(-2 sqrt(2 / pi) (x + 0.044715 x^3))), computed in
/// f32; of f16 the exponent and the products are computed in f16. It differs from the form with erf
/// by 5e-4 at most, but for roundings. Tensors x, y.
class GeluKernel : public MapKernel {
 public:
  std::string name() const override { return "gelu"; }
  int revision() const override { return 3; }
  std::string summary() const override;
  void fill_inputs(const Problem& problem, const Launch& launch, const InputValues& values,
                   GmImage& image) const override;
  std::vector<ExpectedTensor> reference(const Problem& problem, const Launch& launch,
                                        const GmImage& inputs) const override;

 protected:
  bool prefers_tall_tiles() const override { return true; }
  std::vector<DType> tensor_types(DType type) const override { return {type, type}; }
  std::vector<MapTensor> tensors(const Problem& problem) const override;
  int work_tiles(const Problem& problem) const override;
  double flops_per_element() const override { return 9; }
  void compute(const std::vector<Tile>& tensors, const std::vector<Tile>& work,
               std::vector<Instruction>& list) const override;
};

}  // namespace tilewright
