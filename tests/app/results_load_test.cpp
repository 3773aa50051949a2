// What the workers of Results do, on a small real database.

#include "app/tui/results/results_load.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "app/tui/results/results_state.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "tests/app/program.h"

namespace tilewright {
namespace {

JobProgress no_progress() {
  return {{}, [](double) {}};
}

/// Two runs of a kernel with different tiles (1, 2), and a tuning of it (3).
class ResultsLoad : public testing::Test {
 protected:
  ResultsLoad() {
    for (const char* tile : {"tile_m=64", "tile_m=128"}) {
      EXPECT_EQ(
          sandbox_.run({"run", "gemm", "--shape", "m=256,n=256,k=256", "--config", tile}).status,
          0);
    }
    EXPECT_EQ(
        sandbox_.run({"tune", "gemm", "--shape", "m=256,n=256,k=256", "--budget", "evaluations=4"})
            .status,
        0);
  }

  std::shared_ptr<const QueryOutcome> ask(const std::string& sql) const {
    return run_query({db_, sql}, no_progress());
  }

  Sandbox sandbox_;
  std::string db_ = sandbox_.environment["TILEWRIGHT_DB"];
};

TEST_F(ResultsLoad, ReadsWhatCanBeAsked) {
  const auto catalog = load_catalog({db_, ""}, no_progress());
  EXPECT_TRUE(catalog->exists);
  EXPECT_FALSE(catalog->saved.empty());
  const auto runs = std::ranges::find(catalog->entries, "runs", &CatalogEntry::name);
  ASSERT_NE(runs, catalog->entries.end());
  EXPECT_EQ(runs->rows, 3);
  EXPECT_FALSE(load_catalog({sandbox_.path("none.db"), ""}, no_progress())->exists);
}

TEST_F(ResultsLoad, AsksByNameAndBySql) {
  const auto best = ask("best");
  ASSERT_TRUE(best->rows) << best->failure;
  EXPECT_EQ(best->rows->table->rows.size(), 1u);
  const auto runs = ask("SELECT id, kind FROM runs ORDER BY id");
  ASSERT_TRUE(runs->rows) << runs->failure;
  EXPECT_EQ(runs->rows->rows.size(), 3u);
  EXPECT_FALSE(runs->rows->table->is_cut);
}

TEST_F(ResultsLoad, CutsWhatIsTooLong) {
  const auto outcome =
      ask("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 200000) SELECT x "
          "FROM c");
  ASSERT_TRUE(outcome->rows) << outcome->failure;
  EXPECT_TRUE(outcome->rows->table->is_cut);
  EXPECT_EQ(std::ssize(outcome->rows->table->rows), kMostResultRows);
}

TEST_F(ResultsLoad, WrongSqlAndWritingAreOutcomes) {
  const auto wrong = ask("SELECT tme FROM runs");
  EXPECT_FALSE(wrong->rows);
  EXPECT_EQ(wrong->offset, 7);
  EXPECT_NE(wrong->failure.find("no such column: tme"), std::string::npos);
  EXPECT_NE(ask("DELETE FROM run")->failure.find("queries only read"), std::string::npos);
  EXPECT_NE(ask("SELECT 1; SELECT 2")->failure.find("one SQL statement"), std::string::npos);
  EXPECT_EQ(ask("SELECT id FROM runs")->rows->rows.size(), 3u);
}

TEST_F(ResultsLoad, ACancelledQueryEnds) {
  std::stop_source stop;
  stop.request_stop();
  const JobProgress progress(stop.get_token(), [](double) {});
  EXPECT_THROW(run_query({db_,
                          "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT "
                          "sum(x) FROM c"},
                         progress),
               JobCancelled);
}

TEST_F(ResultsLoad, WritesWhatIsShownAndReplacesOnlyWhenTold) {
  const auto outcome = ask("SELECT id, kind FROM runs ORDER BY id");
  const auto shown =
      std::make_shared<const ArrangedRows>(arrange(outcome->rows->table, {0, true, {"kernel", 1}}));
  const std::string csv = sandbox_.path("rows.csv");
  EXPECT_EQ(write_result({shown, csv, false})->rows, 2);
  EXPECT_EQ(read_file(csv), "id,kind\n2,kernel\n1,kernel\n");
  EXPECT_TRUE(write_result({outcome->rows, csv, false})->would_replace);
  EXPECT_EQ(read_file(csv), "id,kind\n2,kernel\n1,kernel\n");
  EXPECT_FALSE(write_result({outcome->rows, csv, true})->would_replace);
  EXPECT_EQ(read_file(csv), "id,kind\n1,kernel\n2,kernel\n3,tune\n");
  const std::string json = sandbox_.path("rows.json");
  write_result({outcome->rows, json, false});
  const Outcome same = sandbox_.run({"query", "SELECT id, kind FROM runs ORDER BY id", "--json"});
  EXPECT_EQ(read_file(json), same.out) << "as the command prints it";
  EXPECT_THROW(write_result({shown, sandbox_.path("no/such/folder.csv"), false}), Error);
}

TEST_F(ResultsLoad, FindsWhatARunWas) {
  const auto kernel = find_run({db_, 1});
  EXPECT_EQ(kernel->kind, "kernel");
  EXPECT_NE(kernel->problem.find("m=256 n=256 k=256"), std::string::npos);
  EXPECT_NE(kernel->config.find("tile_m=64"), std::string::npos);
  EXPECT_TRUE(find_run({db_, 3})->problem.empty());
  EXPECT_THROW(find_run({db_, 99}), Error);
}

TEST_F(ResultsLoad, ComparesRunsAsDiffDoes) {
  const auto compared = compare_runs({db_, 1, 2}, no_progress());
  ASSERT_FALSE(compared->sections.empty());
  EXPECT_NE(std::ranges::find(compared->facts, "config: tile_m=64 -> tile_m=128"),
            compared->facts.end());
  const Outcome diff = sandbox_.run({"diff", "1", "2"});
  EXPECT_NE(diff.out.find(compared->total.change), std::string::npos) << diff.out;
  EXPECT_NE(diff.out.find(compared->sections[0].rows[0].change), std::string::npos) << diff.out;
  double share = 0;
  for (const ComparedRow& row : compared->sections[0].rows) share += row.share;
  EXPECT_NEAR(share, 1, 1e-9);
  EXPECT_THROW(compare_runs({db_, 1, 3}, no_progress()), Error);
  const auto itself = compare_runs({db_, 3, 3}, no_progress());
  EXPECT_EQ(itself->total.verdict, ComparedRow::Verdict::kEqual);
  EXPECT_EQ(itself->sections[0].title, "best time by problem");
}

TEST_F(ResultsLoad, AComparisonIsCancelledInTheMiddleOfARun) {
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(sandbox_.run({"run", "gemm", "--shape", "m=2048,n=2048,k=2048"}).status, 0);
  }
  std::stop_source stop;
  double last = 0;
  const JobProgress progress(stop.get_token(), [&](double fraction) {
    last = fraction;
    stop.request_stop();
  });
  EXPECT_THROW(compare_runs({db_, 4, 5}, progress), JobCancelled);
  EXPECT_GT(last, 0);
  EXPECT_LT(last, 0.5) << "it is not told between the two runs";
}

}  // namespace
}  // namespace tilewright
