// The scheduler alone: planning and completing steps, without a device.

#include <benchmark/benchmark.h>

#include <memory>

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
std::unique_ptr<Scheduler> decoding_scheduler(const Workload& workload) {
  const int64_t blocks = kRunning * ((kPrompt + kSteps) / 128 + 2);
  auto scheduler = std::make_unique<Scheduler>(Capacity{blocks, 128, kPrompt + kSteps + 1},
                                               ServingOptions{}, workload);
  for (int64_t request = 0; request < kRunning; ++request) scheduler->enqueue(request);
  do {
    scheduler->schedule();
    scheduler->complete(1);
  } while (scheduler->running() < kRunning || scheduler->waiting() > 0);
  return scheduler;
}

void SchedulerStepAt256Running(benchmark::State& state) {
  const Workload workload = endless_requests();
  std::unique_ptr<Scheduler> scheduler = decoding_scheduler(workload);
  int64_t left = kSteps - 16;
  for (auto _ : state) {
    if (left-- == 0) {
      state.PauseTiming();
      scheduler = decoding_scheduler(workload);
      left = kSteps - 16;
      state.ResumeTiming();
    }
    const StepPlan& plan = scheduler->schedule();
    TW_CHECK(plan.decodes == kRunning, "every request decodes");
    benchmark::DoNotOptimize(scheduler->complete(1).kv_blocks);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(SchedulerStepAt256Running)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tilewright
