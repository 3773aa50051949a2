#include <gtest/gtest.h>

#include <string>

#include "core/base/error.h"
#include "db/queries.h"
#include "db/store.h"
#include "tests/db/store_fixture.h"

namespace tilewright {
namespace {

using MergeTest = StoreTest;

Winner winner_of(const std::string& problem) {
  return {"gemm", 3, problem, {"qkv"}, "sim/1/composed", "tile_m=128", 10, "tile_m=64", 20,
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
    other.save_served_problems(2, std::vector<ServedProblem>{{key(1).problem, 3}});
  }
  Store store = with_run();  // its run 1 is the other's run 1
  store.record(key(1), ok(1), 1, 0, "d");
  const MergeCounts first = store.merge(path("other.db"));
  EXPECT_EQ(first.machines, 1);
  EXPECT_EQ(first.runs, 1);
  EXPECT_EQ(first.problems, 1);
  EXPECT_EQ(first.measurements, 1);
  EXPECT_EQ(first.attempts, 2);
  EXPECT_EQ(first.trials, 2);
  EXPECT_EQ(first.winners, 1);
  EXPECT_EQ(first.served_problems, 1);
  EXPECT_EQ(store.find(key(2))->time_us, 2);
  EXPECT_EQ(store.load_winners(2).at(0).problem, key(2).problem);
  EXPECT_EQ(store.trials(2).size(), 2u);
  const StoreInfo before = store.info();
  const MergeCounts again = store.merge(path("other.db"));
  EXPECT_EQ(again.machines + again.runs + again.problems + again.measurements + again.attempts +
                again.trials + again.winners + again.served_problems,
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

TEST_F(MergeTest, ARunThatTriedMoreSinceTheLastMergeGetsTheRest) {
  Store other = with_run("other.db");
  Store store = open();
  other.record(key(1), ok(1), 1, 0, "");
  EXPECT_EQ(store.merge(path("other.db")).trials, 1);
  other.record_trials(1, std::vector<TrialRow>{{key(2), "random", ok(2), 0, ""}, {key(1), "seed"}});
  EXPECT_EQ(store.merge(path("other.db")).trials, 2);
  const std::vector<StoredTrial> trials = store.trials(1);
  ASSERT_EQ(trials.size(), 3u);
  EXPECT_EQ(trials[1].proposer, "random");
  EXPECT_EQ(trials[2].key, key(1));
  EXPECT_TRUE(store.check().empty());
}

TEST_F(MergeTest, ShardsInAnyOrderGiveTheSameResults) {
  const auto write_shard = [&](const std::string& name, int first) {
    Store shard = open(name);
    shard.save_machine("npu-a", "aaaa", "{}");
    tilewright::Run run = tuning_run();
    run.command += " --shard " + name;
    shard.begin_run(run);
    for (int m = first; m <= 6; m += 2) {
      for (const char* config : {"tile_m=64", "tile_m=128"}) {
        shard.record(key(m, config), ok(m), 1, 0, "");
      }
    }
  };
  write_shard("0", 1);
  write_shard("1", 2);
  write_shard("2", 2);  // the work of a shard done twice
  const auto merged = [&](const std::string& name, std::initializer_list<const char*> shards) {
    Store store = open(name);
    for (const char* shard : shards) store.merge(path(shard));
    EXPECT_TRUE(store.check().empty());
    return to_csv(query(store, "SELECT m, config, time_us, status FROM measurements ORDER BY 1, 2",
                        {})) +
           to_csv(query(store, "SELECT m, config, time_us FROM best_measurements ORDER BY 1", {}));
  };
  const std::string expected = merged("a.db", {"0", "1", "2"});
  EXPECT_EQ(expected, merged("b.db", {"2", "1", "0", "1"}));
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
