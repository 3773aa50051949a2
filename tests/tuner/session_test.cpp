#include "tuner/session/session.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "core/base/error.h"
#include "db/queries.h"
#include "tests/tuner/session_fixture.h"
#include "tuner/session/plan_maker.h"
#include "tuner/session/winner_list.h"

namespace tilewright {
namespace {

TEST_F(SessionTest, ExhaustiveFindsTheOptimumOfEveryProblem) {
  Store store = open();
  const FormulaEvaluator evaluator(bowl);
  const auto list = problems(20);
  const TuneResult result = tune_all(store, list, evaluator);
  ASSERT_EQ(result.problems.size(), 20u);
  for (const TunedProblem& tuned : result.problems) {
    const int64_t m = tuned.problem->problem.size("m");
    EXPECT_EQ(tuned.config.text(), fmt::format("x={},y=3", m % 40));
    EXPECT_EQ(tuned.time_us, 10);
    EXPECT_EQ(tuned.runner_up_us, 11);
    EXPECT_NEAR(tuned.margin(), 0.1, 1e-12);
    EXPECT_EQ(tuned.baseline_us, 10 + std::pow(20.0 - static_cast<double>(m), 2) + 9);
    EXPECT_EQ(tuned.gain(), tuned.baseline_us / 10);
    EXPECT_EQ(tuned.evaluations, 41 * 7);
    EXPECT_TRUE(tuned.complete);
  }
  EXPECT_EQ(result.evaluations, 20 * 41 * 7);
  EXPECT_FALSE(result.interrupted);
}

TEST_F(SessionTest, ResultAndRowsAreTheSameForAnyNumberOfJobs) {
  const auto list = problems(11);
  std::string expected;
  for (const int jobs : {1, 2, 8}) {
    Store store = open(fmt::format("{}.db", jobs));
    const FormulaEvaluator evaluator([](const Problem& problem, const Config& config) {
      return config.at("x") % 5 == 4 ? Measurement{AttemptStatus::kInfeasible, "no", 0, 0, {}}
                                     : bowl(problem, config);
    });
    TuneOptions options;
    options.strategy = "random";
    options.max_evaluations = 100;
    tune_all(store, list, evaluator, options, {}, jobs);
    const std::string rows = rows_of(store);
    if (expected.empty()) expected = rows;
    EXPECT_TRUE(rows == expected) << jobs;
    EXPECT_EQ(evaluator.evaluations(), 1100u);
  }
}

TEST_F(SessionTest, SecondRunMakesNoNewEvaluation) {
  const auto list = problems(3);
  for (const std::string strategy : {"exhaustive", "random"}) {
    Store store = open(strategy + ".db");
    TuneOptions options;
    options.strategy = strategy;
    options.max_evaluations = 120;
    options.seed = 5;
    const TuneResult first = tune_all(store, list, FormulaEvaluator(bowl), options);
    EXPECT_EQ(first.evaluations, 360);
    EXPECT_EQ(first.cache_hits, 0);
    const FormulaEvaluator untouched(bowl);
    const TuneResult second = tune_all(store, list, untouched, options);
    EXPECT_EQ(second.evaluations, 0);
    EXPECT_EQ(second.cache_hits, 360);
    EXPECT_EQ(untouched.evaluations(), 0u);
    for (size_t i = 0; i < list.size(); ++i) {
      EXPECT_EQ(second.problems[i].config, first.problems[i].config);
      EXPECT_EQ(second.problems[i].time_us, first.problems[i].time_us);
      EXPECT_TRUE(second.problems[i].complete);
    }
  }
}

TEST_F(SessionTest, StoppedSessionKeepsWhatIsDoneAndIsResumedToTheSameWinner) {
  const auto list = problems(10);
  TuneOptions options;
  options.strategy = "random";
  options.max_evaluations = 90;
  Store whole = open("whole.db");
  const TuneResult expected = tune_all(whole, list, FormulaEvaluator(bowl), options, {}, 2);

  Store store = open();
  std::atomic<int> calls = 0;
  TuneHooks hooks;
  hooks.stop = [&] { return ++calls > 300; };
  const TuneResult stopped = tune_all(store, list, FormulaEvaluator(bowl), options, hooks, 2);
  EXPECT_TRUE(stopped.interrupted);
  EXPECT_GT(stopped.evaluations, 0);
  EXPECT_LT(stopped.evaluations, 900);
  EXPECT_FALSE(stopped.problems.back().found);
  EXPECT_FALSE(stopped.problems.back().complete);
  EXPECT_EQ(store.info().rows[3].second, stopped.evaluations);  // measurement

  const TuneResult resumed = tune_all(store, list, FormulaEvaluator(bowl), options);
  EXPECT_EQ(resumed.evaluations + stopped.evaluations, 900);
  EXPECT_FALSE(resumed.interrupted);
  for (size_t i = 0; i < list.size(); ++i) {
    EXPECT_EQ(resumed.problems[i].config, expected.problems[i].config);
    EXPECT_EQ(resumed.problems[i].runner_up_us, expected.problems[i].runner_up_us);
  }
}

TEST_F(SessionTest, EndsWhenItsSecondsAreOver) {
  Store store = open();
  std::atomic<int> now = 0;
  TuneOptions options;
  options.max_seconds = 100;
  TuneHooks hooks;
  hooks.seconds = [&] { return static_cast<double>(++now); };
  const auto list = problems(2);
  const TuneResult result = tune_all(store, list, FormulaEvaluator(bowl), options, hooks);
  EXPECT_TRUE(result.out_of_time);
  EXPECT_FALSE(result.interrupted);
  EXPECT_GT(result.evaluations, 10);
  EXPECT_LT(result.evaluations, 100);
  EXPECT_FALSE(result.problems[0].complete);
  EXPECT_TRUE(result.problems[0].found);
}

TEST_F(SessionTest, WhatFailedNeverWins) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const Measurement failures[] = {ok(nan),
                                  ok(-1),
                                  ok(0),
                                  ok(infinity),
                                  {AttemptStatus::kInfeasible, "L0C", 1, 0, {}},
                                  {AttemptStatus::kWrongResult, "off by 3", 1, 0, {}}};
  const auto list = problems(1);
  for (size_t i = 0; i < std::size(failures); ++i) {
    Store store = open(fmt::format("{}.db", i));
    const FormulaEvaluator evaluator([&](const Problem& problem, const Config& config) {
      return config.at("y") == 3 ? failures[i] : bowl(problem, config);
    });
    const TunedProblem tuned = tune_all(store, list, evaluator).problems[0];
    EXPECT_EQ(tuned.config.text(), "x=1,y=2") << i;
    EXPECT_EQ(tuned.failures, 41);
    EXPECT_FALSE(tuned.failure.empty());
    const auto stored =
        store.find({"gemm", 1, gemm(1).text(), "x=1,y=3", "aaaa", "sim/1/composed"});
    ASSERT_TRUE(stored.has_value());
    EXPECT_NE(stored->status, AttemptStatus::kOk);
  }
}

TEST_F(SessionTest, AnErrorOfTheEvaluatorIsAFailureOfThatConfigAlone) {
  Store store = open();
  const auto list = problems(1);
  const FormulaEvaluator evaluator([](const Problem& problem, const Config& config) {
    if (config.at("y") == 0) throw Error(ErrorKind::kInfeasible, "too big");
    if (config.at("y") == 1) throw Error(ErrorKind::kFailed, "crashed");
    return bowl(problem, config);
  });
  const TunedProblem tuned = tune_all(store, list, evaluator).problems[0];
  EXPECT_EQ(tuned.config.text(), "x=1,y=3");
  EXPECT_EQ(tuned.baseline_us, 0);
  EXPECT_EQ(tuned.gain(), 0);
  EXPECT_EQ(tuned.failures, 82);
  EXPECT_EQ(tuned.failure, "too big");
  MeasurementKey crashed{"gemm", 1, gemm(1).text(), "x=5,y=1", "aaaa", "sim/1/composed"};
  EXPECT_EQ(store.find(crashed)->status, AttemptStatus::kRuntime);
}

TEST_F(SessionTest, NothingFoundWhenEverythingFails) {
  Store store = open();
  const auto list = problems(1);
  const FormulaEvaluator evaluator([](const Problem&, const Config&) {
    return Measurement{AttemptStatus::kTimeout, "60 s", 0, 0, {}};
  });
  const TuneResult result = tune_all(store, list, evaluator);
  EXPECT_FALSE(result.problems[0].found);
  EXPECT_TRUE(store.load_winners(1).empty());
}

TEST_F(SessionTest, TiesGoToTheBaselineThenFootprintThenValues) {
  const FormulaEvaluator::Formula flat = [](const Problem&, const Config&) { return ok(5); };
  const FormulaEvaluator::Formula slow_baseline = [](const Problem&, const Config& config) {
    return ok(config.text() == "x=20,y=0" ? 6 : 5);
  };
  const auto small_y = [](const Config& config) { return 6 - config.at("y"); };
  const struct {
    FormulaEvaluator::Formula formula;
    std::function<int64_t(const Config&)> footprint;
    const char* winner;
  } cases[] = {{flat, small_y, "x=20,y=0"},
               {slow_baseline, small_y, "x=0,y=6"},
               {slow_baseline, {}, "x=0,y=0"}};
  for (size_t i = 0; i < std::size(cases); ++i) {
    for (const char* strategy : {"exhaustive", "random"}) {
      Store store = open(fmt::format("{}{}.db", strategy, i));
      std::vector<TuneProblem> list = problems(1);
      list[0].seeds = {parse_config("x=7,y=1")};
      list[0].footprint = cases[i].footprint;
      TuneOptions options;
      options.strategy = strategy;
      const TuneResult result = tune_all(store, list, FormulaEvaluator(cases[i].formula), options);
      EXPECT_EQ(result.problems[0].config.text(), cases[i].winner) << i << strategy;
      EXPECT_EQ(result.problems[0].runner_up_us, 5);
      EXPECT_EQ(result.evaluations, 41 * 7);  // seeds and baseline are not tried again
    }
  }
}

TEST_F(SessionTest, TriesBaselineThenSeedsFirstAndCountsThemInTheBudget) {
  Store store = open();
  std::vector<TuneProblem> list = problems(1);
  list[0].seeds = {parse_config("x=1,y=1"), parse_config("x=20,y=0"), parse_config("x=2,y=2")};
  TuneOptions options;
  options.max_evaluations = 3;
  const TuneResult result = tune_all(store, list, FormulaEvaluator(bowl), options);
  EXPECT_EQ(result.evaluations, 3);
  EXPECT_TRUE(result.problems[0].complete);
  EXPECT_EQ(to_csv(query(store, "SELECT config FROM measurement ORDER BY id", {})),
            "config\n\"x=20,y=0\"\n\"x=1,y=1\"\n\"x=2,y=2\"\n");
}

TEST_F(SessionTest, ProblemThatStandsTwiceIsEvaluatedOnce) {
  Store store = open();
  std::vector<TuneProblem> list = {problem(1), problem(1)};
  list[1].ops = {"o_proj"};
  const FormulaEvaluator evaluator(bowl);
  const TuneResult result = tune_all(store, list, evaluator);
  EXPECT_EQ(evaluator.evaluations(), 41u * 7u);
  EXPECT_EQ(result.evaluations, 41 * 7);
  EXPECT_EQ(result.cache_hits, 41 * 7);
  EXPECT_EQ(result.problems[0].config, result.problems[1].config);
  const std::vector<Winner> winners = store.load_winners(1);
  ASSERT_EQ(winners.size(), 1u);
  EXPECT_EQ(winners[0].ops, (std::vector<std::string>{"qkv", "o_proj"}));
}

TEST_F(SessionTest, OnlyNoiseMakesAMarginNegative) {
  TunedProblem tuned;
  tuned.time_us = 10;
  tuned.runner_up_us = 9;
  EXPECT_EQ(tuned.margin(), 0);
  tuned.spread_us = 1;
  EXPECT_LT(tuned.margin(), 0);
  tuned.regret = 0.1;
  EXPECT_EQ(tuned.margin(), 0);
  tuned.runner_up_us = 11;
  EXPECT_GT(tuned.margin(), 0);
}

TEST_F(SessionTest, RaisedBudgetContinuesTheSearch) {
  Store store = open();
  const auto list = problems(1);
  TuneOptions options;
  options.strategy = "random";
  options.max_evaluations = 50;
  tune_all(store, list, FormulaEvaluator(bowl), options);
  options.max_evaluations = 70;
  const TuneResult raised = tune_all(store, list, FormulaEvaluator(bowl), options);
  EXPECT_EQ(raised.cache_hits, 50);
  EXPECT_EQ(raised.evaluations, 20);
}

TEST_F(SessionTest, ProgressReachesItsTotal) {
  Store store = open();
  const auto list = problems(12);
  TuneProgress last;
  int64_t calls = 0;
  TuneHooks hooks;
  hooks.progress = [&](const TuneProgress& progress) {
    EXPECT_EQ(progress.done, ++calls);
    EXPECT_LE(progress.done, progress.total);
    last = progress;
  };
  tune_all(store, list, FormulaEvaluator(bowl), {}, hooks);
  EXPECT_EQ(last.done, last.total);
  EXPECT_EQ(last.evaluations, 12 * 41 * 7);
  EXPECT_EQ(last.best_us, 10);
}

TEST_F(SessionTest, WinnersOfARunBecomeItsPlan) {
  Store store = open();
  const auto list = problems(4);
  const FormulaEvaluator evaluator([](const Problem& problem, const Config& config) {
    return ok(config.at("x") == (problem.size("m") <= 2 ? 3 : 4) && config.at("y") == 0 ? 1 : 2);
  });
  tune_all(store, list, evaluator);
  const std::vector<Winner> winners = store.load_winners(1);
  const Plan plan = make_plan(store.load_run(1), winners);
  EXPECT_EQ(plan.machine_name, "npu-a");
  EXPECT_EQ(plan.machine_fingerprint, "aaaa");
  EXPECT_EQ(plan.model, "qwen2-7b");
  EXPECT_EQ(plan.workload_class, "chat");
  ASSERT_EQ(plan.tables.size(), 1u);
  const std::vector<PlanRange> ranges = {{1, 2, parse_config("x=3,y=0"), 1},
                                         {3, 4, parse_config("x=4,y=0"), 1}};
  EXPECT_EQ(plan.tables[0].ranges, ranges);
  EXPECT_EQ(plan.tables[0].ops, std::vector<std::string>{"qkv"});
  EXPECT_EQ(parse_plan(write_plan(plan), "plan"), plan);
}

TEST_F(SessionTest, AFusedLaunchWinsOnlyWhereItIsFasterThanItsParts) {
  Store store = open();
  // By itself each GEMM takes 10 us; the fused ones 11, 13, 11 and 11, instead of 10 + 2.
  std::vector<TuneProblem> list = problems(4);
  for (int64_t m = 1; m <= 4; ++m) {
    TuneProblem fused = list[static_cast<size_t>(m - 1)];
    fused.apart = TuneApart{fused.problem.text(), 2};
    fused.problem.epilogue = "silu_mul";
    fused.ops = {"qkv+silu_mul"};
    list.push_back(std::move(fused));
  }
  const FormulaEvaluator evaluator([](const Problem& problem, const Config&) {
    return ok(problem.epilogue == "none" ? 10 : problem.size("m") == 2 ? 13 : 11);
  });
  const TuneResult result = tune_all(store, list, evaluator);
  EXPECT_TRUE(beats_apart(result.problems[4], result));
  EXPECT_FALSE(beats_apart(result.problems[5], result));
  const std::vector<Winner> winners = store.load_winners(1);
  EXPECT_EQ(winners.size(), 7u);
  const Plan plan = make_plan(store.load_run(1), winners);
  ASSERT_EQ(plan.fusions.size(), 1u);
  const std::vector<PlanFusion::Range> ranges = {{1, 1}, {3, 4}};
  EXPECT_EQ(plan.fusions[0].ranges, ranges);
  EXPECT_EQ(plan.fusions[0].ops, "qkv+silu_mul");
  EXPECT_EQ(plan.fusions[0].epilogue, "silu_mul");
  EXPECT_EQ(plan.tables.size(), 2u);
}

TEST_F(SessionTest, PlanRefusesWhatItCannotHoldAndNamesStaleWinners) {
  const Winner good{"gemm", 1,   gemm(1).text(), {}, "sim/1/composed", "x=1", 1, "x=1", 1, 0, 1,
                    0,      true};
  Winner other_layout = good;
  other_layout.problem = "gemm f16 f16 f16 nd nd nd m=1 n=64 k=32 epilogue=none";
  Winner vector_op = good;
  vector_op.problem = "rms_norm f16 rows=3 columns=4 epilogue=none";
  EXPECT_THROW(make_plan({}, {}), Error);
  EXPECT_THROW(make_plan({}, std::vector{good, other_layout}), Error);
  EXPECT_THROW(make_plan({}, std::vector{vector_op}), Error);
  Winner without_rows = good;  // as a damaged database may have it
  without_rows.problem = "gemm f16 f16 f16 nd nd nd m=0 n=64 k=32 epilogue=none";
  EXPECT_THROW(make_plan({}, std::vector{without_rows}), Error);
  EXPECT_FALSE(why_no_plan(without_rows).empty());
  Winner labelled = good;
  labelled.config = "mode=row";
  tilewright::Run run;
  run.id = 7;
  try {
    make_plan(run, std::vector{labelled});
    ADD_FAILURE() << "a plan holds whole numbers";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFailed);
    EXPECT_NE(error.message().find("run 7: the winner of " + good.problem), std::string::npos)
        << error.message();
  }

  const auto any = [](std::string_view) { return true; };
  const auto none = [](std::string_view) { return false; };
  const auto stale = [&](int revision, const std::function<bool(std::string_view)>& current,
                         const std::string& fingerprint = "") {
    return list_winners(run, std::vector{good},
                        {[=](std::string_view) { return revision; }, current,
                         [=](const tilewright::Run&) { return fingerprint; }})
        .at(0);
  };
  run.machine_fingerprint = "abc";
  EXPECT_TRUE(stale(1, any).can_be_exported());
  EXPECT_TRUE(stale(1, any, "abc").can_be_exported());
  EXPECT_EQ(stale(2, any).state, WinnerState::kStale);
  EXPECT_NE(stale(2, any).reason.find("revision 1 of gemm, current is 2"), std::string::npos);
  EXPECT_NE(stale(-1, any).reason.find("no longer exists"), std::string::npos);
  EXPECT_NE(stale(1, none).reason.find("sim/1/composed"), std::string::npos);
  EXPECT_NE(stale(1, any, "def").reason.find("abc, which is def now"), std::string::npos);
  EXPECT_THROW(make_plan(run, std::vector{good, good}), Error) << "two winners at one m";
}

}  // namespace
}  // namespace tilewright
