#include "core/serving/block_pool.h"

#include "core/base/error.h"

namespace tilewright {

BlockPool::BlockPool(int64_t blocks, int64_t block_size) : block_size_(block_size) {
  TW_CHECK(blocks >= 1 && blocks <= INT32_MAX, "a pool has blocks, and an id has 31 bits");
  TW_CHECK(block_size >= 1, "a block holds tokens");
  references_.resize(static_cast<size_t>(blocks));
  free_.reserve(references_.size());
  for (int64_t id = blocks; id-- > 0;) free_.push_back(static_cast<int32_t>(id));
}

void BlockPool::allocate(int64_t count, std::vector<int32_t>& blocks) {
  TW_CHECK(count >= 0 && count <= free(), "only free blocks can be allocated");
  for (int64_t i = 0; i < count; ++i) {
    const int32_t id = free_.back();
    free_.pop_back();
    int32_t& references = references_[static_cast<size_t>(id)];
    TW_CHECK(references == 0, "a free block has no holder");
    references = 1;
    blocks.push_back(id);
  }
}

void BlockPool::release(int64_t count, std::vector<int32_t>& blocks) {
  TW_CHECK(count >= 0 && count <= static_cast<int64_t>(blocks.size()),
           "only held blocks are freed");
  for (int64_t i = 0; i < count; ++i) {
    const int32_t id = blocks.back();
    blocks.pop_back();
    int32_t& references = references_[static_cast<size_t>(id)];
    TW_CHECK(references == 1, "a block is freed by its one holder");
    references = 0;
    free_.push_back(id);
  }
}

}  // namespace tilewright
