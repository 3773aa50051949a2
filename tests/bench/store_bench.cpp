// The results database: what a try costs that is committed before the next one is suggested, and
// how long questions take when there is much in it.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <vector>

#include "db/queries.h"
#include "db/store.h"
#include "tests/temp_folder.h"

namespace tilewright {
namespace {

constexpr int64_t kProblems = 1000;
constexpr const char* kFingerprint = "0123456789abcdef";

int64_t begin_run(Store& store) {
  store.save_machine("npu", kFingerprint, "{}");
  Run run;
  run.kind = RunKind::kTune;
  run.machine_fingerprint = kFingerprint;
  run.date = "2026-01-01T00:00:00Z";
  run.tool = "bench";
  return store.begin_run(run);
}

MeasurementKey key_of(int64_t problem, int64_t config) {
  return {"gemm",
          1,
          fmt::format("gemm f16 f16 f16 nd nz nd m={} n=4096 k=4096 epilogue=none", problem + 1),
          fmt::format("tile_m={},tile_n={},tile_k={},split_k={},swizzle={},ping_pong={}",
                      16 * (config % 64), 16 * (config / 64 % 64), 16 * (config / 4096 % 64),
                      1 + config / 262144, config % 7, config % 2),
          kFingerprint,
          "sim/1/composed"};
}

TrialRow row_of(int64_t problem, int64_t config) {
  TrialRow row{key_of(problem, config), "annealing"};
  Measurement& measurement = row.measurement.emplace();
  // A multiplicative hash: times in no order.
  measurement.time_us = 1 + static_cast<double>(config * 2654435761 % 1000003);
  if (config % 16 == 15) measurement = {AttemptStatus::kInfeasible, "L0C, 1 KiB over", 0, 0, {}};
  row.wall_us = 20;
  row.date = "2026-01-01T00:00:00Z";
  return row;
}

void fill(Store& store, int64_t run, int64_t problems, int64_t configs) {
  std::vector<TrialRow> rows;
  for (int64_t problem = 0; problem < problems; ++problem) {
    for (int64_t config = 0; config < configs; ++config) {
      rows.push_back(row_of(problem, config));
      if (rows.size() < 10'000) continue;
      store.record_trials(run, rows);
      rows.clear();
    }
  }
  store.record_trials(run, rows);
}

/// A database with a million tries: 1000 of each of 1000 problems. Made once.
Store& million() {
  static TempFolder folder;
  static Store store = [] {
    Store made = Store::open(folder.path("million.db"), OpenMode::kReadWrite);
    fill(made, begin_run(made), kProblems, 1000);
    return made;
  }();
  return store;
}

/// A session's tries, committed in batches of the given size.
void StoreRecordTrials(benchmark::State& state) {
  TempFolder folder;
  Store store = Store::open(folder.path("bench.db"), OpenMode::kReadWrite);
  const int64_t run = begin_run(store);
  const auto batch = static_cast<size_t>(state.range(0));
  int64_t config = 0;
  for (auto _ : state) {
    std::vector<TrialRow> rows;
    for (size_t i = 0; i < batch; ++i) rows.push_back(row_of(0, config++));
    store.record_trials(run, rows);
  }
  state.SetItemsProcessed(config);
}
BENCHMARK(StoreRecordTrials)->Arg(1)->Arg(8)->Arg(32)->Unit(benchmark::kMicrosecond);

/// A look-up by key.
void StoreFind(benchmark::State& state) {
  Store& store = million();
  int64_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(store.find(key_of(i % kProblems, i * 7919 % 1000)));
    ++i;
  }
}
BENCHMARK(StoreFind)->Unit(benchmark::kMicrosecond);

void ask(benchmark::State& state, const char* name) {
  Store& store = million();
  const CurrentRevisions current{{{"gemm", 1}}, {"sim/1/composed"}};
  for (auto _ : state) benchmark::DoNotOptimize(query(store, name, current).rows.size());
}
BENCHMARK_CAPTURE(ask, best, "best")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(ask, coverage, "coverage")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(ask, failures, "failures")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(ask, regressions, "regressions")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(ask, slowest, "slowest")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(ask, stale, "stale")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(ask, transfer, "transfer")->Unit(benchmark::kMillisecond);

/// The ten best of 999 other problems: what a new session starts from.
void StoreEarlierConfigs(benchmark::State& state) {
  Store& store = million();
  const MeasurementKey key = key_of(0, 0);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        store.earlier_configs({key.kernel, 1, key.problem, kFingerprint, key.evaluator}, 10)
            .size());
  }
}
BENCHMARK(StoreEarlierConfigs)->Unit(benchmark::kMillisecond);

void StoreFailures(benchmark::State& state) {
  Store& store = million();
  for (auto _ : state) benchmark::DoNotOptimize(store.failures("gemm", 1000).size());
}
BENCHMARK(StoreFailures)->Unit(benchmark::kMillisecond);

void StoreCheck(benchmark::State& state) {
  Store& store = million();
  for (auto _ : state) benchmark::DoNotOptimize(store.check().size());
}
BENCHMARK(StoreCheck)->Unit(benchmark::kMillisecond);

/// A session of 100,000 tries of one problem. Made once.
Store& long_session() {
  static TempFolder folder;
  static Store store = [] {
    Store made = Store::open(folder.path("session.db"), OpenMode::kReadWrite);
    fill(made, begin_run(made), 1, 100'000);
    return made;
  }();
  return store;
}

/// What a session begins with when it is resumed.
void StoreTrials(benchmark::State& state) {
  Store& store = long_session();
  for (auto _ : state) benchmark::DoNotOptimize(store.trials(1).size());
}
BENCHMARK(StoreTrials)->Unit(benchmark::kMillisecond);

void StoreKnown(benchmark::State& state) {
  Store& store = long_session();
  const MeasurementKey key = key_of(0, 0);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        store.known({key.kernel, 1, key.problem, kFingerprint, key.evaluator}).size());
  }
}
BENCHMARK(StoreKnown)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tilewright
