// The main job through the real binary: tune a model for its traffic, export the plan, replay with
// and without it.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "tests/app/program.h"

namespace tilewright {
namespace {

using Arguments = std::vector<std::string>;
using Json = nlohmann::json;

Arguments operator+(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// A sandbox with a small model, tuned for five requests.
class MainJob : public testing::Test {
 protected:
  void SetUp() override { sandbox_.file("config.json", kSmallModel); }

  Json json_of(const Arguments& tokens, int status = 0) {
    const Outcome outcome = sandbox_.run(tokens + Arguments{"--json", "-q"});
    EXPECT_EQ(outcome.status, status) << outcome.err;
    return Json::parse(outcome.out, nullptr, false);
  }

  Json tune(const Arguments& more = {}) {
    return json_of(Arguments{"tune", "config.json", "--budget", "evaluations=3"} + serving_ + more);
  }

  void tune_and_export() {
    tune();
    ASSERT_EQ(sandbox_.run({"export", "-o", "plan.json", "-q"}).status, 0);
  }

  Sandbox sandbox_;
  const Arguments serving_ = {"--workload", "chat", "--limit", "5", "--max-num-batched-tokens",
                              "128"};
};

TEST_F(MainJob, TuningFindsAWinnerForEveryProblem) {
  const Json json = tune();
  EXPECT_GE(json["problems"], 5);
  EXPECT_EQ(json["winners"].size(), json["problems"]);
  EXPECT_GT(json["evaluations"], 0);
  EXPECT_GE(json["gain"], 1);
  EXPECT_NEAR(json["gain"].get<double>(),
              json["baseline_us"].get<double>() / json["best_us"].get<double>(), 1e-9);
  double best_us = 0;
  for (const Json& winner : json["winners"]) {
    EXPECT_FALSE(winner["ops"].empty());
    EXPECT_GT(winner["calls"], 0);
    best_us += winner["calls"].get<double>() * winner["time_us"].get<double>();
  }
  EXPECT_NEAR(json["best_us"].get<double>(), best_us, 1e-6 * best_us);
}

TEST_F(MainJob, TuningAgainMeasuresNothingNew) {
  const Json first = tune();
  const Json second = tune();
  EXPECT_EQ(second["evaluations"], 0);
  EXPECT_EQ(second["cache_hits"], first["evaluations"].get<int>() + first["cache_hits"].get<int>());
  EXPECT_EQ(second["winners"], first["winners"]);
  EXPECT_EQ(second["best_us"], first["best_us"]);
}

TEST_F(MainJob, TuningIsTheSameForAnyNumberOfJobs) {
  const Json one = tune({"--jobs", "1", "--db", "one.db"});
  const Json four = tune({"--jobs", "4", "--db", "four.db"});
  EXPECT_EQ(without_wall_times(one.dump()), without_wall_times(four.dump()));
}

TEST_F(MainJob, ReplayComparesThePlanWithNone) {
  tune_and_export();
  const Json json = json_of(Arguments{"replay", "config.json", "--plan", "plan.json", "--compare",
                                      "none", "--slo", "ttft=1s,tpot=100ms"} +
                            serving_);
  ASSERT_EQ(json["runs"].size(), 2u);
  EXPECT_EQ(json["runs"][0]["label"], "plan.json");
  EXPECT_EQ(json["runs"][1]["label"], "none");
  EXPECT_TRUE(json["runs"][1]["plan"].is_null());
  for (const Json& run : json["runs"]) {
    for (const char* key :
         {"schema", "completed", "total_input_tokens", "total_output_tokens", "request_throughput",
          "request_goodput", "output_throughput", "total_token_throughput", "mean_ttft_ms",
          "median_ttft_ms", "p99_ttft_ms", "mean_tpot_ms", "p99_tpot_ms", "mean_itl_ms",
          "mean_e2el_ms", "steps", "simulated_seconds", "wall_seconds", "by_op"}) {
      EXPECT_TRUE(run.contains(key)) << key;
    }
    EXPECT_EQ(run["completed"], 5);
    double share = 0;
    for (const Json& op : run["by_op"]) share += op["share"].get<double>();
    const double waits = run["idle_us"].get<double>() / run["device_us"].get<double>();
    EXPECT_NEAR(share + waits, 1, 1e-9);
  }
  EXPECT_TRUE(json["gain"].contains("mean_ttft_ms"));
  EXPECT_NEAR(
      json["gain"]["mean_tpot_ms"].get<double>(),
      json["runs"][1]["mean_tpot_ms"].get<double>() / json["runs"][0]["mean_tpot_ms"].get<double>(),
      1e-9);
}

TEST_F(MainJob, FusedLaunchesAreTunedExportedAndUsed) {
  const Json json = tune({"--for", "gemm,fusion"});
  EXPECT_GT(json["fused"]["problems"], 0);
  ASSERT_GT(json["fused"]["faster"], 0);
  ASSERT_EQ(sandbox_.run({"export", "-o", "plan.json", "-q"}).status, 0);
  const Json plan = Json::parse(read_file(sandbox_.path("plan.json")));
  ASSERT_FALSE(plan["fusion"].empty());
  const std::string fused = plan["fusion"][0]["ops"];
  Json apart = plan;
  apart.erase("fusion");
  sandbox_.file("apart.json", apart.dump());
  const Json both =
      json_of(Arguments{"replay", "config.json", "--plan", "plan.json", "--compare", "apart.json"} +
              serving_);
  const auto has_fused = [&](const Json& run) {
    return std::ranges::any_of(run["by_op"], [&](const Json& op) { return op["op"] == fused; });
  };
  EXPECT_TRUE(has_fused(both["runs"][0]));
  EXPECT_FALSE(has_fused(both["runs"][1]));
  EXPECT_LE(both["runs"][0]["device_us"], both["runs"][1]["device_us"]);
}

TEST_F(MainJob, ReplayIsTheSameForAnyNumberOfJobs) {
  tune_and_export();
  const Arguments tokens =
      Arguments{"replay", "config.json", "--plan", "plan.json", "--compare", "none"} + serving_;
  EXPECT_EQ(without_wall_times(json_of(tokens + Arguments{"--jobs", "1"}).dump()),
            without_wall_times(json_of(tokens + Arguments{"--jobs", "2"}).dump()));
}

TEST_F(MainJob, TextTellsTheComparison) {
  tune_and_export();
  const Outcome outcome = sandbox_.run(
      Arguments{"replay", "config.json", "--plan", "plan.json", "--compare", "none"} + serving_);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  for (const char* part : {"plan plan.json", "without plan", "TTFT mean / p50 / p99", "TPOT", "ITL",
                           "time by op", "gate_up", "gain of plan.json over no plan"}) {
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part << "\n" << outcome.out;
  }
}

TEST_F(MainJob, EverythingIsKeptAndCanBeAsked) {
  tune_and_export();
  json_of(Arguments{"replay", "config.json", "--plan", "plan.json"} + serving_);
  const Json runs = json_of({"query", "SELECT kind, status FROM runs ORDER BY id"});
  EXPECT_EQ(runs["rows"], Json::parse(R"([{"kind": "tune", "status": "done"},
                                          {"kind": "serve", "status": "done"}])"));
  const Json winners = json_of({"query", "winners"});
  EXPECT_GE(winners["rows"].size(), 5u);
}

TEST_F(MainJob, ExportGivesTheSameBytesEachTime) {
  tune_and_export();
  const std::string first = sandbox_.read("plan.json");
  EXPECT_EQ(sandbox_.run({"export", "-o", "-", "-q"}).out, first);
  EXPECT_EQ(Json::parse(first)["machine"]["name"], "ascend-910b2");
}

TEST_F(MainJob, APlanOfAnotherMachineNeedsForce) {
  tune_and_export();
  const Arguments tokens =
      Arguments{"replay", "config.json", "--plan", "plan.json", "--machine", "ascend-910b1", "-q"} +
      serving_;
  const Outcome refused = sandbox_.run(tokens);
  EXPECT_EQ(refused.status, 4);
  EXPECT_EQ(refused.out, "");
  const auto fingerprint = [&](const char* machine) {
    const Json list = json_of({"machine", "diff", machine, machine});
    return list["machines"][0]["fingerprint"].get<std::string>();
  };
  EXPECT_NE(refused.err.find(fingerprint("ascend-910b2")), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find(fingerprint("ascend-910b1")), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("--force"), std::string::npos) << refused.err;
  EXPECT_EQ(sandbox_.run(tokens + Arguments{"--force"}).status, 0);
}

TEST_F(MainJob, DamagedPlansAreRefusedWithTheirPlace) {
  tune_and_export();
  std::string plan = sandbox_.read("plan.json");
  const auto replay = [&](const std::string& text) {
    sandbox_.file("bad.json", text);
    return sandbox_.run(Arguments{"replay", "config.json", "--plan", "bad.json", "-q"} + serving_);
  };
  for (const std::string& text :
       {plan.substr(0, plan.size() / 2), std::string("{}"), std::string()}) {
    const Outcome outcome = replay(text);
    EXPECT_EQ(outcome.status, 1) << outcome.err;
    EXPECT_NE(outcome.err.find("bad.json"), std::string::npos) << outcome.err;
  }
  const size_t tile = plan.find("tile_m=") + 7;
  plan[tile] = '7';  // no legal tile begins so
  const Outcome outcome = replay(plan);
  EXPECT_NE(outcome.status, 0);
  EXPECT_LE(outcome.status, 5) << outcome.err;
  EXPECT_NE(outcome.err.find("bad.json"), std::string::npos) << outcome.err;
}

TEST_F(MainJob, ResultsOfOlderKernelsAreNotExportedSilently) {
  tune();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(sandbox_.path("results.db").c_str(), &database), SQLITE_OK);
  ASSERT_EQ(
      sqlite3_exec(database, "UPDATE winner SET kernel_revision = 0", nullptr, nullptr, nullptr),
      SQLITE_OK);
  sqlite3_close(database);
  const Outcome refused = sandbox_.run({"export", "-o", "plan.json"});
  EXPECT_EQ(refused.status, 4) << refused.err;
  EXPECT_NE(refused.err.find("out of date"), std::string::npos) << refused.err;
  EXPECT_EQ(sandbox_.run({"export", "-o", "plan.json", "--force"}).status, 0);
  EXPECT_EQ(
      sandbox_.run(Arguments{"replay", "config.json", "--plan", "plan.json"} + serving_).status, 4);
}

TEST_F(MainJob, MergedResultsAreFoundAgain) {
  tune({"--db", "other.db"});
  ASSERT_EQ(sandbox_.run({"db", "merge", "other.db"}).status, 0);
  EXPECT_EQ(tune()["evaluations"], 0);
}

/// Measurements in a database that another process writes; -1 until it is there.
int64_t count_measurements(const std::string& path) {
  sqlite3* database = nullptr;
  int64_t count = -1;
  if (sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK) {
    sqlite3_busy_timeout(database, 1000);
    sqlite3_exec(
        database, "SELECT count(*) FROM measurement",
        [](void* out, int, char** values, char**) {
          *static_cast<int64_t*>(out) = std::atoll(values[0]);
          return 0;
        },
        &count, nullptr);
  }
  sqlite3_close(database);
  return count;
}

TEST_F(MainJob, TheWholeSpaceIsSearchedWhenAskedFor) {
  const auto evaluations = [&](const char* within) {
    const Json json = json_of({"tune", "gemm", "--shape", "m=32,n=64,k=64", "--strategy",
                               "exhaustive", "--budget", "evaluations=100000", "--within", within,
                               "--db", std::string("within") + within});
    return json["evaluations"].get<int64_t>();
  };
  const Json kernel = json_of({"kernel", "show", "gemm", "--shape", "m=32,n=64,k=64"});
  EXPECT_EQ(evaluations("0"), kernel["legal_configs"]);
  EXPECT_LT(evaluations("1.1"), kernel["legal_configs"]);
}

TEST_F(MainJob, AnInterruptKeepsWhatWasMeasured) {
  const Arguments tokens = {"tune",       "gemm",   "--shape",    "m=512,n=2048,k=2048",
                            "--strategy", "random", "--budget",   "evaluations=100000",
                            "--within",   "0",      "--fidelity", "detailed",
                            "--json"};
  for (const int signal : {SIGINT, SIGTERM}) {
    const int64_t before = std::max<int64_t>(0, count_measurements(sandbox_.path("results.db")));
    const pid_t process = sandbox_.start(tokens);
    for (int i = 0; i < 5000; ++i) {
      if (count_measurements(sandbox_.path("results.db")) > before + 5) break;
      ::usleep(2000);  // polls another process; what is waited for is checked below
    }
    ::kill(process, signal);
    const Outcome outcome = sandbox_.wait(process);
    EXPECT_EQ(outcome.status, 130) << outcome.err;
    const Json json = Json::parse(outcome.out, nullptr, false);
    ASSERT_TRUE(json.is_object()) << outcome.out;
    EXPECT_TRUE(json["interrupted"]);
    EXPECT_EQ(json["cache_hits"], before);
    EXPECT_GT(json["evaluations"], 5);
    EXPECT_EQ(count_measurements(sandbox_.path("results.db")),
              before + json["evaluations"].get<int64_t>());
    EXPECT_EQ(json["winners"].size(), 1u);
    EXPECT_NE(outcome.err.find("interrupted"), std::string::npos);
  }
  const Json runs = json_of({"query", "SELECT DISTINCT status FROM runs"});
  EXPECT_EQ(runs["rows"], Json::parse(R"([{"status": "interrupted"}])"));
}

/// Whether a process has come so far as to handle a signal by a function of its own.
bool catches(pid_t process, int signal) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  const std::string key = "SigCgt:";
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(key)) continue;
    return (std::stoull(line.substr(key.size()), nullptr, 16) >> (signal - 1)) % 2 == 1;
  }
  return false;
}

