#include "db/store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "core/base/error.h"
#include "tests/db/store_fixture.h"

namespace tilewright {
namespace {

TEST_F(StoreTest, FindsWhatWasRecordedAfterReopening) {
  Measurement measurement{AttemptStatus::kOk,
                          "",
                          38.1234567890123,
                          123'456'789'012,
                          {{"cube_utilization", 0.5}, {"aic_total_cycles", 1e9}}};
  {
    Store store = with_run();
    EXPECT_FALSE(store.find(key()).has_value());
    store.record(key(), measurement, 1, 12.5, "2026-01-02");
  }
  Store store = open();
  const auto found = store.find(key());
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->status, AttemptStatus::kOk);
  EXPECT_EQ(found->time_us, measurement.time_us);
  EXPECT_EQ(found->time_ticks, measurement.time_ticks);
  EXPECT_EQ(found->counters, measurement.counters);
}

TEST_F(StoreTest, ARunKnowsWhatItTriedAndOnWhichMachine) {
  Store store = with_run();
  store.begin_run(tuning_run());
  EXPECT_TRUE(store.keys_of_run(1).empty());
  store.record(key(512), ok(1), 2, 0, "");
  store.record(key(64), ok(1), 1, 0, "");
  store.record(key(512), ok(1), 1, 0, "");
  store.record(key(64), ok(1), 1, 0, "");
  EXPECT_EQ(store.keys_of_run(1), (std::vector<MeasurementKey>{key(64), key(512)}));
  EXPECT_EQ(store.machine_description("aaaa"), "{}");
  EXPECT_EQ(error_of([&] { store.machine_description("zzzz"); }).kind(), ErrorKind::kNotFound);
  ASSERT_TRUE(store.latest_run_labelled("nightly"));
  EXPECT_EQ(store.latest_run_labelled("nightly")->id, 2);
  EXPECT_FALSE(store.latest_run_labelled("night"));
  EXPECT_EQ(store.latest_run_labelled("nightly", std::nullopt, 2)->id, 1);
  EXPECT_FALSE(store.latest_run_labelled("nightly", std::nullopt, 1));
}

TEST_F(StoreTest, EveryFieldOfTheKeyTellsMeasurementsApart) {
  Store store = with_run();
  store.save_machine("npu-b", "bbbb", "{}");
  store.record(key(), ok(1), 1, 0, "");
  std::vector<MeasurementKey> others(6, key());
  others[0].kernel = "gemm_padded";
  others[1].kernel_revision = 4;
  others[2].problem = key(513).problem;
  others[3].config = "tile_m=64";
  others[4].machine_fingerprint = "bbbb";
  others[5].evaluator = "sim/1/detailed";
  for (const MeasurementKey& other : others) EXPECT_FALSE(store.find(other).has_value());
  double time_us = 2;
  for (const MeasurementKey& other : others) store.record(other, ok(time_us++), 1, 0, "");
  EXPECT_EQ(store.find(key())->time_us, 1);
  for (size_t i = 0; i < others.size(); ++i) {
    EXPECT_EQ(store.find(others[i])->time_us, static_cast<double>(i + 2));
  }
}

TEST_F(StoreTest, FirstSuccessStaysTheMeasurementAndEveryTryIsAnAttempt) {
  Store store = with_run();
  const Measurement timeout{AttemptStatus::kTimeout, "60 s", 0, 0, {}};
  const Measurement crash{AttemptStatus::kRuntime, "signal 11", 0, 0, {}};
  store.record(key(), timeout, 1, 0, "");
  store.record(key(), crash, 1, 0, "");
  EXPECT_EQ(store.find(key())->reason, "signal 11");
  store.record(key(), ok(5), 1, 0, "");
  store.record(key(), ok(4), 1, 0, "");
  store.record(key(), crash, 1, 0, "");
  EXPECT_EQ(store.find(key())->status, AttemptStatus::kOk);
  EXPECT_EQ(store.find(key())->time_us, 5);
  Statement repetitions(store.database(),
                        "SELECT group_concat(repetition) FROM attempt ORDER BY id");
  ASSERT_TRUE(repetitions.step());
  EXPECT_EQ(repetitions.text(0), "0,1,2,3,4");
}

TEST_F(StoreTest, RefusesProblemsAndMachinesThatDoNotExistAndKeepsNothingOfThem) {
  Store store = with_run();
  MeasurementKey broken = key();
  broken.problem = "nonsense";
  EXPECT_THROW(store.record(broken, ok(1), 1, 0, ""), Error);
  MeasurementKey elsewhere = key();
  elsewhere.machine_fingerprint = "cccc";
  EXPECT_THROW(store.record(elsewhere, ok(1), 1, 0, ""), Error);
  EXPECT_THROW(store.record(key(), ok(1), 99, 0, ""), Error);
  for (const auto& [table, rows] : store.info().rows) {
    EXPECT_EQ(rows, table == "machine" || table == "run" ? 1 : 0) << table;
  }
  store.record(key(), ok(1), 1, 0, "");  // and it goes on
  EXPECT_TRUE(store.find(key()).has_value());
}

TEST_F(StoreTest, KeepsRunsFromBeginningToEnd) {
  Store store = with_run();
  EXPECT_EQ(store.load_run(1).status, RunStatus::kRunning);
  store.finish_run(1, RunStatus::kInterrupted, 1234.5, "{\"gain\":1.5}");
  const tilewright::Run run = store.load_run(1);
  EXPECT_EQ(run.status, RunStatus::kInterrupted);
  EXPECT_EQ(run.machine_name, "npu-a");
  EXPECT_EQ(run.seed, 7);
  EXPECT_EQ(run.wall_ms, 1234.5);
  EXPECT_EQ(run.result, "{\"gain\":1.5}");
  const int64_t second = store.begin_run(tuning_run());
  EXPECT_EQ(store.latest_run(RunKind::kTune)->id, second);
  EXPECT_FALSE(store.latest_run(RunKind::kServe).has_value());
  EXPECT_EQ(error_of([&] { store.load_run(77); }).kind(), ErrorKind::kNotFound);
}

TEST_F(StoreTest, WinnersRoundTripInOrder) {
  Store store = with_run();
  const Winner failed_baseline{"gemm",
                               3,
                               key(512).problem,
                               {"qkv", "o_proj"},
                               "sim/1/composed",
                               "tile_m=64",
                               10,
                               "tile_m=128",
                               0,
                               0,
                               5,
                               2,
                               false};
  const Winner plain{"gemm", 3,   key(16).problem, {}, "sim/1/composed", "", 10, "", 15, 11, 5,
                     2,      true};
  store.save_winners(1, std::vector{failed_baseline, plain});
  store.save_winners(1, std::vector{failed_baseline, plain});
  const std::vector<Winner> winners = store.load_winners(1);
  ASSERT_EQ(winners.size(), 2u);
  EXPECT_EQ(winners[0].ops, failed_baseline.ops);
  EXPECT_EQ(winners[0].problem, failed_baseline.problem);
  EXPECT_EQ(winners[0].baseline_us, 0);
  EXPECT_EQ(winners[0].gain(), 0);
  EXPECT_FALSE(winners[0].complete);
  EXPECT_TRUE(winners[1].ops.empty());
  EXPECT_EQ(winners[1].gain(), 1.5);
  EXPECT_EQ(winners[1].runner_up_us, 11);
}

TEST_F(StoreTest, KilledWriterLosesNothingThatItReported) {
  { with_run(); }
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Store store = open();
    for (int m = 1;; ++m) {
      store.record(key(m), ok(m), 1, 0, "");
      if (::write(ends[1], &m, sizeof m) != sizeof m) ::_exit(1);
    }
  }
  ::close(ends[1]);
  int reported = 0;
  while (reported < 300 && ::read(ends[0], &reported, sizeof reported) == sizeof reported) {
  }
  ::kill(child, SIGKILL);
  int last = 0;
  while (::read(ends[0], &last, sizeof last) == sizeof last) reported = last;
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);

  ASSERT_GE(reported, 300);
  Store store = open();
  EXPECT_TRUE(store.check().empty());
  for (int m = 1; m <= reported; ++m) {
    const auto found = store.find(key(m));
    ASSERT_TRUE(found.has_value()) << m << " of " << reported;
    EXPECT_EQ(found->time_us, m);
  }
}

