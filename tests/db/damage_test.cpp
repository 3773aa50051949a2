#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "core/base/error.h"
#include "core/base/file.h"
#include "db/formats/import.h"
#include "db/queries.h"
#include "db/schema.h"
#include "db/store.h"
#include "tests/db/store_fixture.h"

namespace tilewright {
namespace {

class DamageTest : public StoreTest {
 protected:
  /// A database with something in every table, as one file at rest; with enough rows to fill pages,
  /// since damage to what is unused says nothing.
  std::string whole_file() const {
    Store store = with_run("whole.db");
    const int64_t serving = store.begin_run(tuning_run());
    for (int m = 1; m <= 240; ++m) {
      store.record_trials(1, std::vector<TrialRow>{{key(m, "tile_m=64"), "seed", ok(m), 1, "d"},
                                                   {key(m), "random", ok(m + 1), 1, "d"}});
    }
    const Winner winner{
        "gemm", 3,   key(5).problem, {"qkv"}, "sim/1/composed", "tile_m=64", 5, "", 20, 0, 5,
        2,      true};
    store.save_winners(1, std::vector{winner});
    store.save_session({"main", "d", "lab", "{}"});
    store.save_served_problems(serving, std::vector<ServedProblem>{{key(5).problem, 3}});
    store.finish_run(serving, RunStatus::kDone, 1, "{}",
                     std::vector{LogTable{LogKind::kStepEnd, {{"end_ns", {1, 2, 3}}}}});
    store.vacuum();
    EXPECT_TRUE(store.check().empty());
    return read_file(path("whole.db"));
  }

  /// Everything a program may ask; Errors are answers, too.
  void read_everything(Store& store) const {
    const auto tolerant = [](const auto& action) {
      try {
        action();
      } catch (const Error&) {
      }
    };
    tolerant([&] { store.load_run(1); });
    tolerant([&] { store.trials(1); });
    tolerant([&] { store.keys_of_run(1); });
    tolerant([&] { store.load_winners(1); });
    tolerant([&] { store.serving_log(2, LogKind::kStepEnd); });
    tolerant([&] { store.failures("gemm", 100); });
    tolerant([&] { store.sessions(); });
    tolerant([&] { store.info(); });
    for (int m = 1; m <= 240; m += 40) {
      const MeasurementKey at = key(m);
      const Series series{at.kernel, 3, at.problem, "aaaa", at.evaluator};
      tolerant([&] { store.find(at); });
      tolerant([&] { store.known(series); });
      tolerant([&] { store.best(series); });
      tolerant([&] { store.earlier_configs(series, 3); });
    }
    for (const SavedQuery& saved : saved_queries()) tolerant([&] { query(store, saved.name, {}); });
  }

  /// The findings of a damaged file, which is then read and written as far as it goes.
  std::vector<std::string> use_damaged() const {
    std::vector<std::string> findings;
    try {
      Store store = open("damaged.db");
      findings = store.check();
      read_everything(store);
      store.record(key(999), ok(1), 1, 0, "d");
    } catch (const Error& error) {
      if (findings.empty()) findings.push_back(error.message());
    }
    return findings;
  }
};

TEST_F(DamageTest, SlowDamagedPagesAreReportedAndNeverACrash) {
  const std::string whole = whole_file();
  constexpr size_t kPage = 4096;
  std::mt19937_64 random(1);
  int reported = 0;
  constexpr int kCases = 500;
  for (int i = 0; i < kCases; ++i) {
    std::string damaged = whole;
    const size_t page = random() % (whole.size() / kPage);
    // A sector of noise, as of a disk that mixed something up; the first page keeps its header.
    const size_t begin = page * kPage + (page == 0 ? 100 : 512 * (random() % 8));
    for (size_t at = begin; at < begin + 412; ++at) damaged[at] = static_cast<char>(random());
    write_file(path("damaged.db"), damaged);
    const bool is_used = damaged != whole;
    ASSERT_TRUE(is_used);
    reported += use_damaged().empty() ? 0 : 1;
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path("damaged.db") + end);
  }
  // What lies in the unused middle of a page says nothing, so that its damage does no harm.
  EXPECT_GT(reported, kCases / 2);
}

TEST_F(DamageTest, SlowFlippedBytesAreNeverACrash) {
  const std::string whole = whole_file();
  std::mt19937_64 random(2);
  for (int i = 0; i < 500; ++i) {
    std::string damaged = whole;
    for (int flips = 0; flips < 3; ++flips) {
      damaged[random() % damaged.size()] ^= static_cast<char>(1U << random() % 8);
    }
    write_file(path("damaged.db"), damaged);
    use_damaged();
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path("damaged.db") + end);
  }
}

