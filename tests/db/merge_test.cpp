#include <gtest/gtest.h>

#include <string>

#include "core/base/error.h"
#include "db/store.h"
#include "tests/db/store_fixture.h"

namespace tilewright {
namespace {

using MergeTest = StoreTest;

Winner winner_of(const std::string& problem) {
  return {"gemm", 3, problem, {"qkv"}, "sim/1/composed", "tile_m=64", 10, "tile_m=128", 20,
          0,      5, 2,       true};
}

TEST_F(MergeTest, AddsWhatIsMissingAndNothingTheSecondTime) {
  {
    Store other = with_run("other.db");
    other.save_machine("npu-b", "bbbb", "{}");
    tilewright::Run second = tuning_run();
    second.label = "second";
    other.begin_run(second);
    other.record(key(1), ok(1), 1, 0, "d");
    other.record(key(2), ok(2), 2, 0, "d");
    other.record(key(2), ok(2), 2, 0, "d");
    other.save_winners(2, std::vector{winner_of(key(2).problem)});
  }
  Store store = with_run();  // its run 1 is the other's run 1
  store.record(key(1), ok(1), 1, 0, "d");
  const MergeCounts first = store.merge(path("other.db"));
  EXPECT_EQ(first.machines, 1);
  EXPECT_EQ(first.runs, 1);
  EXPECT_EQ(first.problems, 1);
  EXPECT_EQ(first.measurements, 1);
  EXPECT_EQ(first.attempts, 2);
  EXPECT_EQ(first.winners, 1);
  EXPECT_EQ(store.find(key(2))->time_us, 2);
  EXPECT_EQ(store.load_winners(2).at(0).problem, key(2).problem);
  const StoreInfo before = store.info();
  const MergeCounts again = store.merge(path("other.db"));
  EXPECT_EQ(again.machines + again.runs + again.problems + again.measurements + again.attempts +
                again.winners,
            0);
  EXPECT_EQ(store.info().rows, before.rows);
  EXPECT_TRUE(store.check().empty());
}

TEST_F(MergeTest, KeepsTwinRunsApart) {
  {
    Store other = with_run("other.db");
    other.begin_run(tuning_run());
  }
  Store store = open();
  EXPECT_EQ(store.merge(path("other.db")).runs, 2);
  EXPECT_EQ(store.merge(path("other.db")).runs, 0);
}

TEST_F(MergeTest, SuccessThereReplacesFailureHereAndNotTheOtherWayRound) {
  const Measurement failure{AttemptStatus::kTimeout, "60 s", 0, 0, {}};
  {
    Store other = with_run("other.db");
    other.record(key(1), ok(1), 1, 0, "");
    other.record(key(2), failure, 1, 0, "");
  }
  Store store = with_run();
  store.record(key(1), failure, 1, 0, "");
  store.record(key(2), ok(2), 1, 0, "");
  EXPECT_EQ(store.merge(path("other.db")).measurements, 1);
  EXPECT_EQ(store.find(key(1))->time_us, 1);
  EXPECT_EQ(store.find(key(2))->time_us, 2);
}

TEST_F(MergeTest, TakesOverTheEndOfARunThatWasRunning) {
  {
    Store other = with_run("other.db");
    other.finish_run(1, RunStatus::kDone, 5, "{}");
  }
  Store store = with_run();
  EXPECT_EQ(store.merge(path("other.db")).runs, 0);
  EXPECT_EQ(store.load_run(1).status, RunStatus::kDone);
}

TEST_F(MergeTest, ReadsFilesWithOddNames) {
  { with_run("50% off? #1 'x'.db").record(key(1), ok(1), 1, 0, ""); }
  Store store = open();
  EXPECT_EQ(store.merge(path("50% off? #1 'x'.db")).measurements, 1);
}

TEST_F(MergeTest, RefusesItselfAndWhatIsNoResultsDatabase) {
  Store store = with_run();
  EXPECT_EQ(error_of([&] { store.merge(path()); }).kind(), ErrorKind::kUsage);
  EXPECT_EQ(error_of([&] { store.merge(path("missing.db")); }).kind(), ErrorKind::kNotFound);
  EXPECT_EQ(error_of([&] { store.merge("/proc/version"); }).kind(), ErrorKind::kFailed);
}

TEST_F(MergeTest, HostileContentAddsNothing) {
  {
    Store other = with_run("other.db");
    other.record(key(1), ok(1), 1, 0, "");
    other.database().execute("DROP VIEW winners; DROP VIEW attempts; DROP TABLE attempt");
  }
  Store store = with_run();
  EXPECT_THROW(store.merge(path("other.db")), Error);
  EXPECT_FALSE(store.find(key(1)).has_value());
  store.record(key(1), ok(1), 1, 0, "");  // the store goes on working
  EXPECT_THROW(store.merge(path("other.db")), Error);
}

}  // namespace
}  // namespace tilewright
