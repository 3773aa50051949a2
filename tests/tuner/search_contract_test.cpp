#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tuner/search/strategy.h"

namespace tilewright {
namespace {

/// Sizes, a switch, names, and a parameter with one value; 64 and 64 are too much together.
SpaceIndex mixed_space() {
  Parameter names{"layout", "", {0, 1, 2}, {"row", "column", "zigzag"}, false};
  Constraint fits{"fits", {"m", "n"}, [](std::span<const int64_t> v) {
                    return std::string(v[0] * v[1] < 4096 ? "" : "too much");
                  }};
  return SpaceIndex(Space({{"m", "", {8, 16, 24, 32, 64}},
                           {"n", "", {8, 16, 32, 64}},
                           {"fast", "", {0, 1}},
                           {"one", "", {7}},
                           names},
                          {fits}));
}

Observation measured(const SpaceIndex& space, int64_t rank) {
  const Config config = space.config(rank);
  const double m = std::log2(static_cast<double>(config.at("m")));
  const double n = std::log2(static_cast<double>(config.at("n")));
  const double layout = config.at("layout") == 1 ? 0 : 0.5;
  if (config.at("m") == 24) return {rank, AttemptStatus::kRuntime, 0};
  return {rank, AttemptStatus::kOk,
          std::exp(std::abs(m - 5) + std::abs(n - 4) + layout -
                   0.2 * static_cast<double>(config.at("fast")))};
}

class EveryStrategy : public testing::TestWithParam<std::string> {};

TEST_P(EveryStrategy, TriesEveryConfigOnce) {
  const SpaceIndex space = mixed_space();
  const auto strategy = make_strategy(GetParam(), {.space = &space, .seed = 3});
  std::set<int64_t> seen;
  for (;;) {
    const std::vector<Proposal> batch = strategy->ask(5);
    if (batch.empty()) break;
    for (const Proposal& proposal : batch) EXPECT_TRUE(seen.insert(proposal.rank).second);
    for (const Proposal& proposal : batch) {
      strategy->tell(measured(space, proposal.rank), proposal.proposer);
    }
  }
  EXPECT_EQ(static_cast<int64_t>(seen.size()), space.size());
}

TEST_P(EveryStrategy, GoesOnFromItsHistoryAsIfNeverInterrupted) {
  const SpaceIndex space = mixed_space();
  const SearchContext context{.space = &space, .seed = 5};
  const auto first = make_strategy(GetParam(), context);
  std::vector<Proposal> history;
  for (int round = 0; round < 14; ++round) {
    const auto second = make_strategy(GetParam(), context);
    for (const Proposal& one : history) second->tell(measured(space, one.rank), one.proposer);
    const std::vector<Proposal> batch = first->ask(3);
    const std::vector<Proposal> again = second->ask(3);
    ASSERT_EQ(batch.size(), again.size());
    for (size_t i = 0; i < batch.size(); ++i) {
      EXPECT_EQ(batch[i].rank, again[i].rank) << "after " << history.size() << " results";
      EXPECT_EQ(batch[i].proposer, again[i].proposer);
    }
    for (const Proposal& one : batch) first->tell(measured(space, one.rank), one.proposer);
    history.insert(history.end(), batch.begin(), batch.end());
  }
}

TEST_P(EveryStrategy, NeverProposesWhatItWasTold) {
  const SpaceIndex space = mixed_space();
  const auto strategy = make_strategy(GetParam(), {.space = &space, .seed = 1});
  for (int64_t rank = 0; rank < space.size(); rank += 2) {
    strategy->tell(measured(space, rank), "seed");
  }
  for (;;) {
    const std::vector<Proposal> batch = strategy->ask(4);
    if (batch.empty()) break;
    for (const Proposal& one : batch) {
      EXPECT_EQ(one.rank % 2, 1);
      strategy->tell(measured(space, one.rank), one.proposer);
    }
  }
}

TEST_P(EveryStrategy, SurvivesASpaceWhereEverythingFails) {
  const SpaceIndex space = mixed_space();
  const auto strategy = make_strategy(GetParam(), {.space = &space});
  int64_t tried = 0;
  for (std::vector<Proposal> batch = strategy->ask(8); !batch.empty(); batch = strategy->ask(8)) {
    for (const Proposal& one : batch) {
      strategy->tell({one.rank, AttemptStatus::kTimeout, 0}, one.proposer);
      ++tried;
    }
  }
  EXPECT_EQ(tried, space.size());
}

TEST_P(EveryStrategy, HasOneProposalForASpaceOfOneConfig) {
  const SpaceIndex space{Space({{"x", "", {4}}}, {})};
  const auto strategy = make_strategy(GetParam(), {.space = &space});
  const std::vector<Proposal> batch = strategy->ask(3);
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_TRUE(strategy->ask(3).empty());
  strategy->tell({0, AttemptStatus::kOk, 1}, batch[0].proposer);
  EXPECT_TRUE(strategy->ask(3).empty());
}

TEST_P(EveryStrategy, TakesEqualTimesAndAnEstimate) {
  const SpaceIndex space = mixed_space();
  SearchContext context{.space = &space, .seed = 9};
  context.estimate = [](int64_t rank) { return 1.0 + static_cast<double>(rank); };
  context.elsewhere = {{0, AttemptStatus::kRuntime, 0}, {1, AttemptStatus::kOk, 5}};
  const auto strategy = make_strategy(GetParam(), context);
  for (int i = 0; i < 40; ++i) {
    const std::vector<Proposal> batch = strategy->ask(1);
    ASSERT_EQ(batch.size(), 1u);
    strategy->tell({batch[0].rank, AttemptStatus::kOk, 2}, batch[0].proposer);
  }
}

TEST(Portfolio, AskedBatchesOfEightNeedHardlyMoreThanOneByOneSlow) {
  std::vector<Parameter> parameters;
  for (const char* name : {"a", "b", "c", "d"}) {
    parameters.push_back({name, "", {1, 2, 3, 4, 6, 8, 12, 16}});
  }
  const SpaceIndex space{Space(parameters, {})};
  const auto time_us = [&](int64_t rank) {
    const std::vector<int> at = space.places(rank);
    return std::exp(0.1 * std::abs(at[0] - 5) + 0.2 * std::abs(at[1] - at[2]) +
                    0.1 * std::abs(at[2] - 3) + 0.3 * ((at[3] + at[0]) % 2));
  };
  // Until within 5 % of the optimum.
  const auto evaluations = [&](uint64_t seed, size_t batch) {
    const auto strategy = make_strategy("portfolio", {.space = &space, .seed = seed});
    for (int count = 0;;) {
      for (const Proposal& one : strategy->ask(batch)) {
        ++count;
        const double time = time_us(one.rank);
        if (time < 1.05) return count;
        strategy->tell({one.rank, AttemptStatus::kOk, time}, one.proposer);
      }
    }
  };
  double ratio = 0;
  constexpr int kSeeds = 10;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    ratio += std::log(static_cast<double>(evaluations(seed, 8)) / evaluations(seed, 1)) / kSeeds;
  }
  EXPECT_LE(std::exp(ratio), 1.3);
}

TEST(Portfolio, ManyResultsOfALargeSpaceAreTakenInAndGoneOnFrom) {
  const std::vector<int64_t> values{8, 16, 24, 32, 40, 48, 56, 64, 72, 80};
  std::vector<Parameter> parameters;
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    parameters.push_back({name, "", values});
  }
  const SpaceIndex space{Space(parameters, {})};
  const auto strategy = make_strategy("portfolio", {.space = &space, .seed = 1});
  std::set<int64_t> told;
  for (int64_t i = 0; i < 100'000; ++i) {
    const int64_t rank = i * 997 % space.size();
    const double time_us = 1.0 + static_cast<double>(rank % 1009);
    strategy->tell({rank, AttemptStatus::kOk, time_us}, "seed");
    told.insert(rank);
  }
  const std::vector<Proposal> batch = strategy->ask(3);
  ASSERT_EQ(batch.size(), 3u);
  for (const Proposal& one : batch) EXPECT_TRUE(told.insert(one.rank).second);
}

