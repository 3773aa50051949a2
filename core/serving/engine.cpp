#include "core/serving/engine.h"

#include <algorithm>
#include <limits>

#include "core/base/error.h"
#include "core/serving/scheduler.h"

namespace tilewright {

namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

/// Most steps that are handed to the executor at once: it bounds the blocks taken ahead and the
/// time between two looks at the stop callback.
constexpr int64_t kMaxRun = 256;

class Engine {
 public:
  Engine(const Workload& workload, Executor& executor, const ServingOptions& options,
         const ServingCallbacks& callbacks)
      : workload_(workload),
        executor_(executor),
        options_(options),
        callbacks_(callbacks),
        scheduler_(executor.capacity(), options, workload) {
    result_.requests.resize(workload.requests.size());
    result_.max_model_len = scheduler_.max_model_len();
    result_.kv_blocks = scheduler_.pool().total();
  }

  ServingResult run();

 private:
  int64_t next_arrival() const;
  void take_arrivals();
  int64_t run_limit(const StepPlan& plan) const;
  void step(const StepPlan& plan);
  void execute(const StepPlan& plan, int64_t steps, int64_t ready_ns);
  void add_times(const std::vector<OpTime>& ops);
  void record_tokens(const StepPlan& plan, int64_t first_step, int64_t steps);
  void record_step(const StepRecord& record);
  void report_progress();
  void close();

