#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tilewright {

/// The physical KV blocks of a device, how many requests hold each, and the order in which the free
/// ones are used again: a doubly linked list, so that a block can leave it from anywhere in O(1).
/// Ids are 0 to total-1. Unlike vLLM's pool none is set apart as the null block: all are usable,
/// Capacity::kv_blocks counts usable blocks, and the usage is used() / total().
///
/// A free block may still hold KV that somebody could use again ("reusable"): such are put at the
/// tail, so that they are used in LRU order, the others at the head.
class BlockPool {
 public:
  BlockPool(int64_t blocks, int64_t block_size);

  int64_t total() const { return static_cast<int64_t>(references_.size()); }
  int64_t free() const { return free_; }
  int64_t used() const { return total() - free(); }
  int64_t block_size() const { return block_size_; }
  bool is_free(int32_t block) const { return references_[static_cast<size_t>(block)] == 0; }

  /// Blocks that hold `tokens` tokens.
  int64_t blocks_for(int64_t tokens) const { return (tokens + block_size_ - 1) / block_size_; }

  /// The block at the head of the free list, held once from now on; free() >= 1.
  int32_t take();

  /// One more holder; a free block leaves the free list.
  void hold(int32_t block);

  /// One holder less. Without any the block is free, at the tail if it is reusable.
  void release(int32_t block, bool is_reusable);

  /// Moves a free block to the tail, as if it had been released now; others stay.
  void touch(int32_t block);

  /// The first `count` blocks that take() would answer with; count <= free().
  std::vector<int32_t> peek(int64_t count) const;

 private:
  void unlink(int32_t block);
  void link_behind(int32_t block, int32_t before);

  /// Neighbours in the free list. Entry total() is its head and tail in one.
  struct Links {
    int32_t before, after;
  };

  int64_t block_size_;
  int64_t free_;
  std::vector<Links> links_;
  std::vector<int32_t> references_;  // holders of each block
};

}  // namespace tilewright
