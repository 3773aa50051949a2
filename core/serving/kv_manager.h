#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/serving/block_pool.h"
#include "core/serving/executor.h"
#include "core/serving/options.h"
#include "core/serving/prefix_cache.h"
#include "core/serving/token_identity.h"

namespace tilewright {

/// How much of what was asked for the prefix cache had, in tokens, counted when a request is
/// admitted. Hits of preempted requests that come back are counted apart, as vLLM does.
struct PrefixCacheStats {
  int64_t requests = 0;
  int64_t queries = 0;  ///< tokens of the admitted requests
  int64_t hits = 0;     ///< tokens of those that were in the cache
  int64_t copied = 0;   ///< of the hits, tokens in the part of a block that had to be copied
  int64_t preempted_requests = 0;
  int64_t preempted_queries = 0;
  int64_t preempted_hits = 0;

  bool operator==(const PrefixCacheStats&) const = default;
};

/// What the cache has of a request's tokens.
struct PrefixHit {
  int64_t tokens = 0;       ///< all of them, at most one less than the request has
  int64_t blocks = 0;       ///< full blocks, which are shared
  int64_t free_blocks = 0;  ///< of those, such that nobody holds
  int32_t source = -1;      ///< block whose first tokens are to be copied, or -1
  int64_t copied = 0;       ///< tokens to copy
};

/// The KV blocks of all requests: vLLM v1's block pool and prefix cache, and on top XY-Serve's
/// reuse by token. Full blocks are hashed and shared; what matches only the beginning of a cached
/// block is copied into a new one.
class KvManager {
 public:
  /// The identity of the tokens must outlive this.
  KvManager(const Capacity& capacity, const ServingOptions& options, const TokenIdentity& tokens,
            size_t requests);

  const BlockPool& pool() const { return pool_; }
  const PrefixCacheStats& stats() const { return stats_; }
  std::span<const int32_t> blocks(int64_t request) const { return sequence(request).blocks; }
  /// Tokens that the request's blocks can hold.
  int64_t room(int64_t request) const {
    return std::ssize(sequence(request).blocks) * pool_.block_size();
  }
  /// Number of tokens from which on cache() has something to do.
  int64_t next_full(int64_t request) const { return sequence(request).next_full; }

  /// What the cache has of the first `length` tokens of a request without blocks. Blocks that step
  /// `plan` fills may be shared within it (they are written before they are read), but not copied.
  PrefixHit find(int64_t request, int64_t length, uint64_t salt, int64_t plan);

  /// Blocks that must be free for a request with this hit to hold `tokens` tokens.
  int64_t needed(const PrefixHit& hit, int64_t tokens) const {
    return pool_.blocks_for(tokens) - hit.blocks + hit.free_blocks;
  }

  /// Gives a request without blocks its hit and blocks for `tokens` tokens in all, which must be
  /// free. A copy that this needs is added to `copies`.
  void admit(int64_t request, const PrefixHit& hit, int64_t tokens, std::vector<BlockCopy>& copies);

  /// Counts an admitted request of `length` tokens.
  void count(const PrefixHit& hit, int64_t length, bool was_preempted);

  /// Blocks for `tokens` tokens in all; false, without any change, where too few are free.
  bool grow(int64_t request, int64_t tokens);

  /// The first `verified` tokens of the request have KV (or step `plan` makes it), and are not
  /// drafts: blocks that are full of them become shareable.
  void cache(int64_t request, int64_t verified, int64_t plan);

  /// Takes the request's blocks back, last first. The `verified` tokens in them stay in the cache
  /// until the blocks are used again.
  void release(int64_t request, int64_t verified, int64_t plan);

  /// Shows `blocks` to a request as if they were its next ones, without taking them.
  void lend(int64_t request, int32_t block) { sequence(request).blocks.push_back(block); }
  /// Takes the block that was lent to the request and is the next in the pool.
  void take_lent(int32_t block);
  void give_back_lent(int64_t request) { sequence(request).blocks.pop_back(); }

 private:
  struct Sequence {
    std::vector<int32_t> blocks;
    std::vector<uint64_t> hashes;  // of the first blocks, each with its prefix
    int64_t cached = 0;            // blocks in the cache
    int64_t next_full = 0;
    uint64_t root = 0;  // hash of no tokens
  };

  const Sequence& sequence(int64_t request) const {
    return sequences_[static_cast<size_t>(request)];
  }
  Sequence& sequence(int64_t request) { return sequences_[static_cast<size_t>(request)]; }
  uint64_t hash_before(const Sequence& sequence, int64_t block) const {
    return block == 0 ? sequence.root : sequence.hashes[static_cast<size_t>(block - 1)];
  }
  uint64_t hash_of(int64_t request, int64_t block);
  int32_t take();
  void set_cached(Sequence& sequence, int64_t blocks);

  bool enabled_;
  bool by_token_;
  const TokenIdentity& tokens_;
  BlockPool pool_;
  PrefixCache cache_;
  PrefixCacheStats stats_;
  std::vector<Sequence> sequences_;
};

/// Share of a workload's prompt tokens that a cache of `blocks` KV blocks of
/// Workload::prefix_block_tokens tokens has, request after request in order, each alone on the
/// device and its output not kept; full blocks only. Error (usage) for a workload without prefix
/// hashes.
double prefix_cache_hit_rate(const Workload& workload, int64_t blocks);

}  // namespace tilewright
