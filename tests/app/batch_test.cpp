// Batches of tunings, shards of them, and what --dry-run counts.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "app/cli/batch_file.h"
#include "app/cli/shard.h"
#include "core/base/error.h"
#include "tests/app/program.h"

namespace tilewright {
namespace {

using Arguments = std::vector<std::string>;
using Document = nlohmann::ordered_json;

std::vector<BatchJob> jobs_of(const std::string& jobs, const std::string& defaults = "{}") {
  return read_batch(fmt::format(R"({{"schema": 1, "defaults": {}, "jobs": [{}]}})", defaults, jobs),
                    "b.json");
}

std::string refusal_of(const std::string& job, const std::string& defaults = "{}") {
  try {
    jobs_of(job, defaults);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

TEST(BatchFile, JobIsACommandLine) {
  const auto jobs = jobs_of(
      R"({"name": "a", "kernel": "gemm", "shape": {"m": 16, "n": 32, "k": 64}, "dtype": "f16",
          "out_dtype": "f32", "budget": {"evaluations": 5, "seconds": 1.5}, "strategy": "random",
          "machine": "npu", "seed": 7, "options": {"within": 2}},
         {"model": "qwen2-7b", "workload": "chat", "limit": 3})");
  ASSERT_EQ(jobs.size(), 2u);
  EXPECT_EQ(jobs[0].name, "a");
  EXPECT_EQ(jobs[0].machine, "npu");
  EXPECT_EQ(jobs[0].seed, 7);
  EXPECT_EQ(jobs[0].tokens, (Arguments{"gemm", "--dtype=f16", "--out-dtype=f32",
                                       "--strategy=random", "--budget=evaluations=5,seconds=1.5",
                                       "--within=2", "--shape=m=16,n=32,k=64"}));
  EXPECT_EQ(jobs[1].name, "2 qwen2-7b");
  EXPECT_EQ(jobs[1].tokens, (Arguments{"qwen2-7b", "--workload=chat", "--limit=3"}));
}

TEST(BatchFile, ListsAndRangesMakeAJobOfEveryCombination) {
  const auto jobs = jobs_of(
      R"({"kernel": "gemm", "shape": {"m": {"from": 16, "to": 100, "times": 2}, "n": 8,
          "k": [1, 2]}},
         {"name": "s", "kernel": "gemm", "shape": {"m": {"from": 1, "to": 7, "step": 3}}})");
  std::vector<std::string> names;
  for (const BatchJob& job : jobs) names.push_back(job.name);
  EXPECT_EQ(names,
            (Arguments{"1 gemm m=16,k=1", "1 gemm m=16,k=2", "1 gemm m=32,k=1", "1 gemm m=32,k=2",
                       "1 gemm m=64,k=1", "1 gemm m=64,k=2", "s m=1", "s m=4", "s m=7"}));
  EXPECT_EQ(jobs[3].tokens.back(), "--shape=m=32,n=8,k=2");
}

TEST(BatchFile, JobWinsOverTheDefaults) {
  const std::string defaults =
      R"({"machine": "x", "budget": {"evaluations": 9}, "options": {"within": 2, "tp": 4}})";
  const auto jobs = jobs_of(
      R"({"model": "m", "workload": "w"},
         {"model": "m", "workload": "w", "name": "n", "machine": "y", "budget": {"seconds": 3},
          "options": {"within": 5}})",
      defaults);
  EXPECT_EQ(jobs[0].tokens,
            (Arguments{"m", "--workload=w", "--budget=evaluations=9", "--within=2", "--tp=4"}));
  EXPECT_EQ(jobs[1].machine, "y");
  EXPECT_EQ(jobs[1].tokens,
            (Arguments{"m", "--workload=w", "--budget=seconds=3", "--within=5", "--tp=4"}));
}

