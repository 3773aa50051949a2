// Advice on runs, and --apply, through the real binary.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/app/program.h"

namespace tilewright {
namespace {

using Arguments = std::vector<std::string>;
using Json = nlohmann::json;

const Arguments kSlowRun = {
    "run", "gemm", "--shape", "m=300,n=600,k=500", "--config", "tile_m=32,tile_n=32"};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The words of a command line, without the program.
Arguments words_of(const std::string& command) {
  std::istringstream words(command);
  Arguments list;
  for (std::string word; words >> word;) list.push_back(word);
  list.erase(list.begin());
  return list;
}

Json report_of(Sandbox& sandbox, const Arguments& more = {}) {
  Arguments arguments = {"report", "1", "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Outcome outcome = sandbox.run(arguments);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  return Json::parse(outcome.out);
}

TEST(Advice, IsRankedNumberedAndComesWithItsCommandLine) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox.run(kSlowRun).status, 0);
  const Json report = report_of(sandbox);
  const Json& list = report["advice"];
  ASSERT_GE(list.size(), 3u);
  for (size_t i = 0; i < list.size(); ++i) {
    const Json& advice = list[i];
    EXPECT_EQ(advice["number"], i + 1);
    for (const char* key : {"rule", "problem", "evidence"}) {
      EXPECT_FALSE(advice[key].get<std::string>().empty()) << key;
    }
    EXPECT_EQ(advice["feasible"].get<bool>(), advice["obstacle"].is_null());
    EXPECT_EQ(advice["feasible"].get<bool>(), !advice["command"].is_null());
    if (i == 0 || !advice["feasible"].get<bool>()) continue;
    EXPECT_LE(advice["estimated_gain"], list[i - 1]["estimated_gain"]);
  }
  // The command is the change: it runs, and what it runs is what was promised.
  const Outcome changed = sandbox.run(words_of(list[0]["command"].get<std::string>() + " --json"));
  ASSERT_EQ(changed.status, 0) << changed.err;
  const Json run = Json::parse(changed.out);
  EXPECT_EQ(run["problem"], list[0]["changed"]["problem"]);
  EXPECT_EQ(run["config"], list[0]["changed"]["config"]);
  EXPECT_EQ(run["machine"], report["run"]["machine"]);
}

TEST(Advice, IsShownInEightyColumnsAsAnEstimate) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox.run(kSlowRun).status, 0);
  const std::string text = sandbox.run({"report", "1"}).out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
  for (const char* part : {"gains are estimates", "  1      ", "saves about", "change ",
                           "tilewright run gemm --shape m=300,n=600,k=500", "--machine"}) {
    EXPECT_TRUE(contains(text, part)) << part;
  }
}

TEST(Advice, AppliedIsKeptAsARunWithItsRealGain) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox.run(kSlowRun).status, 0);
  const Json before = report_of(sandbox);
  const Json report = report_of(sandbox, {"--apply", "1"});
  const Json& applied = report["applied"];
  EXPECT_EQ(applied["number"], 1);
  EXPECT_EQ(applied["run"], 2);
  EXPECT_EQ(applied["before_us"], before["time_us"]);
  EXPECT_EQ(applied["estimated_us"], before["advice"][0]["estimated_us"]);
  EXPECT_EQ(applied["estimated_gain"], before["advice"][0]["estimated_gain"]);
  const double real = applied["real_us"];
  EXPECT_NEAR(applied["real_gain"].get<double>(), 1 - real / applied["before_us"].get<double>(),
              1e-12);
  EXPECT_GT(applied["real_gain"].get<double>(), 0);
  const Json kept = Json::parse(sandbox.run({"report", "2", "--json"}).out);
  EXPECT_EQ(Json::parse(sandbox.run({"report", "latest", "--json"}).out), kept);
  EXPECT_EQ(kept["config"], report["advice"][0]["changed"]["config"]);
  EXPECT_EQ(kept["time_us"], applied["real_us"]);
  EXPECT_EQ(kept["result"]["time_us"], applied["real_us"]);
  const std::string text = sandbox.run({"report", "1", "--apply", "1"}).out;
  for (const char* part : {"advice 1 followed, kept as run 3", "estimate ", "real "}) {
    EXPECT_TRUE(contains(text, part)) << part;
  }
}

TEST(Advice, RefusesNumbersAndRunsThatHaveNone) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox.run(kSlowRun).status, 0);
  const size_t count = report_of(sandbox)["advice"].size();
  const Outcome beyond = sandbox.run({"report", "1", "--apply", "99"});
  EXPECT_EQ(beyond.status, 2);
  EXPECT_TRUE(contains(beyond.err, "there are " + std::to_string(count) + " pieces of advice"))
      << beyond.err;
  EXPECT_EQ(sandbox.run({"report", "1", "--apply", "0"}).status, 2);
  EXPECT_EQ(sandbox.run({"report", "1", "--apply", "x"}).status, 2);
  EXPECT_EQ(sandbox.run({"report", "2"}).status, 3) << "nothing was kept";

  sandbox.file("config.json", kSmallModel);
  ASSERT_EQ(
      sandbox.run({"replay", "config.json", "--workload", "chat", "--limit", "2", "-q"}).status, 0);
  const Outcome serving = sandbox.run({"report", "2", "--apply", "1"});
  EXPECT_EQ(serving.status, 2);
  EXPECT_TRUE(contains(serving.err, "run 2 is of kind serve")) << serving.err;
  EXPECT_FALSE(Json::parse(sandbox.run({"report", "2", "--json"}).out).contains("advice"));
}

TEST(Advice, ThatCannotBeFollowedSaysWhatRefusesIt) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox.run({"run", "gemm", "--shape", "m=1024,n=1024,k=128"}).status, 0);
  const Json list = report_of(sandbox)["advice"];
  int refused = 0;
  for (const Json& advice : list) {
    if (advice["feasible"].get<bool>()) continue;
    ++refused;
    const Outcome outcome = sandbox.run({"report", "1", "--apply", advice["number"].dump()});
    EXPECT_EQ(outcome.status, 5);
    EXPECT_TRUE(contains(outcome.err, advice["obstacle"].get<std::string>())) << outcome.err;
  }
  EXPECT_GT(refused, 0);
  EXPECT_TRUE(contains(sandbox.run({"report", "1"}).out, ": cannot be done"));
}

TEST(Advice, IsNotKeptUnlessItIsApplied) {
  Sandbox sandbox;
  ASSERT_EQ(sandbox.run(kSlowRun).status, 0);
  const Outcome before = sandbox.run({"report", "1"});
  ASSERT_EQ(sandbox.run({"report", "1"}).out, before.out);
  const Json runs = Json::parse(sandbox.run({"query", "runs", "--json"}).out);
  EXPECT_EQ(runs["rows"].size(), 1u) << "a report keeps nothing";
}

}  // namespace
}  // namespace tilewright
