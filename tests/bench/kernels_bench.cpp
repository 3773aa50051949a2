// Building launches: what comes before each simulation.

#include <benchmark/benchmark.h>

#include "tests/bench/launches.h"

namespace tilewright {
namespace {

void BuildGemm4096F16(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(gemm_launch(4096, "f16").cores.data());
}
BENCHMARK(BuildGemm4096F16)->Unit(benchmark::kMicrosecond);

void BuildDecodeAttention(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(decode_launch().cores.data());
}
BENCHMARK(BuildDecodeAttention)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tilewright