INSTANTIATE_TEST_SUITE_P(All, EveryStrategy, testing::ValuesIn(strategy_names()),
                         [](const auto& of) { return of.param; });

/// Tries until the best of all is found.
int evaluations_to_optimum(std::string_view name, uint64_t seed) {
  const std::vector<int64_t> sizes = {8, 16, 32, 64, 128, 256};
  const SpaceIndex space{
      Space({{"a", "", sizes}, {"b", "", sizes}, {"c", "", sizes}, {"d", "", sizes}}, {})};
  const std::vector<int> target = {3, 1, 4, 2};
  const auto strategy = make_strategy(name, {.space = &space, .seed = seed});
  for (int tried = 1;; ++tried) {
    const Proposal proposal = strategy->ask(1).at(0);
    const std::vector<int> places = space.places(proposal.rank);
    double loss = 0;
    for (size_t d = 0; d < 4; ++d) loss += 0.3 * std::abs(places[d] - target[d]);
    if (loss == 0) return tried;
    strategy->tell({proposal.rank, AttemptStatus::kOk, std::exp(loss)}, proposal.proposer);
  }
}

TEST(Portfolio, FindsAValleyInATwentiethOfTheTriesOfRandomSlow) {
  int model = 0;
  int random = 0;
  for (uint64_t seed = 0; seed < 5; ++seed) {
    model += evaluations_to_optimum("portfolio", seed);
    random += evaluations_to_optimum("random", seed);
  }
  EXPECT_LT(model * 10, random);
}

