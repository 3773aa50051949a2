#pragma once

#include <cstdint>
#include <vector>

#include "core/serving/executor.h"
#include "kernels/native/kv_store.h"

namespace tilewright {

/// Heads of one rank.
struct HeadShape {
  int64_t query_heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
};

/// Causal grouped-query attention of one slice over the paged KV of its sequence, which holds the
/// slice's own tokens already. Query head h uses KV head h / (query_heads / kv_heads). Scores are
/// scaled by 1 / sqrt(head_dim).
class NativeAttention {
 public:
  /// `queries` points at the slice's first token, `query_stride` floats apart, its heads one after
  /// the other; the result goes to `out` in the same order, `out_stride` apart. `window`: tokens
  /// that a token sees, itself included; 0: all.
  void run(const SequenceSlice& slice, const KvStore& kv, const HeadShape& heads, int64_t window,
           const float* queries, int64_t query_stride, float* out, int64_t out_stride);

 private:
  /// Tokens [first, first + count) of the slice with one KV head, whose panels hold the context
  /// from `origin` on.
  struct Tile {
    int64_t first;
    int64_t count;
    int64_t origin;
    int64_t gathered;
  };

  void run_tile(const SequenceSlice& slice, const HeadShape& heads, int64_t kv_head,
                const Tile& tile, int64_t window, const float* queries, int64_t query_stride,
                float* out, int64_t out_stride);

  std::vector<float> keys_;
  std::vector<float> values_;
  std::vector<float> queries_;
  std::vector<float> scores_;
  std::vector<float> sums_;
};

}  // namespace tilewright