/// Sends `signal` once the process has had time to begin.
Outcome interrupted_run(Sandbox& sandbox, const Arguments& tokens, int signal) {
  const pid_t process = sandbox.start(tokens);
  for (int i = 0; i < 1'000 && !catches(process, signal); ++i) ::usleep(10'000);
  ::usleep(200'000);
  ::kill(process, signal);
  return sandbox.wait(process);
}

TEST_F(MainJob, LongQueriesAndSimulationsCanBeInterrupted) {
  ASSERT_EQ(sandbox_.run({"run", "gemm", "--shape", "m=64,n=64,k=64"}).status, 0);
  const Arguments commands[] = {
      {"query",
       "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"},
      {"run", "gemm", "--shape", "m=16384,n=16384,k=16384", "--config", "tile_m=16,tile_n=16"},
      {"run", "attention", "--shape", "tokens=4096,heads=8", "--check"},
  };
  for (const Arguments& tokens : commands) {
    for (const int signal : {SIGINT, SIGTERM}) {
      const Outcome outcome = interrupted_run(sandbox_, tokens, signal);
      EXPECT_EQ(outcome.status, 130) << tokens[0];
      EXPECT_EQ(outcome.out, "");
      EXPECT_NE(outcome.err.find("tilewright: interrupted\n"), std::string::npos) << outcome.err;
    }
  }
}

TEST_F(MainJob, CountingALargeSpaceCanBeInterrupted) {
  // 4.1 x 10^9 combinations, which take many seconds.
  sandbox_.file("large.t1.json", R"json({"ConfigurationSpace": {
      "TuningParameters": [{"Name": "a", "Type": "int", "Values": "list(range(1, 1601))"},
                           {"Name": "b", "Type": "int", "Values": "list(range(1, 1601))"},
                           {"Name": "c", "Type": "int", "Values": "list(range(1, 1601))"}],
      "Conditions": [{"Expression": "a * b * c % 9973 == 7", "Parameters": ["a", "b", "c"]}]},
    "KernelSpecification": {"KernelName": "k", "ProblemSize": [1]}})json");
  Arguments tokens = {"tune", "large.t1.json", "--evaluator", "cmd echo 1"};
  for (const int signal : {SIGINT, SIGTERM}) {
    const Outcome outcome = interrupted_run(sandbox_, tokens, signal);
    EXPECT_EQ(outcome.status, 130) << outcome.err;
    EXPECT_NE(outcome.err.find("interrupted before the tuning began"), std::string::npos)
        << outcome.err;
  }
  tokens.emplace_back("--dry-run");
  const Outcome forecast = interrupted_run(sandbox_, tokens, SIGINT);
  EXPECT_EQ(forecast.status, 130) << forecast.err;
}