TEST(BatchFile, SwitchesAreTrueOrFalse) {
  const std::string defaults = R"({"options": {"no-transfer": true}})";
  const auto jobs = jobs_of(
      R"({"model": "m", "workload": "w"},
         {"model": "m", "name": "n", "workload": "w", "options": {"no-transfer": false}})",
      defaults);
  EXPECT_EQ(jobs[0].tokens, (Arguments{"m", "--workload=w", "--no-transfer"}));
  EXPECT_EQ(jobs[1].tokens, (Arguments{"m", "--workload=w"}));
}

TEST(BatchFile, ErrorsNameThePlaceAndTheNearestKey) {
  const struct {
    const char* job;
    const char* message;
  } rows[] = {
      {R"({"kernl": "gemm"})", "b.json: jobs[0]: unknown key 'kernl'; did you mean 'kernel'?"},
      {R"({"name": "x"})", "b.json: jobs[0]: needs one of kernel and model"},
      {R"({"kernel": "a", "model": "b"})", "needs one of"},
      {R"({"kernel": "gemm"})", "shape"},
      {R"({"kernel": "gemm", "shape": {"m": 0}})", "b.json: jobs[0].shape.m"},
      {R"({"kernel": "gemm", "shape": {"m": []}})", "empty list"},
      {R"({"kernel": "gemm", "shape": {"m": "64"}})", "a number, a list of numbers or a range"},
      {R"({"kernel": "gemm", "shape": {"m": 1}, "options": {"tp": [1]}})", "jobs[0].options.tp"},
      {R"({"kernel": "gemm", "shape": {"m": {"from": 1, "to": 9}}})", "one of step and times"},
      {R"({"kernel": "gemm", "shape": {"m": {"from": 1, "to": 1000000, "step": 1}}})", "values"},
      {R"({"kernel": "gemm", "shape": {"m": 1}, "budget": {}})", "neither evaluations"},
      {R"({"kernel": "gemm", "shape": {"m": [1, 1]}})", "second job with the name"},
      {R"({"kernel": "gemm", "shape": {"m": 1}, "seed": -1})", "b.json: jobs[0].seed"},
      {R"({"kernel": "--db", "shape": {"m": 1}})", "no usable target"},
      {"", "is empty"},
  };
  for (const auto& row : rows) {
    EXPECT_NE(refusal_of(row.job).find(row.message), std::string::npos)
        << row.job << ": " << refusal_of(row.job);
  }
  EXPECT_NE(refusal_of("", R"({"machin": "x"})").find("did you mean 'machine'"), std::string::npos);
}

TEST(Shard, EveryProblemIsInExactlyOneAndTwinsStayTogether) {
  const auto problem = [](int64_t m) {
    TuneProblem each;
    each.problem =
        parse_problem(fmt::format("gemm f16 f16 f16 nd nz nd m={} n=64 k=32 epilogue=none", m));
    return each;
  };
  std::vector<int> seen(8);
  for (int index = 1; index <= 3; ++index) {
    std::vector<TuneProblem> problems;
    for (const int m : {1, 2, 3, 1, 4, 5, 6, 7, 2}) problems.push_back(problem(m));
    Shard{index, 3, 4}.keep_own(problems);
    EXPECT_GE(problems.size(), 2u);
    for (const TuneProblem& each : problems) ++seen[static_cast<size_t>(each.problem.size("m"))];
  }
  EXPECT_EQ(seen, (std::vector<int>{0, 2, 2, 1, 1, 1, 1, 1}));
}

