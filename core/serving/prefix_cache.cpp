#include "core/serving/prefix_cache.h"

#include <algorithm>

#include "core/base/error.h"

namespace tilewright {

PrefixCache::PrefixCache(int64_t blocks, const TokenIdentity& tokens, bool by_token)
    : tokens_(tokens), by_token_(by_token), entries_(static_cast<size_t>(blocks)) {}

int32_t PrefixCache::find(uint64_t hash) const {
  const auto node = nodes_.find(hash);
  return node == nodes_.end() ? -1 : node->second.block;
}

bool PrefixCache::is_before(int32_t child, int64_t request, int64_t first, int64_t tokens,
                            int32_t block) const {
  const Entry& other = entry(child);
  const int64_t common = std::min(other.tokens, tokens);
  const auto order = tokens_.compare(other.request, request, first, first + common);
  if (order.equal < common) return order.less;
  return other.tokens != tokens ? other.tokens < tokens : child < block;
}

void PrefixCache::insert(int32_t block, const Contents& contents) {
  TW_CHECK(!contains(block) && contents.tokens > 0, "a block is cached once, with its tokens");
  static_cast<Contents&>(entry(block)) = contents;
  entry(block).next_same = -1;
  if (contents.is_full) {
    int32_t* last = &nodes_[contents.hash].block;
    while (*last >= 0) last = &entry(*last).next_same;
    *last = block;
  }
  if (!by_token_) return;
  std::vector<int32_t>& children = nodes_[contents.parent].children;
  const auto place = std::partition_point(children.begin(), children.end(), [&](int32_t child) {
    return is_before(child, contents.request, contents.first, contents.tokens, block);
  });
  children.insert(place, block);
}

void PrefixCache::unlink_same(int32_t block) {
  int32_t* link = &nodes_[entry(block).hash].block;
  while (*link != block) link = &entry(*link).next_same;
  *link = entry(block).next_same;
  drop_if_empty(entry(block).hash);
}

void PrefixCache::drop_if_empty(uint64_t hash) {
  const auto node = nodes_.find(hash);
  if (node->second.block < 0 && node->second.children.empty()) nodes_.erase(node);
}

void PrefixCache::evict(int32_t block) {
  const Entry gone = entry(block);
  if (gone.is_full) unlink_same(block);
  if (by_token_) {
    std::vector<int32_t>& children = nodes_[gone.parent].children;
    const auto place = std::partition_point(children.begin(), children.end(), [&](int32_t child) {
      return is_before(child, gone.request, gone.first, gone.tokens, block);
    });
    TW_CHECK(place != children.end() && *place == block, "a cached block is below its parent");
    children.erase(place);
    drop_if_empty(gone.parent);
  }
  entry(block) = {};
}

PrefixCache::Match PrefixCache::longest_match(uint64_t parent, int64_t request, int64_t first,
                                              int64_t limit, int64_t plan) const {
  const auto node = nodes_.find(parent);
  if (node == nodes_.end()) return {};
  // The children with the longest common beginning stand where the request's tokens would.
  const std::vector<int32_t>& children = node->second.children;
  const auto place = std::partition_point(children.begin(), children.end(), [&](int32_t child) {
    return is_before(child, request, first, limit, -1);
  });
  Match best;
  const auto consider = [&](int32_t child) {
    if (entry(child).plan >= plan) return false;
    const int64_t most = std::min(limit, entry(child).tokens);
    const int64_t equal = tokens_.compare(entry(child).request, request, first, first + most).equal;
    if (equal > best.tokens) best = {child, equal};
    return true;
  };
  for (auto child = place; child != children.end() && !consider(*child);) ++child;
  for (auto child = place; child != children.begin() && !consider(*--child);) continue;
  return best;
}

}  // namespace tilewright
