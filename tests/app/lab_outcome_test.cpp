#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "app/tui/job_work.h"
#include "app/tui/lab/lab_figures.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "db/store.h"
#include "tests/app/lab_fixture.h"
#include "tests/app/program.h"

namespace tilewright {
namespace {

/// A small problem of a kernel, on its default config.
KernelRequest small_request(const std::string& kernel,
                            const std::string& machine = "ascend-910b2") {
  const auto named = named_machine(machine);
  LabForm form = first_form(named, kernel);
  for (auto& [name, value] : form.sizes) {
    if (value > 96 && name != "dim" && name != "block") value = 96;
  }
  LabCheck check = check_form(form);
  form.config = check.fallback;
  check = check_form(form);
  EXPECT_TRUE(check.can_run()) << kernel << ": " << check.wrong;
  return request_of(form, check);
}

JobProgress no_progress() {
  return {{}, [](double) {}};
}

KernelOutcome simulated(const KernelRequest& request, bool checks = false, bool hazards = false) {
  return run_kernel(
      {.request = request, .db = "", .keeps = false, .checks = checks, .finds_hazards = hazards},
      no_progress());
}

TEST(KernelOutcome, EveryKernelRunsIsShownAndSumsToAHundredPercent) {
  for (const Kernel* kernel : all_kernels()) {
    const KernelRequest request = small_request(kernel->name());
    const KernelOutcome outcome = simulated(request);
    EXPECT_GT(outcome.time_us, 0) << kernel->name();
    for (const Breakdown* breakdown :
         {&outcome.profile.timing.critical_path, &outcome.profile.timing.engine}) {
      int64_t tenths = 0;
      for (const ShareRow& row : share_rows(*breakdown)) tenths += row.tenths;
      EXPECT_EQ(tenths, 1000) << kernel->name();
    }
    State state = lab_state();
    replace_form(state, form_of(request.machine, request.problem, request.config));
    press(state, "r");
    finish_run(state, outcome);
    for (int pane = 0; pane < 6; ++pane) {
      state.pane() = {pane, true};
      EXPECT_EQ(draw(state).height(), 40) << kernel->name();
    }
    EXPECT_EQ(state.message.text.find("nan"), std::string::npos) << state.message.text;
  }
}

TEST(KernelOutcome, IsTheSameForTheSameRequest) {
  const KernelRequest request = small_request("gemm");
  const KernelOutcome first = simulated(request);
  const KernelOutcome second = simulated(request);
  EXPECT_EQ(first.ticks(), second.ticks());
  EXPECT_EQ(first.advice.size(), second.advice.size());
}

TEST(KernelOutcome, ChecksNumbersAndFindsHazardsWhenAsked) {
  const KernelOutcome outcome = simulated(small_request("gemm"), true, true);
  ASSERT_TRUE(outcome.check);
  EXPECT_TRUE(outcome.check->ok) << outcome.check->first_failure;
  ASSERT_TRUE(outcome.hazards);
  EXPECT_TRUE(outcome.hazards->empty());
}

TEST(KernelOutcome, RefusesACheckThatWouldFillTheMemory) {
  KernelRequest request = small_request("gemm");
  request.problem = request.problem.with("m", 100'000).with("n", 100'000);
  EXPECT_THROW(simulated(request, true), Error);
}

TEST(KernelOutcome, IsKeptAsTheCommandLineWouldKeepIt) {
  Sandbox sandbox;
  const KernelRequest request = small_request("gemm");
  const std::string db = sandbox.path("results.db");
  const KernelOutcome outcome = run_kernel({.request = request, .db = db}, no_progress());
  Store store = Store::open(db, OpenMode::kReadOnly);
  const tilewright::Run run = store.load_run(outcome.run);
  EXPECT_EQ(run.kind, RunKind::kKernel);
  EXPECT_EQ(run.status, RunStatus::kDone);
  EXPECT_EQ(run.command, command_line_of(request));
  ASSERT_EQ(store.keys_of_run(outcome.run).size(), 1u);
  const auto measurement = store.find(store.keys_of_run(outcome.run)[0]);
  ASSERT_TRUE(measurement);
  EXPECT_EQ(measurement->time_ticks, outcome.ticks());
  EXPECT_TRUE(store.keys_of_run(outcome.run)[0].evaluator.ends_with("/detailed"));
}

TEST(KernelOutcome, IsThereEvenWhereItCannotBeKept) {
  Sandbox sandbox;
  const std::string db = sandbox.path("no-folder/results.db");
  sandbox.file("no-folder", "a file");
  const KernelOutcome outcome =
      run_kernel({.request = small_request("gemm"), .db = db}, no_progress());
  EXPECT_GT(outcome.time_us, 0);
  EXPECT_EQ(outcome.run, 0);
  EXPECT_FALSE(outcome.not_kept.empty());
}

TEST(KernelOutcome, ItsCommandLineFindsTheSameTime) {
  for (const char* kernel : {"gemm", "attention", "rms_norm", "elementwise"}) {
    const KernelRequest request = small_request(kernel);
    Sandbox sandbox;
    std::vector<std::string> words;
    const std::string line = command_line_of(request);
    for (const std::string_view word : split(line, ' ')) {
      words.emplace_back(word);
    }
    ASSERT_EQ(words.front(), "tilewright");
    words.erase(words.begin());
    words.emplace_back("--json");
    const Outcome outcome = sandbox.run(words);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(Json::parse(outcome.out)["time_us"].get<double>(), simulated(request).time_us)
        << kernel;
  }
}

TEST(KernelOutcome, ItsCommandLineQuotesPathsAndNamesTheTypeOfTheResult) {
  KernelRequest request = small_request("gemm");
  request.machine = std::make_shared<const NamedMachine>(
      NamedMachine{"it's my file.json", request.machine->machine});
  EXPECT_TRUE(command_line_of(request).ends_with("--machine 'it'\\''s my file.json'"))
      << command_line_of(request);
  request.problem.types.back() = DType::kF32;
  EXPECT_NE(command_line_of(request).find(" --out-dtype f32 "), std::string::npos)
      << command_line_of(request);
}

TEST(KernelOutcome, EndsWhenItsJobIsCancelled) {
  KernelRequest request = small_request("gemm");
  std::stop_source stop;
  double last = 0;
  const JobProgress progress(stop.get_token(), [&](double fraction) {
    last = fraction;
    if (fraction > 0) stop.request_stop();
  });
  request.problem = request.problem.with("m", 2048).with("n", 2048).with("k", 2048);
  EXPECT_THROW(run_kernel({.request = request, .db = "", .keeps = false}, progress), JobCancelled);
  EXPECT_GT(last, 0);
  EXPECT_LT(last, 1);
}

TEST(KernelOutcome, TimelinesAreWrittenAndTold) {
  Sandbox sandbox;
  const std::string path = sandbox.path("trace.csv");
  const JobResult result = do_job(ExportTimelineJob{small_request("gemm"), path}, no_progress());
  EXPECT_NE(std::get<std::string>(result).find("instructions written to"), std::string::npos);
  EXPECT_FALSE(sandbox.read("trace.csv").empty());
}

}  // namespace
}  // namespace tilewright
