#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tilewright {

/// Shape of the KV cache of one rank's share of one layer.
struct KvShape {
  int64_t blocks = 0;
  int64_t block_size = 0;
  int64_t heads = 0;
  int64_t head_dim = 0;
};

/// Keys and values of one layer on one rank, in physical blocks of block_size tokens. What was
/// never written is NaN, so that a wrong block table shows in the logits.
class KvStore {
 public:
  explicit KvStore(const KvShape& shape);

  /// Writes all heads of a token: `keys` and `values` hold heads * head_dim floats.
  void write(int32_t block, int64_t slot, const float* keys, const float* values);

  /// Copies the first `tokens` tokens of a block.
  void copy(int32_t from, int32_t to, int64_t tokens);

  /// Lays the tokens [first, first + count) of one head out for multiply_panels(): keys as panels
  /// of 32 tokens over head_dim (for scores), values as panels of 32 elements over the tokens (for
  /// sums). `blocks` is the sequence's block table.
  void gather_keys(std::span<const int32_t> blocks, int64_t head, int64_t first, int64_t count,
                   std::vector<float>& panels) const;
  void gather_values(std::span<const int32_t> blocks, int64_t head, int64_t first, int64_t count,
                     std::vector<float>& panels) const;

 private:
  /// Of the head's vector of the token in `slot`; keys and values are laid out alike.
  size_t offset(int32_t block, int64_t head, int64_t slot) const;

  KvShape shape_;
  std::vector<float> keys_;
  std::vector<float> values_;
};

}  // namespace tilewright
