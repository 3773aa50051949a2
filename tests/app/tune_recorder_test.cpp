// What the Tune screen keeps of a session, and what it makes of it.

#include <gtest/gtest.h>

#include "app/tui/tune/tune_heat.h"
#include "tests/app/tune_fixture.h"

namespace tilewright {
namespace {

TEST(TrialTable, CopiesStayAsTheyWereWhileRowsAreAdded) {
  TrialTable table(2);
  std::vector<TrialTable> copies;
  for (int64_t i = 0; i < 1500; ++i) {
    if (i % 300 == 0) copies.push_back(table);
    table.add({.number = i + 1, .time_us = 1.0 + static_cast<double>(i)}, std::vector{i, -i});
  }
  ASSERT_EQ(table.size(), 1500u);
  EXPECT_EQ(table.values(1023)[1], -1023);
  for (size_t i = 0; i < copies.size(); ++i) {
    ASSERT_EQ(copies[i].size(), i * 300);
    if (i == 0) continue;
    EXPECT_EQ(copies[i].trial(i * 300 - 1).number, static_cast<int64_t>(i) * 300);
  }
}

TEST(TuneRecorder, CountsTriesBestsAndFailures) {
  TuneRecorder recorder = made_up_session(60);
  const TuneView view = recorder.view(6.0);
  ASSERT_EQ(view.problems.size(), 1u);
  const TuneProblemView& problem = *view.problems[0];
  EXPECT_EQ(problem.tried, 60);
  EXPECT_EQ(problem.screened, 12);
  EXPECT_EQ(problem.failed, 1);
  EXPECT_EQ(view.tried, 60);
  EXPECT_EQ(view.planned, 200);
  EXPECT_EQ(problem.baseline_us, 60);
  EXPECT_GT(problem.bound_us, 0);
  double best = 1e9;
  for (size_t row = 0; row < problem.trials.size(); ++row) {
    const SeenTrial& trial = problem.trials.trial(row);
    if (trial.is_exact()) best = std::min(best, trial.time_us);
  }
  EXPECT_EQ(problem.best_us, best) << "what was cut early never is the best";
}

TEST(TuneRecorder, ViewsShareProblemsThatDidNotChange) {
  TuneRecorder recorder = made_up_session(20, 2);
  const TuneView before = recorder.view(1);
  recorder.note("something", 2);
  const TuneView after = recorder.view(2);
  EXPECT_EQ(before.problems[0], after.problems[0]);
  EXPECT_EQ(after.log.size(), before.log.size() + 1);
}

TEST(TuneRecorder, CommandsTakeEffectWhenTheSessionAnswers) {
  TuneRecorder recorder = made_up_session();
  TuneCommand command;
  command.kind = TuneCommand::Kind::kBudget;
  command.evaluations = 500;
  recorder.asked(command);
  command.kind = TuneCommand::Kind::kPause;
  recorder.asked(command);
  EXPECT_EQ(recorder.view(1).budget, 200);
  TuneEvent answer;
  answer.kind = TuneEventKind::kControl;
  recorder.take(answer, 1);
  EXPECT_EQ(recorder.view(1).budget, 500);
  EXPECT_EQ(recorder.phase(), TunePhase::kRunning);
  recorder.take(answer, 1);
  EXPECT_EQ(recorder.phase(), TunePhase::kPaused);
  command.kind = TuneCommand::Kind::kStrategy;
  command.text = "genetic";
  recorder.asked(command);
  answer.text = "no";
  recorder.take(answer, 1);
  EXPECT_EQ(recorder.view(1).strategy, "portfolio") << "refused";
  EXPECT_EQ(recorder.view(1).log.back().text, "strategy: genetic: no");
}

TEST(TuneRecorder, APauseStopsClockRateAndForecast) {
  TuneRecorder recorder = made_up_session();
  const Config best = recorder.view(5).problems.front()->best;
  Measurement more;
  more.time_us = 30;
  recorder.take(small_gemm(), best, more, false, false);
  EXPECT_GT(recorder.view(6).per_second, 0);
  TuneEvent answer;
  answer.kind = TuneEventKind::kControl;
  TuneCommand command;
  command.kind = TuneCommand::Kind::kPause;
  recorder.asked(command);
  recorder.take(answer, 6);
  for (const double seconds : {6.0, 7.0, 500.0}) {
    const TuneView view = recorder.view(seconds);
    EXPECT_EQ(view.seconds, 6);
    EXPECT_EQ(view.per_second, 0);
    EXPECT_LT(view.seconds_left(), 0);
  }
  command.kind = TuneCommand::Kind::kResume;
  recorder.asked(command);
  recorder.take(answer, 1000);
  EXPECT_EQ(recorder.view(1002).seconds, 8);
  EXPECT_EQ(recorder.view(1002).log.back().seconds, 6);
  command.kind = TuneCommand::Kind::kPause;
  recorder.asked(command);
  recorder.take(answer, 1002);
  recorder.set_phase(TunePhase::kInterrupted, 1010);
  EXPECT_EQ(recorder.view(1011).seconds, 9) << "it ended, after a second at work";
}

TEST(TuneRecorder, TheLogIsBounded) {
  TuneRecorder recorder = made_up_session();
  for (int i = 0; i < 1000; ++i) recorder.note(std::to_string(i), i);
  EXPECT_EQ(recorder.view(1).log.size(), kMostLogLines);
  EXPECT_EQ(recorder.view(1).log.back().text, "999");
}

TEST(TuneRecorder, RandomDrawsAreExpectedOnlyOnceEverythingIsKnown) {
  Problem problem = small_gemm();
  const Space space({{"a", "", {1, 2}}, {"b", "", {1, 2}}}, {});
  const auto spaces = std::make_shared<TuneSpaces>();
  spaces->legal = spaces->searched = space;
  spaces->size = 4;
  for (const int64_t tried : {3, 4}) {
    TuneRecorder recorder({}, [&](const Problem&) {
      return ProblemFacts{space.parameters(), spaces, 0};
    });
    for (int64_t i = 0; i < tried; ++i) {
      const Config config{{{"a", 1 + i / 2}, {"b", 1 + i % 2}}};
      Measurement measurement;
      measurement.time_us = 10.0 - static_cast<double>(i);
      recorder.take(problem, config, measurement, false, i == 0);
    }
    recorder.end_all();
    const TuneView view = recorder.view(1);
    ASSERT_EQ(view.problems[0]->random != nullptr, tried == 4);
    if (tried == 4) {
      EXPECT_EQ(view.problems[0]->random->optimum(), 7);
    }
  }
}

TEST(HeatGrid, HoldsTheBestOverTheOtherParameters) {
  TuneRecorder recorder = made_up_session();
  const auto problem = recorder.view(1).problems[0];
  const auto plane = plane_of(TuneState{}, *problem);
  ASSERT_TRUE(plane);
  const HeatGrid grid = heat_of(*problem, *plane);
  int64_t tried = 0;
  double best = 1e9;
  for (const HeatCell& cell : grid.cells) {
    tried += cell.tried;
    if (cell.is_exact) best = std::min(best, cell.best_us);
  }
  EXPECT_EQ(tried, 60);
  EXPECT_EQ(best, problem->best_us);
  const SpaceCursor cursor = cursor_of(TuneState{}, *problem, grid);
  EXPECT_EQ(grid.columns[cursor.column], problem->best.at("tile_n"));
  EXPECT_EQ(grid.at(cursor).best_us, problem->best_us);
}

TEST(HeatGrid, OfAHeldValueHoldsOnlyItsTries) {
  TuneRecorder recorder = made_up_session();
  const auto problem = recorder.view(1).problems[0];
  TuneState tune;
  tune.held = {"tile_k", problem->best.at("tile_k")};
  const auto plane = plane_of(tune, *problem);
  ASSERT_TRUE(plane && plane->fixed);
  const size_t place = plane->fixed->parameter;
  EXPECT_EQ(problem->parameters[place].name, "tile_k");
  int64_t expected = 0;
  for (size_t row = 0; row < problem->trials.size(); ++row) {
    expected += problem->trials.values(row)[place] == plane->fixed->value ? 1 : 0;
  }
  const HeatGrid grid = heat_of(*problem, *plane);
  int64_t tried = 0;
  for (const HeatCell& cell : grid.cells) {
    tried += cell.tried;
    if (cell.best_us > 0) {
      EXPECT_EQ(problem->config(cell.best_row).at("tile_k"), plane->fixed->value);
    }
  }
  EXPECT_EQ(tried, expected);
  EXPECT_GT(tried, 0);
  EXPECT_LT(tried, 60);
  tune.across = "tile_k";
  EXPECT_FALSE(plane_of(tune, *problem)->fixed) << "a value of an axis is not held";
  tune.held = {"tile_k", 7};
  EXPECT_FALSE(plane_of(tune, *problem)->fixed) << "it has no such value";
}

TEST(TuneFit, OfAHeldValueIsThatOfTheSpaceWithIt) {
  const Machine machine = load_machine("ascend-910b2:datasheet");
  const Problem problem = small_gemm();
  const TuneProblem tune = kernel_problem(problem, machine);
  const ProblemFacts facts = facts_of(problem, machine, &tune.space);
  const std::vector<int64_t>& values = facts.parameters[2].values;
  const auto unfit = [&](const std::optional<FixedValue>& fixed) {
    const TuneFit fit = fit_of(problem.text(), *facts.spaces, {1, 0, fixed}, [] {});
    return std::ranges::count(fit.cells, CellFit::kUnfit);
  };
  EXPECT_EQ(unfit(FixedValue{2, values.front()}), unfit({}));
  EXPECT_GT(unfit(FixedValue{2, values.back()}), unfit({}));
  const CellPlace cell = {
      {1, 0, FixedValue{2, values.back()}}, facts.parameters[1].values.size() - 1, 0};
  EXPECT_NE(reason_of(problem.text(), *facts.spaces, cell).text, "");
}

TEST(TuneFit, TellsWhatDoesNotFitFromWhatIsLeftOut) {
  const Machine machine = load_machine("ascend-910b2:datasheet");
  const Problem problem = small_gemm();
  const TuneProblem tune = kernel_problem(problem, machine);
  const ProblemFacts facts = facts_of(problem, machine, &tune.space);
  const TuneFit fit = fit_of(problem.text(), *facts.spaces, {1, 0}, [] {});
  const std::vector<int64_t>& across = facts.parameters[1].values;
  const std::vector<int64_t>& down = facts.parameters[0].values;
  ASSERT_EQ(fit.cells.size(), across.size() * down.size());
  const CellPlace largest = {{1, 0}, across.size() - 1, down.size() - 1};
  EXPECT_EQ(fit.cells.back(), CellFit::kUnfit);
  EXPECT_NE(reason_of(problem.text(), *facts.spaces, largest).text.find("of L0C"),
            std::string::npos);
  const CellPlace smallest = {{1, 0}, 0, 0};
  EXPECT_EQ(fit.cells.front(), CellFit::kLeftOut);
  EXPECT_NE(reason_of(problem.text(), *facts.spaces, smallest).text.find("left out"),
            std::string::npos);
  EXPECT_NE(std::ranges::find(fit.cells, CellFit::kSearched), fit.cells.end());
}

TEST(TuneForm, OfAProblemIsItsCommandLine) {
  TuneForm form = form_for(small_gemm(), {});
  form.budget = "evaluations=10";
  form.options += " --constraint 'tile_m*tile_n <= 32768'";
  EXPECT_EQ(command_line_of(form),
            "tilewright tune gemm --shape m=512,n=1024,k=1024 --budget evaluations=10 --dtype f16 "
            "--constraint 'tile_m*tile_n <= 32768'");
  EXPECT_EQ(wrong_with(form), "");
  form.options = "--constraint 'open";
  EXPECT_NE(wrong_with(form), "");
  for (const std::string option : {"--db x.db", "--db=x.db", "--jobs 2", "--json", "-q"}) {
    form.options = option;
    EXPECT_NE(wrong_with(form).find("--" + std::string(option == "-q" ? "quiet" : "")),
              std::string::npos)
        << option;
  }
  form.options = "--db x.db";
  EXPECT_NE(wrong_with(form).find("start tilewright --db FILE"), std::string::npos);
  form.options = "--seed 3";
  EXPECT_EQ(wrong_with(form), "");
  form.budget = "24";
  EXPECT_EQ(wrong_with(form), "");
  form.budget = "24,evaluations=3";
  EXPECT_NE(wrong_with(form), "");
  form = {};
  form.strategy = "portfolo";
  EXPECT_NE(wrong_with(form).find("portfolio"), std::string::npos);
}

}  // namespace
}  // namespace tilewright
