#include "db/schema.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <string>

#include "core/base/error.h"
#include "core/base/file.h"
#include "db/store.h"
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

/// What the third schema added.
void remove_serving_log(const std::string& path) {
  run_sql(path, "DROP VIEW serving_chunks; DROP TABLE serving_chunk; PRAGMA user_version = 2");
}

TEST_F(SchemaTest, BringsAFileOfTheFirstSchemaToThisOne) {
  { with_run(); }
  remove_serving_log(path());
  run_sql(path(), "DROP VIEW sessions");
  run_sql(path(), "DROP TABLE session");
  run_sql(path(), "PRAGMA user_version = 1");
  const Error error = error_of([&] { Store::open(path(), OpenMode::kReadOnly); });
  EXPECT_NE(error.message().find("older schema 1"), std::string::npos) << error.message();
  Store store = open();
  EXPECT_EQ(store.info().schema_version, schema_version());
  EXPECT_EQ(store.load_run(1).label, "nightly") << "what was there stays";
  EXPECT_TRUE(store.sessions().empty());
}

TEST_F(SchemaTest, BringsAFileOfTheSecondSchemaToThisOne) {
  {
    Store store = with_run();
    store.save_session({"main", "2026-01-02T03:04:05Z", "lab", "{}"});
  }
  remove_serving_log(path());
  const Error error = error_of([&] { Store::open(path(), OpenMode::kReadOnly); });
  EXPECT_NE(error.message().find("older schema 2"), std::string::npos) << error.message();
  Store store = open();
  EXPECT_EQ(store.info().schema_version, 3);
  EXPECT_EQ(store.sessions().size(), 1u) << "what was there stays";
  EXPECT_TRUE(store.serving_log(1, LogKind::kStep).columns.empty());
  store.finish_run(1, RunStatus::kDone, 1, "{}",
                   std::vector{LogTable{LogKind::kStepEnd, {{"end_ns", {1, 2}}}}});
  EXPECT_EQ(store.serving_log(1, LogKind::kStepEnd).rows(), 2);
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
  for (const std::string& name : {std::string("no/such/folder.db"), std::string(".")}) {
    const Error error = error_of([&] { open(name); });
    EXPECT_EQ(error.kind(), ErrorKind::kFailed);
    EXPECT_NE(error.message().find("cannot be opened"), std::string::npos) << error.message();
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
