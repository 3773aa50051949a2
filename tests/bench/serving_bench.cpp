// The scheduler alone: planning and completing steps, without a device.

#include <benchmark/benchmark.h>

#include <memory>
#include <utility>

#include "core/base/error.h"
#include "core/serving/scheduler.h"

namespace tilewright {
namespace {

constexpr int64_t kRunning = 256;
constexpr int64_t kPrompt = 8;
constexpr int64_t kSteps = 16384;  // tokens that every request may make

Workload endless_requests() {
  Workload workload;
  workload.requests.assign(kRunning, {0, kPrompt, kSteps, {}});
  return workload;
}

/// A scheduler whose requests all decode.
struct Decoding {
  explicit Decoding(int64_t block_size)
      : workload(endless_requests()),
        tokens(workload),
        scheduler({.kv_blocks = kRunning * ((kPrompt + kSteps) / block_size + 2),
                   .block_size = block_size,
                   .max_model_len = kPrompt + kSteps + 1},
                  {}, workload, tokens) {
    for (int64_t request = 0; request < kRunning; ++request) scheduler.enqueue(request);
    do {
      step();
    } while (scheduler.running() < kRunning || scheduler.waiting() > 0);
  }

  void step() {
    plan = scheduler.schedule(std::move(plan));
    benchmark::DoNotOptimize(scheduler.complete(plan, {}).appended.data());
  }

  Workload workload;
  TokenIdentity tokens;
  Scheduler scheduler;
  StepPlan plan;
};

/// With the prefix cache: a block is hashed and cached every block_size tokens.
void SchedulerStepAt256Running(benchmark::State& state) {
  auto decoding = std::make_unique<Decoding>(state.range(0));
  int64_t left = kSteps - 16;
  for (auto _ : state) {
    if (left-- == 0) {
      state.PauseTiming();
      decoding = std::make_unique<Decoding>(state.range(0));
      left = kSteps - 16;
      state.ResumeTiming();
    }
    decoding->step();
    TW_CHECK(decoding->plan.decodes == kRunning, "every request decodes");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(SchedulerStepAt256Running)->Arg(16)->Arg(128)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tilewright
