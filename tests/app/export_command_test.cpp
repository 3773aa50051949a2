// `tilewright export`: winners listed, chosen, checked and written, through the real binary.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/app/program.h"

namespace tilewright {
namespace {

using Json = nlohmann::json;

class ExportCommandRun : public testing::Test {
 protected:
  /// A family of GEMMs with a winner for each number of rows.
  void tune_family() {
    const Outcome outcome = sandbox_.run({"tune", "gemm", "--shape", "m=16..64,n=256,k=256", "-q",
                                          "--regret", "0", "--budget", "evaluations=6"});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
  }

  Json json_of(std::vector<std::string> tokens, int status = 0) {
    tokens.insert(tokens.end(), {"--json", "-q"});
    const Outcome outcome = sandbox_.run(tokens);
    EXPECT_EQ(outcome.status, status) << outcome.err;
    return Json::parse(outcome.out, nullptr, false);
  }

  void change(const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(sandbox_.path("results.db").c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(database);
  }

  Sandbox sandbox_;
};

TEST_F(ExportCommandRun, ListsWinnersWithWhereTheyComeFrom) {
  tune_family();
  change("UPDATE winner SET kernel_revision = 0 WHERE id = (SELECT max(id) FROM winner)");
  const Json json = json_of({"export", "--list"});
  const Json& winners = json["winners"];
  ASSERT_GE(winners.size(), 3u);
  for (size_t i = 0; i < winners.size(); ++i) {
    EXPECT_EQ(winners[i]["winner"], i + 1);
    EXPECT_EQ(winners[i]["run"], 1);
    EXPECT_EQ(winners[i]["state"] == "stale", i + 1 == winners.size());
  }
  const Json trials =
      json_of({"query", "SELECT config, problem FROM trials WHERE run = 1 AND place = " +
                            std::to_string(winners[0]["try"].get<int>() - 1)});
  EXPECT_EQ(trials["rows"][0]["config"], winners[0]["config"]);
  EXPECT_EQ(trials["rows"][0]["problem"], winners[0]["problem"]);
  const Outcome text = sandbox_.run({"export", "1", "--list"});
  EXPECT_NE(text.out.find("m=16,n=256,k=256"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("revision 0 of"), std::string::npos) << text.out;
}

TEST_F(ExportCommandRun, WritesTheWinnersThatAreChosen) {
  tune_family();
  const Json winners = json_of({"export", "--list"})["winners"];
  ASSERT_GE(winners.size(), 3u);
  ASSERT_EQ(sandbox_.run({"export", "--winners", "1,3", "-o", "plan.json", "-q"}).status, 0);
  const Json plan = Json::parse(sandbox_.read("plan.json"));
  EXPECT_EQ(plan["tables"][0]["ranges"][0]["config"], winners[0]["config"]);
  EXPECT_EQ(plan["tables"][0]["ranges"].back()["config"], winners[2]["config"]);
  EXPECT_EQ(plan["tables"][0]["ranges"].back()["m_max"], 48);
  for (const char* wrong : {"0", "1-99", "3-1", "x", ""}) {
    EXPECT_EQ(sandbox_.run({"export", "--winners", wrong, "-o", "x.json"}).status, 2) << wrong;
  }
  EXPECT_FALSE(std::filesystem::exists(sandbox_.path("x.json")));
}

TEST_F(ExportCommandRun, RefusesStaleWinnersOnlyWhereTheyAreChosen) {
  tune_family();
  change("UPDATE winner SET evaluator = 'sim/0/detailed' WHERE id = (SELECT min(id) FROM winner)");
  const Outcome refused = sandbox_.run({"export", "-o", "plan.json"});
  EXPECT_EQ(refused.status, 4);
  EXPECT_NE(refused.err.find("1 of "), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("sim/0/detailed"), std::string::npos) << refused.err;
  EXPECT_EQ(sandbox_.run({"export", "--winners", "2-3", "-o", "plan.json", "-q"}).status, 0);
}

TEST_F(ExportCommandRun, AMachineThatHasChangedIsStale) {
  tune_family();
  change(
      "PRAGMA foreign_keys = OFF; UPDATE machine SET fingerprint = 'abc'; "
      "UPDATE run SET machine = 'abc'; UPDATE measurement SET machine = 'abc'");
  const Outcome refused = sandbox_.run({"export", "-o", "plan.json"});
  EXPECT_EQ(refused.status, 4);
  EXPECT_NE(refused.err.find("ascend-910b2 abc, which is"), std::string::npos) << refused.err;
}

TEST_F(ExportCommandRun, KeepsTheFileThatItReplaces) {
  tune_family();
  sandbox_.file("plan.json", "mine");
  EXPECT_EQ(json_of({"export", "-o", "plan.json"})["backup"], "plan.json.bak");
  EXPECT_EQ(sandbox_.read("plan.json.bak"), "mine");
  EXPECT_FALSE(json_of({"export", "-o", "plan.json"}).contains("backup"));
  EXPECT_EQ(sandbox_.read("plan.json.bak"), "mine") << "the same bytes replace nothing";
}

TEST_F(ExportCommandRun, ChecksComputeAndServe) {
  sandbox_.file("config.json", kSmallModel);
  ASSERT_EQ(sandbox_
                .run({"tune", "config.json", "--workload", "chat", "--limit", "5",
                      "--max-num-batched-tokens", "128", "--budget", "evaluations=3", "-q"})
                .status,
            0);
  const Json json = json_of({"export", "--check"});
  ASSERT_EQ(json["checks"].size(), 6u) << json;
  for (const Json& check : json["checks"]) EXPECT_EQ(check["status"], "ok") << check;
  EXPECT_EQ(json["replay"]["with"]["completed"], 5);
  EXPECT_GT(json["replay"]["gain"]["mean_e2el_ms"], 0.99);
  EXPECT_EQ(json_of({"query", "SELECT count(*) AS n FROM runs"})["rows"][0]["n"], 1)
      << "checks keep no runs";
}

TEST_F(ExportCommandRun, ACheckThatFailsWritesNothing) {
  tune_family();
  change("UPDATE winner SET config = replace(config, 'l0c_buffers=', 'l0c_buffers=7')");
  const Outcome outcome = sandbox_.run({"export", "--check", "-o", "plan.json"});
  EXPECT_EQ(outcome.status, 4) << outcome.err;
  EXPECT_NE(outcome.out.find("failed   fit"), std::string::npos) << outcome.out;
  EXPECT_FALSE(std::filesystem::exists(sandbox_.path("plan.json")));
}

TEST_F(ExportCommandRun, AKernelOfNoModelIsReplayedOnOneThatHasIt) {
  ASSERT_EQ(sandbox_
                .run({"tune", "gemm", "--shape", "m=16,n=4096,k=4096", "--dtype", "bf16", "-q",
                      "--budget", "evaluations=3"})
                .status,
            0);
  const Json checks = json_of({"export", "--check"})["checks"];
  EXPECT_EQ(checks.back()["status"], "note") << checks;
  EXPECT_NE(checks.back()["text"].get<std::string>().find("no traffic of its own"),
            std::string::npos);
}

TEST_F(ExportCommandRun, RefusesWhatMakesNoSense) {
  tune_family();
  for (const std::vector<std::string>& tokens : std::vector<std::vector<std::string>>{
           {"export", "--list", "-o", "x"},
           {"export", "--list", "--check"},
           {"export", "--winners", "1"},
           {"export", "--format", "csv", "--winners", "1", "-o", "x"},
           {"export", "--format", "csv", "--check"}}) {
    const Outcome outcome = sandbox_.run(tokens);
    EXPECT_EQ(outcome.status, 2) << outcome.err;
  }
}

}  // namespace
}  // namespace tilewright
