// What the jobs of the Export screen do, on a small real database.

#include <gtest/gtest.h>

#include "app/tui/export/export_load.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "tests/app/program.h"

namespace tilewright {
namespace {

JobProgress unheard(std::stop_token stop = {}) {
  return {std::move(stop), [](double) {}};
}

class ExportJob : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(sandbox_
                  .run({"tune", "gemm", "--shape", "m=16..48,n=256,k=256", "-q", "--regret", "0",
                        "--budget", "evaluations=6"})
                  .status,
              0);
    db_ = sandbox_.path("results.db");
  }

  ExportRequest request(const std::string& format, const std::string& file) {
    ExportRequest request{load_export({db_, 0}, unheard()), {}, 0, format, sandbox_.path(file)};
    for (size_t i = 0; i < request.view->source.winners.size(); ++i) request.places.push_back(i);
    return request;
  }

  Sandbox sandbox_;
  std::string db_;
};

TEST_F(ExportJob, WinnersAreReadWithTheTriesThatFoundThem) {
  const auto view = load_export({db_, 1}, unheard());
  ASSERT_EQ(view->source.winners.size(), 3u);
  for (const ListedWinner& row : view->source.winners) {
    EXPECT_TRUE(row.can_be_exported()) << row.reason;
    EXPECT_GT(row.trial, 0);
  }
  EXPECT_EQ(view->runs.size(), 1u);
  EXPECT_EQ(view->formats, (std::vector<std::string>{"plan", "csv", "t4", "catlass"}));
  EXPECT_TRUE(view->source.machine);
  EXPECT_THROW(load_export({db_, 7}, unheard()), Error);
  EXPECT_EQ(load_export({sandbox_.path("absent.db"), 0}, unheard())->source.run.id, 0);
}

TEST_F(ExportJob, ADraftIsComparedWithTheFileAndWritten) {
  sandbox_.file("plan.json", "mine\n");
  const auto draft = draft_export({db_, request("plan", "plan.json")}, unheard());
  EXPECT_EQ(draft->failure, "");
  EXPECT_EQ(draft->diff.removed, 1);
  EXPECT_GT(draft->diff.added, 10);
  ASSERT_EQ(draft->checks.size(), 4u);
  for (const PlanCheck& check : draft->checks) EXPECT_EQ(check.status, CheckStatus::kOk);
  const auto written = write_plan_file({draft});
  EXPECT_EQ(written->written.backup, sandbox_.path("plan.json.bak"));
  EXPECT_EQ(sandbox_.read("plan.json.bak"), "mine\n");
  EXPECT_EQ(sandbox_.read("plan.json"), draft->text.text);
  const auto again = draft_export({db_, request("plan", "plan.json")}, unheard());
  EXPECT_TRUE(again->diff.is_empty());
  EXPECT_TRUE(write_plan_file({again})->written.is_unchanged);
}

TEST_F(ExportJob, FormatsOfOneProblemHoldThatOfTheWinner) {
  ExportRequest csv = request("csv", "r.csv");
  csv.winner = 1;
  const auto draft = draft_export({db_, csv}, unheard());
  EXPECT_EQ(draft->failure, "");
  EXPECT_GT(draft->text.problem, 0);
  EXPECT_TRUE(draft->checks.empty());
  ASSERT_EQ(sandbox_
                .run({"export", "1", "--format", "csv", "--problem",
                      std::to_string(draft->text.problem), "-o", "other.csv", "-q"})
                .status,
            0);
  EXPECT_EQ(sandbox_.read("other.csv"), draft->text.text);
}

TEST_F(ExportJob, WhatCannotBeMadeSaysWhy) {
  ExportRequest request = this->request("plan", "plan.json");
  request.path = sandbox_.path("");
  EXPECT_NE(draft_export({db_, request}, unheard())->failure, "") << "a folder";
}

TEST_F(ExportJob, NumericsAreComputedAndReplaysSayWhyThereIsNone) {
  const ExportRequest plan = request("plan", "plan.json");
  const auto numerics = verify_numerics({plan}, unheard());
  EXPECT_EQ(numerics->check.status, CheckStatus::kOk) << numerics->check.text;
  const auto replay = verify_replay({db_, plan}, unheard());
  EXPECT_EQ(replay->check.status, CheckStatus::kNotRun);
  EXPECT_NE(replay->check.text.find("no model"), std::string::npos);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(verify_numerics({plan}, unheard(stop.get_token())), JobCancelled);
  EXPECT_THROW(verify_replay({db_, plan}, unheard(stop.get_token())), JobCancelled);
}

}  // namespace
}  // namespace tilewright