  const Workload& workload_;
  Executor& executor_;
  const ServingOptions options_;
  const ServingCallbacks& callbacks_;
  Scheduler scheduler_;
  ServingResult result_;
  int64_t now_ns_ = 0;
  int64_t step_ns_ = 0;  // length of the last step, host overhead included
  size_t arrived_ = 0;
  int64_t finished_ = 0;
};

int64_t Engine::next_arrival() const {
  return arrived_ < workload_.requests.size() ? workload_.requests[arrived_].arrival_ns : kNever;
}

void Engine::take_arrivals() {
  for (; next_arrival() <= now_ns_ && arrived_ < workload_.requests.size(); ++arrived_) {
    const Request& request = workload_.requests[arrived_];
    TW_CHECK(arrived_ == 0 || request.arrival_ns >= workload_.requests[arrived_ - 1].arrival_ns,
             "requests are ordered by arrival");
    if (!scheduler_.enqueue(static_cast<int64_t>(arrived_))) ++finished_;
  }
}

ServingResult Engine::run() {
  for (;;) {
    if (callbacks_.stop && callbacks_.stop()) {
      result_.interrupted = true;
      break;
    }
    take_arrivals();
    const StepPlan& plan = scheduler_.schedule();
    if (!plan.batch.slices.empty()) {
      step(plan);
    } else if (next_arrival() == kNever) {
      break;
    } else {
      now_ns_ = next_arrival();
    }
  }
  close();
  return std::move(result_);
}

int64_t Engine::run_limit(const StepPlan& plan) const {
  if (!options_.fast_forward || !plan.steady) return 1;
  if (next_arrival() == kNever || step_ns_ == 0) return kMaxRun;
  return std::clamp<int64_t>((next_arrival() - now_ns_) / step_ns_ + 1, 1, kMaxRun);
}

void Engine::step(const StepPlan& plan) {
  for (const SequenceSlice& slice : plan.batch.slices) {
    int64_t& first_ns = result_.requests[static_cast<size_t>(slice.request)].first_scheduled_ns;
    if (first_ns < 0) first_ns = now_ns_;
  }
  const int64_t limit = run_limit(plan);
  const int64_t reserved = limit > 1 ? scheduler_.reserve_run(limit) : 1;
  const auto first_step = static_cast<int64_t>(result_.step_end_ns.size());
  const int64_t ready_ns = now_ns_ + options_.host_overhead_ns;
  execute(plan, reserved, ready_ns);
  const int64_t steps = static_cast<int64_t>(result_.step_end_ns.size()) - first_step;
  const int64_t end_ns = result_.step_end_ns.back();
  step_ns_ = (end_ns - now_ns_) / steps;
  now_ns_ = end_ns;
  record_tokens(plan, first_step, steps);

  StepRecord record{.first_step = first_step,
                    .count = steps,
                    .start_ns = ready_ns,
                    .end_ns = end_ns,
                    .tokens = plan.tokens,
                    .prefill_tokens = plan.prefill_tokens,
                    .decodes = plan.decodes,
                    .running = scheduler_.running(),
                    .waiting = scheduler_.waiting(),
                    .preemptions = static_cast<int64_t>(plan.preempted.size())};
  const StepOutcome outcome = scheduler_.complete(steps);
  finished_ += static_cast<int64_t>(outcome.finished.size());
  record.kv_blocks = outcome.kv_blocks;
  record_step(record);
  report_progress();
}

void Engine::execute(const StepPlan& plan, int64_t steps, int64_t ready_ns) {
  const int64_t gap_ns = options_.host_overhead_ns;
  const size_t before = result_.step_end_ns.size();
  if (steps > 1) {
    const RepeatedExecution done =
        executor_.repeat_decode(plan.batch, ready_ns, steps, next_arrival(), gap_ns);
    TW_CHECK(!done.end_ns.empty() && static_cast<int64_t>(done.end_ns.size()) <= steps,
             "the executor makes between one step and the limit");
    result_.step_end_ns.insert(result_.step_end_ns.end(), done.end_ns.begin(), done.end_ns.end());
    add_times(done.ops);
  } else {
    const Execution done = executor_.execute(plan.batch, ready_ns);
    result_.step_end_ns.push_back(done.end_ns);
    add_times(done.ops);
  }
  int64_t start_ns = ready_ns;
  for (size_t i = before; i < result_.step_end_ns.size(); ++i) {
    TW_CHECK(result_.step_end_ns[i] >= start_ns, "a step ends after it began");
    result_.device_ns += result_.step_end_ns[i] - start_ns;
    result_.host_ns += gap_ns;
    start_ns = result_.step_end_ns[i] + gap_ns;
  }
}

void Engine::add_times(const std::vector<OpTime>& ops) {
  // Steps list their ops in the same order, so the place in the list is nearly always right.
  std::vector<OpTime>& sums = result_.by_op;
  for (size_t i = 0; i < ops.size(); ++i) {
    auto sum = sums.begin() + static_cast<ptrdiff_t>(std::min(i, sums.size()));
    if (sum == sums.end() || sum->op != ops[i].op) {
      sum = std::find_if(sums.begin(), sums.end(),
                         [&](const OpTime& known) { return known.op == ops[i].op; });
    }
    if (sum == sums.end()) sum = sums.insert(sums.end(), {.op = ops[i].op});
    sum->calls += ops[i].calls;
    sum->ns += ops[i].ns;
  }
}

void Engine::record_tokens(const StepPlan& plan, int64_t first_step, int64_t steps) {
  result_.step_tokens[plan.tokens] += steps;
  if (plan.samples > 0) result_.step_samples[plan.samples] += steps;
  result_.preemptions += static_cast<int64_t>(plan.preempted.size());
  for (const SequenceSlice& slice : plan.batch.slices) {
    if (!slice.samples) continue;
    auto& runs = result_.requests[static_cast<size_t>(slice.request)].token_runs;
    if (!runs.empty() && runs.back().first_step + runs.back().count == first_step) {
      runs.back().count += steps;
    } else {
      runs.push_back({first_step, steps});
    }
  }
}

void Engine::record_step(const StepRecord& record) {
  result_.peak_kv_blocks = std::max(result_.peak_kv_blocks, record.kv_blocks);
  if (!result_.steps.empty()) {
    // With as many decodes of as many running requests, and no prefill, the batch is the same one:
    // another could only have come in by a prefill.
    StepRecord& last = result_.steps.back();
    const bool same = last.prefill_tokens == 0 && record.prefill_tokens == 0 &&
                      last.decodes == record.decodes && last.running == record.running &&
                      last.waiting == record.waiting && record.preemptions == 0;
    if (same) {
      last.count += record.count;
      last.end_ns = record.end_ns;
      last.kv_blocks = record.kv_blocks;
      return;
    }
  }
  result_.steps.push_back(record);
}

void Engine::report_progress() {
  if (!callbacks_.progress) return;
  callbacks_.progress({.now_ns = now_ns_,
                       .steps = static_cast<int64_t>(result_.step_end_ns.size()),
                       .finished = finished_,
                       .requests = static_cast<int64_t>(workload_.requests.size()),
                       .running = scheduler_.running(),
                       .waiting = scheduler_.waiting(),
                       .kv_blocks = scheduler_.pool().used()});
}

void Engine::close() {
  if (result_.interrupted) scheduler_.abort();
  TW_CHECK(scheduler_.pool().used() == 0, "no KV block is lost");
  result_.end_ns = now_ns_;
  for (size_t i = 0; i < result_.requests.size(); ++i) {
    const RequestState& state = scheduler_.requests()[i];
    TW_CHECK(state.finish != FinishReason::kNone, "every request has ended");
    RequestRecord& record = result_.requests[i];
    record.arrival_ns = workload_.requests[i].arrival_ns;
    record.prompt_tokens = state.prompt;
    record.output_tokens = state.generated;
    record.scheduled_tokens = state.scheduled;
    record.recomputed_tokens = state.recomputed;
    record.preemptions = state.preemptions;
    record.finish = state.finish;
  }
}

}  // namespace

ServingResult serve(const Workload& workload, Executor& executor, const ServingOptions& options,
                    const ServingCallbacks& callbacks) {
  return Engine(workload, executor, options, callbacks).run();
}

}  // namespace tilewright
