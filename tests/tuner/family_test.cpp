#include "tuner/session/family.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "core/base/random.h"
#include "tests/tuner/session_fixture.h"
#include "tuner/session/family_session.h"
#include "tuner/session/family_table.h"
#include "tuner/session/plan_maker.h"

namespace tilewright {
namespace {

/// The fewest ranges by trying every set of borders.
size_t fewest_ranges(const FamilyTimes& times, double max_regret) {
  const size_t members = times.members();
  size_t fewest = members;
  for (uint32_t borders = 0; borders < (1u << (members - 1)); ++borders) {
    size_t ranges = 0;
    bool works = true;
    for (size_t first = 0; first < members && works; ++ranges) {
      size_t last = first;
      while (last + 1 < members && (borders >> last & 1) == 0) ++last;
      works = false;
      for (size_t c = 0; c < times.time_us.size() && !works; ++c) {
        works = true;
        for (size_t m = first; m <= last; ++m) works &= times.regret(c, m) <= max_regret;
      }
      first = last + 1;
    }
    if (works) fewest = std::min(fewest, ranges);
  }
  return fewest;
}

TEST(FamilyTable, HasAsFewRangesAsAnyTable) {
  Random random(5);
  for (int family = 0; family < 60; ++family) {
    FamilyTimes times;
    const size_t members = 2 + random.below(8);
    times.time_us.resize(2 + random.below(5));
    for (auto& row : times.time_us) {
      for (size_t m = 0; m < members; ++m) {
        row.push_back(random.uniform() < 0.1 ? 0 : 100 + 6 * random.uniform());
      }
    }
    for (size_t m = 0; m < members; ++m) times.time_us[0][m] = 103;
    const std::vector<FamilyRange> table = smallest_table(times, 0.02);
    EXPECT_EQ(table.size(), fewest_ranges(times, 0.02));
    size_t next = 0;
    for (const FamilyRange& range : table) {
      EXPECT_EQ(range.first, next);
      for (size_t m = range.first; m <= range.last; ++m) {
        EXPECT_LE(times.regret(range.candidate, m), 0.02);
      }
      next = range.last + 1;
    }
    EXPECT_EQ(next, members);
  }
}

TEST(FamilyTable, LeavesMembersOutForWhichNothingWorks) {
  const FamilyTimes times{{{1, 0, 1}, {2, 0, 2}}};
  const std::vector<FamilyRange> table = smallest_table(times, 0);
  ASSERT_EQ(table.size(), 2u);
  EXPECT_EQ(table[1].first, 2u);
  EXPECT_TRUE(smallest_table({}, 0).empty());
}

TEST(FamilyMembers, CoverTheRangeFromEndToEnd) {
  const std::vector<int64_t> members = family_members(1, 4096);
  EXPECT_EQ(members.front(), 1);
  EXPECT_EQ(members.back(), 4096);
  EXPECT_TRUE(std::ranges::is_sorted(members));
  for (int64_t m = 16; m <= 256; m += 16) EXPECT_TRUE(std::ranges::count(members, m));
  for (size_t i = 17; i < members.size(); ++i) {
    EXPECT_EQ(members[i] % 16, 0);
    EXPECT_LE(static_cast<double>(members[i]), 1.25 * static_cast<double>(members[i - 1]));
  }
  EXPECT_EQ(family_members(5, 7), (std::vector<int64_t>{5, 7}));
}

class FamilySession : public SessionTest {
 protected:
  /// Fast where x is near a third of m, within a tenth; flat enough to share.
  static Measurement slope(const Problem& problem, const Config& config) {
    const auto d = static_cast<double>(config.at("x")) - static_cast<double>(problem.size("m")) / 3;
    return ok(1000 + 2 * d * d + 50 * static_cast<double>(config.at("y")));
  }
};

TEST_F(FamilySession, SharesConfigsWithinTheRegret) {
  Store store = open();
  std::vector<TuneProblem> list;
  for (int m = 3; m <= 60; m += 3) {
    list.push_back(problem(m));
    list.back().baseline = parse_config("x=40,y=6");
  }
  TuneOptions options;
  options.max_regret = 0.02;
  const TuneResult result = tune_all(store, list, FormulaEvaluator(slope), options);
  ASSERT_EQ(result.families.size(), 1u);
  const FamilyTable& table = result.families[0];
  // A config reaches sqrt(0.02 * 1000 / 2) = 3.1 steps of x to either side: 7 members of 20.
  EXPECT_EQ(table.ranges.size(), 3u);
  EXPECT_LE(table.worst_regret, 0.02);
  EXPECT_GT(table.mean_regret, 0);
  EXPECT_EQ(table.ranges.front().m_min, 1);
  EXPECT_EQ(table.ranges.back().m_max, 60);
  for (const TunedProblem& tuned : result.problems) {
    EXPECT_EQ(tuned.time_us, slope(tuned.problem->problem, tuned.config).time_us);
    EXPECT_LE(tuned.time_us, 1020);
  }
  // What is exported has the same ranges.
  const Plan plan = make_plan(store.load_run(1), store.load_winners(1));
  ASSERT_EQ(plan.tables.size(), 1u);
  ASSERT_EQ(plan.tables[0].ranges.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(plan.tables[0].ranges[i].m_max, table.ranges[i].m_max);
    EXPECT_EQ(plan.tables[0].ranges[i].config, table.ranges[i].config);
  }
}

TEST_F(FamilySession, LooksBetweenItsMembers) {
  Store store = open();
  // Between 20 and 40 rows everything but x=11 is slow.
  const FormulaEvaluator evaluator([](const Problem& problem, const Config& config) {
    const int64_t m = problem.size("m");
    if (m > 20 && m < 40) return ok(config.at("x") == 11 ? 1 : 2);
    return ok(config.at("x") == (m <= 20 ? 11 : 30) ? 1 : 2);
  });
  std::vector<TuneProblem> members = {problem(20), problem(40)};
  TuneOptions options;
  options.max_regret = 0.02;
  ThreadEvaluation pool(evaluator, 1, {});
  const TuneResult result =
      tune_family(members, {[](int64_t m) { return problem(static_cast<int>(m)); }}, key_of, pool,
                  store, begin(store), options, {});
  ASSERT_EQ(result.families.size(), 1u);
  ASSERT_EQ(result.families[0].ranges.size(), 2u);
  EXPECT_GT(result.families[0].ranges[0].m_max, 30);
  EXPECT_EQ(result.families[0].ranges[0].config.at("x"), 11);
  EXPECT_GT(members.size(), 3u);
}

TEST_F(FamilySession, LooksWhereEstimatesExpectTheTableToBeSlow) {
  const auto is_slow = [](int64_t m, const Config& config) {
    const bool is_of_few = m <= 20 || (m >= 33 && m <= 36);
    return config.at("x") != (is_of_few ? 11 : 30);
  };
  for (const bool has_estimate : {false, true}) {
    Store store = open(has_estimate ? "with.db" : "without.db");
    const FormulaEvaluator evaluator([&](const Problem& problem, const Config& config) {
      return ok(is_slow(problem.size("m"), config) ? 2 : 1);
    });
    std::vector<TuneProblem> members = {problem(20), problem(40)};
    FamilyMaker maker{[](int64_t m) { return problem(m); }};
    if (has_estimate) {
      maker.estimate = [&](int64_t m, const Config& config) { return is_slow(m, config) ? 2 : 1; };
    }
    TuneOptions options;
    options.max_regret = 0.02;
    ThreadEvaluation pool(evaluator, 1, {});
    tune_family(members, maker, key_of, pool, store, begin(store), options, {});
    const auto is_33 = [](const TuneProblem& each) { return each.problem.size("m") == 33; };
    EXPECT_EQ(std::ranges::any_of(members, is_33), has_estimate);
  }
}

TEST_F(FamilySession, IsNowhereSlowerThanTheDefaultWhereItLooks) {
  Store store = open();
  // Half way the default is faster by less than the regret.
  const FormulaEvaluator evaluator([](const Problem& problem, const Config& config) {
    if (config.at("x") == 20 && config.at("y") == 0) return ok(problem.size("m") == 30 ? 1 : 2);
    return ok(config.at("x") == 30 ? 1.01 : 1.5);
  });
  std::vector<TuneProblem> members = {problem(20), problem(40)};
  TuneOptions options;
  options.max_regret = 0.02;
  ThreadEvaluation pool(evaluator, 1, {});
  tune_family(members, {[](int64_t m) { return problem(m); }}, key_of, pool, store, begin(store),
              options, {});
  const auto is_30 = [](const TuneProblem& each) { return each.problem.size("m") == 30; };
  EXPECT_TRUE(std::ranges::any_of(members, is_30));
}

}  // namespace
}  // namespace tilewright
