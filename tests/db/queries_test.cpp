#include "db/queries.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/base/error.h"
#include "tests/db/store_fixture.h"

namespace tilewright {
namespace {

class QueriesTest : public StoreTest {
 protected:
  Store filled() const {
    Store store = with_run();
    store.record(key(16, "tile_m=16"), ok(3), 1, 0, "d");
    store.record(key(16, "tile_m=32"), ok(2), 1, 0, "d");
    store.record(key(512), ok(40), 1, 0, "d");
    MeasurementKey old = key(16, "tile_m=64");
    old.kernel_revision = 2;
    store.record(old, ok(1), 1, 0, "d");
    MeasurementKey old_timing = key(512, "tile_m=64");
    old_timing.evaluator = "sim/0/composed";
    store.record(old_timing, ok(1), 1, 0, "d");
    store.record(key(512, "tile_m=999"), {AttemptStatus::kInfeasible, "L0C, 1 KiB over", 0, 0, {}},
                 1, 0, "d");
    const Winner winner{"gemm",
                        3,
                        key(16).problem,
                        {"qkv"},
                        "sim/1/composed",
                        "tile_m=32",
                        2,
                        "tile_m=16",
                        3,
                        3,
                        2,
                        0,
                        true};
    store.save_winners(1, std::vector{winner});
    store.save_served_problems(1, std::vector<ServedProblem>{{key(512).problem, 9}});
    return store;
  }

  QueryResult ask(Store& store, const std::string& text, const QueryLimits& limits = {}) const {
    return query(store, text, {{{"gemm", 3}}, {"sim/1/composed", "sim/1/detailed"}}, limits);
  }

