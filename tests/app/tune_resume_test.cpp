// What a tuning session may be resumed with.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "db/store.h"
#include "tests/app/program.h"

namespace tilewright {
namespace {

const std::vector<std::string> kTune = {"tune",    "gemm",       "--shape", "m=64,n=64,k=64",
                                        "--quiet", "--fidelity", "composed"};

std::vector<std::string> with(std::vector<std::string> arguments,
                              const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(TuneResume, IsRefusedForAnotherMachineOrEvaluatorBeforeAnythingChanges) {
  Sandbox sandbox;
  sandbox.environment["TILEWRIGHT_DB"] = sandbox.path("a.db");
  sandbox.file("time.sh", "echo time_us: 5\n");
  ASSERT_EQ(sandbox.run(with(kTune, {"--budget", "evaluations=9"})).status, 0);
  const struct {
    std::vector<std::string> options;
    std::vector<std::string> says;
  } cases[] = {
      {{"--machine", "ascend-910b1", "--resume", "1"}, {"ascend-910b2", "ascend-910b1"}},
      {{"--machine", "ascend-910b1", "--resume", "latest"}, {"ascend-910b2", "ascend-910b1"}},
      {{"--evaluator", "cmd /bin/sh time.sh", "--resume", "1"}, {"/composed", "not by cmd"}},
      {{"--fidelity", "detailed", "--resume", "1"}, {"/composed", "/detailed"}},
      {{"--fidelity", "ladder", "--resume", "1"}, {"/composed", "/detailed"}},
  };
  for (const auto& each : cases) {
    std::vector<std::string> arguments = kTune;
    if (each.options[0] == "--fidelity" || each.options[0] == "--evaluator") {
      arguments.resize(arguments.size() - 2);
    }
    const Outcome outcome = sandbox.run(with(arguments, each.options));
    EXPECT_EQ(outcome.status, 2) << outcome.err;
    for (const std::string& text : each.says) {
      EXPECT_NE(outcome.err.find(text), std::string::npos) << outcome.err;
    }
  }
  Store store = Store::open(sandbox.path("a.db"), OpenMode::kReadOnly);
  EXPECT_EQ(store.load_run(1).status, RunStatus::kDone);
  EXPECT_EQ(store.trials(1).size(), 9u);
  EXPECT_EQ(store.load_winners(1).size(), 1u);
}

TEST(TuneResume, GoesOnWithTheLadderWhereItWasDetailed) {
  Sandbox sandbox;
  sandbox.environment["TILEWRIGHT_DB"] = sandbox.path("a.db");
  std::vector<std::string> arguments = kTune;
  arguments.back() = "detailed";
  ASSERT_EQ(sandbox.run(with(arguments, {"--budget", "evaluations=9"})).status, 0);
  arguments.back() = "ladder";
  const Outcome outcome =
      sandbox.run(with(arguments, {"--budget", "evaluations=12", "--resume", "1"}));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
}

}  // namespace
}  // namespace tilewright