TEST(Portfolio, AnEstimateThatRanksRightlyIsWorthTheWholeOpening) {
  const SpaceIndex space = mixed_space();
  SearchContext context{.space = &space, .seed = 2};
  context.estimate = [&](int64_t rank) {
    const Observation one = measured(space, rank);
    return one.status == AttemptStatus::kOk ? one.time_us + 3 : 100;
  };
  const auto strategy = make_strategy("portfolio", context);
  double best = 1e300;
  double optimum = 1e300;
  for (int64_t rank = 0; rank < space.size(); ++rank) {
    const Observation one = measured(space, rank);
    if (one.status == AttemptStatus::kOk) optimum = std::min(optimum, one.time_us);
  }
  for (int i = 0; i < 12; ++i) {
    const Proposal one = strategy->ask(1).at(0);
    const Observation result = measured(space, one.rank);
    if (result.status == AttemptStatus::kOk) best = std::min(best, result.time_us);
    strategy->tell(result, one.proposer);
  }
  EXPECT_DOUBLE_EQ(best, optimum);
}

TEST(Portfolio, WorksOnASpaceTooLargeToLookAtWhole) {
  std::vector<int64_t> values;
  for (int64_t i = 1; i <= 18; ++i) values.push_back(i * 16);
  const SpaceIndex space{
      Space({{"a", "", values}, {"b", "", values}, {"c", "", values}, {"d", "", values}}, {})};
  ASSERT_GT(space.size(), 100'000);
  const auto strategy = make_strategy("portfolio", {.space = &space, .seed = 4});
  double best = 1e300;
  for (int i = 0; i < 60; ++i) {
    const Proposal one = strategy->ask(1).at(0);
    double time = 1;
    for (const int place : space.places(one.rank)) time += std::pow(place - 11.0, 2);
    best = std::min(best, time);
    strategy->tell({one.rank, AttemptStatus::kOk, time}, one.proposer);
  }
  EXPECT_LT(best, 10);  // one in 5,000 configs
}

TEST(Portfolio, ResumesALongHistoryQuickly) {
  std::vector<int64_t> values;
  for (int64_t i = 1; i <= 11; ++i) values.push_back(i);
  const SpaceIndex space{Space({{"a", "", values},
                                {"b", "", values},
                                {"c", "", values},
                                {"d", "", values},
                                {"e", "", values}},
                               {})};
  const auto strategy = make_strategy("portfolio", {.space = &space});
  for (int64_t rank = 0; rank < 100'000; ++rank) {
    strategy->tell({rank, AttemptStatus::kOk, 1.0 + static_cast<double>(rank % 977)}, "jumps");
  }
  const std::vector<Proposal> batch = strategy->ask(2);
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_GE(batch[0].rank, 100'000);
}

}  // namespace
}  // namespace tilewright