TEST_F(DamageTest, APageNumberBeyondAnyDiskIsNotCalledAFullDisk) {
  constexpr size_t kPage = 4096;
  {
    Store store = with_run("damaged.db");
    store.save_session({"main", "d", "lab", std::string(5 * kPage, 'x')});
    store.vacuum();
  }
  std::string bytes = read_file(path("damaged.db"));
  size_t page = 0;
  const std::string full(kPage - 4, 'x');
  while (page < bytes.size() && bytes.compare(page + 4, full.size(), full) != 0) page += kPage;
  ASSERT_LT(page, bytes.size());
  bytes.replace(page, 4, 4, '\xff');  // the number of the page where the text goes on
  write_file(path("damaged.db"), bytes);
  Store store = open("damaged.db");
  try {
    store.vacuum();
    FAIL();
  } catch (const DamagedError& error) {
    EXPECT_EQ(error.message().find("full"), std::string::npos) << error.message();
  }
}

TEST_F(DamageTest, ACutFileIsReported) {
  const std::string whole = whole_file();
  for (const size_t size : {whole.size() / 2, whole.size() - 1, size_t{4096}, size_t{4095},
                            size_t{100}, size_t{99}, size_t{20}, size_t{1}}) {
    write_file(path("damaged.db"), whole.substr(0, size));
    EXPECT_FALSE(use_damaged().empty()) << size;
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path("damaged.db") + end);
  }
}

TEST_F(DamageTest, ACutLogLosesItsEndAndNothingElse) {
  Store store = with_run();
  for (int m = 1; m <= 20; ++m) store.record(key(m), ok(m), 1, 0, "d");
  const std::string file = read_file(path());
  const std::string log = read_file(path() + "-wal");
  size_t last = 21;
  for (const size_t size : {log.size() - 1, log.size() / 2, log.size() / 4, size_t{0}}) {
    write_file(path("damaged.db"), file);
    write_file(path("damaged.db") + "-wal", log.substr(0, size));
    Store cut = open("damaged.db");
    EXPECT_TRUE(cut.check().empty());
    size_t found = 0;
    while (cut.find(key(static_cast<int>(found) + 1))) ++found;
    EXPECT_LT(found, last);
    last = found;
  }
}

TEST_F(DamageTest, ResultsThatContradictEachOtherAreReported) {
  const struct {
    const char* sql;
    const char* part;
  } cases[] = {
      {"UPDATE best SET time_us = 0.5", "best config of problem 1"},
      {"DELETE FROM best WHERE problem_id = 7", "best config of problem 7"},
      {"DELETE FROM trial WHERE place = 3", "run 1 misses"},
      {"DELETE FROM attempt WHERE measurement_id = 4", "measurement 4 has fewer attempts"},
      {"UPDATE winner SET config = 'tile_m=1'", "winner 1 was not measured"},
      {"UPDATE problem SET m = 3 WHERE id = 9", "problem 9: its columns"},
      {"UPDATE problem SET text = 'gemm' WHERE id = 9", "problem 9: "},
      {"UPDATE winner SET baseline_config = 'tile_m'", "winner 1: config 'tile_m'"},
      {"UPDATE measurement SET config = 'x=1,y' WHERE id = 4", "measurement 4: config 'x=1,y'"},
      {"PRAGMA foreign_keys = OFF; DELETE FROM measurement WHERE id = 4", "a row of trial refers"},
  };
  const std::string whole = whole_file();
  for (const auto& [sql, part] : cases) {
    write_file(path("damaged.db"), whole);
    Store store = open("damaged.db");
    store.database().execute(sql);
    const std::vector<std::string> findings = store.check();
    const auto tells = [text = std::string(part)](const std::string& finding) {
      return finding.find(text) != std::string::npos;
    };
    EXPECT_TRUE(std::ranges::any_of(findings, tells)) << part;
  }
}

TEST_F(DamageTest, SchemaThatIsNotItsVersionIsDamage) {
  const struct {
    const char* sql;
    const char* part;
  } cases[] = {
      {"DROP TABLE trial", "column trial.measurement_id is missing"},
      {"DROP VIEW winners", "view winners is missing"},
      {"DROP TRIGGER best_after_insert", "trigger best_after_insert is missing"},
      {"DROP INDEX measurement_time", "index measurement_time is missing"},
      {"PRAGMA user_version = 3", "is of a later one"},
      {"PRAGMA user_version = 0", "is of a later one"},
  };
  const std::string whole = whole_file();
  for (const auto& [sql, part] : cases) {
    write_file(path("damaged.db"), whole);
    {
      Store store = open("damaged.db");
      store.database().execute(sql);
      store.vacuum();
    }
    for (const OpenMode mode : {OpenMode::kReadWrite, OpenMode::kReadOnly}) {
      const Error error = error_of([&, as = mode] { Store::open(path("damaged.db"), as); });
      EXPECT_EQ(error.kind(), ErrorKind::kFailed) << sql;
      EXPECT_NE(error.message().find("damaged.db: the file is damaged"), std::string::npos);
      EXPECT_NE(error.message().find(part), std::string::npos) << error.message();
    }
  }
}

