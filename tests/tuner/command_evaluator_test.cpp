#include "tuner/evaluate/command_evaluator.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "tests/temp_folder.h"
#include "tuner/evaluate/command_output.h"
#include "tuner/session/evaluation_pool.h"

namespace tilewright {
namespace {

const Problem kProblem = parse_problem("gemm f16 f16 f16 nd nz nd m=512 n=4096 k=64 epilogue=none");
const Config kConfig = parse_config("tile_m=128,tile_n=256");

CommandOptions options_of(int min = 1, int max = 1, double seconds = 20) {
  CommandOptions options;
  options.repetitions.min = min;
  options.repetitions.max = max;
  options.limits.seconds = seconds;
  options.environment = {"PATH=/usr/bin:/bin"};
  return options;
}

/// What a shell script measures; a shell is just another program here.
Measurement run_script(const std::string& script, const CommandOptions& options = options_of()) {
  std::string text = "/bin/sh -c '";
  for (const char c : script) {
    text += c;
    if (c == '{' || c == '}') text += c;
  }
  return CommandEvaluator(CommandTemplate(text + "'"), options).evaluate(kProblem, kConfig);
}

void expect_failure(const std::string& script, AttemptStatus status, const std::string& reason,
                    const CommandOptions& options = options_of()) {
  const Measurement measurement = run_script(script, options);
  EXPECT_EQ(name_of(measurement.status), name_of(status)) << script;
  EXPECT_EQ(measurement.time_us, 0) << script;
  EXPECT_NE(measurement.reason.find(reason), std::string::npos)
      << script << ": " << measurement.reason;
}

TEST(CommandOutput, ReadsEveryForm) {
  const struct {
    std::string out;
    std::vector<double> times_us;
  } rows[] = {{"12.5\n", {12.5}},
              {"noise\n\n 3 4,5\t6 \n\n", {3, 4, 5, 6}},
              {"time_us=7", {7}},
              {"time_ms=0.5, 1", {500, 1000}},
              {"time_s=2e-6", {2}},
              {R"({"time_us": 3})", {3}},
              {R"({"time_ms": [1, 2], "status": "ok"})", {1000, 2000}}};
  for (const auto& row : rows) EXPECT_EQ(read_command_output(row.out).times_us, row.times_us);
  const CommandOutput output =
      read_command_output(R"({"time_us": 3, "counters": {"b": 2, "a": 0.5}})");
  EXPECT_EQ(output.counters, (decltype(output.counters){{"b", 2}, {"a", 0.5}}));
}

TEST(CommandOutput, RefusesWhatIsNoTime) {
  for (const char* out : {"",
                          "\n \n",
                          "nan",
                          "inf",
                          "-1",
                          "0",
                          "1 -1",
                          "12.5us",
                          "1e999",
                          "time_us=",
                          "time=3",
                          "{}",
                          "{\"time_us\": []}",
                          "{\"time_us\": \"3\"}",
                          "{\"time_us\": 0}",
                          "{\"time_us\": 1",
                          "{\"time_us\": 1, \"counter\": {}}",
                          "{\"status\": \"fine\", \"time_us\": 1}",
                          "{\"time_us\": 1, \"counters\": {\"a\": \"x\"}}",
                          "\x01\x02",
                          "1\nbye"}) {
    EXPECT_THROW(read_command_output(out), Error) << out;
  }
}

TEST(CommandEvaluator, GetsTheConfigAndGivesTheTime) {
  const CommandEvaluator evaluator(CommandTemplate("/bin/echo {tile_m}.5"), options_of());
  const Measurement measurement = evaluator.evaluate(kProblem, kConfig);
  EXPECT_EQ(measurement.status, AttemptStatus::kOk) << measurement.reason;
  EXPECT_EQ(measurement.time_us, 128.5);
  EXPECT_EQ(measurement.times_us, std::vector<double>{128.5});
}

TEST(CommandEvaluator, FindsTheProgramInThePathOfItsEnvironment) {
  const CommandTemplate command("echo 1");
  EXPECT_EQ(CommandEvaluator(command, options_of()).evaluate(kProblem, kConfig).time_us, 1);
  CommandOptions elsewhere = options_of();
  elsewhere.environment = {"PATH=/nonexistent"};
  const Measurement lost = CommandEvaluator(command, elsewhere).evaluate(kProblem, kConfig);
  EXPECT_EQ(lost.status, AttemptStatus::kRuntime);
  EXPECT_NE(lost.reason.find("cannot be started: No such file"), std::string::npos) << lost.reason;
}

TEST(CommandEvaluator, EveryWayToFailHasItsStatusAndReason) {
  using enum AttemptStatus;
  expect_failure("echo no kernel; exit 7", kRuntime, "exit status 7; stdout: 'no kernel'");
  expect_failure("echo 1; echo broken >&2; exit 1", kRuntime, "exit status 1; stderr: 'broken'");
  expect_failure("echo bad tile >&2; exit 3", kCompile, "stderr: 'bad tile'");
  expect_failure("exit 4", kWrongResult, "exit status 4");
  expect_failure("exit 5", kInfeasible, "exit status 5");
  expect_failure("kill -SEGV $$", kRuntime, "signal 11 (Segmentation fault)");
  expect_failure("echo about 12 us", kRuntime, "printed 'about 12 us', which is no time");
  expect_failure("true", kRuntime, "printed nothing");
  expect_failure("exec >&-; exec 2>&-; true", kRuntime, "printed nothing");
  expect_failure("echo nan; echo why >&2", kRuntime, "stderr: 'why'");
  expect_failure("echo -3", kRuntime, "-3");
  expect_failure("head -c 64 /dev/zero", kRuntime, "which is no time");
  expect_failure(R"(echo {\"status\": \"wrong_result\", \"reason\": \"row 3\"})", kWrongResult,
                 "row 3");
  expect_failure(R"(echo {\"status\": \"compile\"}; exit 1)", kCompile, "says compile");
  expect_failure("echo time_s=1e308", kRuntime, "gave a time of 1e+308, which is too large");
  expect_failure(R"(echo {\"time_us\": \"x\"})", kRuntime,
                 "the command printed an object that is not understood: time_us: expected a number "
                 "or a list of numbers");
  expect_failure(
      R"(echo {\"status\": \"zzz\"})", kRuntime,
      "the command printed an object that is not understood: status: 'zzz' is no status");
}

TEST(CommandEvaluator, BinaryOutputMakesAReasonOfUtf8) {
  const TempFolder folder;
  const auto reason_of = [&](const std::string& bytes) {
    const std::string file = folder.file("bytes", bytes);
    return run_script(fmt::format("cat {} >&2; exit 1", file)).reason;
  };
  const auto quoted = [](const std::string& text) {
    return fmt::format("the command ended with exit status 1; stderr: '{}'", text);
  };
  // A letter of two bytes across the place where quotes are cut.
  const std::string most(79, 'a');
  EXPECT_EQ(reason_of(most + "\xc3\xa4"), quoted(most + "..."));
  EXPECT_EQ(reason_of("x\xff\xc3"), quoted(std::string("x") + "?" + "?"));
  EXPECT_EQ(reason_of("\xc3\xa4 \xc2\x85 \xed\xa0\x80"), quoted("\xc3\xa4 ? ?"
                                                                "?"
                                                                "?"));
}

TEST(CommandEvaluator, OneThatHangsIsKilledWithItsGroupAtTheLimit) {
  const TempFolder folder;
  const std::string mark = folder.path("alive");
  // The grandchild holds the pipe open and would leave a mark if it outlived its group.
  expect_failure(fmt::format("(sleep 0.6; echo x > {}) & sleep 60", mark), AttemptStatus::kTimeout,
                 "longer than 0.2 s", options_of(1, 1, 0.2));
  EXPECT_EQ(run_script("sleep 0.6; echo 1").time_us, 1);
  EXPECT_FALSE(std::filesystem::exists(mark));
}

TEST(CommandEvaluator, ClosedStdoutDoesNotHideAHang) {
  expect_failure("exec >&-; exec 2>&-; sleep 60", AttemptStatus::kTimeout, "longer than",
                 options_of(1, 1, 0.2));
}

TEST(CommandEvaluator, GrandchildrenThatKeepThePipeOpenAreNotWaitedFor) {
  EXPECT_EQ(run_script("sleep 60 & echo 5").time_us, 5);
}

TEST(CommandEvaluator, FloodIsKilled) {
  CommandOptions options = options_of();
  options.limits.output_bytes = 100'000;
  expect_failure("yes", AttemptStatus::kRuntime, "wrote more than 97.7 KiB", options);
  expect_failure("tr \"\\0\" a < /dev/zero >&2", AttemptStatus::kRuntime, "stderr: 'aaaa", options);
  expect_failure("yes | head -c 100001; echo 1", AttemptStatus::kRuntime, "wrote more", options);
}

TEST(CommandEvaluator, MemoryIsLimited) {
  CommandOptions options = options_of();
  options.limits.memory_bytes = int64_t{64} << 20;
  EXPECT_EQ(run_script("echo 1", options).time_us, 1);
  const Measurement greedy = run_script("head -c 200000000 /dev/zero | tail -n 1", options);
  EXPECT_EQ(greedy.status, AttemptStatus::kRuntime);
}

TEST(CommandEvaluator, SeesNoInputAndNoOpenFile) {
  const TempFolder folder;
  std::ofstream open_file(folder.path("open"));
  // Numbers above 2 that are open in the shell: none but its own listing.
  EXPECT_EQ(run_script("cat; n=0; for f in 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$f ] && n=$((n+1)); "
                       "done; echo $((n+1))")
                .time_us,
            1);
}

TEST(CommandEvaluator, GetsExactlyTheEnvironmentGiven) {
  CommandOptions options = options_of();
  options.environment.emplace_back("ANSWER=42");
  EXPECT_EQ(run_script("echo $ANSWER; test -z \"$HOME\"", options).time_us, 42);
}

TEST(CommandEvaluator, RepeatsUntilTheTimeIsKnown) {
  const TempFolder folder;
  const std::string counter = folder.path("n");
  const auto counted = [&](const std::string& of_n) {
    return fmt::format("n=$(cat {0} 2>/dev/null || echo 0); n=$((n+1)); echo $n > {0}; {1}",
                       counter, of_n);
  };
  EXPECT_EQ(run_script("echo 100", options_of(3, 30)).times_us.size(), 3u);
  const Measurement noisy = run_script(counted("echo $((100 + 40 * (n % 2)))"), options_of(3, 12));
  EXPECT_EQ(noisy.times_us.size(), 12u);
  EXPECT_GT(noisy.spread_us, 1);
  EXPECT_NEAR(noisy.time_us, 120, 1e-9);
  std::filesystem::remove(counter);
  const Measurement cold =
      run_script(counted("[ $n = 1 ] && echo 900 || echo 100"), options_of(3, 30));
  EXPECT_EQ(cold.times_us, (std::vector<double>{900, 100, 100, 100}));
  EXPECT_EQ(cold.time_us, 100);
  EXPECT_EQ(cold.spread_us, 0);
}

TEST(CommandEvaluator, TimesOfOneRunAreRepetitions) {
  EXPECT_EQ(run_script("echo 10 10 10", options_of(3, 30)).times_us.size(), 3u);
}

TEST(CommandEvaluator, FailureOfALaterRepetitionIsOne) {
  const TempFolder folder;
  const std::string mark = folder.path("mark");
  expect_failure(fmt::format("[ -e {0} ] && exit 9; touch {0}; echo 1", mark),
                 AttemptStatus::kRuntime, "exit status 9", options_of(3, 30));
}

TEST(CommandEvaluator, StopKillsWhatRunsAndKeepsNothing) {
  std::atomic<bool> stop = false;
  CommandOptions options = options_of();
  const TempFolder folder;
  const std::string started = folder.path("started");
  options.stop = [&] { return stop || std::filesystem::exists(started); };
  EXPECT_THROW(run_script(fmt::format("touch {}; sleep 60", started), options), EvaluationStopped);

  const CommandEvaluator evaluator(CommandTemplate("sleep {tile_m}"), options);
  ThreadEvaluation pool(evaluator, 2, {});
  const std::vector<EvaluationTask> tasks(4, EvaluationTask{&kProblem, kConfig});
  EXPECT_EQ(pool.run(
                tasks, [](size_t, const Evaluated&) { FAIL(); }, [] { return false; }),
            0u);
}

TEST(CommandEvaluator, ManyAtOnceLeakNothing) {
  const auto open_files = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  const CommandEvaluator evaluator(CommandTemplate("/bin/echo {tile_n}"), options_of(3, 30));
  const std::vector<EvaluationTask> tasks(40, EvaluationTask{&kProblem, kConfig});
  const auto before = open_files();
  size_t ok = 0;
  ThreadEvaluation(evaluator, 4, {})
      .run(
          tasks,
          [&](size_t, const Evaluated& evaluated) { ok += evaluated.measurement.time_us == 256; },
          [] { return false; });
  EXPECT_EQ(ok, 40u);
  EXPECT_EQ(open_files(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);  // no child is left
}

TEST(CommandEvaluator, IdIsThatOfTheCommandAlone) {
  const auto id = [](const char* text, const CommandOptions& options) {
    return CommandEvaluator(CommandTemplate(text), options).id();
  };
  EXPECT_TRUE(id("b {m}", options_of()).starts_with("cmd/"));
  EXPECT_EQ(id("b {m}", options_of()), id("b  '{m}'", options_of(3, 30, 1)));
  EXPECT_NE(id("b {m}", options_of()), id("b {n}", options_of()));
}

TEST(CommandEvaluator, EachProblemHasItsOwnLabels) {
  const Problem other = parse_problem("gemm f16 f16 f16 nd nz nd m=16 n=16 k=16 epilogue=none");
  CommandOptions options = options_of();
  options.spaces.emplace(kProblem.text(), Space({{"tile_m", "", {0, 1}, {"11", "12.5"}}}, {}));
  options.spaces.emplace(other.text(), Space({{"tile_m", "", {0, 1}, {"7", "8"}}}, {}));
  const CommandEvaluator evaluator(CommandTemplate("/bin/echo {tile_m}"), options);
  const Config second = parse_config("tile_m=1");
  EXPECT_EQ(evaluator.evaluate(kProblem, second).time_us, 12.5);
  EXPECT_EQ(evaluator.evaluate(other, second).time_us, 8);
}

}  // namespace
}  // namespace tilewright
