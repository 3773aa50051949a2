// `tilewright workload`, and the options that say which requests of a workload are meant.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/base/text.h"
#include "tests/app/program.h"

namespace tilewright {
namespace {

using Json = nlohmann::json;

Json json_of(Sandbox& sandbox, std::vector<std::string> arguments) {
  arguments.push_back("--json");
  const Outcome outcome = sandbox.run(arguments);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  return Json::parse(outcome.out, nullptr, false);
}

void expect_narrow(const std::string& text) {
  for (const std::string_view line : split(text, '\n')) EXPECT_LE(line.size(), 80U) << line;
}

TEST(WorkloadCommand, ListsPresetsAndFormats) {
  Sandbox sandbox;
  const Outcome text = sandbox.run({"workload", "list"});
  EXPECT_EQ(text.status, 0) << text.err;
  expect_narrow(text.out);
  for (const char* name : {"chat-sessions", "decode-heavy", "sharegpt", "BurstGPT", "Mooncake"}) {
    EXPECT_NE(text.out.find(name), std::string::npos) << name;
  }
  const Json json = json_of(sandbox, {"workload", "list"});
  EXPECT_EQ(json["presets"].size(), 7U);
  EXPECT_EQ(json["presets"][0]["name"], "chat");
  EXPECT_EQ(json["formats"].size(), 9U);
}

TEST(WorkloadCommand, ShowsWhatATraceHolds) {
  Sandbox sandbox;
  sandbox.file("burst.csv",
               "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
               "0,ChatGPT,4,5,9,API log\n1,GPT-4,6,0,6,API log\n2,GPT-4,8,7,15,API log\n"
               "4,GPT-4,8,7,15,API log\n");
  const Outcome text = sandbox.run({"workload", "show", "burst.csv"});
  EXPECT_EQ(text.status, 0) << text.err;
  expect_narrow(text.out);
  EXPECT_NE(text.out.find("3 requests\narrivals within 4.0 s, 0.500 /s, CV of gaps 0.00\n"),
            std::string::npos)
      << text.out;
  EXPECT_NE(text.err.find("1 row with 0 response tokens was left out"), std::string::npos);

  const Json json = json_of(sandbox, {"workload", "show", "burst.csv", "--trace", "model=GPT-4",
                                      "--arrivals", "closed:concurrency=3"});
  EXPECT_EQ(json["workload"]["requests"], 2);
  EXPECT_EQ(json["prompt"]["mean"], 8);
  EXPECT_EQ(json["requests_per_second"], 0);
  EXPECT_EQ(json["concurrency"], 3);
  EXPECT_EQ(json["notes"].size(), 2U);
}

TEST(WorkloadCommand, ShowsSessionsOfAPreset) {
  Sandbox sandbox;
  const Outcome text = sandbox.run({"workload", "show", "chat-sessions", "--limit", "200"});
  EXPECT_EQ(text.status, 0) << text.err;
  expect_narrow(text.out);
  EXPECT_NE(text.out.find("of them later ones of"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("repeat a prefix of an earlier prompt (blocks of 64)"),
            std::string::npos);
}

TEST(WorkloadCommand, ShowsWhatAPrefixCacheOfASizeHas) {
  Sandbox sandbox;
  std::string rows;
  for (const char* hashes : {"1, 2", "1, 3", "1, 2"}) {
    rows += fmt::format(
        "{{\"timestamp\": 0, \"input_length\": 1025, \"output_length\": 1, \"hash_ids\": [{}, "
        "9]}}\n",
        hashes);
  }
  sandbox.file("trace.jsonl", rows);
  // One block is found of the second prompt, two are of the third; with two blocks the third finds
  // its first one alone.
  const Outcome outcome =
      sandbox.run({"workload", "show", "trace.jsonl", "--prefix-blocks", "1000,3", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_DOUBLE_EQ(json["prefix_cache"][0]["hit_rate"], 3.0 * 512 / (3 * 1025));
  EXPECT_LT(json["prefix_cache"][1]["hit_rate"], json["prefix_cache"][0]["hit_rate"]);
  EXPECT_EQ(sandbox.run({"workload", "show", "chat", "--prefix-blocks", "4"}).status, 2);
  EXPECT_EQ(sandbox.run({"workload", "show", "trace.jsonl", "--prefix-blocks", "0"}).status, 2);
}

TEST(WorkloadCommand, SlicesByTimeThenByNumber) {
  Sandbox sandbox;
  std::string rows = "arrived_at,num_prefill_tokens,num_decode_tokens\n";
  for (int i = 0; i < 10; ++i) rows += std::to_string(i) + "," + std::to_string(i + 1) + ",1\n";
  sandbox.file("trace.csv", rows);
  const auto lengths = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"workload", "show", "trace.csv"});
    const Json prompt = json_of(sandbox, options)["prompt"];
    return std::pair(prompt["min"].get<int>(), prompt["max"].get<int>());
  };
  EXPECT_EQ(lengths({"--window", "2s:6s"}), std::pair(3, 6));
  EXPECT_EQ(lengths({"--window", "2s:6s", "--offset", "1", "--limit", "2"}), std::pair(4, 5));
  EXPECT_EQ(lengths({"--offset", "3", "--limit", "2"}), std::pair(4, 5));
  EXPECT_EQ(lengths({"--offset", "8"}), std::pair(9, 10));
  EXPECT_EQ(
      json_of(sandbox, {"workload", "show", "chat", "--offset", "5", "--limit", "4"})["requests"],
      4);
}

TEST(WorkloadCommand, RefusesWhatMeansNothing) {
  Sandbox sandbox;
  const struct {
    std::vector<std::string> options;
    int status;
    std::string message;
  } kCases[] = {
      {{"chta"}, 3, "did you mean 'chat'?"},
      {{"chat", "--window", "5s"}, 2, "--window '5s' is not FROM:TO, such as 60s:120s"},
      {{"chat", "--window", "5s:5s"}, 2, "ends before it begins"},
      {{"chat", "--window", "5s:-1s"}, 2, "is below 0"},
      {{"chat", "--window", "5s:9e99s"}, 2, "is later than three years"},
      {{"chat", "--window", "90000s:90001s"}, 2, "has no request from 90000 to 90001 s"},
      {{"chat", "--arrivals", "poison:rate=1"}, 2, "did you mean 'poisson'?"},
      {{"chat", "--arrivals", "at-once", "--rate", "1"}, 2, "--rate scales the arrivals"},
      {{"chat", "--trace", "modle=x"}, 2, "did you mean 'model'?"},
  };
  for (const auto& each : kCases) {
    std::vector<std::string> arguments = {"workload", "show"};
    arguments.insert(arguments.end(), each.options.begin(), each.options.end());
    const Outcome outcome = sandbox.run(arguments);
    EXPECT_EQ(outcome.status, each.status) << outcome.err;
    EXPECT_NE(outcome.err.find(each.message), std::string::npos) << outcome.err;
  }
}

}  // namespace
}  // namespace tilewright
