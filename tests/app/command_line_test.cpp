// The real binary: exit statuses, output forms, settings.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/text.h"
#include "kernels/kernel.h"
#include "tests/app/program.h"

namespace tilewright {
namespace {

using Arguments = std::vector<std::string>;

const Arguments kSmallRun = {"run", "gemm", "--shape", "m=64,n=64,k=64"};

Arguments operator+(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

constexpr const char* kPoints =
    "hardware,kernel,params,metric,unit,value\n"
    "Ascend 910B2,gemm,M=256;N=512;K=512,time,us,10\n"
    "Ascend 910B2,gemm,M=256;N=512;K=512,cube_busy_pct,%,50\n"
    "Ascend 910B2,gemm,M=512;N=512;K=512,time,us,11\n"
    "Ascend 910B4,gemm,M=256;N=512;K=512,time,us,12\n";

TEST(Program, ChecksAMachineAgainstTheRowsOfItsHardware) {
  Sandbox sandbox;
  const std::string points = sandbox.file("points.csv", kPoints);
  const Outcome outcome = sandbox.run({"machine", "check", "ascend-910b2:datasheet", "--points",
                                       points, "--json", "--markdown", "accuracy.md"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  ASSERT_EQ(json["rows"].size(), 3u);
  const auto& row = json["rows"][0];
  EXPECT_EQ(row["hardware"], "Ascend 910B2");
  EXPECT_EQ(row["params"], "M=256;N=512;K=512");
  EXPECT_DOUBLE_EQ(row["error"].get<double>(), row["simulated"].get<double>() / 10 - 1);
  EXPECT_DOUBLE_EQ(json["rows"][1]["measured"].get<double>(), 0.5);
  ASSERT_EQ(json["not_simulated"].size(), 1u);
  EXPECT_TRUE(contains(json["not_simulated"][0]["reason"], "other hardware"));
  EXPECT_TRUE(contains(sandbox.read("accuracy.md"), "| Ascend 910B2 | gemm | M=256;N=512;K=512 |"));

  const Outcome text = sandbox.run({"machine", "check", "--points", points});
  for (size_t from = 0, end = 0; end != std::string::npos; from = end + 1) {
    end = text.out.find('\n', from);
    EXPECT_LE(std::min(end, text.out.size()) - from, 80u) << text.out.substr(from, 100);
  }
  EXPECT_TRUE(sandbox.run({"machine", "check", "--points", points, "--csv"})
                  .out.starts_with("hardware,kernel,params,metric,unit,measured,simulated,error"));
}

TEST(Program, FindsMeasurementsInTheDataFolder) {
  Sandbox sandbox;
  sandbox.environment["TILEWRIGHT_DATA"] = "";
  const Outcome nowhere = sandbox.run({"machine", "check"});
  EXPECT_EQ(nowhere.status, 3);
  EXPECT_TRUE(contains(nowhere.err, "give --points FILE.csv, or set TILEWRIGHT_DATA"));
  std::filesystem::create_directories(sandbox.path("data/measured/ascend"));
  sandbox.file("data/measured/ascend/ascend_measured.csv", kPoints);
  sandbox.environment["TILEWRIGHT_DATA"] = sandbox.path("data");
  EXPECT_EQ(sandbox.run({"machine", "check"}).status, 0);
}

TEST(Program, WritesACalibratedMachineThatOtherCommandsTake) {
  Sandbox sandbox;
  const std::string points = sandbox.file("points.csv", kPoints);
  const Arguments fit = {"calibrate", "ascend-910b2", "--points",
                         points,      "--fit",        "mte2.fixed_cycles=50:400",
                         "-o",        "mine.json",    "--json"};
  const Outcome outcome = sandbox.run(fit + Arguments{"--jobs", "1"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string file = sandbox.read("mine.json");
  EXPECT_EQ(sandbox.run(fit + Arguments{"--jobs", "3"}).out, outcome.out);
  EXPECT_EQ(sandbox.read("mine.json"), file) << "the same bytes for any number of threads";
  EXPECT_TRUE(contains(file, "fitted to 3 rows of points.csv"));
  const auto machine = nlohmann::json::parse(file);
  const double fitted = nlohmann::json::parse(outcome.out)["parameters"][0]["after"];
  EXPECT_EQ(machine["calibrated"]["mte2"]["fixed_cycles"], fitted);
  EXPECT_EQ(machine["datasheet"]["mte2"]["fixed_cycles"], 50);
  EXPECT_EQ(sandbox.run(kSmallRun + Arguments{"--machine", "./mine.json"}).status, 0);
}

TEST(Program, WithoutCommandGivesHelpAndUsageStatus) {
  Sandbox sandbox;
  const Outcome outcome = sandbox.run({});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.out, "");
  EXPECT_TRUE(contains(outcome.err, "tilewright [options] COMMAND"));
}

TEST(Program, HelpIsDataAndNamesEveryCommand) {
  Sandbox sandbox;
  for (const Arguments& tokens : {Arguments{"--help"}, Arguments{"-h"}, Arguments{"help"}}) {
    const Outcome outcome = sandbox.run(tokens);
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(outcome.err, "");
    for (const char* command : {"run", "tune", "replay", "export", "report", "diff", "query",
                                "machine", "calibrate", "model", "kernel", "db", "help"}) {
      EXPECT_TRUE(contains(outcome.out, std::string("\n  ") + command)) << command;
      const Outcome help = sandbox.run({"help", command});
      EXPECT_EQ(help.status, 0);
      EXPECT_TRUE(contains(help.out, "Usage"));
      EXPECT_EQ(sandbox.run({command, "--help"}).out, help.out);
    }
  }
}

TEST(Program, HelpFitsEightyColumns) {
  Sandbox sandbox;
  std::string all = sandbox.run({"help"}).out;
  for (const char* command :
       {"tui", "run", "tune", "export", "import", "bench-tuner", "replay", "report", "diff",
        "query", "machine", "calibrate", "model", "kernel", "workload", "db", "help"}) {
    all += sandbox.run({"help", command}).out;
  }
  for (const std::string_view line : split(std::string_view(all), '\n')) {
    EXPECT_LE(line.size(), 80u) << line;
  }
}

TEST(Program, PrintsItsVersion) {
  Sandbox sandbox;
  EXPECT_TRUE(sandbox.run({"--version"}).out.starts_with("tilewright "));
}

TEST(Program, GlobalsStandBeforeOrBehindTheCommand) {
  Sandbox sandbox;
  const Outcome before = sandbox.run(Arguments{"--json", "--seed", "3"} + kSmallRun);
  const Outcome behind = sandbox.run(kSmallRun + Arguments{"--json", "--seed", "3"});
  EXPECT_EQ(before.status, 0) << before.err;
  EXPECT_EQ(without_wall_times(before.out), without_wall_times(behind.out));
}

TEST(Program, EveryCommandPrintsOneJsonObjectWithASchema) {
  Sandbox sandbox;
  const std::string model = sandbox.file("config.json", kSmallModel);
  const std::string points = sandbox.file("points.csv", kPoints);
  const Arguments cases[] = {
      kSmallRun,
      {"run", "gemm", "--shape", "m=33,n=65,k=70", "--check", "--hazards"},
      {"tune", "gemm", "--shape", "m=64,n=64,k=64", "--budget", "evaluations=3"},
      {"export", "-o", "plan.json"},
      {"report", "1"},
      {"diff", "1", "2"},
      {"query"},
      {"query", "winners"},
      {"query", "SELECT 1 AS one, NULL AS empty, 'x' AS one"},
      {"machine", "list"},
      {"machine", "show"},
      {"machine", "diff", "ascend-910b2", "ascend-910b4"},
      {"machine", "check", "--points", points},
      {"calibrate", "ascend-910b2", "--points", points, "--fit", "mte2.fixed_cycles"},
      {"model", "list"},
      {"model", "show", "qwen2-7b", "--tokens", "7"},
      {"model", "show", model},
      {"kernel", "list"},
      {"kernel", "show", "gemm"},
      {"db", "info"},
      {"db", "check"},
      {"db", "vacuum"},
  };
  for (const Arguments& tokens : cases) {
    const Outcome outcome = sandbox.run(tokens + Arguments{"--json", "-q"});
    EXPECT_EQ(outcome.status, 0) << tokens[0] << ": " << outcome.err;
    EXPECT_EQ(outcome.err, "") << tokens[0];
    const auto json = nlohmann::json::parse(outcome.out, nullptr, false);
    ASSERT_TRUE(json.is_object()) << tokens[0] << ": " << outcome.out;
    EXPECT_TRUE(json.contains("schema")) << tokens[0];
  }
}

TEST(Program, EveryKernelCanBeShown) {
  Sandbox sandbox;
  const auto list = nlohmann::json::parse(sandbox.run({"kernel", "list", "--json"}).out);
  EXPECT_GE(list["kernels"].size(), 3u);
  for (const auto& kernel : list["kernels"]) {
    const Outcome outcome = sandbox.run({"kernel", "show", kernel["name"], "--json"});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_GE(nlohmann::json::parse(outcome.out)["legal_configs"], 1) << kernel["name"];
  }
}

TEST(Program, ChecksWithTheValuesThatAreAskedFor) {
  Sandbox sandbox;
  double least = 1e300, most = 0;
  for (const char* values : {"uniform", "large", "tiny", "equal", "minus_inf"}) {
    const Outcome outcome = sandbox.run({"run", "softmax", "--shape", "rows=9,cols=33", "--dtype",
                                         "f32", "--check", "--values", values, "--json"});
    ASSERT_EQ(outcome.status, 0) << values << ": " << outcome.err;
    const auto check = nlohmann::json::parse(outcome.out)["check"];
    EXPECT_EQ(check["status"], "passed") << values;
    least = std::min(least, check["max_abs_err"].get<double>());
    most = std::max(most, check["max_abs_err"].get<double>());
  }
  EXPECT_LT(least, most);
}

TEST(Program, RunJsonHasTheKeysThatOthersRelyOn) {
  Sandbox sandbox;
  const Outcome outcome = sandbox.run(kSmallRun + Arguments{"--check", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json["kernel"], "gemm");
  EXPECT_EQ(json["machine"]["name"], "ascend-910b2");
  EXPECT_EQ(json["machine"]["fingerprint"].get<std::string>().size(), 16u);
  EXPECT_TRUE(json["config"].is_object());
  EXPECT_GT(json["time_us"], 0);
  EXPECT_GT(json["cycles"], 0);
  EXPECT_GT(json["tflops"], 0);
  EXPECT_TRUE(json["counters"].contains("aic_cube_ratio"));
  EXPECT_EQ(json["check"]["status"], "passed");
  EXPECT_TRUE(json["hazards"].is_array());
  double share = 0, us = 0;
  for (const auto& entry : json["breakdown"]) {
    share += entry["share"].get<double>();
    us += entry["us"].get<double>();
  }
  EXPECT_NEAR(share, 1, 1e-9);
  EXPECT_NEAR(us, json["time_us"].get<double>(), 1e-6);
}

TEST(Program, RunCountsThePaddingThatItMoves) {
  Sandbox sandbox;
  for (const char* kernel : {"gemm", "gemm_padded"}) {
    const Arguments tokens = {"run", kernel, "--shape", "m=100,n=1000,k=777"};
    const auto run = nlohmann::json::parse(sandbox.run(tokens + Arguments{"--json"}).out);
    const bool is_padded = kernel == std::string("gemm_padded");
    const int64_t read = is_padded ? 4 * 28 * 777 * 2 : 0;
    const int64_t written = is_padded ? 28 * 1000 * 2 : 0;
    EXPECT_EQ(run["counters"]["padding_read_bytes"], read);
    EXPECT_EQ(run["counters"]["padding_write_bytes"], written);
    const std::string number = is_padded ? "2" : "1";
    const auto report = nlohmann::json::parse(sandbox.run({"report", number, "--json"}).out);
    EXPECT_EQ(report["padding_read_bytes"], read);
    EXPECT_EQ(report["padding_write_bytes"], written);
    EXPECT_NE(sandbox.run({"report", number}).out.find("padding  "), std::string::npos);
  }
}

TEST(Program, RunSaysWhatAPartialConfigMadeItChange) {
  Sandbox sandbox;
  const Arguments tokens = {"run",      "attention", "--shape", "tokens=64,heads=2",
                            "--config", "pipeline=3"};
  const Outcome text = sandbox.run(tokens);
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_NE(text.out.find("split_kv=1 to go with --config; its default is 16"), std::string::npos)
      << text.out;
  const auto json = nlohmann::json::parse(sandbox.run(tokens + Arguments{"--json"}).out);
  EXPECT_EQ(json["adapted"], nlohmann::json::parse(R"({"split_kv": {"value": 1, "default": 16}})"));
  EXPECT_EQ(json["config"]["split_kv"], 1);
}

TEST(Program, TheListOfKernelsFitsEightyColumns) {
  Sandbox sandbox;
  const Outcome list = sandbox.run({"kernel", "list"});
  for (const std::string_view line : split(list.out, '\n')) EXPECT_LE(line.size(), 80u) << line;
  for (const Kernel* kernel : all_kernels()) {
    EXPECT_NE(list.out.find(kernel->name()), std::string::npos) << kernel->name();
  }
  const auto json = nlohmann::json::parse(sandbox.run({"kernel", "list", "--json"}).out);
  EXPECT_EQ(json["kernels"][0]["sizes"], "m,n,k");
}

TEST(Program, RunIsDeterministic) {
  Sandbox sandbox;
  const Arguments tokens = {"run",     "gemm",    "--shape", "m=100,n=200,k=300",
                            "--check", "--trace", "t.json",  "--json"};
  const Outcome first = sandbox.run(tokens);
  const std::string trace = sandbox.read("t.json");
  const Outcome second = sandbox.run(tokens);
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_EQ(without_wall_times(first.out), without_wall_times(second.out));
  EXPECT_EQ(trace, sandbox.read("t.json"));
  EXPECT_TRUE(nlohmann::json::accept(trace));
}

TEST(Program, RunKeepsTheMeasurement) {
  Sandbox sandbox;
  const auto run = nlohmann::json::parse(sandbox.run(kSmallRun + Arguments{"--json"}).out);
  const Outcome outcome = sandbox.run({"query", "SELECT time_us FROM measurements", "--csv"});
  EXPECT_EQ(outcome.out, "time_us\n" + run["time_us"].dump() + "\n");
  const auto runs = nlohmann::json::parse(sandbox.run({"query", "runs", "--json"}).out);
  EXPECT_EQ(runs["rows"][0]["kind"], "kernel");
  EXPECT_EQ(runs["rows"][0]["status"], "done");
}

TEST(Program, DataGoesToStdoutAndNothingElse) {
  Sandbox sandbox;
  const Outcome outcome = sandbox.run(kSmallRun);
  EXPECT_EQ(outcome.err, "");
  EXPECT_TRUE(contains(outcome.out, "time by cause"));
  EXPECT_FALSE(contains(outcome.out, "\x1b"));  // no colour off a terminal
}

TEST(Program, ColourFollowsTheFlagAndTheEnvironment) {
  struct Case {
    Arguments tokens;
    std::map<std::string, std::string> environment;
    bool has_color;
  };
  const Case cases[] = {
      {{"--color", "always"}, {}, true},
      {{}, {{"CLICOLOR_FORCE", "1"}}, true},
      {{}, {{"CLICOLOR_FORCE", "1"}, {"NO_COLOR", "1"}}, false},
      {{}, {{"FORCE_COLOR", "1"}, {"NO_COLOR", "1"}}, true},
      {{"--color", "never"}, {{"FORCE_COLOR", "1"}}, false},
  };
  for (const Case& each : cases) {
    Sandbox sandbox;
    for (const auto& [name, value] : each.environment) sandbox.environment[name] = value;
    const Outcome outcome = sandbox.run(kSmallRun + each.tokens);
    EXPECT_EQ(contains(outcome.out, "\x1b["), each.has_color) << outcome.err;
  }
}

TEST(Program, FlagBeatsEnvironmentBeatsProjectBeatsUser) {
  Sandbox sandbox;
  const auto machine = [&](const Arguments& tokens) {
    const Outcome outcome = sandbox.run(Arguments{"machine", "show", "--json"} + tokens);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out)["name"].get<std::string>();
  };
  EXPECT_EQ(machine({}), "ascend-910b2");
  std::filesystem::create_directories(sandbox.path(".config/tilewright"));
  sandbox.file(".config/tilewright/config.json", R"({"machine": "ascend-910b1"})");
  EXPECT_EQ(machine({}), "ascend-910b1");
  sandbox.file("tilewright.json", "{\"machine\": \"ascend-910b3\"} // the project's");
  EXPECT_EQ(machine({}), "ascend-910b3");
  sandbox.environment["TILEWRIGHT_MACHINE"] = "ascend-910b4";
  EXPECT_EQ(machine({}), "ascend-910b4");
  EXPECT_EQ(machine({"--machine", "ascend-910b2"}), "ascend-910b2");
  const Outcome verbose = sandbox.run({"machine", "list", "-v"});
  EXPECT_TRUE(contains(verbose.err, "machine = ascend-910b4 (environment TILEWRIGHT_MACHINE)"));
}

TEST(Program, MakesTheFolderOfTheDefaultDatabase) {
  Sandbox sandbox;
  sandbox.environment["TILEWRIGHT_DB"] = "";
  EXPECT_EQ(sandbox.run(kSmallRun).status, 0);
  EXPECT_TRUE(std::filesystem::exists(sandbox.path(".local/share/tilewright/results.db")));
  sandbox.environment["XDG_DATA_HOME"] = sandbox.path("data");
  EXPECT_EQ(sandbox.run(kSmallRun).status, 0);
  EXPECT_TRUE(std::filesystem::exists(sandbox.path("data/tilewright/results.db")));
}

TEST(Program, CsvIsForTables) {
  Sandbox sandbox;
  EXPECT_TRUE(sandbox.run({"machine", "list", "--csv"}).out.starts_with("name,"));
  EXPECT_EQ(sandbox.run(kSmallRun + Arguments{"--csv"}).status, 2);
  EXPECT_EQ(sandbox.run({"machine", "list", "--csv", "--json"}).status, 2);
}

TEST(Program, AFullStdoutIsAFailure) {
  Sandbox sandbox;
  sandbox.stdout_path = "/dev/full";
  const Outcome outcome = sandbox.run({"machine", "list"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_TRUE(contains(outcome.err, "cannot write to standard output: No space left"));
}

}  // namespace
}  // namespace tilewright
