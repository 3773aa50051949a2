// Timelines, counters, reports and comparisons of runs through the real binary.

#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/app/program.h"

namespace tilewright {
namespace {

using Arguments = std::vector<std::string>;
using Json = nlohmann::json;

Arguments operator+(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const Arguments kRun = {"run", "gemm", "--shape", "m=300,n=600,k=500"};

void execute_sql(const Sandbox& sandbox, const std::string& sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(sandbox.environment.at("TILEWRIGHT_DB").c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(database);
  sqlite3_close(database);
}

void expect_narrow(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
}

double sum_of(const Json& rows, const char* key) {
  double sum = 0;
  for (const Json& row : rows) sum += row[key].get<double>();
  return sum;
}

TEST(Timeline, ChromeTraceAndCsvHoldTheSameEvents) {
  Sandbox sandbox;
  const Outcome json = sandbox.run(kRun + Arguments{"--trace", "t.json", "--json"});
  ASSERT_EQ(json.status, 0) << json.err;
  ASSERT_EQ(sandbox.run(kRun + Arguments{"--trace", "t.csv"}).status, 0);
  const double cycles = Json::parse(json.out)["cycles"];
  std::istringstream rows(sandbox.read("t.csv"));
  std::string row;
  ASSERT_TRUE(std::getline(rows, row) && row.starts_with("id,core,pipe,instr,detail,"));
  std::map<std::pair<int, int>, double> free_at;
  size_t events = 0;
  const Json trace = Json::parse(sandbox.read("t.json"));
  for (const Json& event : trace["traceEvents"]) {
    if (event["ph"] != "X") continue;
    ++events;
    ASSERT_TRUE(std::getline(rows, row));
    EXPECT_TRUE(row.starts_with(event["args"]["id"].dump() + ",AIC ")) << row;
    double& lane = free_at[{event["pid"], event["tid"]}];
    EXPECT_GE(event["ts"].get<double>(), lane);
    lane = event["ts"].get<double>() + event["dur"].get<double>();
    const std::string why = event["args"]["why"];
    EXPECT_EQ(event["args"].contains("flag"), why == "flag") << event;
  }
  EXPECT_FALSE(std::getline(rows, row));
  EXPECT_GT(events, 100u);
  double end = 0;
  for (const auto& [lane, at] : free_at) end = std::max(end, at);
  EXPECT_NEAR(end, cycles / 1800, 1e-5);
}

TEST(Timeline, GoesToDevicesInPlace) {
  Sandbox sandbox;
  const Outcome outcome = sandbox.run(kRun + Arguments{"--trace", "/dev/stdout", "-q"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(outcome.out.starts_with("{\"displayTimeUnit\""));
  EXPECT_TRUE(contains(outcome.out, "time by cause")) << "the text stands behind it";
  const Outcome full = sandbox.run(kRun + Arguments{"--trace", "/dev/full"});
  EXPECT_EQ(full.status, 1);
  EXPECT_TRUE(contains(full.err, "cannot write /dev/full: No space left")) << full.err;
}

TEST(Timeline, AnInterruptLeavesNoFile) {
  Sandbox sandbox;
  sandbox.file("t.json", "before");
  const pid_t process = sandbox.start({"run", "gemm", "--shape", "m=16384,n=16384,k=16384",
                                       "--config", "tile_k0=16", "--trace", "t.json"});
  const auto is_writing = [&] {
    for (const auto& entry : std::filesystem::directory_iterator(sandbox.path(""))) {
      if (contains(entry.path().filename(), "t.json.tmp") && entry.file_size() > 0) return true;
    }
    return false;
  };
  for (int i = 0; i < 1000 && !is_writing(); ++i) ::usleep(10'000);
  ASSERT_TRUE(is_writing());
  ::kill(process, SIGINT);
  const Outcome outcome = sandbox.wait(process);
  EXPECT_EQ(outcome.status, 130) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "interrupted"));
  EXPECT_EQ(sandbox.read("t.json"), "before");
  EXPECT_FALSE(is_writing());
  for (const auto& entry : std::filesystem::directory_iterator(sandbox.path(""))) {
    EXPECT_FALSE(contains(entry.path().filename(), ".tmp")) << entry.path();
  }
}

TEST(Timeline, SlowTenMillionEventsNeedLittleMemory) {
  Sandbox sandbox;
  const pid_t process = sandbox.start({"run", "gemm", "--shape", "m=12288,n=12288,k=12288",
                                       "--config", "tile_k0=16", "--trace", "/dev/null"});
  int status = 0;
  struct rusage usage = {};
  ASSERT_EQ(::wait4(process, &status, 0, &usage), process);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  constexpr long kKilobytes = 1024;
  EXPECT_LT(usage.ru_maxrss, 100 * kKilobytes);
  const auto run = Json::parse(sandbox.run({"report", "1", "--json"}).out);
  double events = 0;
  for (const Json& op : run["ops"]) events += op["count"].get<double>();
  EXPECT_GT(events, 1e7);
}

TEST(Counters, AreARowForEachCore) {
  Sandbox sandbox;
  const Outcome outcome = sandbox.run(kRun + Arguments{"--counters", "c.csv", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json counters = Json::parse(outcome.out)["counters"];
  std::istringstream rows(sandbox.read("c.csv"));
  std::string line;
  const auto cells = [&] {
    std::vector<std::string> list;
    std::istringstream parts(line);
    for (std::string part; std::getline(parts, part, ',');) list.push_back(part);
    return list;
  };
  std::getline(rows, line);
  const std::vector<std::string> names = cells();
  const auto ratio =
      static_cast<size_t>(std::ranges::find(names, "aic_cube_ratio") - names.begin());
  ASSERT_LT(ratio, names.size());
  EXPECT_EQ(names[ratio + 1], "aic_cube_wait_ratio");
  double sum = 0;
  int count = 0;
  while (std::getline(rows, line)) {
    EXPECT_EQ(cells()[1], "cube0");
    sum += std::stod(cells()[ratio]);
    ++count;
  }
  EXPECT_EQ(count, counters["aic_cores"]);
  EXPECT_NEAR(sum / count, counters["aic_cube_ratio"], 1e-9);
}

TEST(Roofline, IsPartOfARun) {
  Sandbox sandbox;
  const auto json = Json::parse(sandbox.run(kRun + Arguments{"--json"}).out)["roofline"];
  EXPECT_EQ(json["verdict"], "insufficient_parallelism");
  EXPECT_TRUE(contains(json["reason"], "of 24 AIC cores worked"));
  ASSERT_GE(json["components"].size(), 4u);
  for (const Json& each : json["components"]) {
    EXPECT_LE(each["utilisation"].get<double>(), 1);
    EXPECT_NEAR(each["utilisation"].get<double>(),
                each["efficiency"].get<double>() * each["active_ratio"].get<double>(), 1e-12);
  }
  EXPECT_TRUE(contains(sandbox.run(kRun).out, "component roofline: insufficient parallelism"));
}

TEST(Report, SaysWhereTheCyclesOfAKernelRunWent) {
  Sandbox sandbox;
  const auto run =
      Json::parse(sandbox.run(kRun + Arguments{"--fidelity", "detailed", "--json"}).out);
  const Outcome outcome = sandbox.run({"report", "1", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto report = Json::parse(outcome.out);
  EXPECT_EQ(report["run"]["kind"], "kernel");
  EXPECT_EQ(report["problem"], run["problem"]);
  EXPECT_EQ(report["cycles"], run["cycles"]);
  EXPECT_EQ(report["roofline"], run["roofline"]);
  EXPECT_EQ(report["result"]["time_us"], run["time_us"]);
  const double cycles = run["cycles"];
  EXPECT_NEAR(sum_of(report["breakdown"], "cycles"), cycles, 1e-6);
  EXPECT_NEAR(sum_of(report["engine"], "cycles"), cycles, 0.1);
  double cube_busy = -1, mmad = 0;
  for (const Json& pipe : report["pipes"]) {
    if (pipe["name"] == "AIC CUBE busy") cube_busy = pipe["cycles"];
  }
  for (const Json& op : report["ops"]) {
    if (contains(op["name"], "mmad")) mmad += op["cycles"].get<double>();
  }
  EXPECT_NEAR(mmad, cube_busy, 1e-6);
  EXPECT_TRUE(contains(report["waits"][0]["name"], "AIC CUBE: flag l0_full of MTE1"));

  const Outcome text = sandbox.run({"report", "1"});
  expect_narrow(text.out);
  for (const char* part :
       {"component roofline", "along the critical path", "by pipe", "by op", "why not earlier"}) {
    EXPECT_TRUE(contains(text.out, part)) << part;
  }
  const std::string label = run["problem"];
  EXPECT_EQ(sandbox.run({"report", label}).out, text.out) << "the label is a name, too";
}

TEST(Report, OfAComposedRunShowsBothTimes) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox.run(kRun + Arguments{"--fidelity", "composed"}).status, 0);
  const Outcome text = sandbox.run({"report", "1"});
  EXPECT_EQ(text.status, 0) << text.err;
  EXPECT_TRUE(contains(text.out, "simulated again in detail"));
  EXPECT_TRUE(contains(text.out, "when it ran, by sim/"));
}

TEST(Report, OfServingAndTuningShowsWhatWasKept) {
  Sandbox sandbox;
  sandbox.file("config.json", kSmallModel);
  const Arguments serving = {"--workload", "chat", "--limit", "3", "-q"};
  ASSERT_EQ(
      sandbox.run(Arguments{"tune", "config.json", "--budget", "evaluations=2"} + serving).status,
      0);
  ASSERT_EQ(sandbox.run(Arguments{"replay", "config.json"} + serving).status, 0);
  ASSERT_EQ(sandbox.run(Arguments{"replay", "config.json", "--rate", "1"} + serving).status, 0);
  const auto tuning = Json::parse(sandbox.run({"report", "1", "--json"}).out);
  EXPECT_EQ(tuning["run"]["kind"], "tune");
  EXPECT_EQ(tuning["winners"].size(), tuning["result"]["problems"]);
  const auto replay = Json::parse(sandbox.run({"report", "2", "--json"}).out);
  EXPECT_EQ(replay["ops"].size(), replay["result"]["by_op"].size());
  EXPECT_NEAR(sum_of(replay["ops"], "us"), sum_of(replay["result"]["by_op"], "us"), 1e-6);
  // Both are shares of the time of the device.
  for (const Json& op : replay["result"]["by_op"]) {
    const auto same =
        std::ranges::find(replay["ops"], op["op"], [](const Json& row) { return row["name"]; });
    ASSERT_NE(same, replay["ops"].end());
    EXPECT_NEAR((*same)["share"].get<double>(), op["share"].get<double>(), 1e-9);
  }
  const auto paced = Json::parse(sandbox.run({"report", "3", "--json"}).out);
  EXPECT_TRUE(contains(replay["run"]["label"], " chat limit=3 plan=none"));
  EXPECT_TRUE(contains(paced["run"]["label"], " chat limit=3 rate=1 plan=none"));
  expect_narrow(sandbox.run({"report", "1"}).out);
  expect_narrow(sandbox.run({"report", "2"}).out);
  const Outcome diff = sandbox.run({"diff", "2", "3"});
  EXPECT_EQ(diff.status, 0) << diff.err;
  expect_narrow(diff.out);
  EXPECT_EQ(sandbox.run({"diff", "1", "2"}).status, 2);
}

TEST(Report, RefusesRunsThatAreUnknownOrOutOfDate) {
  Sandbox sandbox;
  EXPECT_EQ(sandbox.run({"report", "1"}).status, 3) << "no database";
  ASSERT_EQ(sandbox.run(kRun).status, 0);
  for (const char* name : {"2", "99999999999999", "no such run", ""}) {
    const Outcome outcome = sandbox.run({"report", name});
    EXPECT_EQ(outcome.status, 3) << name << outcome.err;
    EXPECT_TRUE(contains(outcome.err, "tilewright query runs")) << outcome.err;
  }
  EXPECT_EQ(sandbox.run({"report", "99999999999999999999"}).status, 2);
  EXPECT_EQ(sandbox.run({"report"}).status, 2);
  EXPECT_EQ(sandbox.run({"diff", "1"}).status, 2);
  const std::pair<const char*, const char*> changes[] = {
      {"UPDATE measurement SET kernel_revision = 0", "kernel gemm had revision 0"},
      {"UPDATE measurement SET evaluator = 'sim/0/detailed'", "it was timed by sim/0/detailed"},
      {"UPDATE measurement SET kernel = 'gone'", "there is no kernel gone any more"},
      {"UPDATE machine SET description = '{}'", "was described by other parameters"},
      {"UPDATE machine SET description = replace(description, '\"head_cycles\": 21', "
       "'\"head_cycles\": 22')",
       "was described by other parameters"},
      {"UPDATE measurement SET config = 'tile_m=7'", "its config is not legal any more"},
      {"UPDATE measurement SET time_us = 1, evaluator = replace(evaluator, 'composed', 'detailed')",
       "it took 1.00 us then"},
  };
  for (const auto& [sql, part] : changes) {
    Sandbox changed;
    ASSERT_EQ(changed.run(kRun).status, 0);
    execute_sql(changed, sql);
    const Outcome outcome = changed.run({"report", "1"});
    EXPECT_EQ(outcome.status, 4) << sql << outcome.err;
    EXPECT_TRUE(contains(outcome.err, part)) << sql << ": " << outcome.err;
    EXPECT_TRUE(contains(outcome.err, "run 1 (gemm")) << outcome.err;
    EXPECT_EQ(changed.run({"diff", "1", "1"}).status, 4);
  }
  Sandbox damaged;
  ASSERT_EQ(damaged.run(kRun).status, 0);
  execute_sql(damaged, "UPDATE run SET result = '[1, 2'");
  EXPECT_EQ(damaged.run({"report", "1"}).status, 1);
  execute_sql(damaged, "UPDATE run SET kind = 'serve', result = '{\"by_op\": [3]}'");
  const Outcome wrong = damaged.run({"report", "1"});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_TRUE(contains(wrong.err, "result of run 1: by_op[0]")) << wrong.err;
}

TEST(Diff, NamesWhatChangedAppearedAndDisappeared) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox.run(kRun).status, 0);
  ASSERT_EQ(sandbox.run(kRun + Arguments{"--config", "tile_m=64"}).status, 0);
  ASSERT_EQ(sandbox.run({"run", "silu_mul", "--shape", "rows=64,cols=512"}).status, 0);
  const auto same = Json::parse(sandbox.run({"diff", "1", "1", "--json"}).out);
  EXPECT_EQ(same["total"]["change"], 0);
  EXPECT_TRUE(same["different"].empty());
  for (const char* section : {"breakdown", "engine", "pipes", "ops", "waits"}) {
    EXPECT_FALSE(same[section].empty());
    for (const Json& row : same[section]) {
      EXPECT_EQ(row["change"], 0);
      EXPECT_EQ(row["status"], "both");
    }
  }
  const auto tile = Json::parse(sandbox.run({"diff", "1", "2", "--json"}).out);
  ASSERT_EQ(tile["different"].size(), 1u);
  EXPECT_EQ(tile["different"][0]["what"], "config");
  // Causes sum to the time, so their changes sum to its change.
  EXPECT_NEAR(sum_of(tile["breakdown"], "change"), tile["total"]["change"], 1e-6);
  const auto other = Json::parse(sandbox.run({"diff", "1", "3", "--json"}).out);
  EXPECT_EQ(other["different"][0]["what"], "problem");
  std::map<std::string, int> statuses;
  for (const Json& row : other["pipes"]) ++statuses[row["status"]];
  EXPECT_GT(statuses["appeared"], 0);
  EXPECT_GT(statuses["disappeared"], 0);
  const Outcome text = sandbox.run({"diff", "1", "3"});
  expect_narrow(text.out);
  EXPECT_TRUE(contains(text.out, " new\n"));
  EXPECT_TRUE(contains(text.out, " gone\n"));
}

/// The number before " cycles" or in the first column of amounts of a line.
std::string number_behind(const std::string& text, const std::string& what) {
  const size_t begin = text.find_first_of("0123456789", text.find(what) + what.size());
  return text.substr(begin, text.find_first_not_of("0123456789,", begin) - begin);
}

TEST(Diff, SaysTheSameCyclesAsReport) {
  Sandbox sandbox;
  // Problems whose launches end within a cycle among them.
  for (const char* shape : {"rows=64,cols=512", "rows=65,cols=520", "rows=3,cols=1000"}) {
    ASSERT_EQ(sandbox.run({"run", "silu_mul", "--shape", shape}).status, 0);
  }
  for (const char* run : {"1", "2", "3"}) {
    const std::string report = sandbox.run({"report", run}).out;
    const std::string diff = sandbox.run({"diff", run, run}).out;
    const size_t time = report.find("us, ");
    ASSERT_NE(time, std::string::npos) << report;
    EXPECT_EQ(number_behind(diff, "  time"), number_behind(report.substr(time), "us, "))
        << report << diff;
  }
}

TEST(Report, RefusesAProblemThatTheKernelDoesNotMake) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox.run({"run", "gemm", "--shape", "m=64,n=64,k=64"}).status, 0);
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(sandbox.path("results.db").c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database,
                         "UPDATE problem SET text = 'gemm f16 f16 f16 nd nd nd m=64 epilogue=none'",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(database);
  const Outcome outcome = sandbox.run({"report", "1"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("is no problem of gemm"), std::string::npos) << outcome.err;
}

TEST(ReportXyserve, SlowNamesABaselineForEveryResult) {
  Sandbox sandbox;
  const Outcome outcome = sandbox.run({"report", "xyserve", "--quick", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json report = Json::parse(outcome.out);
  EXPECT_EQ(report["schema"], 1);
  const char* names[] = {"gemm",   "attention",          "verify",      "prefix", "chunked",
                         "decode", "mixed_conversation", "mixed_coding"};
  ASSERT_EQ(report["results"].size(), std::size(names));
  for (size_t i = 0; i < std::size(names); ++i) {
    const Json& result = report["results"][i];
    EXPECT_EQ(result["name"], names[i]);
    EXPECT_EQ(result["baseline"], i == 0 ? "gemm_library" : "attention_library");
    EXPECT_GT(result["paper_percent"], 0);
    EXPECT_GT(result["gain_percent"], -50);
  }
  for (const Json& shape : report["gemm"]["shapes"]) {
    EXPECT_LE(shape["bound"]["us"], shape["detailed_us"]) << shape;
  }
  EXPECT_GE(report["baselines"].size(), 12u);
}

TEST(ReportXyserve, SlowServesTheSameRequestsByEveryEngine) {
  Sandbox sandbox;
  const Outcome outcome = sandbox.run({"report", "xyserve-e2e", "--quick", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json report = Json::parse(outcome.out);
  ASSERT_EQ(report["points"].size(), 6u);
  for (const Json& point : report["points"]) {
    ASSERT_EQ(point["engines"].size(), report["engines"].size());
    for (const Json& engine : point["engines"]) {
      EXPECT_EQ(engine["completed"], report["num_prompts"]);
      EXPECT_EQ(engine["total_input_tokens"], point["engines"][0]["total_input_tokens"]);
    }
  }
  const double paper[] = {16, 27, 95};
  for (size_t i = 0; i < std::size(paper); ++i) {
    EXPECT_EQ(report["ablation"]["stages"][i + 1]["paper_qps_percent"], paper[i]);
  }
}

TEST(ReportXyserve, RefusesOptionsOfRuns) {
  Sandbox sandbox;
  EXPECT_EQ(sandbox.run({"report", "xyserve", "--apply", "1"}).status, 2);
  EXPECT_EQ(sandbox.run({"report", "xyserve-e2e", "--apply", "1"}).status, 2);
  EXPECT_EQ(sandbox.run({"report", "1", "--quick"}).status, 2);
}

}  // namespace
}  // namespace tilewright