  static std::string cell(const QueryResult& result, size_t row, const std::string& column) {
    const auto found = std::ranges::find(result.columns, column);
    EXPECT_NE(found, result.columns.end()) << column;
    return to_text(result.rows.at(row).at(static_cast<size_t>(found - result.columns.begin())));
  }
};

TEST_F(QueriesTest, EverySavedQueryRunsOnAnEmptyAndAFilledDatabase) {
  Store empty = open("empty.db");
  Store store = filled();
  store.save_machine("npu-b", "bbbb", "{}");
  MeasurementKey away = key(512);
  away.machine_fingerprint = "bbbb";
  store.record(away, ok(50), 1, 0, "d");
  MeasurementKey slower = key(16, "tile_m=32");
  slower.evaluator = "sim/2/composed";
  store.record(slower, ok(2.5), 1, 0, "d");
  for (const SavedQuery& saved : saved_queries()) {
    EXPECT_TRUE(ask(empty, saved.name).rows.empty()) << saved.name;
    EXPECT_FALSE(ask(store, saved.name).rows.empty()) << saved.name;
    EXPECT_FALSE(saved.description.empty());
  }
  EXPECT_TRUE(std::ranges::is_sorted(saved_queries(), {}, &SavedQuery::name));
}

TEST_F(QueriesTest, BestIgnoresStaleAndFailedMeasurements) {
  Store store = filled();
  const QueryResult best = ask(store, "best");
  ASSERT_EQ(best.rows.size(), 2u);
  EXPECT_EQ(cell(best, 0, "m"), "16");
  EXPECT_EQ(cell(best, 0, "config"), "tile_m=32");
  EXPECT_EQ(cell(best, 1, "time_us"), "40");
}

TEST_F(QueriesTest, StaleListsWhatIsNotCurrent) {
  Store store = filled();
  const QueryResult stale = ask(store, "stale");
  ASSERT_EQ(stale.rows.size(), 2u);
  EXPECT_EQ(cell(stale, 0, "kernel_revision"), "2");
  EXPECT_EQ(cell(stale, 0, "current_revision"), "3");
  EXPECT_EQ(cell(stale, 1, "evaluator"), "sim/0/composed");
  EXPECT_EQ(query(store, "stale", {{}, {}}).rows.size(), 3u);  // a kernel that is gone is stale
}

TEST_F(QueriesTest, WinnersSayWhichTileWonForEachShape) {
  Store store = filled();
  const QueryResult winners = ask(store, "winners");
  ASSERT_EQ(winners.rows.size(), 1u);
  EXPECT_EQ(cell(winners, 0, "config"), "tile_m=32");
  EXPECT_EQ(cell(winners, 0, "gain"), "1.5");
  EXPECT_EQ(cell(winners, 0, "machine"), "npu-a");
}

TEST_F(QueriesTest, CoverageListsWhatHasNoCurrentWinnerMostCalledFirst) {
  Store store = filled();
  store.save_served_problems(
      1, std::vector<ServedProblem>{
             {key(16).problem, 5}, {key(512).problem, 9}, {key(64).problem, 20}});
  const QueryResult coverage = ask(store, "coverage");
  ASSERT_EQ(coverage.rows.size(), 2u) << "16 has a winner";
  EXPECT_EQ(cell(coverage, 0, "m"), "64");
  EXPECT_EQ(cell(coverage, 0, "calls"), "20");
  EXPECT_EQ(cell(coverage, 1, "m"), "512");
  store.database().execute("UPDATE winner SET kernel_revision = 2");
  EXPECT_EQ(ask(store, "coverage").rows.size(), 3u) << "a stale winner is none";
}

TEST_F(QueriesTest, FailuresAreCountedByReason) {
  Store store = filled();
  for (const char* config : {"a", "b"}) {
    store.record(key(16, config), {AttemptStatus::kTimeout, "60 s", 0, 0, {}}, 1, 0, "d");
  }
  const QueryResult failures = ask(store, "failures");
  ASSERT_EQ(failures.rows.size(), 2u);
  EXPECT_EQ(cell(failures, 0, "reason"), "60 s");
  EXPECT_EQ(cell(failures, 0, "failures"), "2");
  EXPECT_EQ(cell(failures, 0, "last_config"), "b");
  EXPECT_EQ(cell(failures, 1, "status"), "infeasible");
  // 7 configs of this kernel, machine and evaluator; revision 2 is among them.
  EXPECT_EQ(cell(failures, 0, "share"), to_text(2.0 / 7));
}

TEST_F(QueriesTest, GainComparesTheNewestWinnersWithTheirBaselines) {
  Store store = filled();
  const QueryResult gain = ask(store, "gain");
  ASSERT_EQ(gain.rows.size(), 1u);
  EXPECT_EQ(cell(gain, 0, "gain_percent"), "50");
}

TEST_F(QueriesTest, RegressionsCompareTheSameConfigWithTheRevisionBefore) {
  Store store = with_run();
  const auto record = [&](int revision, const char* evaluator, const char* config, double time) {
    MeasurementKey at = key(16, config);
    at.kernel_revision = revision;
    at.evaluator = evaluator;
    store.record(at, ok(time), 1, 0, "d");
  };
  record(2, "sim/1/composed", "a", 10);
  record(3, "sim/9/composed", "a", 12);
  record(3, "sim/10/composed", "a", 15);  // against sim/9, which is older as a number
  record(3, "sim/10/detailed", "a", 99);  // another fidelity is another time
  record(2, "sim/1/composed", "b", 10);
  record(3, "sim/10/composed", "b", 10.05);  // within 1 %
  record(3, "sim/10/composed", "c", 99);     // new
  const QueryResult regressions = ask(store, "regressions");
  ASSERT_EQ(regressions.rows.size(), 2u);
  EXPECT_EQ(cell(regressions, 0, "slower_percent"), "25");
  EXPECT_EQ(cell(regressions, 0, "previous_evaluator"), "sim/9/composed");
  EXPECT_EQ(cell(regressions, 1, "previous_revision"), "2");
  EXPECT_EQ(cell(regressions, 1, "previous_us"), "10");
}

TEST_F(QueriesTest, TransferSaysWhatAWinnerIsWorthElsewhere) {
  Store store = with_run();
  store.save_machine("npu-b", "bbbb", "{}");
  const auto record = [&](const char* machine, const char* evaluator, const char* config,
                          double time) {
    MeasurementKey at = key(16, config);
    at.machine_fingerprint = machine;
    at.evaluator = evaluator;
    store.record(at, ok(time), 1, 0, "d");
  };
  record("aaaa", "table/1", "a", 1);
  record("aaaa", "table/1", "b", 2);
  record("bbbb", "table/2", "a", 8);
  record("bbbb", "table/2", "b", 4);
  record("bbbb", "cmd/3", "a", 1);  // another way to measure
  const QueryResult transfer = ask(store, "transfer");
  ASSERT_EQ(transfer.rows.size(), 2u);
  for (size_t row = 0; row < 2; ++row) EXPECT_EQ(cell(transfer, row, "share"), "0.5");
  EXPECT_EQ(cell(transfer, 0, "machine"), "npu-a");
  EXPECT_EQ(cell(transfer, 0, "config"), "a");
  EXPECT_EQ(cell(transfer, 1, "other_machine"), "npu-a");
}

TEST_F(QueriesTest, PublicViewsKeepTheirColumns) {
  Store store = filled();
  const struct {
    const char* view;
    const char* columns;
  } cases[] = {
      {"runs",
       "id,kind,label,status,date,wall_ms,model,workload,machine,fingerprint,seed,tool,command,"
       "result"},
      {"measurements",
       "id,kernel,kernel_revision,dtype,m,n,k,epilogue,config,status,reason,time_us,"
       "time_ticks,machine,fingerprint,evaluator,problem,counters,repetitions,spread_us"},
      {"attempts",
       "id,run,measurement,repetition,kernel,kernel_revision,dtype,m,n,k,epilogue,config,"
       "status,reason,time_us,wall_us,date,machine,evaluator,problem"},
      {"winners",
       "run,kernel,op,m,n,k,dtype,epilogue,config,time_us,baseline_config,baseline_us,gain,"
       "runner_up_us,evaluations,cache_hits,complete,machine,fingerprint,model,workload,"
       "date,kernel_revision,evaluator,problem,confidence,footprint,worst_regret"},
      {"trials",
       "run,place,kernel,kernel_revision,dtype,m,n,k,epilogue,config,status,reason,time_us,"
       "proposer,machine,fingerprint,evaluator,problem,measurement"},
      {"best_measurements",
       "kernel,kernel_revision,dtype,m,n,k,epilogue,config,time_us,machine,fingerprint,evaluator,"
       "problem,measurement"},
      {"served_problems",
       "run,kernel,dtype,m,n,k,epilogue,calls,machine,fingerprint,model,workload,date,problem"}};
  for (const auto& [view, columns] : cases) {
    const QueryResult result = ask(store, std::string("SELECT * FROM ") + view);
    EXPECT_EQ(to_csv({result.columns, {}}), std::string(columns) + "\n");
    EXPECT_FALSE(result.rows.empty());
  }
}

TEST_F(QueriesTest, AnswersAdHocSql) {
  Store store = filled();
  const QueryResult result =
      ask(store,
          "  WITH w AS (SELECT m, min(time_us) AS t FROM measurements WHERE status = 'ok' "
          "GROUP BY m) SELECT m, t, NULL AS none, 'a' AS word FROM w ORDER BY m;  ");
  EXPECT_EQ(to_csv(result), "m,t,none,word\n16,1,,a\n512,1,,a\n");
  EXPECT_FALSE(ask(store, "PRAGMA table_info(winners)").rows.empty());
}

TEST_F(QueriesTest, RefusesEverythingThatWritesOrReachesOtherFiles) {
  Store store = filled();
  const StoreInfo before = store.info();
  for (const std::string text :
       {"DELETE FROM attempt", "DROP TABLE winner", "INSERT INTO machine VALUES (1,'a','b','c')",
        "UPDATE run SET seed = 1", "CREATE TABLE x (a)", "CREATE TEMP TABLE x (a)",
        "ATTACH '/tmp/x.db' AS x", "PRAGMA journal_mode = DELETE", "PRAGMA user_version = 9",
        "VACUUM INTO '/tmp/y.db'", "BEGIN IMMEDIATE", "SELECT load_extension('x')"}) {
    const Error error = error_of([&] { ask(store, text); });
    EXPECT_EQ(error.kind(), ErrorKind::kUsage) << text;
    const bool is_function = text.starts_with("SELECT");
    EXPECT_NE(error.message().find(is_function ? "not authorized" : "queries only read: write one"),
              std::string::npos)
        << error.message();
  }
  EXPECT_EQ(store.info().rows, before.rows);
  store.record(key(7), ok(1), 1, 0, "d");  // the restriction ends with the query
}

TEST_F(QueriesTest, RefusesMalformedText) {
  Store store = filled();
  for (const std::string text :
       {"SELECT 1; SELECT 2", "SELECT FROM", "-- nothing\n", "SELECT nope(1)"}) {
    EXPECT_EQ(error_of([&] { ask(store, text); }).kind(), ErrorKind::kUsage) << text;
  }
  const Error unknown = error_of([&] { ask(store, "winer"); });
  EXPECT_EQ(unknown.kind(), ErrorKind::kNotFound);
  EXPECT_NE(unknown.message().find("did you mean 'winners'"), std::string::npos);
  EXPECT_EQ(error_of([&] { ask(store, ""); }).kind(), ErrorKind::kNotFound);
}

TEST_F(QueriesTest, BoundsEndlessAndHugeResults) {
  Store store = filled();
  const std::string endless =
      "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT ";
  QueryLimits limits;
  limits.max_rows = 1000;
  EXPECT_NE(error_of([&] { ask(store, endless + "x FROM c", limits); }).message().find("LIMIT"),
            std::string::npos);
  limits.max_bytes = 1 << 20;
  EXPECT_THROW(ask(store, "SELECT zeroblob(100000000), 1", limits), Error);
  int asked = 0;
  limits.stop = [&] { return ++asked > 5; };
  EXPECT_NE(error_of([&] { ask(store, endless + "sum(x) FROM c", limits); })
                .message()
                .find("interrupted"),
            std::string::npos);
}

TEST_F(QueriesTest, CsvQuotesWhatNeedsIt) {
  const QueryResult result{{"a", "b,c"},
                           {{std::string("say \"hi\"\n"), 0.1}, {int64_t{-3}, Cell()}}};
  EXPECT_EQ(to_csv(result), "a,\"b,c\"\n\"say \"\"hi\"\"\n\",0.1\n-3,\n");
}

}  // namespace
}  // namespace tilewright
