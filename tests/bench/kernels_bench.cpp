// Building launches: what comes before each simulation.

#include <benchmark/benchmark.h>

#include "kernels/gemm/row_table.h"
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

void EnumerateGemm4096F16(benchmark::State& state) {
  const Problem problem = gemm_cube(4096, "f16");
  const Kernel& gemm = find_kernel("gemm");
  for (auto _ : state) {
    benchmark::DoNotOptimize(gemm.space(problem, bench_machine()).enumerate().data());
  }
}
BENCHMARK(EnumerateGemm4096F16)->Unit(benchmark::kMillisecond);

/// A GEMM's config by its rows, from a table of a range for every 16 rows up to 4096.
void LookUpRows(benchmark::State& state) {
  std::vector<TunedRow> winners;
  for (int64_t m = kRowMultiple; m <= 4096; m += kRowMultiple) {
    winners.push_back({m, Config{{{"tile_m", m}}}, 1});
  }
  const RowTable table(std::span<const TunedRow>(winners), 4096);
  int64_t m = 1;
  for (auto _ : state) {
    benchmark::DoNotOptimize(&table.at(m));
    m = m % 4096 + 1;
  }
}
BENCHMARK(LookUpRows);

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
