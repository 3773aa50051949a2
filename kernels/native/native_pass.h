#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/model/rope.h"
#include "kernels/native/kv_store.h"
#include "kernels/native/native_attention.h"
#include "kernels/native/native_ffn.h"
#include "kernels/native/native_weights.h"

namespace tilewright {

/// What a forward pass needs to know besides the weights.
struct PassShape {
  int64_t kv_blocks = 0;
  int64_t block_size = 0;
  Parallel parallel = {};
};

/// The forward pass of a model over the tokens of a batch, with the KV cache it leaves behind.
/// Buffers are kept from call to call.
class NativePass {
 public:
  NativePass(const ModelConfig& model, NativeWeights weights, const PassShape& shape);

  void copy_blocks(std::span<const BlockCopy> copies);

  /// Logits of the slices that sample: drafts + 1 rows of vocab each, in order. Valid until the
  /// next call. The batch's ids and blocks are in range.
  std::span<const float> run(const Batch& batch);

 private:
  void embed(const Batch& batch);
  void prepare_positions(const Batch& batch);
  void run_stage(const Batch& batch, PartRange layers);
  void run_attention(const Batch& batch, int64_t layer);
  void rotate(const NativeLayer& layer, const HeadShape& heads, int64_t row_width);
  void write_kv(const Batch& batch, const HeadShape& heads, int64_t row_width, KvStore& kv) const;
  void norm(const std::vector<float>& weight);
  std::span<const float> project_to_vocabulary(const Batch& batch);

  ModelConfig model_;
  NativeWeights weights_;
  PassShape shape_;
  Rope rope_;
  std::vector<std::vector<KvStore>> kv_;  ///< [layer][rank]
  NativeAttention attention_;
  NativeFfnRunner ffn_;

  int64_t tokens_ = 0;           ///< of the batch
  std::vector<float> hidden_;    ///< residual stream: tokens * hidden
  std::vector<float> normed_;    ///< tokens * hidden
  std::vector<float> cosines_;   ///< tokens * head_dim / 2
  std::vector<float> sines_;     ///< tokens * head_dim / 2
  std::vector<float> qkv_;       ///< of one rank
  std::vector<float> attended_;  ///< of one rank
  std::vector<float> partial_;   ///< of one rank
  std::vector<float> reduced_;   ///< sum over ranks: tokens * hidden
  std::vector<float> part_logits_;
  std::vector<float> logits_;
};

}  // namespace tilewright
