#include "tuner/search/strategy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace tilewright {
namespace {

Space space_of(int64_t count) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(i);
  return Space({{"x", "", values}, {"y", "", {0, 1}}}, {});
}

std::vector<std::string> ask_all(Strategy& strategy, size_t batch) {
  std::vector<std::string> texts;
  for (;;) {
    const std::vector<Config> configs = strategy.ask(batch);
    EXPECT_LE(configs.size(), batch);
    if (configs.empty()) return texts;
    for (const Config& config : configs) {
      texts.push_back(config.text());
      strategy.tell(config, {AttemptStatus::kOk, "", 1, 0, {}});
    }
  }
}

TEST(Strategy, ExhaustiveFollowsTheSpace) {
  const auto strategy = make_strategy("exhaustive", space_of(2), 0);
  EXPECT_EQ(strategy->size(), 4);
  EXPECT_EQ(ask_all(*strategy, 3),
            (std::vector<std::string>{"x=0,y=0", "x=0,y=1", "x=1,y=0", "x=1,y=1"}));
}

TEST(Strategy, RandomVisitsEverythingOnceInAnOrderOfTheSeed) {
  const std::vector<std::string> first = ask_all(*make_strategy("random", space_of(50), 1), 7);
  EXPECT_EQ(first.size(), 100u);
  EXPECT_EQ(std::set(first.begin(), first.end()).size(), 100u);
  EXPECT_EQ(ask_all(*make_strategy("random", space_of(50), 1), 13), first);
  EXPECT_NE(ask_all(*make_strategy("random", space_of(50), 2), 7), first);
}

TEST(Strategy, RandomPutsEachConfigFirstEquallyOften) {
  std::map<std::string, int> firsts;
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    ++firsts[make_strategy("random", space_of(2), seed)->ask(1).at(0).text()];
  }
  ASSERT_EQ(firsts.size(), 4u);
  for (const auto& [config, count] : firsts) {
    EXPECT_NEAR(count, 1000, 150) << config;  // five standard deviations
  }
}

TEST(Strategy, UnknownNameSuggestsTheNearest) {
  try {
    make_strategy("randon", space_of(1), 0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_NE(error.message().find("did you mean 'random'"), std::string::npos);
  }
  for (const std::string& name : strategy_names()) EXPECT_TRUE(make_strategy(name, space_of(1), 0));
}

}  // namespace
}  // namespace tilewright
