// Tuning sessions: what may be resumed, and what is said where the default fails.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/error.h"
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
  ASSERT_EQ(sandbox.run(with(kTune, {"--budget", "9"})).status, 0);
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

TEST(TuneTransfer, TheSameProblemOfAnotherMachineGoesFirst) {
  Sandbox sandbox;
  sandbox.environment["TILEWRIGHT_DB"] = sandbox.path("a.db");
  const auto tune = [&](const char* machine) {
    const Outcome outcome =
        sandbox.run(with(kTune, {"--budget", "evaluations=20", "--json", "--machine", machine}));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out);
  };
  const auto first = tune("ascend-910b2");
  EXPECT_EQ(tune("ascend-910b1")["cache_hits"], 0) << "times of another machine say nothing here";
  const auto again = tune("ascend-910b2");
  EXPECT_EQ(again["evaluations"], 0);
  EXPECT_EQ(again["winners"], first["winners"]);

  Store store = Store::open(sandbox.path("a.db"), OpenMode::kReadOnly);
  EXPECT_EQ(store.trials(1).at(1).proposer, "seed");
  EXPECT_EQ(store.trials(2).at(1).proposer, "earlier");
  EXPECT_EQ(store.trials(3).size(), store.trials(1).size());
}

TEST(TuneArguments, LongExpressionsAreCutInMessages) {
  Sandbox sandbox;
  std::string flat = "tile_m > 5000";
  for (int i = 0; i < 1000; ++i) flat += " or (0)";
  const Outcome outcome = sandbox.run(with(kTune, {"--constraint", flat}));
  EXPECT_EQ(outcome.status, 5);
  EXPECT_NE(outcome.err.find("tile_m > 5000 or (0)"), std::string::npos) << outcome.err;
  EXPECT_LT(outcome.err.size(), 600u) << outcome.err;
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

TEST(TuneArguments, AreRefusedAlikeWhateverTheTarget) {
  Sandbox sandbox;
  const struct {
    std::vector<std::string> options;
    const char* says;
  } cases[] = {
      {{"--pin", ""}, "--pin '' is not PARAMETER=VALUE"},
      {{"--ban", ""}, "--ban '' is not PARAMETER=VALUE"},
      {{"--regret", "-3"}, "--regret"},
      {{"--for", "gemm"}, "--for makes no sense for a kernel"},
      {{"--constraint", "tile_m / 0 > 1"}, "division by zero"},
      {{"--constraint", "tile_m > 5000"}, "'--constraint tile_m > 5000' leaves none"},
  };
  for (const auto& each : cases) {
    const Outcome outcome = sandbox.run(with(kTune, each.options));
    EXPECT_EQ(outcome.status, each.options[0] == "--constraint" ? 5 : 2) << outcome.err;
    EXPECT_NE(outcome.err.find(each.says), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.err.find("is legal"), std::string::npos) << "said twice: " << outcome.err;
  }
}

TEST(TuneArguments, AreRefusedBeforeAWorkloadIsServedForThem) {
  Sandbox sandbox;
  sandbox.environment["TILEWRIGHT_DB"] = sandbox.path("a.db");
  const struct {
    std::vector<std::string> options;
    const char* says;
  } cases[] = {
      {{"--fidelity", "nonsense"}, "--fidelity 'nonsense' is unknown"},
      {{"--strategy", "randon"}, "did you mean 'random'"},
      {{"--budget", "evaluations=0"}, "below 1"},
      {{"--batch", "0"}, "--batch"},
      {{"--within", "0.5"}, "--within 0.5"},
      {{"--pin", "tile_m"}, "--pin 'tile_m' is not PARAMETER=VALUE"},
      {{"--regret", "-3"}, "--regret"},
      {{"--evaluator", "nonsense"}, "--evaluator 'nonsense' is unknown"},
      {{"--evaluator", "/bin/echo {tile_q}"}, "did you mean 'tile_m'?"},
      {{"--evaluator", "table:"}, "names no file"},
      {{"--repetitions", "3"}, "--repetitions makes sense only with"},
      {{"--evaluator", "cmd /bin/echo 1", "--fidelity", "composed"}, "is of the simulator"},
      {{"--pin", "tile_q=16"}, "no parameter 'tile_q'"},
      {{"--ban", "tile_q=17"}, "no parameter 'tile_q'"},
      {{"--resume", "soon"}, "--resume"},
  };
  for (const auto& each : cases) {
    const Outcome outcome =
        sandbox.run(with({"tune", "qwen2-7b", "--workload", "chat"}, each.options));
    EXPECT_EQ(outcome.status, 2) << outcome.err;
    EXPECT_NE(outcome.err.find(each.says), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.err.find("serving"), std::string::npos) << outcome.err;
  }
  EXPECT_EQ(sandbox.run({"query", "runs", "--csv"}).out.find("tune"), std::string::npos);
}

TEST(TuneArguments, ARangeOfOneIsOneProblemAndAnOpenOneIsRefused) {
  Sandbox sandbox;
  const auto run = [&](const std::string& m) {
    return sandbox.run({"tune", "gemm", "--shape", "m=" + m + ",n=64,k=64", "--json", "--quiet",
                        "--budget", "evaluations=2"});
  };
  const auto one = nlohmann::json::parse(run("7").out);
  for (const char* m : {"7..7", "7|7"}) {
    const auto same = nlohmann::json::parse(run(m).out);
    EXPECT_EQ(same["target"], one["target"]);
    EXPECT_EQ(same["winners"][0]["config"], one["winners"][0]["config"]);
    EXPECT_TRUE(same["families"].empty());
  }
  EXPECT_NE(run("1..").err.find("m=1.. is a range without an end: give both, such as m=1..4096"),
            std::string::npos)
      << run("1..").err;
  EXPECT_NE(run("..9").err.find("without a start"), std::string::npos);
  EXPECT_EQ(run("9..7").status, 2);
}

class TuneProcesses : public testing::Test {
 protected:
  TuneProcesses() {
    sandbox_.environment["TILEWRIGHT_DB"] = sandbox_.path("a.db");
    sandbox_.file("time.sh", "[ -e fast ] || exec sleep 30\necho 5\n");
  }

  /// Begins a session whose first config takes long, and waits until its run is there.
  pid_t start_slow(int64_t run) {
    const pid_t process = sandbox_.start(kSlow);
    for (int tries = 0; tries < 1000; ++tries) {
      ::usleep(10'000);
      try {
        Store store = Store::open(sandbox_.path("a.db"), OpenMode::kReadOnly);
        store.load_run(run);
        return process;
      } catch (const Error&) {
        continue;
      }
    }
    ADD_FAILURE() << "the session does not begin";
    return process;
  }

  void kill(pid_t process) {
    ::kill(process, SIGKILL);
    sandbox_.wait(process);
  }

  std::string statuses() { return sandbox_.run({"query", "runs", "--csv"}).out; }

  Sandbox sandbox_;
  const std::vector<std::string> kSlow = {
      "tune",          "gemm",          "--shape", "m=64,n=64,k=64", "--budget",
      "evaluations=2", "--repetitions", "1",       "--evaluator",    "cmd /bin/sh time.sh"};
};

TEST_F(TuneProcesses, ARunOfALivingProcessIsLeftAloneAndADeadOneIsGoneOnWith) {
  const pid_t first = start_slow(1);
  EXPECT_NE(statuses().find("epilogue=none,running,"), std::string::npos) << statuses();
  const Outcome busy = sandbox_.run(with(kSlow, {"--resume", "latest"}));
  EXPECT_EQ(busy.status, 3) << busy.err;
  const std::string who = "run 1, which process " + std::to_string(first) + " (`";
  EXPECT_NE(busy.err.find("before, but for " + who), std::string::npos) << busy.err;
  const Outcome named = sandbox_.run(with(kSlow, {"--resume", "1"}));
  EXPECT_EQ(named.status, 1);
  EXPECT_NE(named.err.find("cannot go on with " + who), std::string::npos) << named.err;

  const pid_t second = start_slow(2);
  kill(first);
  EXPECT_NE(statuses().find("epilogue=none,gone,"), std::string::npos) << statuses();
  sandbox_.file("fast", "");
  const Outcome resumed = sandbox_.run(with(kSlow, {"--resume", "latest"}));
  EXPECT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("going on with run 1 of "), std::string::npos) << resumed.err;
  EXPECT_NE(resumed.err.find("whose process is gone"), std::string::npos) << resumed.err;
  kill(second);
  EXPECT_NE(statuses().find("epilogue=none,done,"), std::string::npos) << statuses();
}

TEST_F(TuneProcesses, AnInterruptBeforeTheFirstResultPrintsNoTable) {
  const pid_t process = start_slow(1);
  ::kill(process, SIGINT);
  const Outcome outcome = sandbox_.wait(process);
  EXPECT_EQ(outcome.status, 130) << outcome.err;
  EXPECT_NE(outcome.out.find("run 1: 1 problem, 0 evaluations"), std::string::npos) << outcome.out;
  EXPECT_EQ(outcome.out.find("untuned"), std::string::npos) << outcome.out;
}

TEST(TuneFidelity, WhatCannotBeComposedIsTimedInDetail) {
  Sandbox sandbox;
  const Outcome outcome = sandbox.run({"tune", "gemm", "--shape", "m=64,n=64,k=256", "--quiet",
                                       "--fidelity", "composed", "--strategy", "exhaustive",
                                       "--pin", "tile_m=16,tile_n=16", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto document = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(document["failures"], 0);
  EXPECT_GT(document["evaluations"], 10);
}

TEST(TuneTimeouts, AreTriedAgainWithALongerLimitOnly) {
  Sandbox sandbox;
  sandbox.file("time.sh", "[ -e fast ] || exec sleep 30\necho 5\n");
  const auto tune = [&](const std::string& limit) {
    const Outcome outcome = sandbox.run(
        {"tune", "gemm", "--shape", "m=64,n=64,k=64", "--budget", "evaluations=2", "--repetitions",
         "1", "--evaluator", "cmd /bin/sh time.sh", "--eval-timeout", limit, "--json", "--quiet"});
    return outcome.status == 0 ? nlohmann::json::parse(outcome.out) : nlohmann::json();
  };
  EXPECT_TRUE(tune("0.1").is_null());
  sandbox.file("fast", "");
  EXPECT_TRUE(tune("0.1").is_null()) << "known to take longer";
  const auto longer = tune("20");
  EXPECT_EQ(longer["evaluations"], 2);
  EXPECT_EQ(longer["best_us"], 5);
  EXPECT_EQ(tune("0.05")["evaluations"], 0);
}

TEST(TuneReport, ADefaultThatFailsHasNoTimeAndNoGain) {
  Sandbox sandbox;
  sandbox.environment["TILEWRIGHT_DB"] = sandbox.path("a.db");
  sandbox.file("time.sh", "[ -e seen ] && echo 5 && exit 0\ntouch seen\nexit 1\n");
  const std::vector<std::string> arguments = {"tune",
                                              "gemm",
                                              "--shape",
                                              "m=64,n=64,k=64",
                                              "--quiet",
                                              "--budget",
                                              "evaluations=4",
                                              "--jobs",
                                              "1",
                                              "--evaluator",
                                              "cmd /bin/sh time.sh",
                                              "--repetitions",
                                              "1"};
  const Outcome text = sandbox.run(arguments);
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_NE(text.out.find("untuned failed, tuned 5"), std::string::npos) << text.out;
  const Outcome json = sandbox.run(with(arguments, {"--json"}));
  const auto document = nlohmann::json::parse(json.out);
  EXPECT_EQ(document["best_us"], 5);
  for (const char* key : {"baseline_us", "gain", "gain_percent"}) {
    EXPECT_TRUE(document[key].is_null()) << key;
  }
  EXPECT_TRUE(document["winners"][0]["baseline_us"].is_null());
  EXPECT_TRUE(document["winners"][0]["gain"].is_null());
  EXPECT_EQ(sandbox.run({"report", "1"}).status, 0);
}

}  // namespace
}  // namespace tilewright
