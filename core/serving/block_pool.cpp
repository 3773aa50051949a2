#include "core/serving/block_pool.h"

#include "core/base/error.h"

namespace tilewright {

BlockPool::BlockPool(int64_t blocks, int64_t block_size) : block_size_(block_size), free_(blocks) {
  TW_CHECK(blocks >= 1 && blocks < INT32_MAX, "a pool has blocks, and an id has 31 bits");
  TW_CHECK(block_size >= 1, "a block holds tokens");
  references_.resize(static_cast<size_t>(blocks));
  const auto end = static_cast<int32_t>(blocks);
  links_.resize(static_cast<size_t>(blocks) + 1);
  for (int32_t id = 0; id <= end; ++id) {
    links_[static_cast<size_t>(id)] = {id == 0 ? end : id - 1, id == end ? 0 : id + 1};
  }
}

void BlockPool::unlink(int32_t block) {
  const Links links = links_[static_cast<size_t>(block)];
  links_[static_cast<size_t>(links.before)].after = links.after;
  links_[static_cast<size_t>(links.after)].before = links.before;
}

void BlockPool::link_behind(int32_t block, int32_t before) {
  const int32_t after = links_[static_cast<size_t>(before)].after;
  links_[static_cast<size_t>(block)] = {before, after};
  links_[static_cast<size_t>(before)].after = block;
  links_[static_cast<size_t>(after)].before = block;
}

int32_t BlockPool::take() {
  TW_CHECK(free_ > 0, "only free blocks can be taken");
  const int32_t block = links_.back().after;
  hold(block);
  return block;
}

void BlockPool::hold(int32_t block) {
  int32_t& references = references_[static_cast<size_t>(block)];
  if (references++ > 0) return;
  unlink(block);
  --free_;
}

void BlockPool::release(int32_t block, bool is_reusable) {
  int32_t& references = references_[static_cast<size_t>(block)];
  TW_CHECK(references > 0, "a block is freed by one of its holders");
  if (--references > 0) return;
  const auto end = static_cast<int32_t>(total());
  link_behind(block, is_reusable ? links_.back().before : end);
  ++free_;
}

void BlockPool::touch(int32_t block) {
  if (!is_free(block)) return;
  unlink(block);
  link_behind(block, links_.back().before);
}

std::vector<int32_t> BlockPool::peek(int64_t count) const {
  TW_CHECK(count <= free_, "only free blocks can be taken");
  std::vector<int32_t> blocks;
  blocks.reserve(static_cast<size_t>(count));
  int32_t block = links_.back().after;
  for (int64_t i = 0; i < count; ++i) {
    blocks.push_back(block);
    block = links_[static_cast<size_t>(block)].after;
  }
  return blocks;
}

}  // namespace tilewright
