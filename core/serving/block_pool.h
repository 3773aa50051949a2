#pragma once

#include <cstdint>
#include <vector>

namespace tilewright {

/// The physical KV blocks of a device and who holds them. Ids are 0 to total-1; the block freed
/// last is used first (vLLM puts freed blocks without a hash at the head of its free list). Unlike
/// vLLM's, no block is set apart as the null block: all are usable.
class BlockPool {
 public:
  BlockPool(int64_t blocks, int64_t block_size);

  int64_t total() const { return static_cast<int64_t>(references_.size()); }
  int64_t free() const { return static_cast<int64_t>(free_.size()); }
  int64_t used() const { return total() - free(); }
  int64_t block_size() const { return block_size_; }

  /// Blocks that hold `tokens` tokens.
  int64_t blocks_for(int64_t tokens) const { return (tokens + block_size_ - 1) / block_size_; }

  /// Appends `count` free blocks to `blocks`; count <= free().
  void allocate(int64_t count, std::vector<int32_t>& blocks);

  /// Takes the last `count` of `blocks` back, last first.
  void release(int64_t count, std::vector<int32_t>& blocks);

 private:
  int64_t block_size_;
  std::vector<int32_t> free_;        // a stack: the next one to use is at the back
  std::vector<int32_t> references_;  // holders of each block
};

}  // namespace tilewright
