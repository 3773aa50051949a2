// Complete serving runs in timing mode, in requests per second of processor time: cold, with every
// simulation that the run needs, and warm, with the times of launches from an earlier run. The
// workload is the chat generator's, or with TILEWRIGHT_DATA set the Azure conversation trace.

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "core/machine/machine.h"
#include "core/model/model_config.h"
#include "core/serving/engine.h"
#include "kernels/model_executor.h"

namespace tilewright {
namespace {

constexpr int64_t kRequests = 1000;

const Workload& workload() {
  static const Workload loaded = [] {
    const char* data = std::getenv("TILEWRIGHT_DATA");
    const std::string trace =
        std::string(data ? data : "") + "/traces/azure_llm_2023_conv.first_half.csv";
    const bool recorded = data != nullptr && std::filesystem::exists(trace);
    return load_workload(recorded ? trace : "chat", kRequests, 0);
  }();
  return loaded;
}

ModelExecutorOptions options_of(std::shared_ptr<OpMemo> memo) {
  ModelExecutorOptions options;
  options.parallel.tp = 4;
  options.max_model_len = 16384;
  options.memo = std::move(memo);
  return options;
}

/// Steps of the run.
int64_t replay(const std::shared_ptr<OpMemo>& memo) {
  static const ModelConfig model = load_model("llama-2-70b");
  static const Machine machine = load_machine("ascend-910b2");
  ModelExecutor executor(model, machine, options_of(memo));
  ServingOptions options;
  options.host_overhead_ns = 300'000;
  return std::ssize(serve(workload(), executor, options).step_end_ns);
}

void ReplayCold(benchmark::State& state) {
  workload();
  for (auto _ : state) {
    const auto memo = std::make_shared<OpMemo>();
    state.counters["steps"] = static_cast<double>(replay(memo));
    state.counters["simulated"] = static_cast<double>(memo->simulated());
  }
  state.SetItemsProcessed(state.iterations() * kRequests);
}
BENCHMARK(ReplayCold)->Unit(benchmark::kMillisecond);

void ReplayWarm(benchmark::State& state) {
  const auto memo = std::make_shared<OpMemo>();
  replay(memo);
  for (auto _ : state) state.counters["steps"] = static_cast<double>(replay(memo));
  state.SetItemsProcessed(state.iterations() * kRequests);
}
BENCHMARK(ReplayWarm)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tilewright