TEST_F(DamageTest, ADefinitionThatChangedIsFoundByTheCheck) {
  const std::string version = std::to_string(schema_version());
  const struct {
    std::string from;
    std::string to;
    std::vector<std::string> findings;
  } cases[] = {
      {"CHECK (spread_us >= 0)",
       "CHECK (spread_es >= 0)",
       {"table measurement is not defined as in schema " + version}},
      {"WHEN OLD.status = 'ok' OR",
       "WHEN OLD.status = 'om' OR",
       {"trigger best_after_update is not defined as in schema " + version}},
      {"-- canonical JSON", "-- canonical nosJ", {}},
  };
  const std::string whole = whole_file();
  for (const auto& [from, to, findings] : cases) {
    std::string file = whole;
    const size_t at = file.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write_file(path("damaged.db"), file.replace(at, to.size(), to));
    Store store = Store::open(path("damaged.db"), OpenMode::kReadOnly);
    EXPECT_EQ(store.check(), findings) << to;
  }
}

TEST_F(DamageTest, ViewsOfTheUsersOwnAreNoDamage) {
  {
    Store store = with_run();
    store.database().execute("CREATE VIEW mine AS SELECT 1; CREATE INDEX my_runs ON run (label)");
  }
  EXPECT_TRUE(open().check().empty());
}

TEST_F(DamageTest, StoredConfigsThatAreNoneNameTheirRow) {
  write_file(path("damaged.db"), whole_file());
  Store store = open("damaged.db");
  store.database().execute("UPDATE winner SET config = 'tile_m'");
  store.database().execute("UPDATE measurement SET config = 'x=1,y' WHERE id = 4");
  const Error winner = error_of([&] { store.load_winners(1); });
  EXPECT_EQ(winner.kind(), ErrorKind::kFailed);
  EXPECT_NE(winner.message().find("damaged.db: the file is damaged (winner 1: "), std::string::npos)
      << winner.message();
  const Error trial = error_of([&] { store.trials(1); });
  EXPECT_NE(trial.message().find("(measurement 4: "), std::string::npos) << trial.message();
  EXPECT_EQ(error_of([&] { store.keys_of_run(1); }).message(), trial.message());
}

TEST_F(DamageTest, AnIndexThatMissesARowIsReportedByWhatNeedsTheRow) {
  std::string file = whole_file();
  constexpr size_t kPage = 4096;
  constexpr char kIndexLeaf = 0x0a;
  const std::string kept = "tile_m=64";
  for (size_t page = kPage; page < file.size(); page += kPage) {
    if (file[page] != kIndexLeaf) continue;
    for (size_t at = file.find(kept, page); at < page + kPage; at = file.find(kept, at + 1)) {
      file[at + kept.size() - 1] = '5';
    }
  }
  write_file(path("damaged.db"), file);
  Store store = open("damaged.db");
  int64_t left_out = 0;
  const Error exported = error_of([&] { tables_of_run(store, store.load_run(1), left_out); });
  EXPECT_EQ(exported.kind(), ErrorKind::kFailed);
  EXPECT_NE(exported.message().find("damaged.db: the file is damaged (trial 1 of run 1"),
            std::string::npos)
      << exported.message();
}

TEST_F(DamageTest, AMeasurementThatConflictsWithNoneIsDamage) {
  write_file(path("damaged.db"), whole_file());
  Store store = open("damaged.db");
  store.database().execute(
      "CREATE TRIGGER refuse BEFORE INSERT ON measurement BEGIN SELECT raise(IGNORE); END");
  const Error recorded = error_of([&] { store.record(key(9999), ok(1), 1, 0, "d"); });
  EXPECT_EQ(recorded.kind(), ErrorKind::kFailed);
  EXPECT_NE(recorded.message().find("the file is damaged"), std::string::npos);
  store.database().execute("DROP TRIGGER refuse");
}

TEST_F(DamageTest, ARunThatIsGoneCannotEnd) {
  write_file(path("damaged.db"), whole_file());
  Store store = open("damaged.db");
  const Error ended = error_of([&] { store.finish_run(777, RunStatus::kDone, 1, "{}"); });
  EXPECT_EQ(ended.kind(), ErrorKind::kFailed);
  EXPECT_NE(ended.message().find("the file is damaged (run 777 "), std::string::npos)
      << ended.message();
}

TEST_F(DamageTest, WhatItsOwnCheckFindsDamagedIsNotMerged) {
  write_file(path("damaged.db"), whole_file());
  open("damaged.db").database().execute("DELETE FROM trial WHERE place = 3");
  Store store = with_run();
  const Error error = error_of([&] { store.merge(path("damaged.db")); });
  EXPECT_EQ(error.kind(), ErrorKind::kFailed);
  EXPECT_NE(error.message().find("damaged.db: the file is damaged (run 1 misses"),
            std::string::npos)
      << error.message();
}

TEST_F(DamageTest, AFolderIsCalledOne) {
  for (const OpenMode mode : {OpenMode::kReadWrite, OpenMode::kReadOnly}) {
    const Error error = error_of([&, as = mode] { Store::open(folder_.path(), as); });
    EXPECT_EQ(error.kind(), ErrorKind::kFailed);
    EXPECT_NE(error.message().find("is a folder"), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace tilewright
