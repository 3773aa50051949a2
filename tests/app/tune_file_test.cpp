// `tilewright tune FILE`: problems and tables of other tools, and tables as evaluators.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "db/store.h"
#include "tests/app/program.h"
#include "tests/packed.h"

namespace tilewright {
namespace {

using Json = nlohmann::json;

/// 22 legal configs; the fastest is MWG=64, scale=2.5, mode "col a".
const std::string kProblem = R"json({
  "General": {"BenchmarkName": "conv"},
  "ConfigurationSpace": {
    "TuningParameters": [
      {"Name": "MWG", "Type": "int", "Values": "[16,32,64,128]", "Default": 32},
      {"Name": "scale", "Type": "float", "Values": "[0.5,1.0,2.5]", "Default": 1.0},
      {"Name": "mode", "Type": "string", "Values": "['row','col a']", "Default": "row"}],
    "Conditions": [{"Expression": "MWG * scale <= 200", "Parameters": ["MWG", "scale"]}]},
  "KernelSpecification": {"KernelName": "Conv2D", "ProblemSize": [64, 32]}})json";

/// Prints a time; fails to give a right result for three of the configs.
const std::string kProgram =
    "if [ \"$3\" = 'col a' ] && [ \"$1\" = 16 ]; then exit 4; fi\n"
    "exec awk -v m=\"$1\" -v s=\"$2\" -v o=\"$3\" 'BEGIN { d = m > 64 ? m - 64 : 64 - m\n"
    "  print 10 + d + (2.5 - s) * 5 + (o == \"row\" ? 1 : 0) }'\n";

const std::string kCommand = "cmd /bin/sh time.sh {MWG} {scale} {mode}";

const std::string kCache =
    R"({"device_name": "A4000", "kernel_name": "conv", "problem_size": [64, 32],
 "tune_params_keys": ["MWG", "mode"],
 "tune_params": {"MWG": [16, 32, 64], "mode": ["row", "col"]},
 "cache": {
  "16,row": {"MWG": 16, "mode": "row", "time": 0.5},
  "16,col": {"MWG": 16, "mode": "col", "time": "CompilationFailedConfig"},
  "32,row": {"MWG": 32, "mode": "row", "time": 0.25},
  "64,col": {"MWG": 64, "mode": "col", "time": 0.125}}})";

class TuneFile : public testing::Test {
 protected:
  TuneFile() {
    sandbox_.file("conv.json", kProblem);
    sandbox_.file("time.sh", kProgram);
    sandbox_.file("cache.json", kCache);
  }

