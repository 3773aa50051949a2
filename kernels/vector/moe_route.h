#pragma once

#include "kernels/vector/vector_kernel.h"

namespace tilewright {

/// Routes tokens to experts: the k experts with the largest logits, largest first, equal ones by
/// lowest number, and their weights. Weights are the softmax over all experts (normalised=0) or
/// over the k chosen (normalised=1: those then sum to 1). Experts of logit -inf get weight 0; a
/// token whose logits are all -inf gets experts 0 to k-1 with weight 0. Tensors logits (rows x
/// experts), weight (rows x k, f32), expert (rows x k, i32). Rows are sorted 32 logits at a time
/// and merged, all tokens of a tile together: the sorter of the vector unit is the limit, not HBM.
class MoeRouteKernel : public VectorKernel {
 public:
  std::string name() const override { return "moe_route"; }
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
  std::vector<DType> tensor_types(DType type) const override {
    return {type, DType::kF32, DType::kI32};
  }
  void check_sizes(const Problem& problem) const override;
  int64_t column_count(const Problem& problem) const override { return problem.size("experts"); }
  bool cuts_columns() const override { return false; }
};

}  // namespace tilewright