TEST(Shard, AFusedProblemGoesWithTheOneThatItIsInsteadOf) {
  const auto problem = [](int64_t m, const char* epilogue) {
    TuneProblem each;
    each.problem = parse_problem(
        fmt::format("gemm f16 f16 f16 nd nz nd m={} n=64 k=32 epilogue={}", m, epilogue));
    return each;
  };
  std::vector<int> balance(8);
  for (int index = 1; index <= 3; ++index) {
    std::vector<TuneProblem> problems;
    for (int m = 1; m <= 7; ++m) {
      problems.push_back(problem(m, "silu_mul"));
      problems.back().apart = TuneApart{problem(m, "none").problem.text(), 1};
    }
    for (int m = 7; m >= 1; --m) problems.push_back(problem(m, "none"));
    Shard{index, 3, 0}.keep_own(problems);
    for (const TuneProblem& each : problems) {
      balance[static_cast<size_t>(each.problem.size("m"))] += each.apart ? 1 : -1;
    }
    EXPECT_EQ(balance, std::vector<int>(8));
  }
}

TEST(Shard, HasAFileBesideTheDatabase) {
  EXPECT_EQ(shard_path("/a/results.db", {2, 4, 0}), "/a/results.shard-2-of-4.db");
  EXPECT_EQ(shard_path("r", {1, 2, 0}), "r.shard-1-of-2");
  EXPECT_EQ(shard_path("r.db", {}), "r.db");
}

constexpr const char* kBatch = R"({
  "schema": 1,  // with comments
  "defaults": {"budget": {"evaluations": 4}, "strategy": "random"},
  "jobs": [
    {"name": "g", "kernel": "gemm", "shape": {"m": [32, 64, 96], "n": 64, "k": 64}},
    {"name": "norm", "kernel": "rms_norm", "shape": {"rows": 16, "cols": 256}}
  ]
})";

