#pragma once

#include "kernels/vector/vector_kernel.h"

namespace tilewright {

/// out[t] = sum over j of weight[t][j] * rows[place[t][j]]: brings the rows of k experts a token
/// back from expert order, weighted, summed in f32 in the order of j. Tensors expert_rows
/// (rows * k x cols), weight (rows x k, f32), out (rows x cols). The places stand in the launch's
/// table 0, a permutation as counting the tokens of each expert makes it; `gather` with such a
/// table is the way there.
class UnpermuteKernel : public VectorKernel {
 public:
  std::string name() const override { return "unpermute"; }
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
  std::vector<DType> tensor_types(DType type) const override { return {type, DType::kF32, type}; }
  void check_sizes(const Problem& problem) const override;
  bool loads_whole_tiles() const override { return false; }
};

}  // namespace tilewright
