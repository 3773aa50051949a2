#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "core/base/random.h"
#include "kernels/attention/kv_split.h"
#include "kernels/attention/task_table.h"
#include "kernels/attention/token_table.h"

namespace tilewright {
namespace {

/// The worked example of XY-Serve: 417 tokens of four sequences.
std::vector<TokenEntry> example() {
  const std::vector<StageTokens> sequences = {{AttentionStage::kPrefill, 362, 1318},
                                              {AttentionStage::kDecode, 1, 1657},
                                              {AttentionStage::kVerify, 53, 2036},
                                              {AttentionStage::kDecode, 1, 1986}};
  return token_table(sequences, {});
}

TEST(TokenTable, PacksTheExampleOfThePaper) {
  const std::vector<TokenEntry> table = example();
  ASSERT_EQ(table.size(), 4u);
  const int64_t starts[] = {0, 362, 363, 416};
  const int64_t tile_sizes[] = {128, 16, 64, 16};
  for (size_t e = 0; e < 4; ++e) {
    EXPECT_EQ(table[e].start, starts[e]);
    EXPECT_EQ(table[e].tile_size, tile_sizes[e]);
  }
  const std::vector<AttentionTile> tiles = attention_tiles(table, 1);
  ASSERT_EQ(tiles.size(), 6u);
  const int64_t rows[] = {128, 128, 106, 1, 53, 1};
  const int64_t keys[] = {1446, 1574, 1680, 1658, 2089, 1987};
  for (size_t t = 0; t < 6; ++t) {
    EXPECT_EQ(tiles[t].rows(), rows[t]) << t;
    EXPECT_EQ(tiles[t].keys, keys[t]) << t;
  }
  EXPECT_EQ(tiles[2].visible, 1318 + 257);
}

TEST(UnitTable, SnakeDealsTheExampleAsThePaperPrintsIt) {
  // 4 cores, 2 heads; [tile, head] counted from 1.
  using List = std::vector<std::pair<int64_t, int64_t>>;
  const std::vector<List> expected = {{{3, 1}, {5, 2}, {6, 1}},
                                      {{3, 2}, {5, 1}, {6, 2}},
                                      {{2, 1}, {1, 2}, {4, 1}},
                                      {{2, 2}, {1, 1}, {4, 2}}};
  const std::vector<int64_t> loads = unit_loads(attention_tiles(example(), 1), 2);
  const UnitTable table = assign_tasks(loads, 4, Assignment::kSnake);
  ASSERT_EQ(table.size(), 4u);
  for (size_t core = 0; core < 4; ++core) {
    List list;
    for (const int64_t unit : table[core]) list.push_back({unit / 2 + 1, unit % 2 + 1});
    EXPECT_EQ(list, expected[core]) << core;
  }
}

TEST(TokenTable, TilesHoldWholeTokensOrPartsOfAGroup) {
  const std::vector<StageTokens> sequences = {{AttentionStage::kPrefill, 40, 10}};
  const auto table = token_table(sequences, {.prefill = 32});
  const std::vector<AttentionTile> whole = attention_tiles(table, 7);
  ASSERT_EQ(whole.size(), 10u);  // 4 tokens each
  EXPECT_EQ(whole[0].rows(), 28);
  EXPECT_EQ(whole[9].keys, 50);
  const std::vector<AttentionTile> parts = attention_tiles(table, 71);
  ASSERT_EQ(parts.size(), 120u);  // 32, 32 and 7 heads of every token
  EXPECT_EQ(parts[2].first_head, 64);
  EXPECT_EQ(parts[2].rows(), 7);
  EXPECT_EQ(parts[3].first_token, 1);
}

TEST(TokenTable, WithoutACausalMaskEveryTileSeesAllKeys) {
  const std::vector<StageTokens> sequences = {{AttentionStage::kPrefill, 300, 10, false}};
  for (const AttentionTile& tile : attention_tiles(token_table(sequences, {}), 1)) {
    EXPECT_EQ(tile.visible, 310);
    EXPECT_EQ(tile.keys, 310);
  }
}

std::vector<int64_t> random_loads(Random& random) {
  std::vector<StageTokens> sequences;
  const uint64_t count = 4 + random.below(60);
  for (uint64_t s = 0; s < count; ++s) {
    const auto history = static_cast<int64_t>(random.below(4096));
    const uint64_t kind = random.below(6);
    if (kind == 0) {
      const auto tokens = static_cast<int64_t>(1 + random.below(1000));
      sequences.push_back({AttentionStage::kPrefill, tokens, history});
    } else if (kind == 1) {
      sequences.push_back({AttentionStage::kVerify, 8, history});
    } else {
      sequences.push_back({AttentionStage::kDecode, 1, history});
    }
  }
  return unit_loads(attention_tiles(token_table(sequences, {}), 1), 8);
}

TEST(UnitTable, GreedyIsBetterThanSnakeByASmallMargin) {
  Random random(5);
  double greedy = 0;
  double snake = 0;
  double given = 0;
  for (int mix = 0; mix < 200; ++mix) {
    const std::vector<int64_t> loads = random_loads(random);
    const auto longest = [&](Assignment assignment) {
      return static_cast<double>(makespan(loads, assign_tasks(loads, 24, assignment)));
    };
    greedy += longest(Assignment::kGreedy);
    snake += longest(Assignment::kSnake);
    given += longest(Assignment::kAsGiven);
  }
  EXPECT_LT(greedy, snake);
  EXPECT_LT(snake, 1.10 * greedy);
  EXPECT_LT(snake, 0.95 * given);
}

TEST(UnitTable, EveryUnitIsDealtOnce) {
  Random random(6);
  for (const Assignment assignment : kAssignments) {
    const std::vector<int64_t> loads = random_loads(random);
    std::vector<int> seen(loads.size());
    for (const auto& units : assign_tasks(loads, 24, assignment)) {
      for (const int64_t unit : units) ++seen[static_cast<size_t>(unit)];
    }
    EXPECT_EQ(seen, std::vector<int>(loads.size(), 1)) << name_of(assignment);
  }
}

TEST(KvSplit, PartsCoverTheKeysInWholeGranules) {
  for (const int64_t keys : {1, 127, 128, 129, 1000, 4096}) {
    for (int64_t parts = 1; parts <= (keys + 127) / 128; ++parts) {
      int64_t next = 0;
      for (int64_t part = 0; part < parts; ++part) {
        const KeyRange range = kv_part(keys, parts, part, 128);
        EXPECT_EQ(range.first, next);
        EXPECT_EQ(range.first % 128, 0);
        EXPECT_GT(range.count, 0);
        next += range.count;
      }
      EXPECT_EQ(next, keys);
    }
  }
}

KvSplitRule rule_of(int64_t limit) {
  KvSplitRule rule;
  rule.cores = 24;
  rule.granule = 128;
  rule.limit = limit;
  rule.part_overhead = 64;
  rule.merge_overhead = 256;
  return rule;
}

TEST(KvSplit, ALongSequenceFillsAllCores) {
  const std::vector<int64_t> keys(8, 131072);  // 8 KV heads of one sequence
  for (const int64_t parts : plan_kv_split(keys, rule_of(64))) {
    EXPECT_EQ(parts % 3, 0);  // 8 x 3 parts for 24 cores
    EXPECT_GE(parts, 6);      // several each, so that scores hide behind values
  }
}

TEST(KvSplit, LeavesEnoughShortUnitsWhole) {
  const std::vector<int64_t> keys(480, 500);
  EXPECT_EQ(plan_kv_split(keys, rule_of(24)), std::vector<int64_t>(480, 1));
  const std::vector<int64_t> few(4, 200);  // the overhead exceeds the gain
  EXPECT_EQ(plan_kv_split(few, rule_of(24)), std::vector<int64_t>(4, 1));
}

TEST(KvSplit, NeedNotShortenWhatTheSharedMemoryHides) {
  const std::vector<int64_t> keys(25, 1000);
  KvSplitRule rule = rule_of(24);
  EXPECT_NE(plan_kv_split(keys, rule), std::vector<int64_t>(25, 1));
  rule.enough = 20000;
  EXPECT_EQ(plan_kv_split(keys, rule), std::vector<int64_t>(25, 1));
}

TEST(KvSplit, CutsTheLongestOfAMixOnly) {
  std::vector<int64_t> keys(40, 1000);
  keys[7] = 100000;
  const std::vector<int64_t> parts = plan_kv_split(keys, rule_of(24));
  EXPECT_GT(parts[7], 12);
  EXPECT_EQ(std::accumulate(parts.begin(), parts.end(), int64_t{0}) - parts[7], 39);
}

TEST(KvSplit, CutsOnlyTheUnitsThatAreLeftOver) {
  const std::vector<int64_t> keys(5 * 24 + 8, 4096);
  KvSplitRule rule = rule_of(16);
  rule.cuts_rest = true;
  const std::vector<int64_t> parts = plan_kv_split(keys, rule);
  EXPECT_EQ(std::count(parts.begin(), parts.end(), 1), 5 * 24);
  EXPECT_EQ(parts.back() % 3, 0);  // 8 x 3 parts for 24 cores
}

TEST(KvSplit, CutsWhatIsLongerThanATaskHolds) {
  KvSplitRule rule = rule_of(1);
  rule.longest = 4096;
  const std::vector<int64_t> keys = {4096, 4097, 12288};
  EXPECT_EQ(plan_kv_split(keys, rule), (std::vector<int64_t>{1, 2, 3}));
}

}  // namespace
}  // namespace tilewright
