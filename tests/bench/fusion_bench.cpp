// Planning of fused kernels without the simulator, at the size of a large model's module: blocks of
// 48 ops of which no two are alike.

#include <benchmark/benchmark.h>

#include "core/graph/hlo_reader.h"
#include "core/machine/machine.h"
#include "tests/layered_module.h"
#include "tuner/fusion/fusion_study.h"

namespace tilewright {
namespace {

PlanOptions by_estimate() {
  PlanOptions options;
  options.simulations = 0;
  return options;
}

void plan_of_layers(benchmark::State& state, const char* planner) {
  const OpGraph graph = prepared_for_fusion(parse_hlo(LayeredModule(state.range(0)).text(), "m"));
  const Machine machine = load_machine("ascend-910b2");
  for (auto _ : state) {
    state.PauseTiming();
    FusionStudy study(graph, machine, 2);  // knows no cost yet
    state.ResumeTiming();
    benchmark::DoNotOptimize(study.plan(find_fusion_planner(planner), {by_estimate()}));
  }
  state.counters["ops"] = static_cast<double>(op_count(graph));
}

void plan_again(benchmark::State& state) {
  const OpGraph graph = prepared_for_fusion(parse_hlo(LayeredModule(state.range(0)).text(), "m"));
  const Machine machine = load_machine("ascend-910b2");
  PlanCache cache;
  FusionStudy first(graph, machine, 2);
  first.set_cache(&cache);
  first.plan(find_fusion_planner("tilewright"), {by_estimate()});
  for (auto _ : state) {
    state.PauseTiming();
    FusionStudy study(graph, machine, 2);
    study.set_cache(&cache);
    state.ResumeTiming();
    benchmark::DoNotOptimize(study.plan(find_fusion_planner("tilewright"), {by_estimate()}));
  }
  state.counters["ops"] = static_cast<double>(op_count(graph));
}

// 2,000 and 10,000 ops.
BENCHMARK_CAPTURE(plan_of_layers, xla, "xla")->Arg(45)->Arg(225)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plan_of_layers, fs2018, "fs2018")
    ->Arg(45)
    ->Arg(225)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plan_of_layers, fs2020, "fs2020")
    ->Arg(45)
    ->Arg(225)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plan_of_layers, astitch, "astitch")
    ->Arg(45)
    ->Arg(225)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plan_of_layers, tilewright, "tilewright")
    ->Arg(45)
    ->Arg(225)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(plan_again)->Arg(45)->Arg(225)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tilewright
