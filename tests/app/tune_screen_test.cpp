// The Tune screen: what keys do, and how it looks.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "app/tui/command_table.h"
#include "app/tui/tune/tune_compare.h"
#include "app/tui/tune/tune_heat.h"
#include "core/base/format.h"
#include "core/base/random.h"
#include "core/base/text.h"
#include "tests/app/golden.h"
#include "tests/app/tune_fixture.h"

namespace tilewright {
namespace {

/// A session with everything that is worked out beside it.
State full_state(int width, int height, int problems = 1) {
  TuneRecorder recorder = made_up_session(60, problems);
  State state = tune_state(width, height);
  press(state, "Enter");
  Effects effects;
  update(state, tune_news(state.tune.job, std::make_shared<const TuneView>(recorder.view(6.0))),
         effects);
  do_small_jobs(state, std::move(effects));
  state.message = {};
  return state;
}

TEST(TuneScreen, LooksAsDrawnAtThreeSizesWithTwoGlyphSets) {
  for (const auto& [width, height] : {std::pair(120, 40), {80, 24}, {60, 16}}) {
    for (const GlyphSet glyphs : {GlyphSet::kUnicode, GlyphSet::kAscii}) {
      const std::string suffix = fmt::format("{}x{}_{}", width, height, name_of(glyphs));
      State form = tune_state(width, height);
      form.look.glyphs = glyphs;
      expect_golden("tune_form_" + suffix, draw(form));
      State session = full_state(width, height);
      session.look.glyphs = glyphs;
      expect_golden("tune_session_" + suffix, draw(session));
      session.pane().pane = kTuneProgress;
      expect_golden("tune_progress_" + suffix, draw(session));
    }
  }
}

TEST(TuneScreen, AFormBeginsASession) {
  State state = tune_state();
  type(state, ":set shape m=64,n=1024,k=1024");
  press(state, "Enter");
  const Effects effects = press(state, "Enter");
  const auto* job = job_in<TuneJob>(effects);
  ASSERT_NE(job, nullptr);
  EXPECT_EQ(job->command_line,
            "tilewright tune gemm --shape m=64,n=1024,k=1024 --machine ascend-910b2:datasheet");
  EXPECT_EQ(job->globals.machine, "ascend-910b2:datasheet");
  EXPECT_FALSE(state.tune.shows_form);
  press(state, "n Enter");
  EXPECT_NE(state.message.text.find("a session is at work"), std::string::npos);
}

TEST(TuneScreen, FieldsOfTheFormStepAndAreTyped) {
  State state = tune_state();
  press(state, "j j j >");
  EXPECT_EQ(state.tune.form.budget, "evaluations=50");
  press(state, "e Ctrl-U");
  type(state, "seconds=5");
  press(state, "Enter");
  EXPECT_EQ(state.tune.form.budget, "seconds=5");
  press(state, "e Ctrl-U Esc");
  EXPECT_EQ(state.tune.form.budget, "seconds=5") << "Esc gives up";
  type(state, ":set target qwen2-7b");
  press(state, "Enter");
  EXPECT_EQ(info_of(Screen::kTune).command_line(state),
            "tilewright tune qwen2-7b --workload chat --machine ascend-910b2:datasheet --budget "
            "seconds=5");
  type(state, ":set options --fidelity nonsense");
  press(state, "Enter");
  EXPECT_EQ(job_in<TuneJob>(press(state, "Enter")), nullptr);
  EXPECT_NE(state.message.text.find("--fidelity 'nonsense' is unknown"), std::string::npos);
  type(state, ":set options --nonsense");
  press(state, "Enter");
  EXPECT_NE(draw(state).text().find("--nonsense"), std::string::npos);
  EXPECT_EQ(job_in<TuneJob>(press(state, "Enter")), nullptr);
}

TEST(TuneScreen, AClickOnTheFrameOfTheFormChoosesNothing) {
  State state = tune_state();
  for (int y = 1; y < 14; ++y) {
    Effects effects;
    update(state, MouseEvent{MouseEvent::Kind::kPress, 10, y}, effects);
    EXPECT_GE(state.tune.field, 0) << y;
    EXPECT_EQ(draw(state).height(), 40);
  }
}

TEST(TuneScreen, TheLabTunesItsProblem) {
  State state = lab_state();
  const Effects effects = press(state, "T");
  const auto* job = job_in<TuneJob>(effects);
  ASSERT_NE(job, nullptr);
  EXPECT_EQ(state.screen, Screen::kTune);
  EXPECT_EQ(job->command_line,
            "tilewright tune gemm --shape m=1000,n=4096,k=4096 --machine ascend-910b2:datasheet "
            "--dtype f16");
}

const TuneCommand* steered(const Effects& effects) {
  const auto* steer = effect_of<SteerEffect>(effects);
  return steer ? std::get_if<TuneCommand>(&steer->command) : nullptr;
}

TEST(TuneScreen, KeysSteerTheSessionAtWork) {
  TuneRecorder recorder = made_up_session();
  State state = tuning_state(recorder);
  Effects effects = press(state, "Space");
  ASSERT_NE(steered(effects), nullptr);
  EXPECT_EQ(steered(effects)->kind, TuneCommand::Kind::kPause);
  effects = press(state, "+");
  ASSERT_NE(steered(effects), nullptr);
  EXPECT_EQ(steered(effects)->evaluations, 500);
  effects = press(state, "-");
  EXPECT_EQ(steered(effects)->evaluations, 100);
  type(state, ":strategy genetic");
  effects = press(state, "Enter");
  EXPECT_EQ(steered(effects)->text, "genetic");
  EXPECT_TRUE(effect_of<CancelEffect>(press(state, "S")));
}

TEST(TuneScreen, TheValueUnderTheCursorIsPinnedOrBanned) {
  TuneRecorder recorder = made_up_session();
  State state = tuning_state(recorder);
  const TuneProblemView& problem = *state.tune.shown();
  ASSERT_EQ(state.pane().pane, kTuneSpace);
  Effects effects = press(state, "p");
  ASSERT_NE(steered(effects), nullptr);
  const std::pair<std::string, std::string> best_n = {"tile_n",
                                                      std::to_string(problem.best.at("tile_n"))};
  EXPECT_EQ(steered(effects)->limits.pins.front(), best_n);
  effects = press(state, "g B");
  EXPECT_EQ(steered(effects)->limits.bans.front().first, "tile_m");
  type(state, ":ban tile_k=64");
  effects = press(state, "Enter");
  const std::pair<std::string, std::string> typed = {"tile_k", "64"};
  EXPECT_EQ(steered(effects)->limits.bans.front(), typed);
  const auto refusal = [&](const std::string& command) {
    type(state, command);
    EXPECT_EQ(steered(press(state, "Enter")), nullptr) << command;
    return state.message.text;
  };
  EXPECT_NE(refusal(":pin bogus=64").find("no parameter 'bogus' (it has tile_m, "),
            std::string::npos)
      << state.message.text;
  EXPECT_NE(refusal(":pin tile_m").find("pin 'tile_m' is not NAME=VALUE"), std::string::npos);
  EXPECT_NE(refusal(":ban tile_m=").find("--ban tile_m=: not a value"), std::string::npos)
      << state.message.text;
  EXPECT_NE(refusal(":ban tile_m=-1").find("(values: 16, 32, "), std::string::npos)
      << state.message.text;
}

TEST(TuneScreen, TheBarOfASessionCutShortSaysWhatIsMissing) {
  TuneRecorder recorder = made_up_session(60, 2);
  const auto shown = [&](TunePhase phase) {
    recorder.end_all();
    recorder.set_phase(phase, 10);
    State state = tuning_state(recorder);
    return draw(state).text();
  };
  EXPECT_NE(shown(TunePhase::kInterrupted).find("120/400 30 %"), std::string::npos);
  EXPECT_NE(shown(TunePhase::kDone).find("120/120 100 %"), std::string::npos);
}

TEST(TuneScreen, NothingCanBeSteeredWhereNothingIsAtWork) {
  State state = tune_state();
  for (const char* key : {"Space", "+", "-", "S", "p", "b"}) {
    EXPECT_TRUE(press(state, key).empty()) << key;
    EXPECT_NE(state.message.text.find("n begins one"), std::string::npos) << key;
  }
}

TEST(TuneScreen, ASessionOfAnotherProcessIsOnlyFollowed) {
  TuneRecorder recorder = made_up_session();
  State state = tune_state();
  Effects effects;
  open_tuned_run(state, 12, effects);
  ASSERT_NE(job_in<WatchRunJob>(effects), nullptr);
  recorder.header().is_elsewhere = true;
  recorder.header().process = 4711;
  update(state, tune_news(state.tune.watch_job, std::make_shared<const TuneView>(recorder.view(6))),
         effects);
  EXPECT_NE(draw(state).text().find("followed, read-only (process 4711)"), std::string::npos);
  EXPECT_TRUE(press(state, "Space").empty());
  EXPECT_NE(state.message.text.find("only followed"), std::string::npos);
  EXPECT_TRUE(effect_of<QuitEffect>(press(state, "q"))) << "following keeps nobody";
  TuneView left = recorder.view(6);
  left.is_left = true;
  update(state, tune_news(state.tune.watch_job, std::make_shared<const TuneView>(left)), effects);
  EXPECT_EQ(state.message.text, "run 12 is no longer followed; :watch 12 does so again");
  EXPECT_NE(draw(state).text().find("no longer followed (process 4711)"), std::string::npos);
}

TEST(TuneScreen, ASessionThatDiesSaysWhyInItsPane) {
  constexpr const char* kReason =
      "results.db: database or disk is full; what was measured before is kept; make room on the "
      "disk or name another file with --db, then press R to go on with the run";
  for (const int64_t tries : {0, 60}) {
    for (const auto& [width, height] : {std::pair(120, 40), {80, 24}}) {
      TuneRecorder recorder = made_up_session(tries);
      State state = tuning_state(recorder, width, height);
      Effects effects;
      JobSnapshot news = tune_news(state.tune.job, {}, JobPhase::kFailed);
      news.failure = kReason;
      update(state, news, effects);
      state.message = {};
      const std::string text = draw(state).text();
      size_t at = text.find("failed: results.db:");
      for (const std::string_view word : split(std::string_view(kReason), ' ')) {
        at = text.find(word, at);
        EXPECT_NE(at, std::string::npos) << word << "\n" << text;
      }
      EXPECT_EQ(text.find("the first configs are being tried"), std::string::npos) << text;
      EXPECT_EQ(text.find("running"), std::string::npos) << text;
      press(state, "R");
      EXPECT_TRUE(state.tune.failure.empty()) << "it goes on";
    }
  }
}

TEST(TuneScreen, ResumingASessionThatIsDoneAsksFirst) {
  TuneRecorder recorder = made_up_session();
  State state = tuning_state(recorder, 80, 24);
  recorder.set_phase(TunePhase::kDone, 6);
  Effects effects;
  update(state,
         tune_news(state.tune.job, std::make_shared<const TuneView>(recorder.view(6)),
                   JobPhase::kDone),
         effects);
  EXPECT_EQ(job_in<TuneJob>(press(state, "R")), nullptr);
  ASSERT_TRUE(state.question);
  EXPECT_NE(draw(state).text().find("run 12 is done: search again, its summary anew?  y yes"),
            std::string::npos)
      << draw(state).text();
  EXPECT_EQ(job_in<TuneJob>(press(state, "n")), nullptr);
  EXPECT_FALSE(state.question);
  EXPECT_NE(job_in<TuneJob>(press(state, "R y")), nullptr);
  EXPECT_FALSE(state.question);
}

TEST(TuneScreen, ASessionThatCannotBeginSaysWhyBelowItsForm) {
  State state = tune_state(80, 24);
  press(state, "Enter");
  Effects effects;
  JobSnapshot news = tune_news(state.tune.job, {}, JobPhase::kFailed);
  news.failure = "results.db is not a database of this program; name another file with --db";
  update(state, news, effects);
  EXPECT_NE(draw(state).text().find("failed: results.db is not a database"), std::string::npos)
      << draw(state).text();
}

TEST(TuneScreen, HintsAreThoseOfTheFormOrOfTheSession) {
  State state = tune_state();
  const std::string form = draw(state).text();
  EXPECT_NE(form.find("Enter start"), std::string::npos);
  EXPECT_EQ(form.find("Space pause"), std::string::npos);
  TuneRecorder recorder = made_up_session();
  const std::string session = draw(tuning_state(recorder)).text();
  EXPECT_EQ(session.find("Enter start"), std::string::npos);
  EXPECT_NE(session.find("Space pause"), std::string::npos);
}

TEST(TuneScreen, TheChosenConfigOpensInTheLab) {
  for (const int pane : {kTuneSpace, kTuneTop, kTuneSession}) {
    TuneRecorder recorder = made_up_session();
    State state = tuning_state(recorder);
    state.pane().pane = pane;
    const Config best = state.tune.shown()->best;
    const Effects effects = press(state, "Enter");
    EXPECT_EQ(state.screen, Screen::kLab);
    ASSERT_NE(job_in<RunKernelJob>(effects), nullptr) << state.message.text;
    EXPECT_EQ(job_in<RunKernelJob>(effects)->request.config, best);
  }
}

TEST(TuneScreen, ACellThatDoesNotFitSaysWhy) {
  State state = full_state(120, 40);
  Effects effects = press(state, "G");
  for (int i = 0; i < 40; ++i) {
    const Effects more = press(state, "l");
    effects.insert(effects.end(), more.begin(), more.end());
  }
  do_small_jobs(state, std::move(effects));
  EXPECT_NE(draw(state).text().find("of L0C"), std::string::npos) << draw(state).text();
}

TEST(TuneScreen, AxesChangePlacesAndParameters) {
  State state = full_state(120, 40);
  const auto title = [&] { return draw(state).text(); };
  EXPECT_NE(title().find("tile_n across, tile_m down"), std::string::npos);
  press(state, "v");
  EXPECT_NE(title().find("tile_m across, tile_n down"), std::string::npos);
  press(state, "]");
  EXPECT_NE(title().find("tile_k across, tile_n down"), std::string::npos);
}

TEST(TuneScreen, TheSpaceIsHeldAtAValueOfAnotherParameter) {
  State state = full_state(120, 40);
  const std::string all = draw(state).text();
  const int64_t best = state.tune.shown()->best.at("tile_k");
  type(state, fmt::format("ftile_k={}", best));
  do_small_jobs(state, press(state, "Enter"));
  EXPECT_NE(draw(state).text().find(fmt::format("tile_m down, tile_k={}", best)),
            std::string::npos);
  EXPECT_NE(draw(state).text(), all);
  EXPECT_TRUE(is_of(state.tune.fit.get(), *state.tune.shown(),
                    grid_of(*state.tune.shown(), *plane_of(state.tune, *state.tune.shown()))));
  for (const char* wrong : {"tile_k=7", "tile_n=64", "nonsense=1", "tile_k"}) {
    press(state, "f Ctrl-U");
    type(state, wrong);
    press(state, "Enter");
    EXPECT_EQ(state.message.role, Role::kBad) << wrong;
    press(state, "Esc");
  }
  type(state, "fnone");
  press(state, "Enter");
  EXPECT_FALSE(state.tune.held);
}

/// A session of which the first and third of the top configs are marked.
State compared_state(int width, int height) {
  State state = full_state(width, height);
  state.pane().pane = kTuneTop;
  press(state, "m j j");
  const Effects effects = press(state, "m");
  const auto* job = effect_of<SubmitEffect>(effects);
  const JobProgress progress({}, [](double) {});
  Effects more;
  update(state,
         tune_news(job->id, compare_configs(std::get<CompareConfigsJob>(job->request), progress),
                   JobPhase::kDone),
         more);
  return state;
}

TEST(TuneScreen, TwoMarkedConfigsAreCompared) {
  State state = full_state(120, 40);
  state.pane().pane = kTuneTop;
  EXPECT_TRUE(press(state, "D").empty());
  EXPECT_NE(state.message.text.find("two configs must be marked"), std::string::npos);
  press(state, "m");
  EXPECT_NE(state.message.text.find("A is "), std::string::npos);
  press(state, "m");
  EXPECT_TRUE(state.tune.marks.configs.empty()) << "marked again: no longer";

  state = compared_state(120, 40);
  EXPECT_EQ(state.pane().pane, kTuneTop) << "the comparison stands beside it";
  const std::vector<size_t> top = top_rows(*state.tune.shown(), 3);
  const auto& [a, b] = std::pair(state.tune.marks.configs[0], state.tune.marks.configs[1]);
  EXPECT_EQ(a.config, state.tune.shown()->config(top[0]));
  EXPECT_EQ(b.config, state.tune.shown()->config(top[2]));
  const std::vector<TableRow> rows = comparison_rows(state.tune);
  EXPECT_EQ(rows[0].values[1], format_us(a.time_us));
  for (const Parameter& parameter : state.tune.shown()->parameters) {
    const auto row = std::ranges::find_if(
        rows, [&](const TableRow& each) { return each.values[0] == parameter.name; });
    EXPECT_EQ(row != rows.end(), a.config.at(parameter.name) != b.config.at(parameter.name));
  }
  ASSERT_TRUE(state.tune.compared);
  int64_t sum = 0;
  for (const DiffRow& cause : state.tune.compared->diff.causes) sum += cause.change();
  EXPECT_EQ(sum, state.tune.compared->b.cycles() - state.tune.compared->a.cycles());
  EXPECT_EQ(rows.back().values[0], "all cycles");
  press(state, "j m");
  EXPECT_EQ(state.tune.marks.configs.front().config, b.config) << "the older mark gives way";
}

TEST(TuneScreen, ComparisonsLookAsDrawn) {
  for (const auto& [width, height] : {std::pair(120, 40), {80, 24}}) {
    State state = compared_state(width, height);
    expect_golden(fmt::format("tune_compared_{}x{}", width, height), draw(state));
    state.pane() = {kTuneCompare, true};
    state.message = {};
    expect_golden(fmt::format("tune_compared_zoomed_{}x{}", width, height), draw(state));
  }
}

TEST(TuneScreen, ConfigsThatCannotBeSimulatedAreComparedByTheirTimes) {
  TuneRecorder recorder = made_up_session();
  recorder.header().machine = "\x1b[31mA100";
  State state = tuning_state(recorder);
  state.pane().pane = kTuneTop;
  press(state, "m j");
  const Effects effects = press(state, "m");
  EXPECT_EQ(job_in<CompareConfigsJob>(effects), nullptr);
  state.pane().pane = kTuneCompare;
  const std::string text = draw(state).text();
  EXPECT_NE(text.find("no time by cause: unknown machine"), std::string::npos) << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("B - A"), std::string::npos);
}

TEST(TuneScreen, ASessionOfManyProblemsListsThem) {
  State state = full_state(120, 40, 3);
  EXPECT_NE(draw(state).text().find("3 problems"), std::string::npos);
  EXPECT_EQ(state.tune.shown()->problem, small_gemm(512).text());
  state.pane().pane = kTuneSession;
  press(state, "j");
  EXPECT_EQ(state.tune.shown()->problem, small_gemm(1024).text());
}

TEST(TuneScreen, TheListNamesTheOpsOfItsProblems) {
  State state = full_state(120, 40, 3);
  TuneRecorder recorder = made_up_session(2, 2);
  recorder.expect(small_gemm(4096).text(), "qkv,down", 200);
  state.tune.view = std::make_shared<const TuneView>(recorder.view(1));
  EXPECT_NE(draw(state).text().find("qkv,down"), std::string::npos) << draw(state).text();
}

TEST(TuneScreen, SaysWhatItDoesBeforeThereIsAnythingToTry) {
  State state = full_state(120, 40);
  TuneView view;
  view.label = "qwen2-7b";
  view.stage = "serving: 12/60 requests, step 400";
  view.stage_share = 0.2;
  state.tune.view = std::make_shared<const TuneView>(view);
  EXPECT_NE(draw(state).text().find("serving: 12/60 requests, step 400"), std::string::npos)
      << draw(state).text();
}

TEST(TuneScreen, HostileTextsStayInTheirLines) {
  State state = full_state(120, 40);
  state.pane() = {kTuneLog, true};
  EXPECT_EQ(draw(state).text().find('\x1b'), std::string::npos);
  EXPECT_NE(draw(state).text().find("runtime: exit ?[31m status 7"), std::string::npos);
}

TEST(TuneScreen, RandomKeysAndSizesNeverBreakIt) {
  constexpr std::string_view kLetters = "hjklgGpPbBvnoLR+-s<>e[]zV aSx1mDf";
  Random random(5);
  State state = full_state(120, 40, 2);
  for (int i = 0; i < 3000; ++i) {
    Effects effects;
    const uint64_t what = random.below(20);
    if (what == 0) {
      const ResizeEvent size{20 + static_cast<int>(random.below(200)),
                             5 + static_cast<int>(random.below(60))};
      update(state, size, effects);
    } else if (what < 3) {
      const MouseEvent click{static_cast<MouseEvent::Kind>(random.below(5)),
                             static_cast<int>(random.below(200)),
                             static_cast<int>(random.below(60))};
      update(state, click, effects);
    } else if (what < 6) {
      update(state, Key{static_cast<char32_t>(keys::kEnter.code + random.below(15))}, effects);
    } else {
      update(state, Key{static_cast<char32_t>(kLetters[random.below(kLetters.size())])}, effects);
    }
    if (state.screen != Screen::kTune) state.screen = Screen::kTune;
    const Grid grid = draw(state);
    ASSERT_EQ(grid.width(), state.width);
    ASSERT_EQ(grid.height(), state.height);
  }
}

}  // namespace
}  // namespace tilewright