class BatchTest : public testing::Test {
 protected:
  std::string rows(const std::string& db) {
    return sandbox_
        .run({"query",
              "select problem, config, status, time_us, reason, counters from measurements "
              "order by problem, config",
              "--csv", "--db", db})
        .out;
  }
  Document json(const Arguments& arguments) {
    const Outcome outcome = sandbox_.run(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return Document::parse(outcome.out);
  }

  Sandbox sandbox_;
};

TEST_F(BatchTest, RunsEveryJobAsARunOfItsOwn) {
  sandbox_.file("batch.json", kBatch);
  const Document first = json({"tune", "batch.json", "--json", "-q"});
  ASSERT_EQ(first["jobs"].size(), 4u);
  EXPECT_EQ(first["jobs"][2]["name"], "g m=96");
  EXPECT_EQ(first["jobs"][3]["session"], 4);
  for (const auto& job : first["jobs"]) {
    EXPECT_EQ(job["status"], "done");
    EXPECT_EQ(job["evaluations"], 4);
    EXPECT_GE(job["gain"].get<double>(), 1);
  }
  const Document second = json({"tune", "batch.json", "--json", "-q"});
  EXPECT_EQ(second["jobs"][0]["cache_hits"], 4);
  EXPECT_EQ(second["jobs"][0]["best_us"], first["jobs"][0]["best_us"]);
  EXPECT_NE(sandbox_.run({"tune", "batch.json"}).out.find("g m=96"), std::string::npos);
}

TEST_F(BatchTest, FailedJobDoesNotStopTheOthers) {
  sandbox_.file("batch.json", kBatch);
  const Outcome outcome = sandbox_.run(
      {"tune", "batch.json", "--json", "--repetitions", "1", "--evaluator",
       "cmd /bin/sh -c 'test {kernel} = rms_norm && echo 5; echo no gemm here >&2; exit 0'"});
  EXPECT_EQ(outcome.status, 1);
  const Document json = Document::parse(outcome.out);
  EXPECT_EQ(json["failed"], 3);
  EXPECT_EQ(json["jobs"][0]["status"], "failed");
  EXPECT_NE(json["jobs"][0]["reason"].get<std::string>().find("no gemm here"), std::string::npos);
  EXPECT_EQ(json["jobs"][3]["status"], "done");
}

TEST_F(BatchTest, SummaryIsForPeopleAndTellsAFailureOnce) {
  sandbox_.file("batch.json", kBatch);
  const Outcome outcome = sandbox_.run(
      {"tune", "batch.json", "--repetitions", "1", "--evaluator",
       "cmd /bin/sh -c 'test {kernel} = rms_norm && echo 5000000; echo no gemm >&2; exit 0'"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.out.find("5.000 s"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("1.000x"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("no gemm"), std::string::npos) << outcome.out;
  EXPECT_EQ(outcome.err, "");
}

TEST_F(BatchTest, DryRunCountsAndMakesNothing) {
  sandbox_.file("batch.json", kBatch);
  const Document before = json({"tune", "batch.json", "--dry-run", "--json"});
  EXPECT_FALSE(std::filesystem::exists(sandbox_.path("results.db")));
  EXPECT_EQ(before["all"]["problems"], 4);
  EXPECT_EQ(before["all"]["planned_evaluations"], 16);
  EXPECT_EQ(before["all"]["cached_evaluations"], 0);
  EXPECT_GT(before["all"]["legal_configs"], 16);
  EXPECT_GT(before["all"]["estimated_seconds"], 0);
  json({"tune", "batch.json", "-q", "--json"});
  EXPECT_EQ(json({"tune", "batch.json", "--dry-run", "--json"})["all"]["cached_evaluations"], 16);
  EXPECT_EQ(json({"tune", "gemm", "--shape", "m=32,n=64,k=64", "--strategy", "random", "--budget",
                  "evaluations=6", "--dry-run", "--json"})["all"]["planned_evaluations"],
            6);
}

TEST_F(BatchTest, DryRunSaysHowSureItsNumbersAre) {
  const Arguments one = {"tune", "gemm", "--shape", "m=32,n=64,k=64"};
  const Arguments range = {"tune", "gemm", "--shape", "m=16..48,n=64,k=64"};
  const auto forecast = [&](Arguments arguments, const Arguments& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    arguments.insert(arguments.end(), {"--dry-run", "--json"});
    return json(arguments)["all"];
  };
  const Document unknown = forecast(one, {"--evaluator", "echo {tile_m}"});
  EXPECT_EQ(unknown["bound"], "at most");
  EXPECT_EQ(unknown["estimated_from"], "unknown");
  EXPECT_TRUE(unknown["estimated_seconds"].is_null());
  const Document probed = forecast(range, {"--budget", "evaluations=6"});
  EXPECT_EQ(probed["bound"], "at least");
  EXPECT_EQ(probed["planned_evaluations"], 18);
  EXPECT_EQ(probed["estimated_from"], "probe");
  EXPECT_GT(probed["estimated_seconds"], 0);
  EXPECT_EQ(forecast(range, {"--budget", "gain=1"})["bound"], "about");

  Arguments timed = one;
  timed.insert(timed.end(), {"--evaluator", "echo {tile_m}", "--budget", "evaluations=6", "-q"});
  ASSERT_EQ(sandbox_.run(timed).status, 0);
  const Document known =
      forecast(one, {"--evaluator", "echo {tile_m}", "--budget", "evaluations=20"});
  EXPECT_EQ(known["cached_evaluations"], 6);
  EXPECT_EQ(known["estimated_from"], "database");
  EXPECT_GT(known["estimated_seconds"], 0);
  Arguments shown = range;
  shown.emplace_back("--dry-run");
  const std::string text = sandbox_.run(shown).out;
  EXPECT_NE(text.find("at least"), std::string::npos) << text;
  EXPECT_NE(text.find("about "), std::string::npos) << text;
}

TEST_F(BatchTest, ShardsMergeToTheSameResults) {
  sandbox_.file("batch.json", kBatch);
  ASSERT_EQ(sandbox_.run({"tune", "batch.json", "-q", "--db", "whole.db"}).status, 0);
  for (const char* shard : {"1", "2", "3"}) {
    ASSERT_EQ(
        sandbox_.run({"tune", "batch.json", "-q", "--shard", fmt::format("{}/3", shard)}).status,
        0);
  }
  sandbox_.run({"tune", "gemm", "--shape", "m=32,n=64,k=64", "--budget", "evaluations=1"});
  for (const char* shard : {"1", "2", "3", "2"}) {  // twice the same changes nothing
    const Outcome merged =
        sandbox_.run({"db", "merge", fmt::format("results.shard-{}-of-3.db", shard)});
    ASSERT_EQ(merged.status, 0) << merged.err;
  }
  EXPECT_EQ(rows("results.db"), rows("whole.db"));
  EXPECT_GT(rows("whole.db").size(), 1000u);
  const Document again = json({"tune", "batch.json", "-q", "--json"});
  EXPECT_EQ(again["failed"], 0);
  for (const Document& job : again["jobs"]) EXPECT_EQ(job["evaluations"], 0) << job;
}

TEST_F(BatchTest, ShardsOfLikeProblemsFindWhatTheyFindTogether) {
  sandbox_.file("like.json", R"({"schema": 1, "jobs": [
    {"kernel": "gemm", "shape": {"m": [32, 48, 64, 80, 96], "n": 128, "k": 64},
     "budget": {"evaluations": 12}}]})");
  sandbox_.file("alone.json", R"({"schema": 1, "defaults": {"options": {"no-transfer": true}},
    "jobs": [{"kernel": "gemm", "shape": {"m": [32, 48, 64, 80, 96], "n": 128, "k": 64},
     "budget": {"evaluations": 12}}]})");
  ASSERT_EQ(sandbox_.run({"tune", "alone.json", "-q", "--db", "whole.db"}).status, 0);
  for (const int shard : {1, 2, 3}) {
    ASSERT_EQ(
        sandbox_.run({"tune", "like.json", "-q", "--shard", fmt::format("{}/3", shard)}).status, 0);
    const Outcome merged =
        sandbox_.run({"db", "merge", fmt::format("results.shard-{}-of-3.db", shard)});
    ASSERT_EQ(merged.status, 0) << merged.err;
  }
  EXPECT_EQ(rows("results.db"), rows("whole.db"));
  EXPECT_EQ(sandbox_.run({"query", "best", "--csv"}).out,
            sandbox_.run({"query", "best", "--csv", "--db", "whole.db"}).out);
}

TEST_F(BatchTest, ShardWithoutProblemsPrintsAnObject) {
  const Document none =
      json({"tune", "gemm", "--shape", "m=16,n=16,k=16", "--shard", "2/2", "--json", "-q"});
  EXPECT_TRUE(none["session"].is_null());
  EXPECT_TRUE(none["problems"].empty());
}

TEST_F(BatchTest, DryRunCountsTheJobsThatCanRun) {
  sandbox_.file("mixed.json", R"({"schema": 1, "defaults": {"budget": {"evaluations": 4}}, "jobs": [
    {"name": "first", "kernel": "gemm", "shape": {"m": 64, "n": 64, "k": 64}},
    {"name": "lost", "kernel": "gemm", "shape": {"m": 16, "n": 16}},
    {"name": "last", "kernel": "gemm", "shape": {"m": 64, "n": 128, "k": 64}}]})");
  const Outcome outcome = sandbox_.run({"tune", "mixed.json", "--dry-run", "--json"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("job lost cannot run: mixed.json: jobs[1]"), std::string::npos)
      << outcome.err;
  const Document counted = Document::parse(outcome.out);
  EXPECT_EQ(counted["failed"], 1);
  EXPECT_EQ(counted["jobs"].size(), 2u);
  EXPECT_EQ(counted["all"]["planned_evaluations"], 8);
}

