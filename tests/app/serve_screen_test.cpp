// The Serve screen: keys, jobs, looks.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "app/tui/session.h"
#include "core/base/random.h"
#include "core/base/text.h"
#include "tests/app/golden.h"
#include "tests/app/serve_fixture.h"

namespace tilewright {
namespace {

ServeCommand::Kind steered(const Effects& effects) {
  const auto* steer = effect_of<SteerEffect>(effects);
  EXPECT_TRUE(steer);
  return steer ? std::get<ServeCommand>(steer->command).kind : ServeCommand::Kind::kEnd;
}

TEST(ServeScreen, OneKeyStartsARunThatTheCommandLineMakes) {
  State state = serve_state();
  EXPECT_NE(draw(state).text().find("r replays qwen2-7b with chat, 60 requests"),
            std::string::npos);
  const Effects effects = press(state, "r");
  const auto* job = submitted<ServeJob>(effects);
  ASSERT_TRUE(job);
  const std::string line = info_of(Screen::kServe).command_line(state);
  EXPECT_EQ(line,
            "tilewright replay qwen2-7b --workload chat --limit 60 --slo ttft=500ms,tpot=50ms "
            "--machine ascend-910b2");
  EXPECT_EQ(job->words, words_of(state.serve.form, "ascend-910b2"));
  EXPECT_EQ(job->pace, 0);
  press(state, "r");
  EXPECT_NE(state.message.text.find("a run is under way"), std::string::npos);
}

TEST(ServeScreen, WordsThatMakeNoRunAreRefusedAtOnce) {
  State state = serve_state();
  press(state, ":");
  type(state, "set more --reference x.json");
  press(state, "Enter");
  const Effects effects = press(state, "r");
  EXPECT_FALSE(submitted<ServeJob>(effects));
  EXPECT_NE(state.message.text.find("--reference is for the command line"), std::string::npos);
  press(state, ":");
  type(state, "set more --db x.db");
  press(state, "Enter");
  EXPECT_FALSE(submitted<ServeJob>(press(state, "r")));
  EXPECT_NE(state.message.text.find("start tilewright --db FILE"), std::string::npos);
}

TEST(ServeScreen, ARunIsSteeredByKeys) {
  State state = serve_state();
  press(state, "- -");
  const double pace = state.serve.pace;
  EXPECT_EQ(submitted<ServeJob>(press(state, "r"))->pace, pace);
  const int64_t job = state.serve.job;
  tell(state, job, JobPhase::kRunning, paused_view(20));
  EXPECT_NE(draw(state).text().find("PAUSED"), std::string::npos);
  EXPECT_EQ(steered(press(state, ".")), ServeCommand::Kind::kStep) << "at the last step";
  press(state, ",");
  ASSERT_TRUE(state.serve.step);
  EXPECT_FALSE(effect_of<SteerEffect>(press(state, "."))) << "first back to the last step";
  EXPECT_FALSE(state.serve.step);
  EXPECT_EQ(steered(press(state, "Space")), ServeCommand::Kind::kResume);
  EXPECT_EQ(steered(press(state, "+")), ServeCommand::Kind::kPace);
  EXPECT_EQ(steered(press(state, "E")), ServeCommand::Kind::kEnd);
  EXPECT_EQ(effect_of<CancelEffect>(press(state, "K"))->id, job);
  tell(state, job, JobPhase::kDone, finished_view());
  EXPECT_EQ(state.serve.job, 0);
  EXPECT_NE(state.message.text.find("run 7 is over and kept"), std::string::npos);
  press(state, "Space");
  EXPECT_NE(state.message.text.find("no run is under way"), std::string::npos);
}

constexpr const char* kDiskFull =
    "results.db: database or disk is full: the run could not be kept, and everything before it is "
    "safe; make room on the disk or name another file with --db, then start the run again";

/// Words of a text in their order, whatever lines and frames stand between them.
bool shows_words(const std::string& text, std::string_view words) {
  size_t at = 0;
  for (const std::string_view word : split(words, ' ')) {
    at = text.find(word, at);
    if (at == std::string::npos) return false;
  }
  return true;
}

TEST(ServeScreen, ARunThatDiesSaysWhyInItsPane) {
  for (const auto& [width, height] : {std::pair(120, 40), {80, 24}}) {
    State state = serve_state(width, height);
    press(state, "r");
    tell(state, state.serve.job, JobPhase::kRunning, paused_view(20));
    tell(state, state.serve.job, JobPhase::kFailed, {}, kDiskFull);
    press(state, "Tab Tab Tab");
    const std::string text = draw(state).text();
    EXPECT_NE(text.find("run 7 failed"), std::string::npos) << text;
    EXPECT_EQ(text.find("run 7 running"), std::string::npos) << text;
    EXPECT_EQ(text.find("PAUSED"), std::string::npos) << text;
    EXPECT_TRUE(shows_words(text, std::string("failed: ") + kDiskFull)) << text;
    EXPECT_TRUE(state.serve.view->is_over());
    press(state, "r");
    EXPECT_TRUE(state.serve.failure.empty()) << "another run has begun";
  }
}

TEST(ServeScreen, ARunThatDiesBeforeItsFirstStepSaysSo) {
  State state = serve_state();
  press(state, "r");
  tell(state, state.serve.job, JobPhase::kFailed, {}, kDiskFull);
  const std::string text = draw(state).text();
  EXPECT_NE(text.find("the run failed; the Run pane says why"), std::string::npos) << text;
  EXPECT_TRUE(shows_words(text, std::string("failed: ") + kDiskFull)) << text;
}

TEST(ServeScreen, StoredRunsAreOpenedFromHome) {
  State state = test_state();
  HomeData data;
  data.exists = true;
  data.runs = {{7, "serve", "qwen2-7b chat plan=none", "done", "", "m", "", "", "", 0}};
  state.home.data = std::make_shared<const HomeData>(data);
  const Effects effects = press(state, "Enter");
  const auto* job = submitted<LoadServeJob>(effects);
  ASSERT_TRUE(job);
  EXPECT_EQ(job->run, 7);
  EXPECT_EQ(state.screen, Screen::kServe);
  tell(state, state.serve.load_job, JobPhase::kDone, finished_view());
  EXPECT_EQ(state.serve.form.value("limit"), "14") << "the form says how to make it again";
  EXPECT_EQ(info_of(Screen::kServe).command_line(state), serve_identity().command);
  EXPECT_FALSE(submitted<LoadServeJob>(press(state, "1 Enter"))) << "it is there already";
}

TEST(ServeScreen, ARunThatCannotBeReadIsSaid) {
  State state = serve_state();
  Effects effects;
  open_serve_run(state, 99, effects);
  tell(state, state.serve.load_job, JobPhase::kFailed, {}, "there is no run 99");
  EXPECT_EQ(state.serve.load_job, 0);
  EXPECT_NE(state.message.text.find("there is no run 99"), std::string::npos);
  EXPECT_NE(draw(state).text().find("No serving run is shown"), std::string::npos);
}

TEST(ServeScreen, ComparesWithABaseline) {
  State state = serve_state();
  show_run(state, finished_view(7));
  press(state, "b");
  show_run(state, finished_view(8, 2'000'000));
  const std::string text = draw(state).text();
  EXPECT_NE(text.find("Run 8 against baseline 7"), std::string::npos);
  EXPECT_NE(text.find("change"), std::string::npos);
  press(state, "b b");
  EXPECT_FALSE(state.serve.baseline) << "set, and set no more";
  press(state, "B");
  type(state, "7");
  const Effects effects = press(state, "Enter");
  ASSERT_TRUE(submitted<LoadServeJob>(effects));
  tell(state, state.serve.baseline_job, JobPhase::kDone, finished_view(7));
  EXPECT_EQ(state.serve.view->identity.run, 8);
  EXPECT_EQ(state.serve.baseline->identity.run, 7);
}

TEST(ServeScreen, AComparisonSaysWhatElseIsDifferent) {
  State state = serve_state();
  show_run(state, finished_view(7));
  press(state, "b");
  auto other = std::make_shared<ServeView>(*finished_view(8));
  other->identity.command =
      "tilewright replay qwen2-7b --workload chat --limit 60 --rate 3 --slo ttft=60ms,tpot=20ms "
      "--machine ascend-910b2:datasheet";
  show_run(state, other);
  const std::string text = draw(state).text();
  EXPECT_TRUE(shows_words(text, "baseline: limit 14, rate -; this run: limit 60, rate 3")) << text;
  show_run(state, finished_view(9));
  EXPECT_EQ(draw(state).text().find("this run:"), std::string::npos) << "made alike";
}

TEST(ServeScreen, RequestsAreSortedAndFiltered) {
  State state = serve_state();
  show_run(state, finished_view());
  const std::vector<ServeRequest>& requests = state.serve.view->requests;
  EXPECT_EQ(requests[state.serve.rows.front()].id, 13) << "the newest";
  press(state, "s");
  for (size_t i = 1; i < state.serve.rows.size(); ++i) {
    EXPECT_GE(requests[state.serve.rows[i - 1]].ttft_ms, requests[state.serve.rows[i]].ttft_ms);
  }
  press(state, "S");
  EXPECT_LE(requests[state.serve.rows.front()].ttft_ms, requests[state.serve.rows.back()].ttft_ms);
  press(state, "/");
  type(state, "r1");
  press(state, "Enter");
  EXPECT_EQ(state.serve.rows.size(), 5U) << "1, 10, 11, 12, 13";
  press(state, "Esc");
  EXPECT_EQ(state.serve.rows.size(), 14U);
}

TEST(ServeScreen, FromTheSlowestRequestToItsInstructionsAndBack) {
  State state = serve_state();
  show_run(state, finished_view());
  press(state, "V s Enter");
  ASSERT_EQ(state.pane().pane, kServeRequests);
  ASSERT_TRUE(state.serve.opened);
  ASSERT_TRUE(shown_serve_step(state));
  EXPECT_NE(draw(state).text().find("its steps"), std::string::npos);
  press(state, "j");
  const std::optional<int64_t> step = state.serve.step;
  const Effects asked = press(state, "Enter");
  EXPECT_EQ(state.pane().pane, kServeStep);
  const auto* job = submitted<StepKernelsJob>(asked);
  ASSERT_TRUE(job);
  EXPECT_TRUE(effect_of<SubmitEffect>(press(state, "Enter")) == nullptr) << "one at a time";
  auto kernels = std::make_shared<StepKernels>();
  kernels->view = job->view;
  kernels->step = job->step;
  KernelRequest request{
      state.machine, parse_problem("gemm f16 f16 f16 nd nd nd m=16 n=64 k=64 epilogue=none"), {}};
  kernels->kernels.push_back({"gemm", 3, true, request});
  kernels->missing = "the log does not say";
  const Effects opened = tell(state, state.serve.kernels_job, JobPhase::kDone,
                              std::shared_ptr<const StepKernels>(kernels));
  EXPECT_EQ(state.screen, Screen::kTimeline);
  EXPECT_TRUE(submitted<IndexTimelineJob>(opened));
  press(state, "6");
  EXPECT_EQ(state.screen, Screen::kServe);
  EXPECT_EQ(state.serve.step, step) << "at the same place";
  EXPECT_NE(draw(state).text().find("gemm f16"), std::string::npos);
  press(state, "j t");
  EXPECT_EQ(state.screen, Screen::kServe);
  EXPECT_NE(state.message.text.find("attention: the log does not say"), std::string::npos)
      << state.message.text;
}

TEST(ServeScreen, AFormFieldIsChosenAndTyped) {
  State state = serve_state();
  press(state, "Tab Tab Tab j j");
  ASSERT_EQ(state.pane().pane, kServeConfig);
  press(state, ">");
  EXPECT_EQ(state.serve.form.value("limit"), "200");
  press(state, "e Backspace Backspace Backspace");
  type(state, "5");
  press(state, "Enter");
  EXPECT_EQ(state.serve.form.value("limit"), "5");
  press(state, ":");
  type(state, "set modle x");
  press(state, "Enter");
  EXPECT_NE(state.message.text.find("did you mean 'model'"), std::string::npos);
}

TEST(ServeScreen, TheSessionKeepsFormAndRun) {
  State state = serve_state();
  show_run(state, finished_view());
  press(state, ":");
  type(state, "set limit 33");
  press(state, "Enter");
  State later = test_state();
  Effects effects;
  restore_session(later, session_text(state), effects);
  EXPECT_EQ(later.serve.form.value("limit"), "33");
  const auto* job = submitted<LoadServeJob>(effects);
  ASSERT_TRUE(job);
  EXPECT_EQ(job->run, 7);
  tell(later, later.serve.load_job, JobPhase::kDone, finished_view());
  EXPECT_EQ(later.screen, Screen::kServe);
}

struct Size {
  int width;
  int height;
};

TEST(ServeScreen, LooksAsDrawn) {
  for (const Size size : {Size{120, 40}, {100, 30}, {80, 24}, {60, 16}}) {
    for (const GlyphSet glyphs : {GlyphSet::kUnicode, GlyphSet::kAscii}) {
      State state = serve_state(size.width, size.height, glyphs);
      show_run(state, finished_view(7));
      press(state, "b");
      show_run(state, finished_view(8, 2'000'000));
      press(state, ", , Tab Tab");
      expect_golden(fmt::format("serve.{}x{}.{}", size.width, size.height, name_of(glyphs)),
                    draw(state));
    }
  }
}

TEST(ServeScreen, ItsPanesLookAsDrawnOnASmallScreen) {
  State state = serve_state(80, 24);
  show_run(state, finished_view(7));
  for (const char* pane : {"run", "requests", "request"}) {
    press(state, pane == std::string("run")        ? "Tab Tab Tab"
                 : pane == std::string("requests") ? "Tab"
                                                   : "s s s s Enter");
    expect_golden(fmt::format("serve_{}.80x24", pane), draw(state));
  }
}

TEST(ServeScreen, LooksAsDrawnWhileItRuns) {
  State state = serve_state();
  press(state, "r");
  tell(state, state.serve.job, JobPhase::kRunning, paused_view(25));
  expect_golden("serve_running.120x40", draw(state));
}

TEST(ServeScreen, AnyKeysClicksAndSizesLeaveAFullScreen) {
  constexpr std::u32string_view kKeys =
      U"r .,f+-EtsSh/bBo<>ejkgGzvV:?y\x15\x04"
      U"1";
  constexpr Key kNamed[] = {keys::kUp,    keys::kDown,   keys::kLeft,    keys::kRight,
                            keys::kEnter, keys::kEscape, keys::kTab,     keys::kHome,
                            keys::kEnd,   keys::kPageUp, keys::kPageDown};
  Random random(11);
  for (const auto& view : {finished_view(), paused_view(25), std::shared_ptr<const ServeView>()}) {
    State state = serve_state();
    if (view) show_run(state, view);
    for (int i = 0; i < 2000; ++i) {
      Effects effects;
      const uint64_t what = random.below(10);
      const auto below = [&](int limit) {
        return static_cast<int>(random.below(static_cast<uint64_t>(limit)));
      };
      if (what < 5) {
        update(state, InputEvent(Key{kKeys[random.below(kKeys.size())]}), effects);
      } else if (what < 7) {
        update(state, InputEvent(kNamed[random.below(std::size(kNamed))]), effects);
      } else if (what < 9) {
        update(state,
               InputEvent(MouseEvent{static_cast<MouseEvent::Kind>(random.below(5)),
                                     below(state.width), below(state.height)}),
               effects);
      } else {
        update(state, InputEvent(ResizeEvent{60 + below(120), 16 + below(40)}), effects);
      }
      state.screen = Screen::kServe;
      const Grid grid = draw(state);
      ASSERT_EQ(grid.width(), state.width);
      ASSERT_EQ(grid.height(), state.height);
    }
  }
}

}  // namespace
}  // namespace tilewright
