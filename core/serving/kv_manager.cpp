#include "core/serving/kv_manager.h"

#include <algorithm>
#include <limits>

#include "core/base/error.h"
#include "core/base/random.h"

namespace tilewright {

namespace {

constexpr uint64_t kRootSeed = 0x74696c6577726974;  // any number will do
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

}  // namespace

KvManager::KvManager(const Capacity& capacity, const ServingOptions& options,
                     const TokenIdentity& tokens, size_t requests)
    : enabled_(options.enable_prefix_caching),
      by_token_(options.enable_prefix_caching && options.prefix_cache_tokens),
      tokens_(tokens),
      pool_(capacity.kv_blocks, capacity.block_size),
      cache_(capacity.kv_blocks, tokens, by_token_),
      sequences_(requests) {
  for (Sequence& sequence : sequences_) {
    sequence.root = mix_bits(kRootSeed, 0);
    set_cached(sequence, 0);
  }
}

void KvManager::set_cached(Sequence& sequence, int64_t blocks) {
  sequence.cached = blocks;
  sequence.next_full = enabled_ ? (blocks + 1) * pool_.block_size() : kNever;
}

uint64_t KvManager::hash_of(int64_t request, int64_t block) {
  Sequence& of = sequence(request);
  while (std::ssize(of.hashes) <= block) {
    const int64_t next = std::ssize(of.hashes);
    const int64_t first = next * pool_.block_size();
    of.hashes.push_back(
        tokens_.hash(hash_before(of, next), request, first, first + pool_.block_size()));
  }
  return of.hashes[static_cast<size_t>(block)];
}

PrefixHit KvManager::find(int64_t request, int64_t length, uint64_t salt, int64_t plan) {
  PrefixHit hit;
  if (!enabled_) return hit;
  Sequence& of = sequence(request);
  TW_CHECK(of.blocks.empty(), "only a request without blocks asks for them");
  of.root = mix_bits(kRootSeed, salt);
  const int64_t most = (length - 1) / pool_.block_size();
  while (hit.blocks < most) {
    const int32_t block = cache_.find(hash_of(request, hit.blocks));
    if (block < 0) break;
    hit.free_blocks += pool_.is_free(block) ? 1 : 0;
    ++hit.blocks;
  }
  hit.tokens = hit.blocks * pool_.block_size();
  const int64_t limit = std::min(pool_.block_size(), length - 1 - hit.tokens);
  if (!by_token_ || limit <= 0) return hit;
  const PrefixCache::Match match =
      cache_.longest_match(hash_before(of, hit.blocks), request, hit.tokens, limit, plan);
  hit.source = match.block;
  hit.copied = match.tokens;
  hit.tokens += match.tokens;
  return hit;
}

int32_t KvManager::take() {
  const int32_t block = pool_.take();
  if (cache_.contains(block)) cache_.evict(block);
  return block;
}

void KvManager::admit(int64_t request, const PrefixHit& hit, int64_t tokens,
                      std::vector<BlockCopy>& copies) {
  Sequence& of = sequence(request);
  TW_CHECK(of.blocks.empty() && tokens > hit.tokens, "an admitted request computes a token");
  TW_CHECK(needed(hit, tokens) <= pool_.free(), "only a request that fits is admitted");
  for (int64_t i = 0; i < hit.blocks; ++i) {
    of.blocks.push_back(cache_.find(hash_of(request, i)));
    pool_.hold(of.blocks.back());
  }
  set_cached(of, hit.blocks);
  if (hit.source >= 0) pool_.touch(hit.source);
  while (room(request) < tokens) of.blocks.push_back(take());
  if (hit.source < 0) return;
  // The copy is made before the step, so it does not matter that the source may have been the only
  // block left and is used again by somebody; if it is used for this very part, it stays as it is.
  const int32_t target = of.blocks[static_cast<size_t>(hit.blocks)];
  if (target != hit.source) copies.push_back({hit.source, target, hit.copied});
}

void KvManager::count(const PrefixHit& hit, int64_t length, bool was_preempted) {
  if (!enabled_) return;
  if (was_preempted) {
    ++stats_.preempted_requests;
    stats_.preempted_queries += length;
    stats_.preempted_hits += hit.tokens;
    return;
  }
  ++stats_.requests;
  stats_.queries += length;
  stats_.hits += hit.tokens;
  stats_.copied += hit.copied;
}

bool KvManager::grow(int64_t request, int64_t tokens) {
  Sequence& growing = sequence(request);
  const int64_t more = pool_.blocks_for(tokens) - std::ssize(growing.blocks);
  if (more > pool_.free()) return false;
  for (int64_t i = 0; i < more; ++i) growing.blocks.push_back(take());
  return true;
}

void KvManager::cache(int64_t request, int64_t verified, int64_t plan) {
  Sequence& of = sequence(request);
  while (of.next_full <= verified) {
    const int64_t index = of.cached;
    const uint64_t hash = hash_of(request, index);
    cache_.insert(of.blocks[static_cast<size_t>(index)], {.parent = hash_before(of, index),
                                                          .hash = hash,
                                                          .is_full = true,
                                                          .request = request,
                                                          .first = index * pool_.block_size(),
                                                          .tokens = pool_.block_size(),
                                                          .plan = plan});
    set_cached(of, index + 1);
  }
}

void KvManager::release(int64_t request, int64_t verified, int64_t plan) {
  Sequence& of = sequence(request);
  if (of.blocks.empty()) return;
  cache(request, verified, plan);
  const int64_t partial = verified - of.cached * pool_.block_size();
  if (by_token_ && partial > 0) {
    cache_.insert(of.blocks[static_cast<size_t>(of.cached)],
                  {.parent = hash_before(of, of.cached),
                   .hash = 0,
                   .is_full = false,
                   .request = request,
                   .first = of.cached * pool_.block_size(),
                   .tokens = partial,
                   .plan = plan});
  }
  for (; !of.blocks.empty(); of.blocks.pop_back()) {
    pool_.release(of.blocks.back(), cache_.contains(of.blocks.back()));
  }
  of.hashes = {};
  set_cached(of, 0);
}

void KvManager::take_lent(int32_t block) {
  TW_CHECK(take() == block, "what was lent is what comes next");
}

double prefix_cache_hit_rate(const Workload& workload, int64_t blocks) {
  const int64_t block_size = workload.prefix_block_tokens;
  if (block_size < 1) {
    throw Error(ErrorKind::kUsage, workload.source + ": the workload has no prefix hashes");
  }
  const TokenIdentity tokens(workload);
  ServingOptions options;
  options.prefix_cache_tokens = false;
  KvManager kv({.kv_blocks = blocks, .block_size = block_size, .max_model_len = kNever}, options,
               tokens, workload.requests.size());
  std::vector<BlockCopy> copies;
  int64_t prompt_tokens = 0;
  for (int64_t request = 0; request < std::ssize(workload.requests); ++request) {
    const int64_t prompt = workload.requests[static_cast<size_t>(request)].prompt_tokens;
    prompt_tokens += prompt;
    // What is longer than the whole cache is kept as far as it goes.
    const int64_t kept = std::min(prompt, blocks * block_size);
    const PrefixHit hit = kv.find(request, kept, 0, request);
    kv.admit(request, hit, kept, copies);
    kv.count(hit, kept, false);
    kv.release(request, kept, request);
  }
  return prompt_tokens == 0
             ? 0.0
             : static_cast<double>(kv.stats().hits) / static_cast<double>(prompt_tokens);
}

}  // namespace tilewright
