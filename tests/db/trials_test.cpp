#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/error.h"
#include "db/queries.h"
#include "db/store.h"
#include "tests/db/store_fixture.h"

namespace tilewright {
namespace {

class TrialsTest : public StoreTest {
 protected:
  static Series series_of(const MeasurementKey& key) {
    return {key.kernel, key.kernel_revision, key.problem, key.machine_fingerprint, key.evaluator};
  }
  static Measurement failure() { return {AttemptStatus::kRuntime, "signal 11", 0, 0, {}}; }
  static std::string rows(Store& store, const std::string& sql) {
    return to_csv(query(store, sql, {}));
  }
};

TEST_F(TrialsTest, KeepsEverythingARunTriedInOrderWithItsProposer) {
  Store store = with_run();
  store.record_trials(1, std::vector<TrialRow>{{key(1), "seed", ok(3), 5, "d"},
                                               {key(2), "random", failure(), 5, "d"},
                                               {key(1), "annealing"}});
  const int64_t second = store.begin_run(tuning_run());
  store.record_trials(second, std::vector<TrialRow>{{key(2), "seed"}});
  store.record_trials(1, std::vector<TrialRow>{{key(3), "random", ok(2), 5, "d"}});
  const std::vector<StoredTrial> trials = store.trials(1);
  ASSERT_EQ(trials.size(), 4u);
  const int m[] = {1, 2, 1, 3};
  const char* proposers[] = {"seed", "random", "annealing", "random"};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(trials[i].key, key(m[i]));
    EXPECT_EQ(trials[i].proposer, proposers[i]);
  }
  EXPECT_EQ(trials[1].measurement.reason, "signal 11");
  EXPECT_EQ(trials[2].measurement.time_us, 3);
  EXPECT_EQ(store.trials(second).size(), 1u);
  EXPECT_EQ(rows(store, "SELECT run, place, m, status FROM trials ORDER BY run, place"),
            "run,place,m,status\n1,0,1,ok\n1,1,2,runtime\n1,2,1,ok\n1,3,3,ok\n2,0,2,runtime\n");
  EXPECT_EQ(rows(store, "SELECT count(*) FROM attempt"), "count(*)\n3\n");
}

TEST_F(TrialsTest, AreCountedByProblemOverAllPartsOfARun) {
  Store store = with_run();
  const auto looked = [](int64_t m) {
    MeasurementKey key = TrialsTest::key(static_cast<int>(m));
    key.evaluator = "sim/1/fast";
    return key;
  };
  const auto other = [](int64_t m, const char* config) {
    MeasurementKey key = TrialsTest::key(static_cast<int>(m));
    key.config = config;
    return key;
  };
  const int64_t before = store.begin_run(tuning_run());
  store.record_trials(before, std::vector<TrialRow>{{other(2, "tile_m=8"), "seed", ok(4), 5, "d"}});
  store.record_trials(1, std::vector<TrialRow>{{looked(1), "screening", ok(9), 1, "d"},
                                               {looked(2), "screening", ok(1), 1, "d"},
                                               {other(2, "tile_m=8"), "seed"},
                                               {looked(1), "random"},
                                               {key(2), "random", ok(1), 5, "d"}});
  // A later part asks for a config again, and its other search fails.
  store.record_trials(
      1, std::vector<TrialRow>{{key(2), "annealing"}, {key(1), "random", failure(), 5, "d"}});
  const auto counts = store.trial_counts(1, "screening");
  ASSERT_EQ(counts.size(), 2u);
  const TrialCounts& one = counts.at(key(1).problem);
  EXPECT_EQ(one.evaluations, 1);
  EXPECT_EQ(one.cache_hits, 0);
  EXPECT_EQ(one.screened, 1);
  EXPECT_EQ(one.failures, 1);
  const TrialCounts& two = counts.at(key(2).problem);
  EXPECT_EQ(two.evaluations, 1);
  EXPECT_EQ(two.cache_hits, 1) << "of another run; its own once more is no new try";
  EXPECT_EQ(two.screened, 0);
  EXPECT_EQ(two.failures, 0);

  Winner winner;
  winner.kernel = key(2).kernel;
  winner.kernel_revision = key(2).kernel_revision;
  winner.problem = key(2).problem;
  winner.evaluator = key(2).evaluator;
  winner.config = key(2).config;
  winner.baseline_config = winner.config;
  winner.time_us = 1;
  store.save_winners(1, std::vector<Winner>{winner});
  EXPECT_EQ(store.trials_of_winners(1, "screening"), std::vector<int64_t>{2}) << "of its problem";
  store.record_trials(1, std::vector<TrialRow>{{key(2), "family"},
                                               {other(2, "tile_m=9"), "random", ok(7), 5, "d"}});
  winner.config = "tile_m=9";
  store.save_winners(1, std::vector<Winner>{winner});
  EXPECT_EQ(store.trials_of_winners(1, "screening"), std::vector<int64_t>{3})
      << "what was tried twice counts once";
}

TEST_F(TrialsTest, AreReadFromAPlaceOn) {
  Store store = with_run();
  for (int m = 1; m <= 5; ++m) {
    store.record_trials(1, std::vector<TrialRow>{{key(m), "seed", ok(m), 5, "d"}});
  }
  const std::vector<StoredTrial> some = store.trials(1, 1, 2);
  ASSERT_EQ(some.size(), 2u);
  EXPECT_EQ(some[0].key, key(2));
  EXPECT_EQ(some[1].key, key(3));
  EXPECT_EQ(store.trials(1, 3).size(), 2u);
  EXPECT_TRUE(store.trials(1, 5).empty());
}

TEST_F(TrialsTest, ABatchIsKeptWholeOrNotAtAll) {
  Store store = with_run();
  EXPECT_THROW(store.record_trials(
                   1, std::vector<TrialRow>{{key(1), "seed", ok(3), 5, "d"}, {key(2), "seed"}}),
               Error);
  EXPECT_FALSE(store.find(key(1)).has_value());
  EXPECT_TRUE(store.trials(1).empty());
  store.record_trials(1, std::vector<TrialRow>{{key(1), "seed", ok(3), 5, "d"}});
  EXPECT_EQ(store.trials(1).size(), 1u);
}

TEST_F(TrialsTest, KeepsEveryRepetitionAsAnAttempt) {
  Store store = with_run();
  Measurement noisy = ok(2);
  noisy.times_us = {2.5, 2, 1.5};
  noisy.spread_us = 0.25;
  store.record_trials(1, std::vector<TrialRow>{{key(), "seed", noisy, 30, "d"}});
  const auto found = store.find(key());
  EXPECT_EQ(found->times_us, noisy.times_us);
  EXPECT_EQ(found->spread_us, 0.25);
  EXPECT_EQ(store.known(series_of(key())).at(0).measurement.spread_us, 0.25);
  EXPECT_EQ(rows(store, "SELECT repetition, time_us, wall_us FROM attempts ORDER BY id"),
            "repetition,time_us,wall_us\n0,2.5,10\n1,2,10\n2,1.5,10\n");
  EXPECT_EQ(rows(store, "SELECT repetitions, spread_us FROM measurements"),
            "repetitions,spread_us\n3,0.25\n");
}

TEST_F(TrialsTest, RepetitionsBeforeAFailureAreKeptAndNeverTakenForThoseOfASuccess) {
  Store store = with_run();
  Measurement failed = failure();
  failed.times_us = {7, 8};
  store.record(key(), failed, 1, 0, "d");
  Measurement noisy = ok(2);
  noisy.times_us = {1, 3};
  store.record(key(), noisy, 1, 0, "d");
  EXPECT_EQ(store.find(key())->times_us, noisy.times_us);
  EXPECT_EQ(rows(store, "SELECT repetition, status, time_us FROM attempts ORDER BY id"),
            "repetition,status,time_us\n0,runtime,7\n1,runtime,8\n2,runtime,\n3,ok,1\n4,ok,3\n");
}

TEST_F(TrialsTest, KnownIsASeriesAndNothingElse) {
  Store store = with_run();
  store.save_machine("npu-b", "bbbb", "{}");
  std::vector<MeasurementKey> others(5, key());
  others[0].kernel = "gemm_padded";
  others[1].kernel_revision = 4;
  others[2].problem = key(513).problem;
  others[3].machine_fingerprint = "bbbb";
  others[4].evaluator = "sim/1/detailed";
  for (const MeasurementKey& other : others) store.record(other, ok(1), 1, 0, "");
  store.record(key(512, "tile_m=64"), ok(2), 1, 0, "");
  store.record(key(512, "tile_m=128"), failure(), 1, 0, "");
  const std::vector<KnownMeasurement> known = store.known(series_of(key()));
  ASSERT_EQ(known.size(), 2u);
  EXPECT_EQ(known[0].config, "tile_m=128");
  EXPECT_EQ(known[0].measurement.status, AttemptStatus::kRuntime);
  EXPECT_EQ(known[1].measurement.time_us, 2);
  EXPECT_EQ(store.best(series_of(key()))->config, "tile_m=64");
  EXPECT_FALSE(store.best(series_of(key(7))).has_value());
  EXPECT_TRUE(store.known(series_of(key(7))).empty());
}

TEST_F(TrialsTest, BestFollowsEveryChangeOfTheMeasurements) {
  Store store = with_run();
  const auto best = [&] {
    const auto found = store.best(series_of(key()));
    return found ? found->config : "";
  };
  store.record(key(512, "d"), failure(), 1, 0, "");
  EXPECT_EQ(best(), "");
  store.record(key(512, "c"), ok(5), 1, 0, "");
  store.record(key(512, "e"), ok(6), 1, 0, "");
  EXPECT_EQ(best(), "c");
  store.record(key(512, "b"), ok(5), 1, 0, "");
  store.record(key(512, "f"), ok(5), 1, 0, "");
  EXPECT_EQ(best(), "b") << "the first by its text of equally fast ones";
  store.record(key(512, "d"), ok(4), 1, 0, "");
  EXPECT_EQ(best(), "d") << "a failure that works now";
  store.database().execute("UPDATE measurement SET kernel_revision = 4 WHERE config = 'd'");
  EXPECT_EQ(best(), "b");
  store.database().execute("UPDATE measurement SET time_us = 9 WHERE config = 'b'");
  EXPECT_EQ(best(), "c");
  store.database().execute(
      "DELETE FROM trial; DELETE FROM attempt; "
      "DELETE FROM measurement WHERE config = 'c'");
  EXPECT_EQ(best(), "f");
  for (const std::string& finding : store.check()) {
    EXPECT_EQ(finding.find("best config"), std::string::npos) << finding;
  }
}

TEST_F(TrialsTest, EarlierConfigsAreTheFastestOfOtherProblemsCurrentOnesFirst) {
  Store store = with_run();
  store.save_machine("npu-b", "bbbb", "{}");
  MeasurementKey elsewhere = key(512, "z");
  elsewhere.machine_fingerprint = "bbbb";
  MeasurementKey older = key(512, "y");
  older.kernel_revision = 2;
  store.record(older, ok(1), 1, 0, "");
  store.record(elsewhere, ok(1), 1, 0, "");
  for (const char* config : {"a", "b", "c"}) store.record(key(64, config), ok(3), 1, 0, "");
  store.record(key(64, "d"), ok(2), 1, 0, "");
  store.record(key(64, "e"), failure(), 1, 0, "");
  store.record(key(512, "own"), ok(1), 1, 0, "");
  MeasurementKey other_kernel = key(64);
  other_kernel.kernel = "gemm_padded";
  store.record(other_kernel, ok(1), 1, 0, "");

  const std::vector<EarlierConfig> configs = store.earlier_configs(series_of(key(512)), 2);
  ASSERT_EQ(configs.size(), 4u);
  EXPECT_EQ(configs[0].key, key(64, "d"));
  EXPECT_EQ(configs[1].key, key(64, "a"));
  EXPECT_EQ(configs[1].place, 1);
  EXPECT_TRUE(configs[0].is_current && configs[1].is_current);
  EXPECT_EQ(configs[2].key, older);
  EXPECT_EQ(configs[3].key, elsewhere);
  EXPECT_FALSE(configs[2].is_current || configs[3].is_current);
  EXPECT_EQ(store.earlier_configs(series_of(key(512)), 2, 1).size(), 2u);
}

TEST_F(TrialsTest, FailuresAreTheNewestOfAKernel) {
  Store store = with_run();
  for (int m = 1; m <= 5; ++m) store.record(key(m), failure(), 1, 0, "");
  store.record(key(4), ok(1), 1, 0, "");
  store.record(key(6), ok(1), 1, 0, "");
  const std::vector<EarlierFailure> failures = store.failures("gemm", 3);
  ASSERT_EQ(failures.size(), 3u);
  EXPECT_EQ(failures[0].key, key(5));
  EXPECT_EQ(failures[1].key, key(3));
  EXPECT_EQ(failures[2].reason, "signal 11");
  EXPECT_TRUE(store.failures("vector", 3).empty());
}

TEST_F(TrialsTest, TakesWhatOtherToolsMeasured) {
  Store store = with_run();
  store.save_machine("NVIDIA A100-PCIE-40GB", "gpu/a100", "{}");
  const MeasurementKey foreign{"convolution_kernel",
                               1,
                               "convolution_kernel w=4096 epilogue=none",
                               "block=16,precision=f32,tile=8",
                               "gpu/a100",
                               "table/00ff"};
  store.record(foreign, ok(12), 1, 0, "d");
  EXPECT_EQ(store.find(foreign)->time_us, 12);
  EXPECT_EQ(rows(store, "SELECT dtype, m, machine FROM measurements"),
            "dtype,m,machine\n,,NVIDIA A100-PCIE-40GB\n");
}

TEST_F(TrialsTest, KeepsWhatAServingRunAskedFor) {
  Store store = with_run();
  store.save_served_problems(1, std::vector<ServedProblem>{{key(1).problem, 3}});
  store.save_served_problems(
      1, std::vector<ServedProblem>{{key(1).problem, 3}, {key(2).problem, 1}, {key(1).problem, 4}});
  EXPECT_EQ(rows(store, "SELECT m, calls, machine FROM served_problems ORDER BY m"),
            "m,calls,machine\n1,7,npu-a\n2,1,npu-a\n");
}

}  // namespace
}  // namespace tilewright