  Json json_of(std::vector<std::string> arguments) {
    arguments.push_back("--json");
    const Outcome outcome = sandbox_.run(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return Json::parse(outcome.out, nullptr, false);
  }

  Json tune_by_command(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"tune",   "conv.json",     "--evaluator",
                                          kCommand, "--repetitions", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return json_of(arguments);
  }

  Sandbox sandbox_;
};

TEST_F(TuneFile, CommandTimesAT1ProblemAndItsFailuresAreKept) {
  const Json json = tune_by_command();
  EXPECT_EQ(json["target"], "conv2d x=64 y=32 epilogue=none");
  EXPECT_EQ(json["evaluations"], 22);
  EXPECT_EQ(json["failures"], 3);
  EXPECT_EQ(json["baseline_us"], 50.5);  // of the defaults
  const Json& winner = json["winners"][0];
  EXPECT_EQ(winner["config"], Json({{"MWG", 64}, {"scale", "2.5"}, {"mode", "col a"}}));
  EXPECT_EQ(winner["time_us"], 10);
  const Outcome failed = sandbox_.run({"query", "failed"});
  EXPECT_NE(failed.out.find("wrong_result"), std::string::npos) << failed.out;
  // Nothing is left to tune of it.
  EXPECT_EQ(sandbox_.run({"query", "coverage"}).out.find("conv2d"), std::string::npos);
}

TEST_F(TuneFile, CommandWithPlaceholdersNeedsNoWordBeforeIt) {
  EXPECT_EQ(tune_by_command()["evaluations"], 22);
  const std::string bare = kCommand.substr(kCommand.find('/'));
  const Json again = json_of({"tune", "conv.json", "--evaluator", bare, "--repetitions", "1"});
  EXPECT_EQ(again["evaluations"], 0);
  EXPECT_EQ(again["winners"][0]["time_us"], 10);
}

TEST_F(TuneFile, WhatIsNoEvaluatorIsRefusedWithWhatThereIs) {
  const struct {
    const char* evaluator;
    const char* says;
  } cases[] = {
      {"simm", "did you mean 'sim'?"},          {"tabel:cache.json", "did you mean 'table'?"},
      {"/bin/sh time.sh", "'cmd PROGRAM ...'"}, {"/bin/sh {{MWG}}", "'./bench {tile_m} {tile_n}'"},
      {"/bin/sh {MGW}", "did you mean 'MWG'?"}, {"", "is unknown"},
      {"cmd", "'cmd' is unknown (it is"},       {"table:", "names no file"},
  };
  for (const auto& each : cases) {
    const Outcome outcome = sandbox_.run({"tune", "conv.json", "--evaluator", each.evaluator});
    EXPECT_EQ(outcome.status, 2) << outcome.err;
    EXPECT_NE(outcome.err.find(each.says), std::string::npos) << outcome.err;
  }
  const Outcome repeated =
      sandbox_.run({"tune", "conv.json", "--evaluator", "/bin/echo", "--repetitions", "1..1"});
  EXPECT_EQ(repeated.status, 2);
  EXPECT_NE(repeated.err.find("'cmd PROGRAM ...'"), std::string::npos) << repeated.err;
}

TEST_F(TuneFile, IsResumedWithALargerBudgetAndAnotherSpace) {
  const Json first = tune_by_command({"--budget", "evaluations=8", "--strategy", "random"});
  EXPECT_EQ(first["evaluations"], 8);
  const Json more = tune_by_command({"--resume", "latest", "--strategy", "exhaustive"});
  EXPECT_EQ(more["session"], first["session"]);
  EXPECT_EQ(more["replayed"], 8);
  EXPECT_EQ(more["evaluations"], 14);
  const Json pinned = tune_by_command({"--resume", "latest", "--pin", "mode=row,scale=2.5"});
  EXPECT_EQ(pinned["evaluations"], 0);
  EXPECT_EQ(pinned["winners"][0]["time_us"], 11);
}

TEST_F(TuneFile, AnEmptyTextIsAValueWhereverConfigsAreRead) {
  sandbox_.file("empty.json", R"json({
    "General": {"BenchmarkName": "scan"},
    "ConfigurationSpace": {"TuningParameters": [
      {"Name": "flag", "Type": "string", "Values": "['','-O2']", "Default": ""},
      {"Name": "n", "Type": "int", "Values": "[1,2,3]", "Default": 2}], "Conditions": []},
    "KernelSpecification": {"KernelName": "scan"}})json");
  sandbox_.file("print.sh", "if [ \"$2\" = '' ]; then echo \"$1\"; else echo 9; fi\n");
  const auto tune = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"tune", "empty.json",  "--repetitions",
                                          "1",    "--evaluator", "cmd /bin/sh print.sh {n} {flag}"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return json_of(arguments);
  };
  EXPECT_EQ(tune({"--budget", "evaluations=2"})["baseline_us"], 2);
  const Json all = tune({"--resume", "latest"});
  EXPECT_EQ(all["replayed"], 2);
  EXPECT_EQ(all["winners"][0]["config"], Json({{"flag", ""}, {"n", 1}}));
  EXPECT_EQ(tune({"--resume", "latest", "--pin", "flag=,n=3"})["winners"][0]["time_us"], 3);
  EXPECT_EQ(tune({"--resume", "latest", "--ban", "flag="})["winners"][0]["time_us"], 9);
  const Outcome check = sandbox_.run({"db", "check"});
  EXPECT_EQ(check.status, 0) << check.out;
  ASSERT_EQ(sandbox_.run({"export", "1", "--format", "csv", "-o", "back.csv"}).status, 0);
  const Json back = json_of({"tune", "back.csv"});
  EXPECT_EQ(back["winners"][0]["config"], Json({{"flag", ""}, {"n", 1}}));
}

