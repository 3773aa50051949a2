// What a serving run keeps of its steps, and what is asked of its measures, through the real
// binary.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/app/program.h"

namespace tilewright {
namespace {

using Arguments = std::vector<std::string>;
using Json = nlohmann::json;

class ServingReport : public testing::Test {
 protected:
  void SetUp() override { sandbox_.file("config.json", kSmallModel); }

  /// A run that is short of KV blocks, so that requests wait, are preempted, and one is rejected.
  Outcome replay(const Arguments& more = {}) {
    Arguments tokens = {"replay", "config.json", "--workload", "chat", "--limit",
                        "12",     "--rate",      "inf",        "-q"};
    tokens.insert(tokens.end(), {"--kv-blocks", "16", "--max-model-len", "2048"});
    tokens.insert(tokens.end(), more.begin(), more.end());
    return sandbox_.run(tokens);
  }

  Json report(const Arguments& more = {}) {
    Arguments tokens = {"report", "1", "--json"};
    tokens.insert(tokens.end(), more.begin(), more.end());
    const Outcome outcome = sandbox_.run(tokens);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return Json::parse(outcome.out, nullptr, false);
  }

  Sandbox sandbox_;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(ServingReport, KeepsEveryStepRequestAndEvent) {
  ASSERT_EQ(replay().status, 0);
  const Json json = report();
  const Json& result = json["result"];
  ASSERT_GT(result["preemptions"], 0) << "the run is short of blocks";

  int64_t steps = 0;
  double op_ns = 0, idle_ns = 0;
  int64_t preemptions = 0;
  for (const Json& step : json["steps"]) {
    EXPECT_EQ(step["first_step"], steps) << "records follow each other";
    steps += step["count"].get<int64_t>();
    preemptions += step["preemptions"].get<int64_t>();
    idle_ns += step["idle_ns"].get<double>();
    for (const Json& ns : step["op_ns"]) op_ns += ns.get<double>();
    EXPECT_LE(step["mfu"], 1);
    EXPECT_LE(step["mbu"], 1);
    EXPECT_LE(step["kv_blocks"], 16);
  }
  EXPECT_EQ(steps, result["steps"]);
  EXPECT_EQ(json["step_end_ns"].size(), result["steps"]);
  EXPECT_EQ(preemptions, result["preemptions"]);
  EXPECT_NEAR(idle_ns * 1e-3, result["idle_us"].get<double>(), 1e-6);
  double op_us = 0;
  for (const Json& op : result["by_op"]) op_us += op["us"].get<double>();
  EXPECT_NEAR(op_ns * 1e-3, op_us, 1e-6 * op_us);

  ASSERT_EQ(json["requests"].size(), 12u);
  double ttft_ms = 0, completed = 0;
  for (const Json& request : json["requests"]) {
    EXPECT_EQ(request.contains("ttft_ms"), request["finish"] == "length");
    ttft_ms += request.value("ttft_ms", 0.0);
    completed += request["finish"] == "length" ? 1 : 0;
    int64_t tokens = 0;
    for (const Json& run : request["token_runs"]) {
      tokens += run["count"].get<int64_t>() * run["tokens"].get<int64_t>();
    }
    EXPECT_EQ(tokens, request["output_tokens"]);
  }
  EXPECT_EQ(completed, result["completed"]);
  EXPECT_LT(completed, 12) << "one prompt is too long";
  EXPECT_NEAR(ttft_ms / completed, result["mean_ttft_ms"].get<double>(), 1e-9);

  int64_t preempted = 0;
  for (const Json& event : json["events"]) {
    if (event["event"] != "preemption") continue;
    ++preempted;
    EXPECT_GE(event["needed_by"], 0);
  }
  EXPECT_EQ(preempted, result["preemptions"]);
  double counted = 0;
  for (const Json& row : json["event_counts"]) counted += row["value"].get<double>();
  EXPECT_EQ(counted, json["events"].size());
}

TEST_F(ServingReport, MeanUtilisationOfStepsIsThatOfTheRun) {
  ASSERT_EQ(replay().status, 0);
  const Json json = report();
  double us = 0, mfu = 0, mbu = 0, idle = 0, steps = 0;
  for (const Json& step : json["steps"]) {
    const double count = step["count"];
    const double time = step["us"].get<double>() * count;
    us += time;
    mfu += time * step["mfu"].get<double>();
    mbu += time * step["mbu"].get<double>();
    idle += count * step["idle"].get<double>();
    steps += count;
  }
  EXPECT_NEAR(us, json["result"]["device_us"].get<double>(), 1e-6 * us);
  EXPECT_NEAR(mfu / us, json["result"]["mfu"].get<double>(), 1e-6);
  EXPECT_NEAR(mbu / us, json["result"]["mbu"].get<double>(), 1e-6);
  EXPECT_NEAR(idle / steps, json["result"]["mean_step_idle"].get<double>(), 1e-9);
}

TEST_F(ServingReport, TheSlowestStepsComeFirst) {
  ASSERT_EQ(replay().status, 0);
  const Json json = report({"--steps", "3"});
  ASSERT_EQ(json["slowest_steps"].size(), 3u);
  double most = 0;
  for (const Json& step : json["steps"]) most = std::max(most, step["us"].get<double>());
  EXPECT_EQ(json["slowest_steps"][0]["us"], most);
  EXPECT_GE(json["slowest_steps"][1]["us"], json["slowest_steps"][2]["us"]);
  EXPECT_EQ(report()["slowest_steps"].size(), 10u);
}

TEST_F(ServingReport, TextShowsStepsEventsAndTheCacheInEightyColumns) {
  ASSERT_EQ(replay().status, 0);
  const Outcome outcome = sandbox_.run({"report", "1"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  for (const char* part : {"the slowest steps", "MFU %", "idle %", "events by cause",
                           "preemption, for another request", "refusal, kv_blocks",
                           "KV blocks in use, over", "of 16 blocks"}) {
    EXPECT_TRUE(contains(outcome.out, part)) << part << "\n" << outcome.out;
  }
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
}

TEST_F(ServingReport, RunsWithAndWithoutEventsAreCompared) {
  ASSERT_EQ(replay().status, 0);
  ASSERT_EQ(sandbox_.run({"replay", "config.json", "--workload", "chat", "--limit", "1"}).status,
            0);
  EXPECT_TRUE(contains(sandbox_.run({"report", "2"}).out, "events by cause\n  none\n"));
  for (const Arguments& tokens : {Arguments{"diff", "1", "2"}, Arguments{"diff", "2", "1"}}) {
    const Outcome outcome = sandbox_.run(tokens);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_TRUE(contains(outcome.out, "preemption, for another request")) << outcome.out;
  }
}

TEST_F(ServingReport, CsvHasALineForEachRecordOfSteps) {
  ASSERT_EQ(replay().status, 0);
  const Outcome csv = sandbox_.run({"report", "1", "--csv"});
  ASSERT_EQ(csv.status, 0) << csv.err;
  EXPECT_TRUE(csv.out.starts_with("first_step,count,start_ns,end_ns,us,tokens,")) << csv.out;
  const auto lines = static_cast<size_t>(std::ranges::count(csv.out, '\n'));
  EXPECT_EQ(lines, report()["steps"].size() + 1);
}

TEST_F(ServingReport, IsTheSameForAnyNumberOfJobs) {
  ASSERT_EQ(replay({"--jobs", "1", "--db", "one.db"}).status, 0);
  ASSERT_EQ(replay({"--jobs", "2", "--db", "two.db"}).status, 0);
  const auto csv = [&](const char* db) {
    return sandbox_.run({"report", "1", "--csv", "--db", db}).out;
  };
  EXPECT_FALSE(csv("one.db").empty());
  EXPECT_EQ(csv("one.db"), csv("two.db"));
}

TEST_F(ServingReport, RunsWithoutALogAreStillReported) {
  ASSERT_EQ(replay().status, 0);
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(sandbox_.path("results.db").c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, "DELETE FROM serving_chunk", nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(database);
  const Json json = report();
  EXPECT_FALSE(json.contains("steps"));
  EXPECT_FALSE(json["ops"].empty());
  const Outcome csv = sandbox_.run({"report", "1", "--csv"});
  EXPECT_EQ(csv.status, 3);
  EXPECT_TRUE(contains(csv.err, "kept no steps")) << csv.err;
}

TEST_F(ServingReport, ADamagedLogIsFoundAndNamed) {
  ASSERT_EQ(replay().status, 0);
  ASSERT_EQ(sandbox_.run({"db", "check"}).status, 0);
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(sandbox_.path("results.db").c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database,
                         "UPDATE serving_chunk SET rows = rows + 1 WHERE kind = 'step' AND "
                         "name = 'waiting'",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(database);
  for (const Arguments& tokens : {Arguments{"report", "1"}, Arguments{"db", "check"}}) {
    const Outcome outcome = sandbox_.run(tokens);
    EXPECT_NE(outcome.status, 0);
    EXPECT_TRUE(contains(outcome.out + outcome.err, "the step log of run 1 is damaged"))
        << outcome.out << outcome.err;
    EXPECT_TRUE(contains(outcome.out + outcome.err, "column waiting")) << outcome.err;
  }
}

TEST_F(ServingReport, StepsAndCsvAreOfServingRuns) {
  ASSERT_EQ(sandbox_.run({"run", "gemm", "--shape", "m=64,n=64,k=64", "-q"}).status, 0);
  for (const Arguments& tokens :
       {Arguments{"report", "1", "--csv"}, Arguments{"report", "1", "--steps", "3"},
        Arguments{"report", "xyserve", "--csv"}, Arguments{"report", "xyserve", "--steps", "3"}}) {
    const Outcome outcome = sandbox_.run(tokens);
    EXPECT_EQ(outcome.status, 2) << tokens[1];
    EXPECT_EQ(outcome.out, "");
    EXPECT_TRUE(contains(outcome.err, "serving run")) << outcome.err;
  }
}

TEST_F(ServingReport, TextShowsTheIdleShareOfAStep) {
  const Outcome outcome = replay();
  EXPECT_TRUE(contains(outcome.out, "idle share of a step, mean")) << outcome.out;
}

TEST_F(ServingReport, PercentilesAreAsAsked) {
  const Outcome text = replay({"--percentiles", "50,90,99.9"});
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_TRUE(contains(text.out, "TTFT mean / p50 / p90 / p99.9")) << text.out;
  const Json json = Json::parse(replay({"--percentiles", "25,99.9", "--json"}).out);
  for (const char* key : {"p25_ttft_ms", "p99.9_ttft_ms", "p99.9_e2el_ms", "p90_itl_ms"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_FALSE(json.contains("p95_ttft_ms"));
  EXPECT_LE(json["p25_tpot_ms"], json["p99.9_tpot_ms"]);
  const Outcome wrong = replay({"--percentiles", "101"});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_TRUE(contains(wrong.err, "percentile 101 is outside 0 to 100")) << wrong.err;
}

TEST_F(ServingReport, DetailedListsHaveAnElementForEachRequest) {
  const Outcome outcome = replay({"--detailed", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json json = Json::parse(outcome.out);
  for (const char* key : {"input_lens", "output_lens", "ttfts", "itls", "start_times", "errors"}) {
    ASSERT_TRUE(json.contains(key)) << key;
    EXPECT_EQ(json[key].size(), 12u) << key;
  }
  double ttft_s = 0;
  for (const Json& each : json["ttfts"]) ttft_s += each.get<double>();
  const double completed = json["completed"];
  EXPECT_NEAR(ttft_s / completed * 1e3, json["mean_ttft_ms"].get<double>(), 1e-9);
  EXPECT_EQ(std::ranges::count(json["errors"], Json("")), json["completed"]);
  EXPECT_FALSE(report()["result"].contains("ttfts")) << "the log has them";
  const Outcome text = replay({"--detailed"});
  EXPECT_EQ(text.status, 2);
  EXPECT_TRUE(contains(text.err, "--detailed adds lists to the output of --json")) << text.err;
}

TEST_F(ServingReport, MetricsAreWrittenForPrometheus) {
  const Json json = Json::parse(replay({"--metrics", "m.txt", "--json"}).out);
  const std::string text = sandbox_.read("m.txt");
  for (const std::string& line :
       {std::string("vllm:time_to_first_token_seconds_count{"),
        "vllm:num_preemptions_total{engine=\"0\",model_name=\"" +
            json["model_id"].get<std::string>() + "\"} ",
        std::string("# TYPE vllm:e2e_request_latency_seconds histogram")}) {
    EXPECT_TRUE(contains(text, line)) << line << "\n" << text.substr(0, 2000);
  }
  const Outcome two = replay({"--metrics", "m.txt", "--plan", "p", "--compare", "none"});
  EXPECT_EQ(two.status, 2);
  EXPECT_TRUE(contains(two.err, "--compare makes two")) << two.err;
  const Outcome nowhere = replay({"--metrics", "no/such/folder/m.txt"});
  EXPECT_EQ(nowhere.status, 1);
  EXPECT_TRUE(contains(nowhere.err, "no/such/folder/m.txt")) << nowhere.err;
  const Json runs = Json::parse(sandbox_.run({"query", "runs", "--json"}).out);
  EXPECT_EQ(runs["rows"].size(), 1u) << "nothing began";
}

TEST_F(ServingReport, OptionsOfMeasuresHaveNoMeaningWithAReference) {
  for (const Arguments& more : {Arguments{"--metrics", "m.txt"}, Arguments{"--detailed"},
                                Arguments{"--percentiles", "5"}}) {
    Arguments tokens = {"replay", "folder", "--reference", "reference.json"};
    tokens.insert(tokens.end(), more.begin(), more.end());
    const Outcome outcome = sandbox_.run(tokens);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_TRUE(contains(outcome.err, more[0] + " has no meaning with --reference")) << outcome.err;
  }
}

}  // namespace
}  // namespace tilewright