TEST_F(StoreTest, ReadersSeeCommittedRowsWhileAWriterIsInsideATransaction) {
  Store writer = with_run();
  writer.record(key(1), ok(1), 1, 0, "");
  Store reader = Store::open(path(), OpenMode::kReadOnly, 10);
  Transaction transaction(writer.database());
  writer.save_machine("npu-b", "bbbb", "{}");
  EXPECT_TRUE(reader.find(key(1)).has_value());
  EXPECT_EQ(reader.info().rows[0].second, 1);
  transaction.commit();
  EXPECT_EQ(reader.info().rows[0].second, 2);
}

TEST_F(StoreTest, SaysWhenAnotherWriterHoldsTheDatabase) {
  Store first = with_run();
  Store second = Store::open(path(), OpenMode::kReadWrite, 10);
  Transaction transaction(first.database());
  const Error error = error_of([&] { second.record(key(), ok(1), 1, 0, ""); });
  EXPECT_EQ(error.kind(), ErrorKind::kFailed);
  EXPECT_NE(error.message().find("locked by another process"), std::string::npos);
  transaction.commit();
  second.record(key(), ok(1), 1, 0, "");
}

TEST_F(StoreTest, SaysWhenTheFileIsReadOnly) {
  { with_run(); }
  Store store = Store::open(path(), OpenMode::kReadOnly);
  const Error error = error_of([&] { store.record(key(), ok(1), 1, 0, ""); });
  EXPECT_NE(error.message().find("read-only"), std::string::npos) << error.message();
}

