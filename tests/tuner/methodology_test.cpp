#include "tuner/evaluate/methodology.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>

#include "core/base/statistics.h"
#include "db/formats/reader.h"
#include "tests/temp_folder.h"
#include "tuner/evaluate/strategy_bench.h"
#include "tuner/evaluate/table_evaluator.h"

namespace tilewright {
namespace {

constexpr double kNothing = std::numeric_limits<double>::infinity();

TEST(Methodology, BaselineOfFiveTimesIsComputedByHand) {
  const RandomBaseline baseline({50, 10, 30, 20, 40});
  EXPECT_EQ(baseline.optimum(), 10);
  EXPECT_EQ(baseline.median(), 30);
  // Half way from 30 to 10 is 20: three times are worse, ceil(3 / (6 - 3)) = 1.
  EXPECT_EQ(baseline.evaluations_for(0.5), 1);
  // 95 % of the way is 11: four are worse, ceil(4 / 2) = 2.
  EXPECT_EQ(baseline.evaluations_for(0.95), 2);
  // Places round(k 6 / (k + 1)): 3, 4, then round(4.5) = 4 to even, 5 cut to 4.
  EXPECT_EQ(baseline.expected_best(1), 20);
  EXPECT_EQ(baseline.expected_best(2), 10);
  EXPECT_EQ(baseline.expected_best(3), 10);
  EXPECT_EQ(baseline.expected_best(100), 10);
}

TEST(Methodology, PlacesLeadBackToTheirTimes) {
  const RandomBaseline baseline({50, 10, 30, 20, 40, 20});
  for (const double time : {50, 40, 30, 20, 10}) {
    EXPECT_EQ(baseline.time_at(baseline.place_of(time)), time);
  }
  EXPECT_EQ(baseline.time_at(baseline.place_of(kNothing)), 50);
  EXPECT_EQ(baseline.place_of(10), 5);
}

TEST(Methodology, MediansAndSharesCountRunsThatFoundNothingAndThatStopped) {
  const RandomBaseline baseline({10, 20, 40});
  const std::vector<Trajectory> runs = {{{kNothing, 20, 10}, {}}, {{40, 40, 40}, {}}, {{20}, {}}};
  EXPECT_EQ(median_ratio(baseline, runs, 1), 0.25);
  EXPECT_EQ(median_ratio(baseline, runs, 2), 0.5);
  EXPECT_EQ(median_ratio(baseline, runs, 400), 0.5);
  EXPECT_EQ(share_within(baseline, runs, 2, 0.05), 0);
  EXPECT_DOUBLE_EQ(share_within(baseline, runs, 3, 0.05), 1.0 / 3);
}

std::vector<double> ramp(int count) {
  std::vector<double> times;
  for (int i = 1; i <= count; ++i) times.push_back(i);
  return times;
}

TEST(Methodology, ScoreIsOneForTheOptimumAtOnceAndNoughtForRandomSearch) {
  const RandomBaseline baseline(ramp(1000));
  const Trajectory perfect{{1}, {}};
  EXPECT_EQ(evaluation_score(baseline, {&perfect, 1}, 400), 1);
  Trajectory random;
  for (int64_t k = 1; k <= 400; ++k) random.best_us.push_back(baseline.expected_best(k));
  EXPECT_EQ(evaluation_score(baseline, {&random, 1}, 400), 0);
}

TEST(Methodology, ScoreOfThreeEvaluationsIsComputedByHand) {
  // 1000 times 1, 2, ... 1000: k(0.5): half way is 250.75, 750 are worse, ceil(750 / 251) = 3;
  // baseline at 3 and 4: round(3003 / 4) = 751 -> 249, round(4004 / 5) = 801 -> 199.
  const RandomBaseline baseline(ramp(1000));
  ASSERT_EQ(baseline.evaluations_for(0.5), 3);
  ASSERT_EQ(baseline.expected_best(3), 249);
  ASSERT_EQ(baseline.expected_best(4), 199);
  const Trajectory run{{900, 900, 125, 100}, {}};
  EXPECT_DOUBLE_EQ(*evaluation_score(baseline, {&run, 1}, 4),
                   ((249.0 - 125) / 248 + (199.0 - 100) / 198) / 2);
}

TEST(Methodology, SpaceThatRandomSearchSolvesAtOnceHasNoScore) {
  const RandomBaseline baseline({7, 7, 7});
  const Trajectory run{{7}, {}};
  EXPECT_EQ(evaluation_score(baseline, {&run, 1}, 400), std::nullopt);
}

TEST(Methodology, IsotonicPoolsWhatDecreases) {
  const std::vector<double> values = {1, 3, 2, 4, 0, 5};
  EXPECT_EQ(isotonic(values), (std::vector<double>{1, 2.25, 2.25, 2.25, 2.25, 5}));
}

TEST(Methodology, TimeScoreChargesCosts) {
  const RandomBaseline baseline(ramp(1000));
  const SpaceCosts costs{10, 10, 0, 0};
  Trajectory quick;
  Trajectory slow;
  for (int i = 1; i <= 100; ++i) {
    quick.best_us.push_back(i < 5 ? 500 : 1);
    quick.cost_us.push_back(10.0 * i);
    slow.best_us.push_back(quick.best_us.back());
    slow.cost_us.push_back(100.0 * i);
  }
  const auto fast = time_score(baseline, {&quick, 1}, costs, 100);
  const auto late = time_score(baseline, {&slow, 1}, costs, 100);
  ASSERT_TRUE(fast && late);
  EXPECT_GT(*fast, 0.8);
  EXPECT_LT(*late, *fast);
  const Trajectory perfect{{1}, {0}};
  EXPECT_EQ(time_score(baseline, {&perfect, 1}, costs, 400), 1);
}

TEST(Methodology, CostsNeedAPositiveTime) {
  const std::vector<double> valid = {10, 30};
  const std::vector<double> invalid = {2};
  const auto costs = space_costs(valid, invalid);
  ASSERT_TRUE(costs.has_value());
  EXPECT_EQ(costs->median_us, 10);
  EXPECT_EQ(costs->valid_us, 20);
  EXPECT_EQ(costs->invalid_us, 2);
  EXPECT_DOUBLE_EQ(costs->invalid_share, 1.0 / 3);
  const std::vector<double> none = {0, 0};
  EXPECT_FALSE(space_costs(none, {}).has_value());
}

/// Times of a small product space in which half of one corner is not there and one config fails.
std::string small_table() {
  std::string text = "a,b,time_us,status\n";
  for (int a = 1; a <= 8; ++a) {
    for (int b = 1; b <= 8; ++b) {
      if (a + b > 13) continue;
      text += std::to_string(a) + "," + std::to_string(b) + ",";
      text += a == 8 && b == 1 ? "failed,runtime\n" : std::to_string(a * a + b) + ",ok\n";
    }
  }
  return text;
}

ResultTable read_table(const std::string& text) {
  const TempFolder folder;
  return read_results(folder.file("table.csv", text)).tables.at(0);
}

TEST(TableEvaluator, ReplaysTimesAndFailures) {
  const ResultTable table = read_table(small_table());
  const TableEvaluator evaluator(table, "00ff");
  EXPECT_EQ(evaluator.id(), "table/00ff");
  EXPECT_EQ(evaluator.evaluate(table.problem, parse_config("a=2,b=3")).time_us, 7);
  EXPECT_EQ(evaluator.evaluate(table.problem, parse_config("a=8,b=1")).status,
            AttemptStatus::kRuntime);
  EXPECT_EQ(evaluator.evaluate(table.problem, parse_config("a=8,b=8")).status,
            AttemptStatus::kInfeasible);
  EXPECT_EQ(evaluator.evaluate(table.problem, parse_config("b=3,a=2")).status,
            AttemptStatus::kInfeasible);
}

TEST(TableEvaluator, SpaceIsTheRowsOfTheTable) {
  const ResultTable table = read_table(small_table());
  const std::vector<Config> configs = table_space(table).enumerate();
  EXPECT_EQ(configs.size(), table.rows.size());
  EXPECT_EQ(configs.size(), 64u - 6u);
}

TEST(StrategyBench, RunsAreReplaysThatEndWithTheSpace) {
  const MeasuredSpace space("small", read_table(small_table()));
  EXPECT_EQ(space.baseline().size(), 57);
  EXPECT_FALSE(space.costs().has_value());
  const Trajectory run = run_strategy(space, "random", 1000, {});
  EXPECT_EQ(run.best_us.size(), 58u);
  EXPECT_EQ(run.best_us.back(), 2);
  EXPECT_EQ(run_strategy(space, "random", 1000, {}).best_us, run.best_us);
  EXPECT_NE(run_strategy(space, "random", 1001, {}).best_us, run.best_us);
}

TEST(StrategyBench, SummaryIsTheGeometricMeanAndTheWorst) {
  std::vector<StrategyScore> scores(2);
  scores[0].median_at = {{25, 0.5}, {100, 0.9}};
  scores[1].median_at = {{25, 0.125}, {100, 0.4}};
  scores[0].score = 0.5;
  scores[1].score = 0.25;
  const StrategySummary summary = summary_of(scores);
  EXPECT_DOUBLE_EQ(summary.geomean_at.at(25), 0.25);
  EXPECT_EQ(summary.worst_at_100, 0.4);
  EXPECT_EQ(summary.score, 0.375);
  EXPECT_EQ(summary.time_score, std::nullopt);
}

/// Measured tables that are no part of the project.
std::string space_file(const std::string& name) {
  const char* given = std::getenv("TILEWRIGHT_DATA");
  const std::filesystem::path data =
      given != nullptr ? given : std::filesystem::path(TILEWRIGHT_SOURCE_DIR) / "../shared/data";
  return (data / "tuning/spaces" / (name + ".json.gz")).string();
}

struct Published {
  const char* name;
  int64_t configs;
  int64_t valid;
  double optimum_ms;
  int64_t k50;
  int64_t k95;
};

TEST(Methodology, CutOffsOfPublishedSpacesAreAsTheFieldComputesThem) {
  const Published spaces[] = {{"convolution_milo__A100", 4362, 4201, 0.55360, 5, 1050},
                              {"convolution_milo__A4000", 4362, 4201, 1.02117, 4, 323},
                              {"convolution_milo__MI250X", 4362, 4362, 0.65880, 4, 51},
                              {"pnpoly__RTX_3090", 4092, 3762, 7.22419, 5, 179}};
  for (const Published& expected : spaces) {
    const std::string path = space_file(expected.name);
    if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there";
    const MeasuredSpace space(expected.name, read_results(path).tables.at(0));
    EXPECT_EQ(space.index().size(), expected.configs) << expected.name;
    EXPECT_EQ(space.baseline().size(), expected.valid) << expected.name;
    EXPECT_NEAR(space.baseline().optimum() / 1000, expected.optimum_ms, 1e-5) << expected.name;
    EXPECT_EQ(space.baseline().evaluations_for(0.5), expected.k50) << expected.name;
    EXPECT_EQ(space.baseline().evaluations_for(0.95), expected.k95) << expected.name;
    EXPECT_TRUE(space.costs().has_value()) << expected.name;
  }
}

}  // namespace
}  // namespace tilewright
