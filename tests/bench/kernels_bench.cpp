// Building launches: what comes before each simulation.

#include <benchmark/benchmark.h>

#include "kernels/attention/task_table.h"
#include "kernels/attention/token_table.h"
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

/// Token-Table, tiles and Task-Table of a step: two chunks of prompts and 96 decodes, 32 heads.
void BuildAttentionTables(benchmark::State& state) {
  std::vector<StageTokens> sequences(2, {AttentionStage::kPrefill, 2000, 1000});
  sequences.resize(98, {AttentionStage::kDecode, 1, 2000});
  const auto assignment = static_cast<Assignment>(state.range(0));
  for (auto _ : state) {
    const std::vector<TokenEntry> table = token_table(sequences, {});
    const std::vector<int64_t> loads = unit_loads(attention_tiles(table, 1), 32);
    benchmark::DoNotOptimize(assign_tasks(loads, 24, assignment).data());
  }
}
BENCHMARK(BuildAttentionTables)
    ->Arg(static_cast<int>(Assignment::kSnake))
    ->Arg(static_cast<int>(Assignment::kGreedy))
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tilewright
