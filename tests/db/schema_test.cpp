#include "db/schema.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <string>

#include "core/base/error.h"
#include "core/base/file.h"
#include "db/store.h"
#include "tests/db/old_schemas.h"
#include "tests/db/store_fixture.h"

namespace tilewright {
namespace {

using SchemaTest = StoreTest;

void run_sql(const std::string& path, const char* sql) {
  sqlite3* connection = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &connection), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(connection, sql, nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(connection);
  sqlite3_close(connection);
}

size_t files_in(const std::string& folder) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

TEST_F(SchemaTest, InitialisesNewAndEmptyFiles) {
  write_file(path("empty.db"), "");
  for (const char* name : {"new.db", "empty.db"}) {
    EXPECT_EQ(open(name).info().schema_version, schema_version());
    EXPECT_EQ(Store::open(path(name), OpenMode::kReadOnly).info().rows[0].second, 0);
  }
}

TEST_F(SchemaTest, RefusesForeignFilesAndLeavesThemUntouched) {
  write_file(path("text"), "hello, I am a text file, not a database; do not touch me, please. " +
                               std::string(200, '.'));
  write_file(path("short"), "x");
  run_sql(path("other"), "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
  run_sql(path("wal"), "PRAGMA journal_mode = WAL; PRAGMA application_id = 7; CREATE TABLE t (a)");
  const struct {
    const char* name;
    const char* part;
  } cases[] = {{"text", "not an SQLite database"},
               {"short", "not an SQLite database"},
               {"other", "another application"},
               {"wal", "another application"}};
  for (const auto& [name, part] : cases) {
    const std::string before = read_file(path(name));
    const size_t files = files_in(folder_.path());
    for (const OpenMode mode : {OpenMode::kReadWrite, OpenMode::kReadOnly}) {
      const Error error = error_of([&, file = name] { Store::open(path(file), mode); });
      EXPECT_EQ(error.kind(), ErrorKind::kFailed);
      EXPECT_NE(error.message().find(part), std::string::npos) << error.message();
      EXPECT_NE(error.message().find(path(name)), std::string::npos) << error.message();
    }
    EXPECT_TRUE(read_file(path(name)) == before) << name;
    EXPECT_EQ(files_in(folder_.path()), files) << name;
  }
}

TEST_F(SchemaTest, RefusesANewerSchemaAndLeavesItUntouched) {
  { with_run(); }
  run_sql(path(), "PRAGMA user_version = 1000");
  const std::string before = read_file(path());
  const Error error = error_of([&] { open(); });
  EXPECT_EQ(error.kind(), ErrorKind::kFailed);
  EXPECT_NE(error.message().find("newer tilewright (schema 1000"), std::string::npos);
  EXPECT_TRUE(read_file(path()) == before);
}

/// A file as a program of that schema wrote it.
void write_old_database(const std::string& path, int version) {
  for (int v = 0; v < version; ++v) run_sql(path, kSchemaSteps[static_cast<size_t>(v)]);
  const std::string versions = "PRAGMA application_id = " + std::to_string(kApplicationId) +
                               "; PRAGMA user_version = " + std::to_string(version) +
                               "; PRAGMA journal_mode = WAL";
  run_sql(path, versions.c_str());
  run_sql(path, R"sql(
INSERT INTO machine VALUES (1, 'npu-a', 'aaaa', '{}');
INSERT INTO run VALUES (1, 'tune', 'nightly', 'tune gemm', '', '', 'aaaa', 7, 'done',
                        '2026-01-02T03:04:05Z', 5, 'tilewright 0.1.0', '{}');
INSERT INTO run VALUES (2, 'tune', 'again', 'tune gemm', '', '', 'aaaa', 7, 'running',
                        '2026-01-03T03:04:05Z', NULL, 'tilewright 0.1.0', '');
INSERT INTO problem VALUES (1, 'gemm f16 f16 f16 nd nz nd m=512 n=4096 k=64 epilogue=none', 'gemm',
                            'f16', 'f16 f16 f16', 'nd nz nd', 512, 4096, 64, 'none');
INSERT INTO measurement (id, kernel, kernel_revision, problem_id, config, machine, evaluator, status,
                         reason, time_us, time_ticks, counters) VALUES
  (1, 'gemm', 3, 1, 'tile_m=64', 'aaaa', 'sim/1/composed', 'ok', '', 5, 10, ''),
  (2, 'gemm', 3, 1, 'tile_m=128', 'aaaa', 'sim/1/composed', 'ok', '', 4, 8, '{"x":1.0}'),
  (3, 'gemm', 3, 1, 'tile_m=256', 'aaaa', 'sim/1/composed', 'runtime', 'crash', NULL, 0, ''),
  (4, 'gemm', 2, 1, 'tile_m=64', 'aaaa', 'sim/1/composed', 'ok', '', 3, 6, '');
INSERT INTO attempt VALUES
  (1, 3, 1, 0, 'runtime', 'crash', NULL, 1, 'd'), (2, 3, 1, 1, 'runtime', 'crash', NULL, 1, 'd'),
  (3, 1, 1, 0, 'ok', '', 5, 1, 'd'), (4, 2, 1, 0, 'ok', '', 4, 1, 'd'),
  (5, 4, 2, 0, 'ok', '', 3, 1, 'd'), (6, 2, 2, 0, 'ok', '', 4, 1, 'd');
INSERT INTO winner (id, run_id, kernel, kernel_revision, problem_id, op, evaluator, config, time_us,
                    baseline_config, baseline_us, runner_up_us, evaluations, cache_hits, complete)
  VALUES
  (1, 1, 'gemm', 3, 1, 'qkv', 'sim/1/composed', 'tile_m=128', 4, 'tile_m=64', 5, 5, 3, 0, 1)
)sql");
  if (version >= 2) run_sql(path, "INSERT INTO session VALUES ('main', 'd', 'lab', '{}')");
}

TEST_F(SchemaTest, BringsEveryOlderSchemaToThisOneWithItsData) {
  for (int version = 1; version < schema_version(); ++version) {
    const std::string name = "v" + std::to_string(version) + ".db";
    write_old_database(path(name), version);
    const Error error = error_of([&] { Store::open(path(name), OpenMode::kReadOnly); });
    EXPECT_NE(error.message().find("older schema " + std::to_string(version)), std::string::npos)
        << error.message();
    Store store = open(name);
    EXPECT_EQ(store.info().schema_version, schema_version());
    EXPECT_EQ(store.load_run(1).label, "nightly");
    EXPECT_EQ(store.sessions().size(), version >= 2 ? 1u : 0u);
    EXPECT_EQ(store.find(key(512, "tile_m=128"))->counters.at(0).first, "x");
    EXPECT_EQ(store.find(key(512, "tile_m=256"))->reason, "crash");
    const Winner winner = store.load_winners(1).at(0);
    EXPECT_EQ(winner.time_us, 4);
    EXPECT_FALSE(winner.confidence || winner.footprint || winner.worst_regret);
    EXPECT_TRUE(store.check().empty());
  }
}

TEST_F(SchemaTest, AnOlderFileGetsItsTrialsFromItsAttemptsAndItsBestFromItsMeasurements) {
  write_old_database(path(), 3);
  Store store = open();
  const std::vector<StoredTrial> trials = store.trials(1);
  ASSERT_EQ(trials.size(), 3u);
  EXPECT_EQ(trials[0].key, key(512, "tile_m=256"));
  EXPECT_EQ(trials[1].key, key(512, "tile_m=64"));
  EXPECT_EQ(trials[2].measurement.time_us, 4);
  EXPECT_EQ(trials[2].proposer, "");
  EXPECT_EQ(store.trials(2).size(), 2u);
  const MeasurementKey of = key();
  EXPECT_EQ(store.best({of.kernel, 3, of.problem, "aaaa", of.evaluator})->config, "tile_m=128");
  EXPECT_EQ(store.best({of.kernel, 2, of.problem, "aaaa", of.evaluator})->config, "tile_m=64");
  store.record(key(512, "tile_m=32"), ok(1), 1, 0, "d");
  EXPECT_EQ(store.trials(1).size(), 4u);
}

TEST_F(SchemaTest, AnOlderFileTakesTheLogOfAServingRun) {
  write_old_database(path(), 2);
  Store store = open();
  EXPECT_TRUE(store.serving_log(2, LogKind::kStep).columns.empty());
  store.finish_run(2, RunStatus::kDone, 1, "{}",
                   std::vector{LogTable{LogKind::kStepEnd, {{"end_ns", {1, 2}}}}});
  EXPECT_EQ(store.serving_log(2, LogKind::kStepEnd).rows(), 2);
}

TEST_F(SchemaTest, FinishesAnInitialisationThatWasCutOff) {
  run_sql(path(), "PRAGMA application_id = 1415013474");  // "TWdb", and no tables yet
  ASSERT_EQ(kApplicationId, 1415013474);
  EXPECT_THROW(Store::open(path(), OpenMode::kReadOnly), Error);
  EXPECT_EQ(open().info().schema_version, schema_version());
}

TEST_F(SchemaTest, ReadingWhatDoesNotExistIsNotFound) {
  const Error missing = error_of([&] { Store::open(path("missing.db"), OpenMode::kReadOnly); });
  EXPECT_EQ(missing.kind(), ErrorKind::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(path("missing.db")));
  write_file(path("empty.db"), "");
  const Error empty = error_of([&] { Store::open(path("empty.db"), OpenMode::kReadOnly); });
  EXPECT_NE(empty.message().find("nothing was recorded yet"), std::string::npos);
}

TEST_F(SchemaTest, SaysWhenTheFolderDoesNotExistOrThePathIsAFolder) {
  const std::pair<std::string, std::string> cases[] = {{"no/such/folder.db", "cannot be opened"},
                                                       {".", "is a folder; name a file"}};
  for (const auto& [name, part] : cases) {
    const Error error = error_of([&, file = name] { open(file); });
    EXPECT_EQ(error.kind(), ErrorKind::kFailed);
    EXPECT_NE(error.message().find(part), std::string::npos) << error.message();
  }
}

TEST_F(SchemaTest, TakesAPathThatLooksLikeAUriAsAPath) {
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder_.path());
  { Store::open("file:odd?mode=memory", OpenMode::kReadWrite); }
  EXPECT_TRUE(std::filesystem::exists("file:odd?mode=memory"));
  std::filesystem::current_path(before);
}

TEST_F(SchemaTest, ReportsDamagedPages) {
  {
    Store store = with_run();
    for (int m = 1; m <= 500; ++m) store.record(key(m), ok(m), 1, 0, "");
    store.vacuum();
  }
  const std::string whole = read_file(path());
  std::string damaged = whole;
  // Everything behind the first page, which holds header and schema.
  for (size_t i = 4096; i < damaged.size(); ++i) damaged[i] = static_cast<char>(i * 131);
  write_file(path(), damaged);
  const Error error = error_of([&] {
    Store store = open();
    for (int m = 1; m <= 500; ++m) store.find(key(m));
  });
  EXPECT_EQ(error.kind(), ErrorKind::kFailed);
  EXPECT_NE(error.message().find("damaged"), std::string::npos) << error.message();

  write_file(path(), whole.substr(0, whole.size() / 2));
  const Error cut = error_of([&] {
    Store store = open();
    if (!store.check().empty()) throw Error(ErrorKind::kFailed, "damaged");
  });
  EXPECT_NE(cut.message().find("damaged"), std::string::npos) << cut.message();
}

TEST_F(SchemaTest, UsesAWriteAheadLogAndForeignKeys) {
  Store store = open();
  const struct {
    const char* pragma;
    const char* value;
  } cases[] = {
      {"PRAGMA journal_mode", "wal"}, {"PRAGMA synchronous", "1"}, {"PRAGMA foreign_keys", "1"}};
  for (const auto& [pragma, value] : cases) {
    Statement read(store.database(), pragma);
    ASSERT_TRUE(read.step());
    EXPECT_EQ(read.text(0), value) << pragma;
  }
  Statement loose(store.database(),
                  "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' "
                  "AND strict = 0 AND name NOT LIKE 'sqlite_%'");
  ASSERT_TRUE(loose.step());
  EXPECT_EQ(loose.integer(0), 0);
}

}  // namespace
}  // namespace tilewright