TEST_F(TuneFile, AResumedRunKeepsTheCountsOfAllItsParts) {
  tune_by_command({"--budget", "evaluations=8", "--strategy", "random"});
  const Json part = tune_by_command({"--resume", "latest", "--strategy", "exhaustive"});
  EXPECT_EQ(part["evaluations"], 14);
  const auto expect_whole = [&] {
    Store store = Store::open(sandbox_.environment["TILEWRIGHT_DB"], OpenMode::kReadOnly);
    const Json kept = Json::parse(store.load_run(1).result);
    EXPECT_EQ(kept["evaluations"], 22);
    EXPECT_EQ(kept["cache_hits"], 0);
    EXPECT_EQ(kept["failures"], 3);
    EXPECT_GT(kept["wall_ms"], part["wall_ms"].get<double>() / 2);
    EXPECT_EQ(store.load_winners(1).at(0).evaluations, 22);
    EXPECT_EQ(store.load_winners(1).at(0).cache_hits, 0);
  };
  expect_whole();
  // What it tried counts, also what is in its space no longer.
  tune_by_command({"--resume", "latest", "--pin", "mode=row,scale=2.5"});
  expect_whole();
}

TEST_F(TuneFile, IsResumedForTheDeviceThatItIsTunedFor) {
  const std::vector<std::string> device = {"--device", "my GPU", "--strategy", "random"};
  std::vector<std::string> begin = device;
  begin.insert(begin.end(), {"--budget", "evaluations=8"});
  std::vector<std::string> go_on = device;
  go_on.insert(go_on.end(), {"--resume", "latest"});
  const Json first = tune_by_command(begin);
  const Json more = tune_by_command(go_on);
  EXPECT_EQ(more["session"], first["session"]);
  EXPECT_EQ(more["replayed"], 8);
  EXPECT_EQ(more["machine"], first["machine"]);
  const Outcome other = sandbox_.run(
      {"tune", "conv.json", "--evaluator", kCommand, "--device", "another", "--resume", "1"});
  EXPECT_EQ(other.status, 2);
  EXPECT_NE(other.err.find("of the machine my GPU ("), std::string::npos) << other.err;
  EXPECT_NE(other.err.find("not of another ("), std::string::npos) << other.err;

  const Json table = json_of({"tune", "cache.json", "--budget", "evaluations=2"});
  const Json again = json_of({"tune", "cache.json", "--resume", "latest"});
  EXPECT_EQ(again["session"], table["session"]);
  EXPECT_EQ(again["replayed"], 2);
  EXPECT_EQ(again["evaluations"], 2);
}

TEST_F(TuneFile, NoisyTimesKeepTheirSpreadThroughT4) {
  ASSERT_EQ(sandbox_
                .run({"tune", "conv.json", "--evaluator", "cmd echo 10 11 12 14", "--repetitions",
                      "4", "--budget", "evaluations=3"})
                .status,
            0);
  ASSERT_EQ(sandbox_.run({"export", "--format", "t4", "-o", "t4.json"}).status, 0);
  ASSERT_EQ(sandbox_.run({"import", "t4.json"}).status, 0);
  const Outcome spreads =
      sandbox_.run({"query",
                    "SELECT evaluator LIKE 'cmd%' AS ours, count(*), min(spread_us) > 0, "
                    "(SELECT count(DISTINCT spread_us) FROM measurements), "
                    "(SELECT count(DISTINCT time_us) FROM measurements) "
                    "FROM measurements GROUP BY ours",
                    "--csv"});
  EXPECT_EQ(spreads.out.substr(spreads.out.find('\n') + 1), "0,3,1,1,1\n1,3,1,1,1\n")
      << spreads.out << spreads.err;
}

