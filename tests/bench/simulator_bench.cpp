// Detailed timing, hazard checking and the functional run, in instructions per second of processor
// time.

#include <benchmark/benchmark.h>

#include <Eigen/Dense>
#include <algorithm>
#include <ctime>
#include <limits>
#include <numeric>
#include <vector>

#include "core/model/model_config.h"
#include "core/model/ops.h"
#include "kernels/model_executor.h"
#include "simulator/functional.h"
#include "simulator/hazards.h"
#include "simulator/timing.h"
#include "tests/bench/launches.h"

namespace tilewright {
namespace {

void count_instructions(benchmark::State& state, const Launch& launch) {
  state.SetItemsProcessed(state.iterations() * launch.instruction_count());
  state.counters["instructions"] = static_cast<double>(launch.instruction_count());
}

void time_launch(benchmark::State& state, const Launch& launch) {
  for (auto _ : state) benchmark::DoNotOptimize(time_detailed(launch, bench_machine()).ticks);
  count_instructions(state, launch);
}

void DetailedTimingGemm4096F16(benchmark::State& state) {
  time_launch(state, gemm_launch(4096, "f16"));
}
BENCHMARK(DetailedTimingGemm4096F16)->Unit(benchmark::kMillisecond);

void DetailedTimingDecodeAttention(benchmark::State& state) {
  time_launch(state, decode_launch());
}
BENCHMARK(DetailedTimingDecodeAttention)->Unit(benchmark::kMillisecond);

/// Building the launch included.
void DetailedTimingGemm4096F16WithBuilding(benchmark::State& state) {
  for (auto _ : state) {
    const Launch launch = gemm_launch(4096, "f16");
    benchmark::DoNotOptimize(time_detailed(launch, bench_machine()).ticks);
  }
}
BENCHMARK(DetailedTimingGemm4096F16WithBuilding)->Unit(benchmark::kMillisecond);

void ComposedTimingGemm4096F16(benchmark::State& state) {
  for (auto _ : state) {
    const Launch launch = gemm_launch(4096, "f16");
    benchmark::DoNotOptimize(time_composed(launch, bench_machine()).ticks);
  }
}
BENCHMARK(ComposedTimingGemm4096F16)->Unit(benchmark::kMillisecond);

/// The GEMMs of one layer of llama-3.1-8b for 4096 tokens: queries, keys and values in one, the
/// projection of the attention's output, gate and up in one, and down.
void ComposedTimingLlamaLayer4096Tokens(benchmark::State& state) {
  const ModelConfig model = load_model("llama-3.1-8b");
  std::vector<Problem> problems;
  for (const ModelOp& op : decoder_ops(model, 4096, 1)) {
    if (op.kind == OpKind::kGemm && op.name != "lm_head") {
      problems.push_back(gemm_problem(model, op));
    }
  }
  const Kernel& gemm = find_kernel("gemm");
  for (auto _ : state) {
    for (const Problem& problem : problems) {
      const Launch launch =
          gemm.build(problem, gemm.default_config(problem, bench_machine()), bench_machine());
      benchmark::DoNotOptimize(time_launch(launch, bench_machine(), Fidelity::kAuto).ticks);
    }
  }
  state.counters["gemms"] = static_cast<double>(problems.size());
}
BENCHMARK(ComposedTimingLlamaLayer4096Tokens)->Unit(benchmark::kMillisecond);

/// The same layer once more, through the executor's memory of times: all its ops, attention too.
void RememberedLlamaLayer4096Tokens(benchmark::State& state) {
  ModelConfig model = load_model("llama-3.1-8b");
  model.layers = 1;
  ModelExecutorOptions options;
  options.max_num_batched_tokens = 4096;
  ModelExecutor executor(model, bench_machine(), options);
  Batch batch;
  std::vector<int32_t> blocks(32);
  std::iota(blocks.begin(), blocks.end(), 0);
  batch.slices.push_back({.request = 0, .context = 0, .tokens = 4096, .blocks = blocks});
  executor.execute(batch, 0);
  for (auto _ : state) benchmark::DoNotOptimize(executor.execute(batch, 0).end_ns);
}
BENCHMARK(RememberedLlamaLayer4096Tokens)->Unit(benchmark::kMicrosecond);

void check_hazards(benchmark::State& state, const Launch& launch) {
  for (auto _ : state) benchmark::DoNotOptimize(find_hazards(launch, bench_machine()).size());
  count_instructions(state, launch);
}

void HazardCheckGemm1024F16(benchmark::State& state) {
  check_hazards(state, gemm_launch(1024, "f16"));
}
BENCHMARK(HazardCheckGemm1024F16)->Unit(benchmark::kMillisecond);

void HazardCheckDecodeAttention(benchmark::State& state) {
  check_hazards(state, decode_launch());
}
BENCHMARK(HazardCheckDecodeAttention)->Unit(benchmark::kMillisecond);

/// Processor time: on a shared machine it says more than the time on the wall.
double seconds_of(const auto& work) {
  const std::clock_t start = std::clock();
  work();
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

/// Runs a size^3 GEMM functionally and, right after it, Eigen's own single-threaded f32 product of
/// that size. `times_of_eigen` is the quotient of the best times of both.
void run_against_eigen(benchmark::State& state, int64_t size, const char* dtype) {
  const Launch launch = gemm_launch(size, dtype);
  GmImage image = make_image(launch);
  find_kernel("gemm").fill_inputs(gemm_cube(size, dtype), launch, {1}, image);
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Matrix a = Matrix::Random(size, size);
  const Matrix b = Matrix::Random(size, size);
  Matrix c(size, size);
  double ours = std::numeric_limits<double>::infinity();
  double eigens = ours;
  for (auto _ : state) {
    const double seconds = seconds_of([&] { run_functional(launch, bench_machine(), image); });
    state.SetIterationTime(seconds);
    ours = std::min(ours, seconds);
    eigens = std::min(eigens, seconds_of([&] {
                        c.noalias() = a * b;
                        benchmark::DoNotOptimize(c.data());
                      }));
  }
  state.SetItemsProcessed(state.iterations() * launch.instruction_count());
  state.counters["gflops"] = launch.flops / ours * 1e-9;
  state.counters["times_of_eigen"] = ours / eigens;
}

void FunctionalGemm1024F32(benchmark::State& state) {
  run_against_eigen(state, 1024, "f32");
}
BENCHMARK(FunctionalGemm1024F32)->Unit(benchmark::kMillisecond)->UseManualTime();

void FunctionalGemm1024F16(benchmark::State& state) {
  run_against_eigen(state, 1024, "f16");
}
BENCHMARK(FunctionalGemm1024F16)->Unit(benchmark::kMillisecond)->UseManualTime();

}  // namespace
}  // namespace tilewright
