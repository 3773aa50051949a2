#include "tuner/search/strategy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace tilewright {
namespace {

SpaceIndex space_of(int64_t count) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(i);
  return SpaceIndex(Space({{"x", "", values}, {"y", "", {0, 1}}}, {}));
}

std::vector<std::string> ask_all(std::string_view name, const SpaceIndex& space, uint64_t seed,
                                 size_t batch) {
  const auto strategy = make_strategy(name, {.space = &space, .seed = seed});
  std::vector<std::string> texts;
  for (;;) {
    const std::vector<Proposal> proposals = strategy->ask(batch);
    EXPECT_LE(proposals.size(), batch);
    if (proposals.empty()) return texts;
    for (const Proposal& proposal : proposals) {
      texts.push_back(space.config(proposal.rank).text());
      strategy->tell({proposal.rank, AttemptStatus::kOk, 1}, proposal.proposer);
    }
  }
}

TEST(Strategy, ExhaustiveFollowsTheSpace) {
  EXPECT_EQ(ask_all("exhaustive", space_of(2), 0, 3),
            (std::vector<std::string>{"x=0,y=0", "x=0,y=1", "x=1,y=0", "x=1,y=1"}));
}

TEST(Strategy, RandomVisitsEverythingOnceInAnOrderOfTheSeed) {
  const std::vector<std::string> first = ask_all("random", space_of(50), 1, 7);
  EXPECT_EQ(first.size(), 100u);
  EXPECT_EQ(std::set(first.begin(), first.end()).size(), 100u);
  EXPECT_EQ(ask_all("random", space_of(50), 1, 13), first);
  EXPECT_NE(ask_all("random", space_of(50), 2, 7), first);
}

TEST(Strategy, RandomPutsEachConfigFirstEquallyOften) {
  const SpaceIndex space = space_of(2);
  std::map<int64_t, int> firsts;
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    const auto strategy = make_strategy("random", {.space = &space, .seed = seed});
    ++firsts[strategy->ask(1).at(0).rank];
  }
  ASSERT_EQ(firsts.size(), 4u);
  for (const auto& [rank, count] : firsts) {
    EXPECT_NEAR(count, 1000, 150) << rank;  // five standard deviations
  }
}

TEST(Strategy, UnknownNameSuggestsTheNearest) {
  const SpaceIndex space = space_of(1);
  try {
    make_strategy("randon", {.space = &space});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_NE(error.message().find("did you mean 'random'"), std::string::npos);
  }
  for (const std::string& name : strategy_names()) {
    EXPECT_TRUE(make_strategy(name, {.space = &space}));
  }
}

TEST(Strategy, PortfolioLeavesAPairOfValuesThatFails) {
  const std::vector<int64_t> values = {0, 1, 2, 3, 4, 5, 6, 7};
  const SpaceIndex space(
      Space({{"x", "", values}, {"y", "", values}, {"z", "", values}, {"v", "", values}}, {}));
  SearchContext context;
  context.space = &space;
  context.estimate = [&](int64_t rank) {
    const Config config = space.config(rank);
    return 1.0 + 8.0 * static_cast<double>(config.at("x") + config.at("y")) +
           0.01 * static_cast<double>(config.at("z") + config.at("v"));
  };
  const auto strategy = make_strategy("portfolio", context);
  int failures = 0;
  for (int i = 0; i < 30; ++i) {
    const Proposal proposal = strategy->ask(1).at(0);
    const Config config = space.config(proposal.rank);
    const bool works = config.at("x") + config.at("y") > 3;
    failures += works ? 0 : 1;
    const AttemptStatus status = works ? AttemptStatus::kOk : AttemptStatus::kRuntime;
    strategy->tell({proposal.rank, status, works ? 100.0 + static_cast<double>(i) : 0},
                   proposal.proposer);
  }
  EXPECT_LE(failures, 15);
}

/// Four parameters of eight values; the logarithm of the time is a slope of all.
SpaceIndex slope_space() {
  const std::vector<int64_t> values = {0, 1, 2, 3, 4, 5, 6, 7};
  return SpaceIndex(
      Space({{"x", "", values}, {"y", "", values}, {"z", "", values}, {"v", "", values}}, {}));
}

int64_t slope_sum(const Config& config) {
  return config.at("x") + config.at("y") + config.at("z") + config.at("v");
}

TEST(Strategy, BayesianStaysWithWhatIsLikelyGoodAfterASurprise) {
  const SpaceIndex space = slope_space();
  const auto strategy = make_strategy("bayesian", {.space = &space, .seed = 3});
  const int64_t surprise = *space.rank_of(std::vector<int>{1, 1, 1, 1});
  for (int64_t rank = 5; rank < space.size(); rank += 97) {
    const auto sum = static_cast<double>(slope_sum(space.config(rank)));
    strategy->tell({rank, AttemptStatus::kOk, 100 * std::exp(0.02 * sum)}, "seed");
  }
  strategy->tell({surprise, AttemptStatus::kOk, 5}, "seed");
  for (const Proposal& proposal : strategy->ask(4)) {
    const Config config = space.config(proposal.rank);
    EXPECT_LE(slope_sum(config), 9) << config.text();
  }
}

TEST(Strategy, ModelsStartFromResultsThatCameAfterTheFitsCount) {
  // Models are fitted to 16 of 18 results, and only the last two worked.
  const SpaceIndex space = slope_space();
  const auto strategy = make_strategy("portfolio", {.space = &space, .seed = 3});
  std::set<int64_t> told;
  for (int64_t i = 0; i < 18; ++i) {
    const bool works = i >= 16;
    told.insert(i * 200);
    strategy->tell({i * 200, works ? AttemptStatus::kOk : AttemptStatus::kRuntime,
                    works ? 100.0 + static_cast<double>(i) : 0},
                   "seed");
  }
  const std::vector<Proposal> proposals = strategy->ask(3);
  ASSERT_EQ(proposals.size(), 3u);
  for (const Proposal& proposal : proposals) {
    EXPECT_EQ(proposal.proposer, "slopes");
    EXPECT_FALSE(told.contains(proposal.rank));
  }
}

}  // namespace
}  // namespace tilewright