TEST_F(StoreTest, FullDiskKeepsWhatWasRecorded) {
  Store store = with_run();
  store.record(key(1), ok(1), 1, 0, "");
  store.database().execute("PRAGMA max_page_count = 1");  // SQLite rounds it up to the present size
  int m = 2;
  const Error error = error_of([&] {
    for (; m < 5000; ++m) store.record(key(m), ok(m), 1, 0, "");
  });
  EXPECT_EQ(error.kind(), ErrorKind::kFailed);
  EXPECT_NE(error.message().find("disk is full"), std::string::npos) << error.message();
  store.database().execute("PRAGMA max_page_count = 1000000");
  for (int i = 1; i < m; ++i) EXPECT_TRUE(store.find(key(i)).has_value());
  EXPECT_FALSE(store.find(key(m)).has_value());
  EXPECT_TRUE(store.check().empty());
}

TEST_F(StoreTest, InfoCountsRowsByTable) {
  Store store = with_run();
  store.record(key(), ok(1), 1, 0, "");
  const StoreInfo info = store.info();
  EXPECT_EQ(info.path, path());
  EXPECT_GT(info.bytes, 4096);
  EXPECT_EQ(info.schema_version, 6);
  const std::vector<std::pair<std::string, int64_t>> expected = {
      {"machine", 1},        {"run", 1},           {"problem", 1},
      {"measurement", 1},    {"attempt", 1},       {"trial", 1},
      {"best", 1},           {"winner", 0},        {"session", 0},
      {"served_problem", 0}, {"serving_chunk", 0}, {"fusion_plan", 0}};
  EXPECT_EQ(info.rows, expected);
}

TEST_F(StoreTest, VacuumKeepsEverything) {
  Store store = with_run();
  for (int m = 1; m <= 50; ++m) store.record(key(m), ok(m), 1, 0, "");
  store.vacuum();
  EXPECT_TRUE(store.check().empty());
  EXPECT_EQ(store.find(key(50))->time_us, 50);
}

TEST_F(StoreTest, KeepsTheLastStateOfEachSession) {
  Store store = open();
  EXPECT_FALSE(store.load_session("main"));
  store.save_session({"main", "2026-01-01T00:00:00Z", "Home", "{}"});
  store.save_session({"other", "2026-01-02T00:00:00Z", "Lab", "{\"a\": 1}"});
  store.save_session({"main", "2026-01-03T00:00:00Z", "Timeline", "{\"b\": 2}"});
  EXPECT_EQ(store.load_session("main")->state, "{\"b\": 2}");
  const std::vector<SavedSession> sessions = store.sessions();
  ASSERT_EQ(sessions.size(), 2u);
  EXPECT_EQ(sessions[0].name, "main");
  EXPECT_EQ(sessions[0].summary, "Timeline");
  EXPECT_EQ(sessions[1].date, "2026-01-02T00:00:00Z");
}

}  // namespace
}  // namespace tilewright