TEST_F(TuneFile, ExportOfAPlanSaysWhatNoPlanCanHold) {
  tune_by_command({"--budget", "evaluations=2"});
  const Outcome plan = sandbox_.run({"export", "-o", "-"});
  EXPECT_NE(plan.status, 0);
  EXPECT_NE(plan.err.find("a plan holds problems sized by m, n and k"), std::string::npos)
      << plan.err;
  EXPECT_EQ(plan.err.find("out of date"), std::string::npos) << plan.err;
}

TEST_F(TuneFile, WhereNothingWorksTheFirstReasonStandsForAll) {
  const auto told = [&](const std::string& budget) {
    const Outcome outcome = sandbox_.run(
        {"tune", "conv.json", "--evaluator", "cmd echo nan", "--budget", "evaluations=" + budget});
    EXPECT_EQ(outcome.status, 5);
    return outcome.err;
  };
  EXPECT_NE(
      told("3").find("none of the 3 configs tried works; the first failed with: the command "),
      std::string::npos)
      << told("3");
  EXPECT_NE(told("1").find("the one config tried does not work: the command "), std::string::npos)
      << told("1");
}

TEST_F(TuneFile, ExportsWhatItMeasuredWithItsLabels) {
  tune_by_command();
  ASSERT_EQ(sandbox_.run({"export", "--format", "csv", "-o", "out__dev.csv"}).status, 0);
  EXPECT_NE(sandbox_.read("out__dev.csv").find("64,2.5,col a,10,ok"), std::string::npos)
      << sandbox_.read("out__dev.csv");
  // The exported table times the same problem, and the same config wins.
  const Json json = json_of({"tune", "conv.json", "--evaluator", "table:out__dev.csv"});
  EXPECT_EQ(json["evaluations"], 22);
  EXPECT_EQ(json["failures"], 3);
  EXPECT_EQ(json["winners"][0]["time_us"], 10);
}

TEST_F(TuneFile, IsTunedForADeviceThatNoMachineFileDescribes) {
  const Json json = tune_by_command({"--device", "my GPU"});
  EXPECT_EQ(json["machine"]["name"], "my GPU");
  EXPECT_EQ(sandbox_.run({"tune", "gemm", "--shape", "m=16,n=16,k=16", "--device", "x"}).status, 2);
}

TEST_F(TuneFile, FirstLegalConfigIsTheBaselineWhereTheDefaultsAreNone) {
  std::string text = kProblem;
  text.replace(text.find("<= 200"), 6, "<= 20 ");
  sandbox_.file("conv.json", text);
  const Outcome outcome = sandbox_.run({"tune", "conv.json", "--evaluator", kCommand});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("the baseline is the first legal config, MWG=16,scale=0.5,mode=row"),
            std::string::npos)
      << outcome.err;
}

TEST_F(TuneFile, ConstraintThatLeavesNothingIsNamed) {
  std::string text = kProblem;
  text.replace(text.find("<= 200"), 6, "<= 2  ");
  sandbox_.file("conv.json", text);
  const Outcome outcome = sandbox_.run({"tune", "conv.json", "--evaluator", kCommand});
  EXPECT_EQ(outcome.status, 5);
  EXPECT_NE(outcome.err.find("MWG * scale <= 2"), std::string::npos) << outcome.err;
}

TEST_F(TuneFile, NeedsAnEvaluatorThatKnowsTheProblem) {
  EXPECT_EQ(sandbox_.run({"tune", "conv.json"}).status, 2);
  const Outcome other = sandbox_.run({"tune", "conv.json", "--evaluator", "table:cache.json"});
  EXPECT_EQ(other.status, 2);
  EXPECT_NE(other.err.find("MWG, mode"), std::string::npos) << other.err;
  EXPECT_EQ(sandbox_.run({"tune", "conv.json", "--shape", "m=1", "--evaluator", kCommand}).status,
            2);
}

