// Sessions that go on, take hints, screen, end early, tell events and obey.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/base/statistics.h"
#include "tests/tuner/session_fixture.h"
#include "tuner/session/fidelity_ladder.h"
#include "tuner/session/problem_search.h"
#include "tuner/session/transfer.h"
#include "tuner/session/winner.h"

namespace tilewright {
namespace {

class SessionSearch : public SessionTest {
 protected:
  static TuneResult tune_into(Store& store, int64_t run, const std::vector<TuneProblem>& list,
                              const Evaluator& evaluator, const TuneOptions& options,
                              const TuneHooks& hooks = {}) {
    ThreadEvaluation pool(evaluator, 1, hooks.seconds);
    return tune(list, key_of, pool, store, run, options, hooks);
  }

  static std::string trials_of(Store& store) {
    return to_csv(query(store, "SELECT place, proposer, measurement_id FROM trial", {}));
  }

  static TuneOptions random(int64_t evaluations) {
    TuneOptions options;
    options.strategy = "random";
    options.max_evaluations = evaluations;
    return options;
  }
};

TEST_F(SessionSearch, ResumedRunEndsWithTheRowsOfOneThatWasNotInterrupted) {
  const auto list = problems(10);
  TuneOptions options = random(60);
  options.transfer = true;
  Store whole = open("whole.db");
  const TuneResult expected = tune_all(whole, list, FormulaEvaluator(bowl), options);

  Store store = open();
  const int64_t run = begin(store);
  int calls = 0;
  TuneHooks hooks;
  hooks.stop = [&] { return ++calls > 137; };
  const TuneResult stopped = tune_into(store, run, list, FormulaEvaluator(bowl), options, hooks);
  ASSERT_TRUE(stopped.interrupted);
  options.resumed_run = run;
  const FormulaEvaluator rest(bowl);
  const TuneResult resumed = tune_into(store, run, list, rest, options);
  EXPECT_EQ(resumed.replayed, stopped.evaluations);
  EXPECT_EQ(resumed.evaluations + stopped.evaluations, expected.evaluations);
  EXPECT_EQ(trials_of(store), trials_of(whole));
  for (size_t i = 0; i < list.size(); ++i) {
    EXPECT_EQ(resumed.problems[i].config, expected.problems[i].config);
    EXPECT_TRUE(resumed.problems[i].complete);
  }
}

/// Stops a session after every number of trials within it, and goes on.
void expect_resumes_exactly(
    const std::function<TuneResult(Store&, int64_t, const TuneHooks&, bool)>& session,
    const std::function<Store(const std::string&)>& open,
    const std::function<int64_t(Store&)>& begin) {
  const auto rows = [](Store& store) {
    return to_csv(query(store, "SELECT place, proposer, measurement_id FROM trial", {}));
  };
  Store whole = open("whole.db");
  const TuneResult expected = session(whole, begin(whole), {}, false);
  for (int k = 1; k <= 40; ++k) {
    Store store = open(std::to_string(k) + ".db");
    const int64_t run = begin(store);
    int trials = 0;
    TuneHooks hooks;
    hooks.stop = [&] { return trials >= k; };
    hooks.progress = [&](const TuneProgress&) { ++trials; };
    ASSERT_TRUE(session(store, run, hooks, false).interrupted);
    const TuneResult resumed = session(store, run, {}, true);
    EXPECT_EQ(resumed.replayed, trials) << k;
    EXPECT_EQ(rows(store), rows(whole)) << k;
    for (size_t i = 0; i < expected.problems.size(); ++i) {
      EXPECT_EQ(resumed.problems[i].config, expected.problems[i].config) << k;
      EXPECT_EQ(resumed.problems[i].time_us, expected.problems[i].time_us) << k;
    }
  }
}

TEST_F(SessionSearch, ResumesExactlyWhereverItWasStoppedSlow) {
  for (const std::string strategy : {"portfolio", "genetic"}) {
    SCOPED_TRACE(strategy);
    const int count = strategy == "portfolio" ? 1 : 3;
    std::vector<TuneProblem> list = problems(count);
    list[0].seeds = {parse_config("x=1,y=1"), parse_config("x=2,y=2")};
    expect_resumes_exactly(
        [&](Store& store, int64_t run, const TuneHooks& hooks, bool resumes) {
          TuneOptions options = random(45);
          options.strategy = strategy;
          options.transfer = true;
          options.resumed_run = resumes ? run : 0;
          return tune_into(store, run, list, FormulaEvaluator(bowl), options, hooks);
        },
        [&](const std::string& name) { return open(strategy + name); },
        [](Store& store) { return begin(store); });
  }
}

TEST_F(SessionSearch, ResumesWithAnotherStrategyBudgetAndSpace) {
  Store store = open();
  const int64_t run = begin(store);
  std::vector<TuneProblem> list = problems(1);
  tune_into(store, run, list, FormulaEvaluator(bowl), random(50));
  TuneOptions options;
  options.strategy = "exhaustive";
  options.resumed_run = run;
  list[0].space = limited(list[0].space, {{}, {{"x", "1"}}, {"y != 0"}});
  list[0].limited = true;
  const TuneResult resumed = tune_into(store, run, list, FormulaEvaluator(bowl), options);
  EXPECT_GT(resumed.replayed, 30);
  EXPECT_LT(resumed.replayed, 50);
  EXPECT_EQ(resumed.replayed + resumed.evaluations, 1 + 40 * 6);
  EXPECT_TRUE(resumed.problems[0].config.text() == "x=0,y=3" ||
              resumed.problems[0].config.text() == "x=2,y=3");
}

TEST_F(SessionSearch, BaselineThatLimitsExcludeIsMeasuredAndDoesNotWin) {
  Store store = open();
  std::vector<TuneProblem> list = problems(20);
  list.erase(list.begin(), list.begin() + 19);  // m=20: the optimum is x=20,y=3
  list[0].baseline = parse_config("x=20,y=3");
  list[0].space = limited(list[0].space, {{{"x", "7"}}, {}, {}});
  list[0].limited = true;
  const TunedProblem tuned = tune_all(store, list, FormulaEvaluator(bowl)).problems[0];
  EXPECT_EQ(tuned.baseline_us, 10);
  EXPECT_EQ(tuned.config.text(), "x=7,y=3");
  EXPECT_LT(tuned.gain(), 1);
}

TEST_F(SessionSearch, LimitsNameWhatIsUnknownAndWhatLeavesNothing) {
  const Space space = problem(1).space;
  const auto message = [&](const SpaceLimits& limits) -> std::string {
    try {
      refuse_empty_space(limited(space, limits), "p");
      return "";
    } catch (const Error& error) {
      return error.message();
    }
  };
  EXPECT_EQ(message({{{"x", "3"}}, {}, {"x + y > 8"}}), "");
  EXPECT_NE(message({{{"z", "3"}}, {}, {}}).find("--pin: the space has no parameter 'z'"),
            std::string::npos);
  EXPECT_NE(message({{}, {{"x", "77"}}, {}}).find("--ban x=77: not a value"), std::string::npos);
  EXPECT_NE(message({{{"x", "3"}}, {}, {"x > 5"}}).find("x > 5"), std::string::npos);
  EXPECT_NE(message({{}, {}, {"x >"}}), "");
}

TEST_F(SessionSearch, EndsWhenTheExpectedGainIsTooSmall) {
  Store store = open();
  TuneOptions options;
  options.min_gain = 0.01;
  const auto list = problems(1);
  const TuneResult result = tune_all(store, list, FormulaEvaluator(bowl), options);
  EXPECT_TRUE(result.problems[0].complete);
  EXPECT_LT(result.evaluations, 41 * 7);
  EXPECT_GE(result.evaluations, 17);
}

TEST_F(SessionSearch, LikeProblemsOfEarlierSessionsAreTriedFirstWithinAQuarterOfTheBudget) {
  Store store = open();
  std::vector<TuneProblem> earlier = {problem(1), problem(9), problem(30)};
  tune_all(store, earlier, FormulaEvaluator(bowl));
  TuneOptions options = random(8);
  options.transfer = true;
  const std::vector<TuneProblem> list = {problem(10)};
  const TuneResult first = tune_all(store, list, FormulaEvaluator(bowl), options);
  const std::vector<StoredTrial> trials = store.trials(2);
  ASSERT_EQ(trials.size(), 8u);
  EXPECT_EQ(trials[0].proposer, "baseline");
  EXPECT_EQ(trials[1].proposer, "earlier");
  EXPECT_EQ(trials[1].key.config, "x=9,y=3");
  EXPECT_EQ(trials[2].proposer, "earlier");
  EXPECT_EQ(trials[3].proposer, "random");
  EXPECT_LE(first.problems[0].time_us, 11);

  // More is known by now, and still the same session does the same.
  tune_all(store, {problem(11)}, FormulaEvaluator(bowl));
  options.earlier_run = 2;
  const FormulaEvaluator untouched(bowl);
  const TuneResult second = tune_all(store, list, untouched, options);
  EXPECT_EQ(untouched.evaluations(), 0u);
  EXPECT_EQ(second.problems[0].config, first.problems[0].config);

  options = random(8);
  tune_all(store, {problem(12)}, FormulaEvaluator(bowl), options);
  for (const StoredTrial& trial : store.trials(5)) EXPECT_NE(trial.proposer, "earlier");
}

/// As bowl, known by another name.
class OtherEvaluator : public FormulaEvaluator {
 public:
  OtherEvaluator() : FormulaEvaluator(bowl) {}
  std::string id() const override { return "table/aa"; }
};

TEST_F(SessionSearch, TheSameProblemElsewhereIsTheNearestOfAll) {
  Store store = open();
  store.save_machine("npu-b", "bbbb", "{}");
  tune_all(store, {problem(9), problem(30)}, FormulaEvaluator(bowl));  // all configs
  TuneOptions options = random(8);
  options.transfer = true;
  options.earlier_run = 1;  // on another machine, so that it says nothing of the hints of this one
  const std::vector<TuneProblem> list = {problem(9)};
  const auto on_b = [](const Problem& problem, const Config& config) {
    MeasurementKey key = key_of(problem, config);
    key.machine_fingerprint = "bbbb";
    return key;
  };
  const FormulaEvaluator formula(bowl);
  ThreadEvaluation pool(formula, 1, {});
  const TuneResult there = tune(list, on_b, pool, store, begin(store), options, {});
  EXPECT_EQ(there.evaluations, 8) << "times of another machine are not taken";
  const TuneResult by_other = tune_all(store, list, OtherEvaluator(), options);
  EXPECT_EQ(by_other.evaluations, 8);
  for (const int64_t run : {2, 3}) {
    const std::vector<StoredTrial> trials = store.trials(run);
    EXPECT_EQ(trials.at(1).proposer, "earlier");
    EXPECT_EQ(trials.at(1).key.config, "x=9,y=3");
  }
}

TEST_F(SessionSearch, ProblemsLearnFromThoseThatAreDone) {
  Store store = open();
  TuneOptions options = random(40);
  options.transfer = true;
  tune_all(store, problems(9), FormulaEvaluator(bowl), options);
  int neighbours = 0;
  for (const StoredTrial& trial : store.trials(1)) {
    if (trial.proposer != "neighbour") continue;
    ++neighbours;
    EXPECT_EQ(trial.key.problem, gemm(9).text());
  }
  EXPECT_GT(neighbours, 0);
  EXPECT_LE(neighbours, 10);
}

TEST_F(SessionSearch, NearestProblemsAreOfTheSameTypesAndSizes) {
  const Problem a = gemm(64);
  EXPECT_LT(distance(a, gemm(70)), distance(a, gemm(128)));
  EXPECT_LT(distance(a, gemm(64)), distance(a, gemm(65)));
  const Problem bf16 = parse_problem("gemm bf16 bf16 bf16 nd nz nd m=64 n=64 k=32 epilogue=none");
  EXPECT_LT(distance(a, gemm(4096)), distance(a, bf16));
}

/// As bowl, but says that it is a cheaper evaluator, a twentieth too fast.
class CheapEvaluator : public FormulaEvaluator {
 public:
  CheapEvaluator()
      : FormulaEvaluator([](const Problem& problem, const Config& config) {
          Measurement measurement = bowl(problem, config);
          measurement.time_us *= 0.95;
          return measurement;
        }) {}
  std::string id() const override { return "sim/1/cheap"; }
};

TEST_F(SessionSearch, OnlyWhatMayWinByTheCheaperEvaluatorIsMeasured) {
  Store store = open();
  const CheapEvaluator cheap;
  ThreadEvaluation screening(cheap, 1, {});
  TuneOptions options = random(150);
  options.screening = &screening;
  const FormulaEvaluator exact(bowl);
  const TuneResult result = tune_all(store, problems(1), exact, options);
  EXPECT_EQ(result.evaluations + result.screened, 150);
  EXPECT_EQ(cheap.evaluations(), 150u);
  EXPECT_LT(result.evaluations, 40);
  Store all = open("all.db");
  const TuneResult expected = tune_all(all, problems(1), FormulaEvaluator(bowl), random(150));
  EXPECT_EQ(result.problems[0].config, expected.problems[0].config);
  EXPECT_EQ(result.problems[0].time_us, expected.problems[0].time_us);

  const FormulaEvaluator untouched(bowl);
  const TuneResult again = tune_all(store, problems(1), untouched, options);
  EXPECT_EQ(untouched.evaluations(), 0u);
  EXPECT_EQ(again.screened, result.screened);
}

TEST_F(SessionSearch, ResumesExactlyWhereACheaperEvaluatorScreensSlow) {
  const auto list = problems(2);
  expect_resumes_exactly(
      [&](Store& store, int64_t run, const TuneHooks& hooks, bool resumes) {
        const CheapEvaluator cheap;
        ThreadEvaluation screening(cheap, 1, {});
        TuneOptions options = random(45);
        options.strategy = "genetic";
        options.screening = &screening;
        options.resumed_run = resumes ? run : 0;
        return tune_into(store, run, list, FormulaEvaluator(bowl), options, hooks);
      },
      [&](const std::string& name) { return open(name); },
      [](Store& store) { return begin(store); });
}

TEST(FidelityLadder, LearnsTheRatioAndItsSpread) {
  FidelityLadder ladder;
  EXPECT_EQ(ladder.predicted(10), 10);
  EXPECT_EQ(ladder.slack(), FidelityLadder::kMost);
  for (int i = 0; i < 5; ++i) {
    const std::string config = std::to_string(i);
    ladder.screened(config, 100);
    ladder.measured(config, 200 + i - 2);
  }
  ladder.measured("never screened", 1);
  EXPECT_EQ(ladder.predicted(10), 20);
  EXPECT_NEAR(ladder.slack(), 3 * 1.4826 * 0.005, 1e-9);
}

/// Of `searches` with 100 challengers, each timed five times with 1 % noise, those that end with
/// another winner than the incumbent. One challenger is faster by `gain`.
int replaced_incumbents(int searches, double gain, uint64_t seed) {
  Random random(seed);
  int replaced = 0;
  for (int search = 0; search < searches; ++search) {
    WinnerChoice choice({});
    for (int config = 0; config <= 100; ++config) {
      Measurement measured = ok(0);
      const double mean = config == 50 ? 100 / (1 + gain) : 100;
      for (int i = 0; i < 5; ++i) measured.times_us.push_back(mean * (1 + 0.01 * random.normal()));
      const Estimate estimate = mean_estimate(measured.times_us);
      measured.time_us = estimate.mean;
      measured.spread_us = estimate.standard_error;
      choice.add(contender(parse_config(fmt::format("x={}", config)), measured),
                 config == 0 ? 1 : 0);
    }
    if (choice.verdict()->winner.config.at("x") != 0) ++replaced;
  }
  return replaced;
}

TEST(WinnerChoice, TheFastestOfManyReplacesTheIncumbentNoMoreOftenThanStated) {
  EXPECT_LE(replaced_incumbents(200, 0, 1), 14);  // 10 expected at most; three in four deviations
  EXPECT_GE(replaced_incumbents(200, 0.05, 2), 190);
}

TEST(WinnerChoice, NoiseDoesNotReplaceTheIncumbent) {
  const Contender incumbent{parse_config("x=1"), 10, 0.5, 10};
  for (const auto& [time_us, wins] : {std::pair(9.5, false), std::pair(7.0, true)}) {
    WinnerChoice choice({});
    choice.add(incumbent, 2);
    EXPECT_TRUE(choice.add({parse_config("x=2"), time_us, 0.5, 10}, 0));
    const auto verdict = choice.verdict();
    EXPECT_EQ(verdict->winner.config.text(), wins ? "x=2" : "x=1");
    EXPECT_EQ(verdict->runner_up->config.text(), wins ? "x=1" : "x=2");
    EXPECT_EQ(verdict->confidence > 0.95, wins);
  }
}

TEST_F(SessionSearch, TiesGoToTheWinnerOfTheEarlierSession) {
  Store store = open();
  const auto list = problems(1);
  const FormulaEvaluator first([](const Problem&, const Config& config) {
    return ok(config.at("x") == 30 ? 5 : config.at("y") == 6 ? 5 : 7);
  });
  TuneOptions options = random(200);
  const Config winner = tune_all(store, list, first, options).problems[0].config;
  options.seed = 77;
  options.earlier_run = 1;
  EXPECT_EQ(tune_all(store, list, first, options).problems[0].config, winner);
}

TEST_F(SessionSearch, AnIncumbentDoesNotExceedTheBudget) {
  Store store = open();
  const auto list = problems(1);
  TuneOptions options = random(200);
  const Config winner = tune_all(store, list, FormulaEvaluator(bowl), options).problems[0].config;
  for (const int64_t budget : {1, 2, 9, 20}) {
    options = random(budget);
    options.seed = 77;
    options.earlier_run = 1;
    const TuneResult result = tune_all(store, list, FormulaEvaluator(bowl), options);
    EXPECT_EQ(result.evaluations + result.cache_hits, budget);
    EXPECT_TRUE(result.problems[0].complete);
    EXPECT_EQ(result.problems[0].config == winner, budget > 1) << budget;
  }
}

TEST_F(SessionSearch, ALargeExpectedGainIsAskedOnlyAfterTheLeastTrials) {
  Store store = open();
  TuneOptions options = random(100);
  options.min_gain = 1;
  EXPECT_GE(tune_all(store, problems(1), FormulaEvaluator(bowl), options).evaluations, 17);
}

TEST_F(SessionSearch, ManyParametersAreGivenMoreTrialsBeforeASearchMayEnd) {
  std::vector<Parameter> parameters;
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    parameters.push_back({name, "", {0, 1}});
  }
  parameters.push_back({"fixed", "", {7}});
  const TuneProblem flat{gemm(1),
                         Space(parameters, {}),
                         parse_config("a=0,b=0,c=0,d=0,e=0,f=0,g=0,h=0,fixed=7"),
                         {},
                         {}};
  Store store = open();
  TuneOptions options = random(0);
  options.min_gain = 0.01;
  const auto constant = [](const Problem&, const Config&) { return ok(10); };
  const TuneResult result = tune_all(store, {flat}, FormulaEvaluator(constant), options);
  EXPECT_GE(result.evaluations, 41);
  EXPECT_LT(result.evaluations, 64);
}

/// The expected gain after these times, one after the other.
double expected_gain_after(const TuneProblem& problem, const std::vector<double>& times_us) {
  TuneOptions options;
  options.strategy = "random";
  ProblemSearch search(problem, std::make_unique<SpaceIndex>(problem.space), options, {});
  for (const double time_us : times_us) {
    const std::vector<Candidate> next = search.next(1);
    search.tell(next.at(0), ok(time_us), ResultKind::kMeasured);
  }
  return search.expected_gain();
}

TEST_F(SessionSearch, ExpectedGainFallsWithEveryDoublingWithoutOneAndIsNever0) {
  const TuneProblem list = problem(1);
  EXPECT_EQ(expected_gain_after(list, std::vector<double>(16, 10)), 1);
  const double at_32 = expected_gain_after(list, std::vector<double>(32, 10));
  const double at_64 = expected_gain_after(list, std::vector<double>(64, 10));
  EXPECT_LT(at_32, 0.01);
  EXPECT_GT(at_64, 0);
  EXPECT_LT(at_64, at_32);
  // A gain of a half that is long ago still says something, but less than one of late.
  std::vector<double> times(64, 10);
  std::fill(times.begin(), times.begin() + 20, 20);
  const double long_ago = expected_gain_after(list, times);
  std::fill(times.begin(), times.begin() + 40, 20);
  const double of_late = expected_gain_after(list, times);
  EXPECT_GT(long_ago, 0.01);
  EXPECT_LT(long_ago, 0.1);
  EXPECT_GT(of_late, 0.2);
  EXPECT_LT(of_late, 0.5);
}

TEST_F(SessionSearch, TellsEveryTrialAndEveryNewBest) {
  Store store = open();
  std::map<TuneEventKind, int> told;
  double best = 0;
  TuneHooks hooks;
  hooks.event = [&](const TuneEvent& event) {
    ++told[event.kind];
    if (event.kind != TuneEventKind::kNewBest) return;
    EXPECT_TRUE(best == 0 || event.best_us < best);
    EXPECT_EQ(event.measurement->time_us, event.best_us);
    best = event.best_us;
  };
  tune_all(store, problems(1), FormulaEvaluator(bowl), {}, hooks);
  EXPECT_EQ(told[TuneEventKind::kTrial], 41 * 7);
  EXPECT_EQ(told[TuneEventKind::kProblemBegin], 1);
  EXPECT_EQ(told[TuneEventKind::kProblemEnd], 1);
  EXPECT_EQ(told[TuneEventKind::kRoundEnd], 1 + (41 * 7 - 1 + 7) / 8);
  EXPECT_EQ(best, 10);
}

TEST_F(SessionSearch, ObeysCommandsBetweenRounds) {
  Store store = open();
  using Kind = TuneCommand::Kind;
  int round = 0, paused_calls = 0;
  TuneHooks hooks;
  hooks.control = [&](bool paused) -> std::vector<TuneCommand> {
    if (paused)
      return ++paused_calls == 3 ? std::vector<TuneCommand>{{Kind::kResume}}
                                 : std::vector<TuneCommand>{};
    switch (++round) {
      case 2:
        return {{Kind::kPause}};
      case 3:
        return {{.kind = Kind::kLimit, .limits = {{{"y", "2"}}, {}, {}}}};
      case 4:
        return {{.kind = Kind::kStrategy, .text = "exhaustive"}};
      case 5:
        return {{.kind = Kind::kStrategy, .text = "no such"}};
      default:
        return {};
    }
  };
  std::vector<std::string> answers;
  hooks.event = [&](const TuneEvent& event) {
    if (event.kind == TuneEventKind::kControl) answers.emplace_back(event.text);
  };
  const TuneResult result =
      tune_all(store, problems(1), FormulaEvaluator(bowl), random(500), hooks);
  EXPECT_EQ(paused_calls, 3);
  EXPECT_EQ(result.problems[0].config.text(), "x=1,y=2");
  EXPECT_LT(result.evaluations, 60);
  ASSERT_GE(answers.size(), 5u);
  EXPECT_NE(answers.back().find("no such"), std::string::npos);
}

TEST_F(SessionSearch, StopCommandKeepsEverything) {
  Store store = open();
  int round = 0;
  TuneHooks hooks;
  hooks.control = [&](bool) -> std::vector<TuneCommand> {
    if (++round < 4) return {};
    return {{TuneCommand::Kind::kStop}};
  };
  const TuneResult result =
      tune_all(store, problems(1), FormulaEvaluator(bowl), random(500), hooks);
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.evaluations, 1 + 2 * 8);
  EXPECT_EQ(store.trials(1).size(), 17u);
  EXPECT_EQ(store.load_winners(1).size(), 1u);
}

}  // namespace
}  // namespace tilewright
