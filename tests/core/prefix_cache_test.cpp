#include "core/serving/prefix_cache.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <list>
#include <map>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/serving/kv_manager.h"
#include "core/workload/trace_reader.h"
#include "tests/core/serving_fakes.h"

namespace tilewright {
namespace {

Request with_hashes(int64_t prompt, std::vector<int64_t> hashes) {
  Request request;
  request.prompt_tokens = prompt;
  request.output_tokens = 5;
  request.prefix_hashes = std::move(hashes);
  return request;
}

TEST(TokenIdentity, PiecesAreEqualBehindEqualPieces) {
  Workload workload = workload_of({with_hashes(20, {1, 2}), with_hashes(20, {1, 3}),
                                   with_hashes(20, {4, 2}), with_hashes(14, {1, 2})});
  workload.prefix_block_tokens = 10;
  const TokenIdentity tokens(workload);
  EXPECT_EQ(tokens.compare(0, 1, 0, 20).equal, 10);
  EXPECT_EQ(tokens.compare(0, 2, 0, 20).equal, 0);
  EXPECT_EQ(tokens.compare(0, 2, 10, 20).equal, 0);  // equal ids behind others
  EXPECT_EQ(tokens.compare(0, 3, 0, 20).equal, 14);  // the shorter prompt's output is its own
  EXPECT_EQ(tokens.compare(0, 0, 0, 25).equal, 25);
  // Blocks that cut pieces anywhere.
  EXPECT_EQ(tokens.hash(7, 0, 4, 12), tokens.hash(7, 3, 4, 12));
  EXPECT_NE(tokens.hash(7, 0, 4, 12), tokens.hash(7, 1, 4, 12));
  EXPECT_NE(tokens.hash(7, 0, 4, 16), tokens.hash(7, 3, 4, 16));
  EXPECT_NE(tokens.hash(7, 0, 4, 12), tokens.hash(8, 0, 4, 12));
}

TEST(TokenIdentity, APromptThatGoesOnWhereAnOutputEndedIsEqual) {
  Request first;
  first.prompt_tokens = 3;
  first.prompt_ids = {1, 2, 3};
  first.output_tokens = 2;
  first.output_ids = {4, 5};
  Request second;
  second.prompt_tokens = 6;
  second.prompt_ids = {1, 2, 3, 4, 5, 6};
  second.output_tokens = 1;
  const Workload workload = workload_of({first, second});
  const TokenIdentity tokens(workload);
  EXPECT_EQ(tokens.compare(0, 1, 0, 5).equal, 5);
  EXPECT_EQ(tokens.hash(0, 0, 0, 5), tokens.hash(0, 1, 0, 5));
}

TEST(PrefixCache, FindsTheFirstOfEqualBlocksUntilItIsEvicted) {
  const Workload workload = workload_of({with_hashes(8, {}), with_hashes(8, {})});
  const TokenIdentity tokens(workload);
  PrefixCache cache(10, tokens, false);
  const PrefixCache::Contents contents = {
      .parent = 1, .hash = 2, .is_full = true, .request = 0, .first = 0, .tokens = 4, .plan = 1};
  cache.insert(7, contents);
  cache.insert(3, contents);
  EXPECT_EQ(cache.find(2), 7);
  cache.evict(7);
  EXPECT_EQ(cache.find(2), 3);
  EXPECT_FALSE(cache.contains(7));
  cache.evict(3);
  EXPECT_EQ(cache.find(2), -1);
}

TEST(PrefixCache, FindsTheLongestCommonBeginningAmongManyBlocks) {
  Random random(1);
  std::vector<Request> requests;
  for (int i = 0; i < 300; ++i) {
    Request request;
    request.prompt_tokens = 8;
    request.output_tokens = 1;
    for (int j = 0; j < 8; ++j) request.prompt_ids.push_back(static_cast<int32_t>(random.below(3)));
    requests.push_back(std::move(request));
  }
  const Workload workload = workload_of(std::move(requests));
  const TokenIdentity tokens(workload);
  PrefixCache cache(300, tokens, true);
  std::map<int32_t, int64_t> held;  // block, tokens: block i holds tokens of request i
  for (int round = 0; round < 2000; ++round) {
    const auto block = static_cast<int32_t>(random.below(300));
    if (held.count(block) > 0) {
      cache.evict(block);
      held.erase(block);
    } else {
      held[block] = static_cast<int64_t>(1 + random.below(8));
      cache.insert(block, {.parent = 5,
                           .hash = tokens.hash(5, block, 0, 8),
                           .is_full = held[block] == 8,
                           .request = block,
                           .first = 0,
                           .tokens = held[block],
                           .plan = 1});
    }
    const auto request = static_cast<int64_t>(random.below(300));
    const auto limit = static_cast<int64_t>(1 + random.below(8));
    int64_t longest = 0;
    for (const auto& [other, size] : held) {
      const int64_t most = std::min(size, limit);
      longest = std::max(longest, tokens.compare(other, request, 0, most).equal);
    }
    const PrefixCache::Match match = cache.longest_match(5, request, 0, limit, 2);
    ASSERT_EQ(match.tokens, longest);
    EXPECT_EQ(match.block >= 0, longest > 0);
    EXPECT_EQ(cache.longest_match(5, request, 0, limit, 1).block, -1);  // of the same step
  }
}

/// Hit rate of LRU over blocks known by their prefix, a request's blocks used from last to first.
double plain_lru(const Workload& workload, size_t capacity) {
  std::list<uint64_t> order;  // the oldest first
  std::map<uint64_t, std::list<uint64_t>::iterator> place;
  int64_t hits = 0;
  int64_t tokens = 0;
  for (const Request& request : workload.requests) {
    tokens += request.prompt_tokens;
    std::vector<uint64_t> chain;
    uint64_t hash = 0;
    const auto full = static_cast<size_t>(request.prompt_tokens / workload.prefix_block_tokens);
    for (size_t i = 0; i < full; ++i) {
      hash = mix_bits(hash, static_cast<uint64_t>(request.prefix_hashes[i]));
      chain.push_back(hash);
    }
    const auto most =
        static_cast<size_t>((request.prompt_tokens - 1) / workload.prefix_block_tokens);
    for (size_t i = 0; i < most && place.count(chain[i]) > 0; ++i) {
      hits += workload.prefix_block_tokens;
    }
    for (size_t i = chain.size(); i-- > 0;) {
      if (const auto known = place.find(chain[i]); known != place.end()) order.erase(known->second);
      place[chain[i]] = order.insert(order.end(), chain[i]);
    }
    for (; order.size() > capacity; order.pop_front()) place.erase(order.front());
  }
  return static_cast<double>(hits) / static_cast<double>(tokens);
}

TEST(PrefixCache, HitsAsOftenAsLeastRecentlyUsedDoes) {
  Random random(7);
  Workload workload = workload_of({});
  workload.prefix_block_tokens = 16;
  std::vector<std::vector<int64_t>> sessions(40);
  for (int i = 0; i < 3000; ++i) {
    std::vector<int64_t>& session = sessions[random.below(sessions.size())];
    if (session.size() > 30) session.clear();
    const uint64_t grown = 1 + random.below(4);
    for (uint64_t j = 0; j < grown; ++j) {
      session.push_back(
          static_cast<int64_t>(session.empty() ? random.below(3) : random.bits() >> 1));
    }
    const auto tokens =
        static_cast<int64_t>(session.size()) * 16 - static_cast<int64_t>(random.below(16));
    workload.requests.push_back(with_hashes(tokens, session));
  }
  double before = 0;
  for (const int64_t blocks : {60, 200, 500, 5000}) {
    const double rate = prefix_cache_hit_rate(workload, blocks);
    EXPECT_NEAR(rate, plain_lru(workload, static_cast<size_t>(blocks)), 0.01) << blocks;
    EXPECT_GT(rate, before);
    before = rate;
  }
  EXPECT_THROW(prefix_cache_hit_rate(workload_of({}), 10), Error);
}

TEST(PrefixCache, HitsTheConversationTraceAsMeasuredElsewhere) {
  const char* set = std::getenv("TILEWRIGHT_DATA");
  const std::filesystem::path data =
      set ? std::filesystem::path(set)
          : std::filesystem::path(TILEWRIGHT_SOURCE_DIR) / ".." / "shared" / "data";
  const std::filesystem::path trace = data / "traces/mooncake_conversation.first_30min.jsonl";
  if (!std::filesystem::exists(trace)) {
    GTEST_SKIP() << "no file " << trace << "; set TILEWRIGHT_DATA";
  }
  const Workload workload = read_workload(trace.string());
  ASSERT_EQ(workload.prefix_block_tokens, 512);
  const std::vector<std::pair<int64_t, double>> kWant = {
      {1000, 0.044}, {5000, 0.113}, {20000, 0.282}, {50000, 0.343}, {500000, 0.347}};
  for (const auto& [blocks, rate] : kWant) {
    const double got = prefix_cache_hit_rate(workload, blocks);
    EXPECT_NEAR(got, rate, 0.01) << blocks;
    RecordProperty("rate_" + std::to_string(blocks), std::to_string(got));
  }
}

}  // namespace
}  // namespace tilewright