TEST_F(TuneFile, PackedCacheReplaysItselfAndSharesWhatImportKept) {
  sandbox_.file("packed.json.gz", packed(kCache));
  const Json first = json_of({"tune", "packed.json.gz"});
  EXPECT_EQ(first["machine"]["name"], "A4000");
  EXPECT_EQ(first["evaluations"], 4);
  EXPECT_EQ(first["failures"], 1);
  EXPECT_EQ(first["baseline_us"], 500);
  EXPECT_EQ(first["winners"][0]["time_us"], 125);
  EXPECT_EQ(first["winners"][0]["config"], Json({{"MWG", 64}, {"mode", "col"}}));
  const Json imported = json_of({"import", "packed.json.gz"});
  EXPECT_EQ(imported["known"], 4);
  EXPECT_EQ(imported["measurements"], 0);
  EXPECT_EQ(imported["machine"], first["machine"]);
}

TEST_F(TuneFile, CutCacheReplaysItsWholeRowsAndSaysSo) {
  const std::string cut = kCache.substr(0, kCache.rfind("\"64,col\""));
  sandbox_.file("cut.json", cut);
  const Outcome outcome = sandbox_.run({"tune", "cut.json", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json json = Json::parse(outcome.out, nullptr, false);
  EXPECT_EQ(json["evaluations"], 3);
  EXPECT_EQ(json["winners"][0]["time_us"], 250);
  EXPECT_NE(outcome.err.find("ends in the middle; its whole rows were read"), std::string::npos)
      << outcome.err;
  sandbox_.file("cut.json.gz", packed(cut));
  const Json again = json_of({"tune", "cut.json.gz"});
  EXPECT_EQ(again["evaluations"], 0);  // the same text, so the same results
  EXPECT_EQ(again["winners"], json["winners"]);
}

TEST_F(TuneFile, TableTimesAKernelWhoseParametersItHas) {
  const std::vector<std::string> tune = {"tune",       "silu_mul",  "--shape", "rows=64,cols=1024",
                                         "--strategy", "exhaustive"};
  ASSERT_EQ(sandbox_.run(tune).status, 0);
  ASSERT_EQ(sandbox_.run({"export", "--format", "t4", "-o", "t4.json"}).status, 0);
  std::vector<std::string> replayed = tune;
  replayed.insert(replayed.end(), {"--evaluator", "table:t4.json"});
  const Json table = json_of(replayed);
  const Json simulated = json_of(tune);
  EXPECT_GT(table["evaluations"], 1);
  EXPECT_EQ(table["winners"][0]["config"], simulated["winners"][0]["config"]);
  EXPECT_DOUBLE_EQ(table["best_us"].get<double>(), simulated["best_us"].get<double>());
}

TEST(ServedProblems, AreListedByCoverageUntilTheyAreTuned) {
  Sandbox sandbox;
  sandbox.file("config.json", kSmallModel);
  const std::vector<std::string> serve = {"replay", "config.json", "--workload",
                                          "chat",   "--limit",     "2"};
  ASSERT_EQ(sandbox.run(serve).status, 0);
  const std::string untuned = sandbox.run({"query", "coverage"}).out;
  EXPECT_NE(untuned.find("gemm"), std::string::npos) << untuned;
  std::vector<std::string> tune = serve;
  tune[0] = "tune";
  tune.insert(tune.end(), {"--budget", "evaluations=2"});
  ASSERT_EQ(sandbox.run(tune).status, 0);
  const std::string tuned = sandbox.run({"query", "coverage"}).out;
  EXPECT_EQ(tuned.find("gemm"), std::string::npos) << tuned;
}

}  // namespace
}  // namespace tilewright
