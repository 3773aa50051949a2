// What numbering a space costs, and following its numbers.

#include <benchmark/benchmark.h>

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "core/base/random.h"
#include "core/space/space_expression.h"
#include "core/space/space_index.h"

namespace tilewright {
namespace {

struct Axis {
  const char* name;
  const char* values;
};

/// A space from texts, as a file of it would be read.
Space space_of(std::initializer_list<Axis> axes, std::initializer_list<const char*> expressions) {
  std::vector<Parameter> parameters;
  for (const auto& [name, values] : axes) {
    Parameter parameter = {name, "", {}};
    for (const ExpressionValue& value : parse_value_list(values).values) {
      parameter.values.push_back(value.integer);
    }
    parameters.push_back(parameter);
  }
  std::vector<Constraint> constraints;
  for (const char* text : expressions) {
    constraints.push_back(expression_constraint(text, parameters));
  }
  return {std::move(parameters), std::move(constraints)};
}

/// A GEMM of work groups and vectors: 663,552 combinations, 116,928 of them legal.
Space tiled_gemm() {
  return space_of({{"rows", "[16, 32, 64, 128]"},
                   {"columns", "[16, 32, 64, 128]"},
                   {"depth", "[16, 32]"},
                   {"threads_m", "[8, 16, 32]"},
                   {"threads_n", "[8, 16, 32]"},
                   {"loads_m", "[8, 16, 32]"},
                   {"loads_n", "[8, 16, 32]"},
                   {"vector_m", "[2**i for i in range(4)]"},
                   {"vector_n", "[2**i for i in range(4)]"},
                   {"stride_m", "[0, 1]"},
                   {"stride_n", "[0, 1]"},
                   {"local_a", "[0, 1]"},
                   {"local_b", "[0, 1]"}},
                  {"rows % (threads_m * vector_m) == 0", "columns % (threads_n * vector_n) == 0",
                   "rows % (loads_m * vector_m) == 0", "columns % (loads_n * vector_n) == 0",
                   "depth % (threads_m * threads_n / loads_m) == 0",
                   "depth % (threads_m * threads_n / loads_n) == 0",
                   "not (rows == columns == 128 and threads_m == threads_n == 8)"});
}

/// 10^8 combinations under constraints that connect all parameters.
Space hundred_million() {
  return space_of({{"a", "range(1, 11)"},
                   {"b", "range(1, 11)"},
                   {"c", "range(1, 11)"},
                   {"d", "range(1, 11)"},
                   {"e", "range(1, 11)"},
                   {"f", "range(1, 11)"},
                   {"g", "range(1, 11)"},
                   {"h", "range(1, 11)"}},
                  {"a * h % (b + g) == c", "d * e <= f * g", "a <= h"});
}

/// 10^8 combinations under one rule over all parameters, each of the values 1, 2, ...: too many
/// for a table, so that the rule is evaluated for them. The rules mean nothing.
struct WideRule {
  size_t parameters;
  int64_t values;
  const char* expression;
};
constexpr WideRule kWideRules[] = {
    {2, 10000, "p0 * p1 <= 100000"},      {2, 10000, "p0 * p1 % 9973 == 7"},
    {2, 10000, "p0 % (p1 + 1) == 0"},     {4, 100, "(p0 / p1 + p2 / p3) < 1.5"},
    {4, 100, "p0 * p1 % (p2 + p3) == 0"}, {8, 10, "p0**2 + p1**3 - p2**p3 < p4*p5*p6 // p7"},
};

Space space_of(const WideRule& rule) {
  std::vector<Parameter> parameters;
  for (size_t i = 0; i < rule.parameters; ++i) {
    parameters.push_back({"p" + std::to_string(i), "", {}});
    for (int64_t v = 1; v <= rule.values; ++v) parameters.back().values.push_back(v);
  }
  Constraint constraint = expression_constraint(rule.expression, parameters);
  return {std::move(parameters), {std::move(constraint)}};
}

void report(benchmark::State& state, const SpaceIndex& index) {
  state.counters["legal"] = static_cast<double>(index.size());
  state.counters["bytes"] = static_cast<double>(index.bytes());
}

void SpaceOfTiledGemm(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(SpaceIndex(tiled_gemm()).size());
  report(state, SpaceIndex(tiled_gemm()));
}
BENCHMARK(SpaceOfTiledGemm)->Unit(benchmark::kMillisecond);

void SpaceOfHundredMillion(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(SpaceIndex(hundred_million()).size());
  report(state, SpaceIndex(hundred_million()));
}
BENCHMARK(SpaceOfHundredMillion)->Unit(benchmark::kMillisecond);

void SpaceOfWideRule(benchmark::State& state) {
  const WideRule& rule = kWideRules[static_cast<size_t>(state.range(0))];
  for (auto _ : state) benchmark::DoNotOptimize(SpaceIndex(space_of(rule)).size());
  state.SetLabel(rule.expression);
  report(state, SpaceIndex(space_of(rule)));
}
BENCHMARK(SpaceOfWideRule)->DenseRange(0, 5)->Unit(benchmark::kMillisecond);

void SpaceSample(benchmark::State& state) {
  const SpaceIndex index(tiled_gemm());
  std::vector<int> places(index.dimensions());
  Random random(1);
  for (auto _ : state) {
    index.places(static_cast<int64_t>(random.below(static_cast<uint64_t>(index.size()))), places);
    benchmark::DoNotOptimize(places.data());
  }
}
BENCHMARK(SpaceSample);

void SpaceRankOf(benchmark::State& state) {
  const SpaceIndex index(tiled_gemm());
  std::vector<std::vector<int>> samples;
  Random random(1);
  for (int i = 0; i < 1024; ++i) {
    samples.push_back(
        index.places(static_cast<int64_t>(random.below(static_cast<uint64_t>(index.size())))));
  }
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(index.rank_of(samples[++i % samples.size()]));
}
BENCHMARK(SpaceRankOf);

void SpaceNeighbours(benchmark::State& state) {
  const SpaceIndex index(tiled_gemm());
  Random random(1);
  for (auto _ : state) {
    const auto rank = static_cast<int64_t>(random.below(static_cast<uint64_t>(index.size())));
    benchmark::DoNotOptimize(index.neighbours(rank, Neighbourhood::kAny).data());
  }
}
BENCHMARK(SpaceNeighbours);

}  // namespace
}  // namespace tilewright
