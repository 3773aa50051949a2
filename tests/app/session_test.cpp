// Sessions of the workbench: what is kept comes back, and nothing that is kept can do harm.

#include "app/tui/session.h"

#include <gtest/gtest.h>

#include <string>

#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/lab/lab_screen.h"
#include "core/base/error.h"
#include "tests/app/lab_fixture.h"
#include "tests/app/tui_fixture.h"

namespace tilewright {
namespace {

/// A workbench in the middle of something: two runs, the first one pinned.
State busy_state() {
  State state = lab_state();
  Effects effects;
  run_made_up(state, 100'000);
  press(state, "p");
  type(state, ":set tile_n 128");
  press(state, "Enter");
  run_made_up(state, 90'000);
  type(state, ":theme colorblind");
  press(state, "Enter Tab z");
  state.home.filter = "gemm";
  state.timeline.shows_path = true;
  return state;
}

State restored_from(const std::string& text, Effects& effects) {
  State state = test_state();
  state.machine = lab_state().machine;
  restore_session(state, text, effects);
  return state;
}

TEST(Session, TheExportThatWasPreparedComesBack) {
  State before = test_state();
  press(before, "8");
  type(before, ":run 12");
  press(before, "Enter");
  type(before, ":path my plan.json");
  press(before, "Enter");
  Effects effects;
  State after = restored_from(session_text(before), effects);
  EXPECT_EQ(after.screen, Screen::kExport);
  EXPECT_EQ(after.exporting.path, "my plan.json");
  info_of(Screen::kExport).enter(after, effects);
  const auto* read = job_in<LoadExportJob>(effects);
  ASSERT_NE(read, nullptr);
  EXPECT_EQ(read->run, 12);
}

TEST(Session, TheFormOfATuningAndTheRunThatWasShownComeBack) {
  State before = test_state();
  press(before, "4");
  type(before, ":set target attention");
  press(before, "Enter");
  type(before, ":set options --pin 'a=1 2'");
  press(before, "Enter");
  auto view = std::make_shared<TuneView>();
  view->run = 7;
  before.tune.view = view;
  before.tune.shows_form = false;
  Effects effects;
  const State after = restored_from(session_text(before), effects);
  EXPECT_EQ(after.screen, Screen::kTune);
  EXPECT_EQ(after.tune.form, before.tune.form);
  const auto* read = job_in<WatchRunJob>(effects);
  ASSERT_NE(read, nullptr);
  EXPECT_EQ(read->run, 7);
}

TEST(Session, ComesBackAsItWasKept) {
  const State before = busy_state();
  Effects effects;
  State after = restored_from(session_text(before), effects);
  EXPECT_EQ(after.screen, Screen::kLab);
  EXPECT_EQ(after.lab.form.sizes, before.lab.form.sizes);
  EXPECT_EQ(after.lab.form.config, before.lab.form.config);
  EXPECT_EQ(after.lab.field, before.lab.field);
  EXPECT_EQ(after.pane().pane, before.pane().pane);
  EXPECT_TRUE(after.pane().is_zoomed);
  EXPECT_EQ(after.look.theme, Theme::kColorBlind);
  EXPECT_EQ(after.home.filter, "gemm");
  EXPECT_TRUE(after.timeline.shows_path);
  EXPECT_TRUE(after.lab.undo.empty());
  const auto* submitted = effect_of<SubmitEffect>(effects);
  ASSERT_TRUE(submitted);
  const auto& job = std::get<RestoreRunsJob>(submitted->request);
  ASSERT_EQ(job.runs.size(), 2u);
  EXPECT_EQ(job.runs[0].request.config, before.lab.runs[0].outcome->request.config);
  EXPECT_EQ(job.pinned, 1);
  EXPECT_EQ(job.shown, 2);

  auto runs = std::make_shared<RestoredRuns>();
  runs->shown = job.shown;
  runs->pinned = job.pinned;
  for (const LabRun& run : before.lab.runs) runs->runs.push_back({run.number, run.outcome});
  update(after,
         JobSnapshot{.id = submitted->id,
                     .title = "",
                     .phase = JobPhase::kDone,
                     .failure = {},
                     .result = std::shared_ptr<const RestoredRuns>(runs)},
         effects);
  EXPECT_EQ(session_text(after), session_text(before));
  EXPECT_EQ(session_summary(after), "Lab: gemm m=1000 n=4096 k=4096");
}

TEST(Session, KnowsWhichParametersWereChosen) {
  const State before = busy_state();
  ASSERT_EQ(before.lab.form.chosen.size(), 1u);
  Effects effects;
  State after = restored_from(session_text(before), effects);
  EXPECT_EQ(after.lab.form.chosen, before.lab.form.chosen);
  type(after, ":set m 16");
  press(after, "Enter");
  EXPECT_EQ(after.lab.form.config.at("tile_n"), 128);
  EXPECT_EQ(after.lab.form.config.at("tile_m"), 16) << "this one follows the problem";
}

TEST(Session, RunsThatAreGoneStayBehind) {
  std::string text = session_text(busy_state());
  const size_t config = text.find("tile_m=");
  ASSERT_NE(config, std::string::npos);
  text.replace(config, 7, "tile_q=");
  Effects effects;
  restored_from(text, effects);
  const auto* submitted = effect_of<SubmitEffect>(effects);
  ASSERT_TRUE(submitted);
  ASSERT_EQ(std::get<RestoreRunsJob>(submitted->request).runs.size(), 1u);
  const JobProgress progress({}, [](double) {});
  const RestoredRuns runs = restore_runs(std::get<RestoreRunsJob>(submitted->request), progress);
  ASSERT_EQ(runs.runs.size(), 1u) << "the other one is had again";
  EXPECT_EQ(runs.runs[0].number, 2);
  EXPECT_EQ(runs.runs[0].outcome->run, 2) << "it has the number that it was kept with";
}

TEST(Session, HostileProblemsAndConfigsAreRefused) {
  struct Case {
    std::string problem;
    std::string config;
  };
  const std::string problem = "gemm f16 f16 f16 nd nd nd m=64 n=64 k=64 epilogue=none";
  const std::string config =
      "tile_m=64,tile_n=64,tile_k=64,tile_k0=64,l1_buffers=2,l0_buffers=2,l0c_buffers=1,split_k=1,"
      "cores=0,swizzle=1,core_rows=0";
  for (const Case& one : {Case{"gemm f16 f16 f16 nd nd nd m=64 epilogue=none", config},
                          {"gemm f16 f16 f16 nd nd nd m=64 n=64 k=0 epilogue=none", config},
                          {"gemm nd m=64 n=64 k=64 epilogue=none", config},
                          {"gemm f16 f16 f16 zz nd nd m=64 n=64 k=64 epilogue=none", config},
                          {"warp f16 m=64 epilogue=none", config},
                          {problem, ""},
                          {problem, "tile_m=64"},
                          {problem, "tile_m=-1" + config.substr(9)},
                          {"", ""}}) {
    State state = lab_state();
    Effects effects;
    open_in_lab(state, one.problem, one.config, "ascend-910b2", effects);
    EXPECT_EQ(state.message.role, Role::kBad) << one.problem << " " << one.config;
    EXPECT_FALSE(effect_of<SubmitEffect>(effects)) << one.problem << " " << one.config;
    draw(state);
  }
  State state = lab_state();
  Effects effects;
  open_in_lab(state, problem, config, "ascend-910b2", effects);
  EXPECT_TRUE(effect_of<SubmitEffect>(effects)) << state.message.text;
}

TEST(Session, DamageIsRefusedAndChangesNothing) {
  const std::string good = session_text(busy_state());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), std::string("{\"version\": 1}"),
        with("\"version\":1", "\"version\":2"), with("\"Lab\"", "\"Lob\""),
        with("\"pane\":1", "\"pane\":99"), with("colorblind", "pink"),
        with("\"shown\":2", "\"shown\":-2"), with("\"field\":0", "\"field\":-1")}) {
    State state = test_state();
    const std::string before = session_text(state);
    Effects effects;
    EXPECT_THROW(restore_session(state, text, effects), Error) << text;
    EXPECT_EQ(session_text(state), before);
    EXPECT_TRUE(effects.empty());
  }
}

}  // namespace
}  // namespace tilewright
