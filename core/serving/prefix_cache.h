#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/serving/token_identity.h"

namespace tilewright {

/// Which KV block holds which tokens: a tree over the hashes of full blocks, each hash including
/// the block's whole past (vLLM's chained hashes). Several blocks may hold the same tokens; the one
/// that came first is found. With `by_token`, the blocks below a prefix are also found by the
/// longest common beginning with a request's tokens, and blocks that are partly filled are kept for
/// that (XY-Serve's reuse by token).
class PrefixCache {
 public:
  PrefixCache(int64_t blocks, const TokenIdentity& tokens, bool by_token);

  bool contains(int32_t block) const { return entries_[static_cast<size_t>(block)].tokens > 0; }

  /// The block with this chain hash, or -1.
  int32_t find(uint64_t hash) const;

  /// What a block holds: `tokens` tokens of `request` behind the prefix with hash `parent`.
  struct Contents {
    uint64_t parent = 0;
    uint64_t hash = 0;  ///< of the block and its prefix; only of a full block
    bool is_full = false;
    int64_t request = 0;
    int64_t first = 0;  ///< position of its first token
    int64_t tokens = 0;
    int64_t plan = 0;  ///< number of the step that computes its tokens
  };

  /// Remembers a block that is not in the cache. Partly filled ones only with by_token.
  void insert(int32_t block, const Contents& contents);
  void evict(int32_t block);

  /// The block below `parent` whose first tokens are the most, up to `limit`, of the request's
  /// tokens from `first` on, and that no later step than before `plan` filled: block -1 without
  /// one.
  struct Match {
    int32_t block = -1;
    int64_t tokens = 0;
  };
  Match longest_match(uint64_t parent, int64_t request, int64_t first, int64_t limit,
                      int64_t plan) const;

 private:
  struct Entry : Contents {
    int32_t next_same = -1;  // another block with the same hash, which came later
  };
  /// Keys are hashes already.
  struct KeyIsHash {
    size_t operator()(uint64_t key) const { return key; }
  };
  struct Node {
    int32_t block = -1;             // the first with this hash
    std::vector<int32_t> children;  // by_token: in the order of their tokens, then of their ids
  };

  const Entry& entry(int32_t block) const { return entries_[static_cast<size_t>(block)]; }
  Entry& entry(int32_t block) { return entries_[static_cast<size_t>(block)]; }
  bool is_before(int32_t child, int64_t request, int64_t first, int64_t tokens,
                 int32_t block) const;
  void unlink_same(int32_t block);
  void drop_if_empty(uint64_t hash);

  const TokenIdentity& tokens_;
  bool by_token_;
  std::vector<Entry> entries_;  // of each block
  std::unordered_map<uint64_t, Node, KeyIsHash> nodes_;
};

}  // namespace tilewright
