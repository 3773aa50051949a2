#include <gtest/gtest.h>

#include "app/tui/command_table.h"
#include "app/tui/lab/lab_figures.h"
#include "app/tui/lab/lab_screen.h"
#include "tests/app/lab_fixture.h"

namespace tilewright {
namespace {

TEST(LabRun, EnterSubmitsWhatTheFormSaysAndKeepsIt) {
  State state = lab_state();
  const Effects effects = press(state, "Enter");
  const RunKernelJob* job = job_in<RunKernelJob>(effects);
  ASSERT_NE(job, nullptr);
  EXPECT_EQ(job->request.config, state.lab.form.config);
  EXPECT_EQ(job->request.problem, state.lab.check.problem);
  EXPECT_EQ(job->db, "results.db");
  EXPECT_TRUE(job->keeps);
  EXPECT_FALSE(job->checks);
  EXPECT_EQ(job_in<RunKernelJob>(press(state, "Enter")), nullptr) << "one run at a time";
}

TEST(LabRun, ChecksAndHazardsAreAskedForByKeys) {
  State state = lab_state();
  EXPECT_TRUE(job_in<RunKernelJob>(press(state, "C"))->checks);
  state = lab_state();
  EXPECT_TRUE(job_in<RunKernelJob>(press(state, "H"))->finds_hazards);
}

TEST(LabRun, ResultsBecomeHistoryAndAreComparedWithThePinAndTheRunBefore) {
  State state = lab_state(120, 44);
  run_made_up(state, 100'000);
  EXPECT_NE(state.message.text.find("run 1: 100.00 us, 100,000 cycles"), std::string::npos)
      << state.message.text;
  press(state, "p");
  run_made_up(state, 80'000);
  EXPECT_NE(state.message.text.find("pin 1 -20.0 %"), std::string::npos) << state.message.text;
  run_made_up(state, 120'000);
  EXPECT_NE(state.message.text.find("pin 1 +20.0 %"), std::string::npos) << state.message.text;
  EXPECT_NE(state.message.text.find("run 2 +50.0 %"), std::string::npos) << state.message.text;
  EXPECT_EQ(state.lab.runs.size(), 3u);
  const std::string screen = draw(state).text();
  for (const char* part : {"-20.0 %", "+20.0 %", "pinned"}) {
    EXPECT_NE(screen.find(part), std::string::npos) << part;
  }
  press(state, "V");
  press(state, "p");
  EXPECT_EQ(state.lab.pinned, 3);
  press(state, "p");
  EXPECT_EQ(state.lab.pinned, 0);
}

TEST(LabRun, OnASmallScreenTheResultComesIntoSight) {
  State small = lab_state(80, 24);
  run_made_up(small, 5000);
  EXPECT_EQ(small.pane().pane, static_cast<int>(LabPane::kTime));
  State large = lab_state(120, 40);
  run_made_up(large, 5000);
  EXPECT_EQ(large.pane().pane, static_cast<int>(LabPane::kForm)) << "both are in sight";
}

TEST(LabRun, TheDifferenceHasACommandLineOfItsOwn) {
  State state = lab_state();
  for (const int64_t run : {7, 9}) {
    const Effects effects = press(state, "r");
    KernelOutcome outcome = made_up_outcome(job_in<RunKernelJob>(effects)->request, 1000 * run);
    outcome.run = run;
    finish_run(state, std::move(outcome));
    if (run == 7) press(state, "p");
  }
  EXPECT_TRUE(info_of(Screen::kLab).command_line(state).starts_with("tilewright run gemm"));
  press(state, "D");
  EXPECT_EQ(info_of(Screen::kLab).command_line(state), "tilewright diff 7 9");
}

TEST(LabRun, EnterInTheHistoryShowsARunAgainWithItsForm) {
  State state = lab_state();
  run_made_up(state, 100'000);
  const LabForm first = state.lab.form;
  press(state, "G >");
  run_made_up(state, 90'000);
  state.pane().pane = static_cast<int>(LabPane::kHistory);
  press(state, "j Enter");
  EXPECT_EQ(state.lab.shown, 1);
  EXPECT_EQ(state.lab.form.config, first.config);
  EXPECT_EQ(state.lab.form.chosen, first.config.values) << "all of them";
  press(state, "u");
  EXPECT_NE(state.lab.form.config, first.config);
}

TEST(LabRun, DifferencesAreOpenedOnlyAgainstAPinAndLeftByEscape) {
  State state = lab_state();
  press(state, "D");
  EXPECT_NE(state.message.text.find("nothing was run yet"), std::string::npos);
  run_made_up(state, 100'000);
  press(state, "D");
  EXPECT_NE(state.message.text.find("no run is pinned"), std::string::npos);
  press(state, "p G >");
  run_made_up(state, 90'000);
  press(state, "D");
  EXPECT_EQ(state.lab.view, TimeView::kDiff);
  const std::string screen = draw(state).text();
  for (const char* part : {"core_rows", "0 -> 3", "-10,000", "all cycles"}) {
    EXPECT_NE(screen.find(part), std::string::npos) << part << "\n" << screen;
  }
  press(state, "Esc");
  EXPECT_EQ(state.lab.view, TimeView::kPath);
  EXPECT_FALSE(state.pane().is_zoomed);
}

TEST(LabRun, AdviceIsFollowedAndItsGainIsShownBesideTheEstimate) {
  State state = lab_state();
  run_made_up(state, 100'000);
  const Effects effects = press(state, "a");
  const RunKernelJob* job = job_in<RunKernelJob>(effects);
  ASSERT_NE(job, nullptr);
  EXPECT_EQ(job->request.config.at("tile_k0"), 32);
  EXPECT_EQ(state.lab.form.config.at("tile_k0"), 32);
  finish_run(state, made_up_outcome(job->request, 95'000));
  EXPECT_NE(state.message.text.find(
                "try 2 (not kept): 95.00 us, est -10.0 %, real -5.0 % (tile_k0 64 -> 32)"),
            std::string::npos)
      << state.message.text;
  EXPECT_NE(draw(state).text().find("estimate"), std::string::npos);
  EXPECT_NE(draw(state).text().find("applied tile_k0"), std::string::npos);
  run_made_up(state, 80'000);
  EXPECT_EQ(draw(state).text().find("applied tile_k0"), std::string::npos) << "of another run";
  press(state, "n a");
  EXPECT_NE(state.message.text.find("needs 160 KiB of L0C"), std::string::npos)
      << state.message.text;
}

TEST(LabRun, AdviceThatDoesNotPayIsShownSoAndNotFollowed) {
  State state = lab_state();
  const Effects effects = press(state, "r");
  KernelOutcome outcome = made_up_outcome(job_in<RunKernelJob>(effects)->request);
  outcome.advice[0].estimated_gain = -0.083;
  outcome.advice[0].estimated_us = outcome.time_us * 1.083;
  finish_run(state, outcome);
  const std::string screen = draw(state).text();
  for (const char* part : {"would not pay (est. +8.3 %)", "change that pays"}) {
    EXPECT_NE(screen.find(part), std::string::npos) << part << "\n" << screen;
  }
  EXPECT_EQ(job_in<RunKernelJob>(press(state, "a")), nullptr);
  EXPECT_EQ(state.message.text, "would not pay (est. +8.3 %)");
}

TEST(LabRun, OnlyEqualProblemsAreCompared) {
  State state = lab_state();
  run_made_up(state, 100'000);
  type(state, ":set dtype i8");
  press(state, "Enter");
  run_made_up(state, 50'000);
  EXPECT_EQ(state.message.text.find("run 1"), std::string::npos) << state.message.text;
  run_made_up(state, 40'000);
  EXPECT_NE(state.message.text.find("run 2 -20.0 %"), std::string::npos) << state.message.text;
  type(state, ":set layout nz");
  press(state, "Enter");
  run_made_up(state, 30'000);
  EXPECT_EQ(state.message.text.find("run 3"), std::string::npos) << state.message.text;
}

TEST(LabRun, ARunThatIsNotKeptIsShownWithAWarning) {
  State state = lab_state();
  const Effects effects = press(state, "r");
  KernelOutcome outcome = made_up_outcome(job_in<RunKernelJob>(effects)->request);
  outcome.not_kept = "the database is locked";
  finish_run(state, outcome);
  EXPECT_EQ(state.lab.shown, 1);
  EXPECT_EQ(state.message.role, Role::kWarn);
  EXPECT_TRUE(state.message.text.ends_with("; not kept: the database is locked"))
      << state.message.text;
}

TEST(LabRun, RunsHaveTheNumbersOfTheDatabase) {
  State state = lab_state();
  for (const int64_t run : {71, 0}) {
    const Effects effects = press(state, "r");
    KernelOutcome outcome = made_up_outcome(job_in<RunKernelJob>(effects)->request, 1000);
    outcome.run = run;
    finish_run(state, std::move(outcome));
    if (run == 71) {
      EXPECT_TRUE(state.message.text.starts_with("run 71: ")) << state.message.text;
      press(state, "p");
      EXPECT_TRUE(state.message.text.starts_with("run 71 is the baseline")) << state.message.text;
      EXPECT_NE(draw(state).text().find("Critical path  run 71 "), std::string::npos);
    }
  }
  EXPECT_TRUE(state.message.text.starts_with("try 2 (not kept): ")) << state.message.text;
  EXPECT_NE(state.message.text.find("pin 71 equal"), std::string::npos) << state.message.text;
  const std::string drawn = draw(state).text();
  EXPECT_NE(drawn.find("Critical path  try 2 (not kept)"), std::string::npos) << drawn;
  state.pane() = {static_cast<int>(LabPane::kHistory), true};
  EXPECT_NE(draw(state).text().find("try 2 same config"), std::string::npos) << draw(state).text();
}

TEST(LabRun, HistoryNamesWhatChanged) {
  State state = lab_state(200, 40);
  run_made_up(state, 100'000);
  run_made_up(state, 100'000);
  type(state, ":set tile_m 64");
  press(state, "Enter");
  run_made_up(state, 90'000);
  state.pane() = {static_cast<int>(LabPane::kHistory), true};
  const std::string screen = draw(state).text();
  for (const char* part : {"same config", "tile_m=64", "tile m=128 n=256"}) {
    EXPECT_NE(screen.find(part), std::string::npos) << part << "\n" << screen;
  }
}

TEST(LabRun, FailedAndCancelledRunsFreeTheForm) {
  for (const JobPhase phase : {JobPhase::kFailed, JobPhase::kCancelled}) {
    State state = lab_state();
    press(state, "Enter");
    Effects effects;
    update(state,
           JobSnapshot{
               .id = state.lab.job, .title = "run", .phase = phase, .failure = "no", .result = {}},
           effects);
    EXPECT_EQ(state.lab.job, 0);
    EXPECT_NE(job_in<RunKernelJob>(press(state, "Enter")), nullptr);
  }
}

TEST(LabRun, StoredRunsAreShownWithoutBeingKeptAgain) {
  State state = lab_state();
  Effects effects;
  open_in_lab(state, "gemm f16 f16 f16 nd nd nd m=64 n=512 k=512 epilogue=none",
              "tile_m=64,tile_n=128,tile_k=256,tile_k0=64,l1_buffers=2,l0_buffers=2,l0c_buffers=1,"
              "split_k=1,cores=0,swizzle=1,core_rows=0",
              "ascend-910b2:datasheet", effects, 7);
  const RunKernelJob* job = job_in<RunKernelJob>(effects);
  ASSERT_NE(job, nullptr);
  EXPECT_FALSE(job->keeps);
  EXPECT_EQ(run_kernel(*job, JobProgress({}, [](double) {})).run, 7);
  EXPECT_EQ(job->request.problem.size("m"), 64);
  EXPECT_EQ(state.screen, Screen::kLab);
}

TEST(LabRun, StoredRunsThatMakeNoSenseAreRefusedWithAMessage) {
  for (const auto& [problem, config, machine] :
       {std::tuple("nonsense", "", ""),
        {"gemm f16 f16 f16 nd nd nd m=64 n=512 k=512 epilogue=none", "tile_m=1", ""},
        {"gemm f16 f16 f16 nd nd nd m=64 n=512 k=512 epilogue=none", "a=b", ""},
        {"gemm f16 f16 f16 nd nd nd m=64 n=512 k=512 epilogue=none", "", "no-such-machine"}}) {
    State state = lab_state();
    Effects effects;
    open_in_lab(state, problem, config, machine, effects);
    EXPECT_EQ(job_in<RunKernelJob>(effects), nullptr) << problem;
    EXPECT_EQ(state.message.role, Role::kBad);
    EXPECT_FALSE(state.message.text.empty());
    EXPECT_EQ(draw(state).width(), 120);
  }
}

TEST(LabRun, ExportAsksForAFileAndWritesTheShownRun) {
  State state = lab_state();
  run_made_up(state, 100'000);
  press(state, "x");
  ASSERT_TRUE(state.palette);
  type(state, "trace.json");
  const Effects effects = press(state, "Enter");
  const auto* job = job_in<ExportTimelineJob>(effects);
  ASSERT_NE(job, nullptr);
  EXPECT_EQ(job->path, "trace.json");
}

TEST(LabFigures, RoundedPartsSumToTheWholeSum) {
  const std::vector<int64_t> thirds = {1, 1, 1};
  EXPECT_EQ(rounded_parts(thirds, 1000, 3), (std::vector<int64_t>{334, 333, 333}));
  const std::vector<int64_t> parts = {1500, -700, 400, 513};
  const std::vector<int64_t> rounded = rounded_parts(parts, 1, 1024);
  EXPECT_EQ(rounded[0] + rounded[1] + rounded[2] + rounded[3], 1);
  for (size_t i = 0; i < parts.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(rounded[i]), static_cast<double>(parts[i]) / 1024, 1);
  }
  EXPECT_TRUE(rounded_parts({}, 1, 2).empty());
  const std::vector<int64_t> large = {INT64_MAX / 4, INT64_MAX / 4};
  EXPECT_EQ(rounded_parts(large, 1000, INT64_MAX / 4 * 2), (std::vector<int64_t>{500, 500}));
}

TEST(LabFigures, ChangesOfCausesSumToTheWholeDifference) {
  State state = lab_state();
  const KernelRequest request = request_of(state.lab.form, state.lab.check);
  const KernelOutcome before = made_up_outcome(request, 100'003);
  const KernelOutcome after = made_up_outcome(request, 77'777);
  const RunDiff diff = diff_of(before, after);
  int64_t change = 0;
  int64_t shares = 0;
  for (const DiffRow& row : diff.causes) {
    change += row.change();
    shares += row.after_tenths;
  }
  EXPECT_EQ(change, 77'777 - 100'003);
  EXPECT_EQ(shares, 1000);
  EXPECT_EQ(diff.before_cycles, 100'003);
  EXPECT_TRUE(diff.values.empty());
}

TEST(LabFigures, CyclesAreCutOffAsTheCommandLineDoes) {
  KernelOutcome outcome;
  outcome.profile.timing.ticks = 269'943 * kTicksPerCycle - 1;
  EXPECT_EQ(outcome.cycles(), 269'942);
}

TEST(LabFigures, UnitsFollowTheMagnitudeAndTheType) {
  State state = lab_state();
  KernelOutcome outcome = made_up_outcome(request_of(state.lab.form, state.lab.check));
  EXPECT_EQ(speed_text(outcome, 353.9e12), "353.9 TFLOPS");
  EXPECT_EQ(speed_text(outcome, 999.99e9), "1.0 TFLOPS");
  EXPECT_EQ(speed_text(outcome, 40'000), "40.0 kFLOPS");
  EXPECT_EQ(speed_text(outcome, 0.04), "0.0 FLOPS");
  EXPECT_EQ(rate_text(1.6e12), "1.6 TB/s");
  EXPECT_EQ(rate_text(2e6), "2.0 MB/s");
  outcome.request.problem.types.front() = DType::kI8;
  EXPECT_EQ(speed_text(outcome, 565e12), "565.0 TOPS");
}

TEST(LabFigures, ChangesArePrintedWithTheirSign) {
  EXPECT_EQ(change_percent(100, 90), "-10.0 %");
  EXPECT_EQ(change_percent(100, 125), "+25.0 %");
  EXPECT_EQ(change_percent(100, 100), "=");
  EXPECT_EQ(tenths_text(735), "73.5 %");
}

}  // namespace
}  // namespace tilewright
