// Detailed timing, hazard checking and the functional run, in instructions per second of processor
// time.

#include <benchmark/benchmark.h>

#include <Eigen/Dense>
#include <algorithm>
#include <ctime>
#include <limits>

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
  find_kernel("gemm").fill_inputs(gemm_cube(size, dtype), launch, 1, image);
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