TEST_F(BatchTest, WhatIsWrongInTheFileIsAFailureNotAUsageError) {
  const auto told = [&](const std::string& text) {
    const Outcome outcome = sandbox_.run({"tune", sandbox_.file("bad.json", text)});
    EXPECT_EQ(outcome.status, 1) << text;
    return outcome.err;
  };
  EXPECT_NE(told("{}").find("nor a batch of tunings"), std::string::npos);
  EXPECT_NE(told("[]").find("nor a batch of tunings"), std::string::npos);
  EXPECT_NE(told(R"({"schema": 1})").find("nor a batch of tunings"), std::string::npos);
  const std::string job = R"({"kernel": "gemm", "shape": {"m": 16, "n": 16, "k": 16}, )";
  const std::string begin = R"({"schema": 1, "jobs": [)";
  EXPECT_NE(told(begin + job + R"("optins": {}}]})").find("unknown key 'optins'"),
            std::string::npos);
  EXPECT_NE(told(begin + job + R"("options": {"wihtin": 2}}]})").find("jobs[0]: "),
            std::string::npos);
}

TEST_F(BatchTest, AFileStartsNoPrograms) {
  const std::string job =
      R"({"schema": 1, "jobs": [{"kernel": "gemm", "shape": {"m": 16, "n": 16, "k": 16}, )";
  for (const char* options :
       {R"({"evaluator": "cmd /bin/sh touch.sh"})", R"({"evaluator=cmd /bin/sh touch.sh": true})",
        R"({"eval-timeout": 3})"}) {
    sandbox_.file("touch.sh", "touch touched; echo 1\n");
    const Outcome outcome =
        sandbox_.run({"tune", sandbox_.file("bad.json", job + "\"options\": " + options + "}]}")});
    EXPECT_EQ(outcome.status, 1) << outcome.err;
    EXPECT_NE(
        outcome.err.find("is said on the command line, for all jobs, as a file must not start "
                         "programs"),
        std::string::npos)
        << outcome.err;
    EXPECT_NE(outcome.err.find("jobs[0]: "), std::string::npos) << outcome.err;
    EXPECT_FALSE(std::filesystem::exists(sandbox_.path("touched")));
  }
}