TEST_F(MainJob, AModelAndItsDraftModelShareTheMemory) {
  sandbox_.file("config.json", kSmallModel);
  Arguments tokens = {"replay",  "config.json", "--workload",  "chat",
                      "--limit", "3",           "--speculate", "model:2,name=config.json,length=2"};
  const Outcome full = sandbox_.run(tokens);
  EXPECT_EQ(full.status, 5);
  EXPECT_NE(full.err.find("give --kv-blocks"), std::string::npos) << full.err;
  tokens.insert(tokens.end(), {"--kv-blocks", "100", "--json"});
  const Outcome outcome = sandbox_.run(tokens);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(Json::parse(outcome.out)["completed"], 3);
}

TEST_F(MainJob, RejectedRequestsAreWarnedOf) {
  sandbox_.file("config.json", kSmallModel);
  const Outcome outcome = sandbox_.run(
      {"replay", "config.json", "--workload", "chat", "--limit", "5", "--max-model-len", "2"});
  EXPECT_EQ(outcome.status, 5);  // nothing was served
  EXPECT_NE(outcome.err.find("5 of 5 requests were rejected"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("the max_model_len"), std::string::npos) << outcome.err;
  const size_t ttft = outcome.out.find("TTFT");
  ASSERT_NE(ttft, std::string::npos);
  EXPECT_EQ(outcome.out.substr(ttft, outcome.out.find('\n', ttft) - ttft).find("0.00"),
            std::string::npos)
      << outcome.out;
}

TEST_F(MainJob, ExhaustiveWithoutABudgetTriesEverything) {
  const Arguments tokens = {"tune",       "gemm",       "--shape",  "m=128,n=128,k=128",
                            "--strategy", "exhaustive", "--within", "0"};
  const Json kernel = json_of({"kernel", "show", "gemm", "--shape", "m=128,n=128,k=128"});
  ASSERT_GT(kernel["legal_configs"], 200);
  const Outcome cut = sandbox_.run(tokens + Arguments{"--budget", "evaluations=7"});
  EXPECT_NE(cut.out.find("7 of "), std::string::npos) << cut.out;
  EXPECT_NE(cut.out.find(" legal configs tried"), std::string::npos) << cut.out;
  const Json all = json_of(tokens);
  EXPECT_EQ(all["evaluations"].get<int64_t>() + all["cache_hits"].get<int64_t>(),
            kernel["legal_configs"]);
}

TEST_F(MainJob, SlowTheDefaultModelGainsFromItsPlan) {
  const Arguments serving = {"--workload", "chat", "--limit", "5"};
  const Json tuned = json_of(Arguments{"tune", "qwen2-7b", "--budget", "evaluations=9"} + serving);
  EXPECT_GT(tuned["gain"], 1);
  ASSERT_EQ(sandbox_.run({"export", "-o", "plan.json", "-q"}).status, 0);
  const Json json = json_of(
      Arguments{"replay", "qwen2-7b", "--plan", "plan.json", "--compare", "none"} + serving);
  EXPECT_GT(json["gain"]["mean_ttft_ms"], 1.01);
  EXPECT_GE(json["gain"]["mean_tpot_ms"], 1);
}

}  // namespace
}  // namespace tilewright
