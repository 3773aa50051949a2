#pragma once

#include "kernels/vector/vector_kernel.h"

namespace tilewright {

/// The k largest elements of each row, largest first, equal ones by lowest column. Tensors logits,
/// value (rows x k, f32), id (rows x k, i32). How: kernels/vector/top_k_launch.h.
class TopKKernel : public VectorKernel {
 public:
  std::string name() const override { return "top_k"; }
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
  int64_t most_rows() const override { return 1; }
};

/// Draws a token from each row of logits, as temperature, top-k and top-p (nucleus) sampling say,
/// in this order: the k_row largest logits, largest first, equal ones by lowest id, k_row <= k;
/// their softmax at the row's temperature; of them the nucleus, the fewest from the front whose
/// probabilities sum to p at least; of those the first whose cumulative probability is above u
/// times the nucleus's. A row that is all -inf counts as k equal logits.
///
/// Each row's 1 / temperature, p, u and k_row are inputs, so a launch serves requests of all kinds.
/// u comes from the host, which draws it counter-based from (seed, request, position). Tensors
/// logits, value and id (rows x k, of the k largest: the log-probabilities that a server reports),
/// params (rows x 4, each in a block of its own), token (rows x 1, i32).
class SampleKernel : public TopKKernel {
 public:
  std::string name() const override { return "sample"; }
  std::string summary() const override;
  Launch build(const Problem& problem, const Config& config, const Machine& machine) const override;
  void fill_inputs(const Problem& problem, const Launch& launch, const InputValues& values,
                   GmImage& image) const override;
  std::vector<ExpectedTensor> reference(const Problem& problem, const Launch& launch,
                                        const GmImage& inputs) const override;

 protected:
  std::vector<DType> tensor_types(DType type) const override {
    return {type, DType::kF32, DType::kI32, DType::kF32, DType::kI32};
  }
};

}  // namespace tilewright
