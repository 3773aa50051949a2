// What a tuning session costs beyond its evaluations: search, keys and committed rows.

#include <benchmark/benchmark.h>

#include <chrono>
#include <string>
#include <utility>

#include "core/base/error.h"
#include "tests/bench/launches.h"
#include "tests/temp_folder.h"
#include "tuner/evaluate/simulator_evaluator.h"
#include "tuner/session/session.h"

namespace tilewright {
namespace {

/// Answers at once, with a time that depends on the config alone.
class NullEvaluator : public Evaluator {
 public:
  std::string id() const override { return "table/0000000000000000"; }
  Measurement evaluate(const Problem&, const Config& config) const override {
    Measurement measurement;
    for (const auto& [name, value] : config.values) {
      measurement.time_us = measurement.time_us * 3 + static_cast<double>(value);
    }
    return measurement;
  }
};

/// A database in a folder of its own, removed with the object.
class TemporaryStore {
 public:
  Store& store() { return store_; }

 private:
  TempFolder folder_;
  Store store_ = Store::open(folder_.path("bench.db"), OpenMode::kReadWrite);
};

int64_t begin_run(Store& store) {
  const Machine& machine = bench_machine();
  store.save_machine(machine.name, machine.fingerprint(), machine_json(machine));
  Run run;
  run.kind = RunKind::kTune;
  run.machine_fingerprint = machine.fingerprint();
  run.date = "2026-01-01T00:00:00Z";
  run.tool = "bench";
  return store.begin_run(run);
}

double seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

TuneResult tune_with(Store& store, const TuneProblem& problem, const TuneOptions& options,
                     int64_t run) {
  const KeyMaker key_of = [](const Problem& p, const Config& c) {
    return kernel_key(p, c, bench_machine());
  };
  const NullEvaluator evaluator;
  ThreadEvaluation pool(evaluator, 1, seconds);
  TuneHooks hooks;
  hooks.seconds = seconds;
  return tune({&problem, 1}, key_of, pool, store, run, options, hooks);
}

TuneResult tune_whole_space(Store& store, const TuneProblem& problem) {
  return tune_with(store, problem, {}, begin_run(store));
}

TuneProblem gemm_problem_4096() {
  const Kernel& gemm = find_kernel("gemm");
  const Problem problem = gemm_cube(4096, "f16");
  return {problem,
          gemm.space(problem, bench_machine()),
          gemm.default_config(problem, bench_machine()),
          {"gemm"},
          {}};
}

void SessionEvaluations(benchmark::State& state) {
  const TuneProblem problem = gemm_problem_4096();
  int64_t evaluations = 0;
  for (auto _ : state) {
    state.PauseTiming();
    TemporaryStore database;
    state.ResumeTiming();
    evaluations += tune_whole_space(database.store(), problem).evaluations;
  }
  state.SetItemsProcessed(evaluations);
}
BENCHMARK(SessionEvaluations)->Unit(benchmark::kMillisecond);

void SessionCacheHits(benchmark::State& state) {
  const TuneProblem problem = gemm_problem_4096();
  TemporaryStore database;
  tune_whole_space(database.store(), problem);
  int64_t hits = 0;
  for (auto _ : state) hits += tune_whole_space(database.store(), problem).cache_hits;
  state.SetItemsProcessed(hits);
}
BENCHMARK(SessionCacheHits)->Unit(benchmark::kMillisecond);

/// A session of 100,000 trials goes on: nothing is left to try.
void SessionResume(benchmark::State& state) {
  TuneProblem problem = gemm_problem_4096();
  Parameter x{"tile_x", "", {}};
  for (int64_t value = 0; value < 400; ++value) x.values.push_back(value);
  Parameter y = x;
  y.name = "tile_y";
  problem.space = Space({x, y}, {});
  problem.baseline = parse_config("tile_x=0,tile_y=0");
  TuneOptions options;
  options.strategy = "random";
  options.max_evaluations = 100'000;
  TemporaryStore database;
  const int64_t run = begin_run(database.store());
  tune_with(database.store(), problem, options, run);
  options.resumed_run = run;
  int64_t replayed = 0;
  for (auto _ : state) replayed += tune_with(database.store(), problem, options, run).replayed;
  state.SetItemsProcessed(replayed);
}
BENCHMARK(SessionResume)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tilewright
