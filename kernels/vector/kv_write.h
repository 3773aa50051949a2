#pragma once

#include "kernels/vector/vector_kernel.h"

namespace tilewright {

/// Writes the K and V rows of new tokens to their slots of the paged cache. Tensors k_new, v_new
/// (rows x kv_heads * dim), k, v (slots x kv_heads * dim). The slots stand in the launch's table 0:
/// they come with the task descriptors. Tiles are loaded whole, each token is stored by itself.
class KvWriteKernel : public VectorKernel {
 public:
  std::string name() const override { return "kv_write"; }
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
  std::vector<DType> tensor_types(DType type) const override { return {type, type, type, type}; }
  int64_t column_count(const Problem& problem) const override {
    return problem.size("kv_heads") * problem.size("dim");
  }
  void check_sizes(const Problem& problem) const override;
};

}  // namespace tilewright
