#include "db/serving_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "db/column_codec.h"
#include "db/store.h"
#include "tests/db/store_fixture.h"

namespace tilewright {
namespace {

constexpr int64_t kManyRows = 2 * kMaxChunkRows + 5;

/// A table in three chunks, one with names of its own, and one without rows.
std::vector<LogTable> some_tables() {
  LogTable ends{LogKind::kStepEnd, {{"end_ns", {}}}};
  for (int64_t i = 0; i < kManyRows; ++i) ends.columns[0].values.push_back(i * i);
  return {ends,
          {LogKind::kOp, {{"qkv", {5, -6}}, {"down \"x\"", {7, 1}}}},
          {LogKind::kEvent, {{"step", {}}, {"kind", {}}}}};
}

class ServingLogTest : public StoreTest {
 protected:
  /// A store whose run 1 ended with a log.
  Store with_log(const std::string& name = "results.db") const {
    Store store = with_run(name);
    store.finish_run(1, RunStatus::kDone, 5, "{}", some_tables());
    return store;
  }

  /// What is said of run 1's log after some SQL.
  static std::string damage(Store& store, const char* sql, LogKind kind = LogKind::kOp) {
    store.database().execute("PRAGMA ignore_check_constraints = ON");
    store.database().execute(sql);
    const Error error = error_of([&] { store.serving_log(1, kind); });
    EXPECT_EQ(error.kind(), ErrorKind::kFailed);
    EXPECT_FALSE(store.check().empty()) << sql;
    return error.message();
  }
};

TEST_F(ServingLogTest, ComesBackAsItWasWritten) {
  { with_log(); }
  Store store = Store::open(path(), OpenMode::kReadOnly);
  const std::vector<LogTable> tables = some_tables();
  EXPECT_EQ(store.serving_log(1, LogKind::kStepEnd), tables[0]);
  EXPECT_EQ(store.serving_log(1, LogKind::kOp), tables[1]);
  EXPECT_EQ(store.serving_log(1, LogKind::kEvent).rows(), 0);
  EXPECT_TRUE(store.serving_log(1, LogKind::kStep).columns.empty()) << "never written";
  EXPECT_TRUE(store.serving_log(7, LogKind::kOp).columns.empty()) << "no such run";
  EXPECT_TRUE(store.check().empty());
  const std::pair<std::string, int64_t> chunks("serving_chunk", 5);
  EXPECT_EQ(std::ranges::count(store.info().rows, chunks), 1);
}

TEST_F(ServingLogTest, CountsAreSeenInSql) {
  Store store = with_log();
  Statement row(store.database(),
                "SELECT run, kind, \"column\", chunks, rows, codec, bytes FROM serving_chunks "
                "WHERE kind = 'step_end'");
  ASSERT_TRUE(row.step());
  EXPECT_EQ(row.integer(0), 1);
  EXPECT_EQ(row.text(2), "end_ns");
  EXPECT_EQ(row.integer(3), 3);
  EXPECT_EQ(row.integer(4), kManyRows);
  EXPECT_EQ(row.text(5), "delta-zlib");
  EXPECT_GT(row.integer(6), 0);
  EXPECT_FALSE(row.step());
}

TEST_F(ServingLogTest, IsThereTogetherWithTheEndOrNotAtAll) {
  Store store = with_run();
  store.database().execute(
      "CREATE TRIGGER full BEFORE UPDATE ON run BEGIN SELECT raise(ABORT, 'full'); END");
  EXPECT_THROW(store.finish_run(1, RunStatus::kDone, 5, "{}", some_tables()), Error);
  EXPECT_EQ(store.info().rows.back().second, 0);
  EXPECT_EQ(store.load_run(1).status, RunStatus::kRunning);
}

TEST_F(ServingLogTest, OneThatContradictsItselfIsRefused) {
  const struct {
    const char* sql;
    const char* part;
  } cases[] = {
      {"UPDATE serving_chunk SET rows = 3 WHERE kind = 'op' AND place = 0", "less than 3 rows"},
      {"UPDATE serving_chunk SET rows = 1 WHERE kind = 'op' AND place = 1", "more than 1 rows"},
      {"UPDATE serving_chunk SET rows = -1 WHERE kind = 'op'", "cannot have -1 rows"},
      {"UPDATE serving_chunk SET rows = 1 << 60 WHERE kind = 'op'", "cannot have 1152921504606"},
      {"UPDATE serving_chunk SET codec = 'zstd' WHERE kind = 'op'", "packed as 'zstd'"},
      {"UPDATE serving_chunk SET name = 'qkv' WHERE kind = 'op'", "column qkv is there twice"},
      {"DELETE FROM serving_chunk WHERE kind = 'op' AND place = 0", "before column 1 is missing"},
      {"UPDATE serving_chunk SET place = -1 WHERE kind = 'op' AND place = 0", "no column -1"},
      {"UPDATE serving_chunk SET data = x'00' WHERE kind = 'op'", "chunk 0 of column qkv"},
      {"UPDATE serving_chunk SET first_row = 9 WHERE kind = 'op'", "one before it is missing"},
      {"INSERT INTO serving_chunk (run_id, kind, place, name, chunk, first_row, rows, codec, data) "
       "SELECT run_id, kind, place, name, 1, 2, rows, codec, data FROM serving_chunk "
       "WHERE kind = 'op' AND place = 1",
       "has 4 rows, the first has 2"},
  };
  for (const auto& [sql, part] : cases) {
    std::filesystem::remove(path());
    Store store = with_log();
    const std::string message = damage(store, sql);
    EXPECT_NE(message.find(part), std::string::npos) << sql << ": " << message;
    EXPECT_NE(message.find("the op log of run 1 is damaged"), std::string::npos) << message;
  }
}

TEST_F(ServingLogTest, AChunkThatIsGoneIsMissed) {
  for (const char* chunk : {"0", "1"}) {
    std::filesystem::remove(path());
    Store store = with_log();
    const std::string sql =
        "DELETE FROM serving_chunk WHERE kind = 'step_end' AND chunk = " + std::string(chunk);
    const std::string message = damage(store, sql.c_str(), LogKind::kStepEnd);
    EXPECT_NE(message.find("one before it is missing"), std::string::npos) << message;
  }
}

TEST_F(ServingLogTest, IsMergedOnceAndWhole) {
  { with_log("other.db"); }
  Store store = open();
  EXPECT_EQ(store.merge(path("other.db")).serving_chunks, 5);
  EXPECT_EQ(store.serving_log(1, LogKind::kOp), some_tables()[1]);
  EXPECT_EQ(store.merge(path("other.db")).serving_chunks, 0);

  Store behind = with_run("behind.db");  // the run was still going when it was copied
  EXPECT_EQ(behind.merge(path("other.db")).serving_chunks, 5);
  EXPECT_EQ(behind.serving_log(1, LogKind::kStepEnd), some_tables()[0]);

  Store ours = with_run("ours.db");
  ours.finish_run(1, RunStatus::kDone, 5, "{}", std::vector{some_tables()[1]});
  EXPECT_EQ(ours.merge(path("other.db")).serving_chunks, 0) << "what is there stays";
  EXPECT_TRUE(ours.check().empty());
}

TEST_F(ServingLogTest, ADamagedOneIsNotMerged) {
  {
    Store other = with_log("other.db");
    other.database().execute("UPDATE serving_chunk SET data = x'00' WHERE kind = 'op'");
  }
  Store store = open();
  const Error error = error_of([&] { store.merge(path("other.db")); });
  EXPECT_EQ(error.kind(), ErrorKind::kFailed);
  EXPECT_NE(error.message().find("the op log of run 1 is damaged"), std::string::npos)
      << error.message();
  EXPECT_TRUE(store.check().empty());
  EXPECT_EQ(store.info().rows[1].second, 0) << "nothing of it is there";
}

}  // namespace
}  // namespace tilewright