TEST_F(BatchTest, InterruptKeepsWhatIsDoneAndSaysWhatIsNot) {
  sandbox_.file("batch.json", kBatch);
  const std::string mark = sandbox_.path("started");
  const pid_t process = sandbox_.start(
      {"tune", "batch.json", "--json", "--jobs", "1", "--evaluator",
       fmt::format("cmd /bin/sh -c 'test {{m}} = 32 && echo 7 && exit; touch {}; sleep 50'",
                   mark)});
  while (!std::filesystem::exists(mark)) std::this_thread::yield();
  ::kill(process, SIGINT);
  const Outcome outcome = sandbox_.wait(process);
  EXPECT_EQ(outcome.status, 130) << outcome.err;
  const Document json = Document::parse(outcome.out);
  EXPECT_EQ(json["jobs"][0]["status"], "done");
  EXPECT_EQ(json["jobs"][1]["status"], "interrupted");
  EXPECT_EQ(json["jobs"][1]["evaluations"], 0);
  EXPECT_EQ(json["jobs"][2]["status"], "not started");
  EXPECT_EQ(json["interrupted"], true);
}

TEST_F(BatchTest, RefusesWhatIsSaidForEachJob) {
  sandbox_.file("batch.json", kBatch);
  const Outcome option = sandbox_.run({"tune", "batch.json", "--strategy", "random"});
  EXPECT_EQ(option.status, 2);
  EXPECT_NE(option.err.find("--strategy is said for each job"), std::string::npos);
  sandbox_.file("bad.json", R"({"schema": 1, "jobs": [{"kernel": "gemn", "shape": {"m": 1}}]})");
  const Outcome name = sandbox_.run({"tune", "bad.json"});
  EXPECT_EQ(name.status, 3);
  EXPECT_NE(name.err.find("bad.json: jobs[0]: unknown kernel 'gemn'; did you mean 'gemm'"),
            std::string::npos)
      << name.err;
  EXPECT_EQ(sandbox_.run({"tune", "batch.json", "--shard", "4/3"}).status, 2);
}

}  // namespace
}  // namespace tilewright
