#pragma once

#include "kernels/vector/vector_kernel.h"

namespace tilewright {

/// out = silu(gate) * up with silu(x) = x / (1 + exp(-x)): rows x cols outputs from rows x 2*cols
/// inputs, gate in the first half of each row. Tensors in, out. bf16 is computed in f32,
/// f16 but for the exponential and its sum in f16.
class SiluMulKernel : public VectorKernel {
 public:
  std::string name() const override { return "silu_mul"; }
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
  std::vector<DType> tensor_types(DType type) const override { return {type, type}; }
  bool loads_whole_tiles() const override { return false; }
};

}  // namespace tilewright
