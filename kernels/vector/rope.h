#pragma once

#include "kernels/vector/vector_kernel.h"

namespace tilewright {

/// Rotary position embedding (NeoX halves) of the query and key heads, and the write of K and V to
/// the paged cache. `heads` counts query and key heads together, `kv_heads` those of K and of V.
///
/// Tensors:
///   qkv      rows x (heads + kv_heads) * dim: each token's query heads, key heads, value heads
///   cos_sin  rows x dim, f32: each token's dim/2 cosines, then its sines
///   q        rows x (heads - kv_heads) * dim: rotated queries, heads side by side as in qkv
///   k, v     slots x kv_heads * dim: the cache; a token's row is its slot, one slot after the
///   other
///            in a block, blocks in the order of their numbers
/// The slot of a token stands in the launch's table 0. Slots are scattered, as they are when every
/// token belongs to another sequence: each token's K and V are stores of their own.
///
/// (x1, x2), the halves of a head, become (x1 cos - x2 sin, x2 cos + x1 sin), in f32.
class RopeKernel : public VectorKernel {
 public:
  std::string name() const override { return "rope"; }
  int revision() const override { return 3; }
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
    return {type, DType::kF32, type, type, type};
  }
  void check_sizes(const Problem& problem) const override;
  int64_t column_count(const Problem& problem) const override;
  bool cuts_columns() const override { return false; }
};

}  // namespace tilewright
