#include "core/serving/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/serving/arrival_queue.h"
#include "core/serving/draft_model.h"
#include "core/serving/metrics.h"
#include "core/serving/scheduler.h"

namespace tilewright {

namespace {

constexpr int64_t kNever = ArrivalQueue::kNever;

/// Most steps that are handed to the executor at once: it bounds the blocks lent ahead and the
/// time between two looks at the stop callback.
constexpr int64_t kMaxRun = 256;

/// A plan that was handed to the executor and whose results the scheduler does not know yet.
struct InFlight {
  StepPlan plan;
  int64_t first_step = 0;
  int64_t steps = 1;
  bool has_events = false;
  int64_t running = 0;  // after planning
  int64_t waiting = 0;
  int64_t kv_blocks = 0;
  StepRecord times;             // start, ops, idle time and work
  std::vector<int64_t> counts;  // tokens of each slice that samples; empty: one each
  std::vector<float> logits;
};

/// What the scheduler knows of a request, for its record.
void take_state(const RequestState& state, RequestRecord& record) {
  record.prompt_tokens = state.prompt;
  record.output_tokens = state.generated;
  record.scheduled_tokens = state.scheduled;
  record.recomputed_tokens = state.recomputed;
  record.rejected_draft_tokens = state.rejected;
  record.dropped_tokens = state.dropped;
  record.preemptions = state.preemptions;
  record.finish = state.finish;
}

class Engine {
 public:
  Engine(const Workload& workload, Executor& executor, const ServingOptions& options,
         const ServingCallbacks& callbacks, Executor* draft_model);

  ServingResult run();

 private:
  bool can_plan() const;
  void take_arrivals();
  bool can_repeat(const StepPlan& plan) const;
  int64_t run_limit(const StepPlan& plan) const;
  void note(const StepPlan& plan);
  void dispatch(StepPlan plan);
  void execute(InFlight& step, int64_t ready_ns);
  void repeat(InFlight& step, int64_t limit, int64_t ready_ns);
  void show_ids(Batch& batch);
  void take_tokens(InFlight& step, const Execution& done);
  void draw_acceptance(InFlight& step);
  void add_busy(int64_t start_ns, int64_t end_ns);
  void retire();
  void retire_steps(InFlight& step, int64_t steps);
  void record_tokens(const InFlight& step, const StepOutcome& outcome, int64_t steps);
  void report_logits(const InFlight& step, const StepOutcome& outcome);
  void draft(InFlight& step);
  void report_progress() const;
  void report_step() const;
  void close();

  const Workload& workload_;
  Executor& executor_;
  const ServingOptions options_;
  const ServingCallbacks& callbacks_;
  const Capacity capacity_;
  TokenIdentity tokens_;
  Scheduler scheduler_;
  ArrivalQueue arrivals_;
  Speculation speculation_;
  std::optional<DraftModel> draft_model_;
  StepLog log_;
  ServingResult result_;
  std::deque<InFlight> in_flight_;
  bool has_events_ = false;      // since the last plan that was handed over
  StepPlan spare_;               // lends its memory to the next plan
  size_t depth_ = 1;             // plans that may be in flight
  bool cache_may_grow_ = false;  // a running request may make a waiting one's prefix
  int64_t host_ns_ = 0;          // until when the host is busy
  int64_t free_ns_ = 0;          // until when the device is busy
  int64_t step_ns_ = 0;          // length of the last step, with what the host adds
  int64_t finished_ = 0;
};

Engine::Engine(const Workload& workload, Executor& executor, const ServingOptions& options,
               const ServingCallbacks& callbacks, Executor* draft_model)
    : workload_(workload),
      executor_(executor),
      options_(options),
      callbacks_(callbacks),
      capacity_(executor.capacity()),
      tokens_(workload),
      scheduler_(capacity_, options, workload, tokens_),
      arrivals_(workload),
      speculation_(options.speculative, workload, capacity_.functional) {
  if (speculation_.method() == DraftMethod::kModel) {
    TW_CHECK(draft_model, "drafts of a model need its executor");
    draft_model_.emplace(*draft_model, capacity_, workload.requests.size());
  }
  if (!draft_model_) depth_ = static_cast<size_t>(capacity_.max_in_flight);
  if (scheduler_.plans_ahead()) depth_ = 2;
  for (size_t i = 0; i < workload.requests.size(); ++i) {
    const Request& request = workload.requests[i];
    cache_may_grow_ = cache_may_grow_ || !request.output_ids.empty();
    if (!capacity_.functional) continue;
    if (std::ssize(request.prompt_ids) != request.prompt_tokens) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("{}: request {} has no token ids, so no model can compute it",
                              workload.source, i));
    }
    for (int32_t id : request.prompt_ids) {
      if (id >= 0 && id < capacity_.vocab) continue;
      throw Error(ErrorKind::kUsage,
                  fmt::format("{}: request {} has token {}; the model's are 0 to {}",
                              workload.source, i, id, capacity_.vocab - 1));
    }
  }
  if (capacity_.functional) tokens_.use_functional_ids();
  result_.requests.resize(workload.requests.size());
  for (size_t i = 0; i < result_.requests.size(); ++i) {
    result_.requests[i].arrival_ns = workload.requests[i].arrival_ns;
  }
}

void Engine::take_arrivals() {
  while (const std::optional<Arrival> arrival = arrivals_.take(host_ns_)) {
    result_.requests[static_cast<size_t>(arrival->request)].arrival_ns = arrival->at_ns;
    if (scheduler_.enqueue(arrival->request)) continue;
    ++finished_;
    arrivals_.end(arrival->request, arrival->at_ns);
  }
}

bool Engine::can_plan() const {
  // What follows a run is planned when all but its last step have ended.
  return in_flight_.size() < depth_ && (in_flight_.empty() || in_flight_.back().steps == 1);
}

ServingResult Engine::run() {
  for (;;) {
    if (can_plan()) {
      if (callbacks_.stop && callbacks_.stop()) {
        result_.interrupted = true;
        break;
      }
      take_arrivals();
      StepPlan plan = scheduler_.schedule(std::move(spare_));
      note(plan);
      if (!plan.batch.slices.empty()) {
        dispatch(std::move(plan));
        continue;
      }
      const bool tries_again = !plan.preempted.empty();  // a request gave up its own blocks
      spare_ = std::move(plan);
      if (tries_again) continue;
    }
    if (!in_flight_.empty()) {
      retire();
    } else if (arrivals_.next_ns() == kNever) {
      break;
    } else {
      host_ns_ = std::max(host_ns_, arrivals_.next_ns());
    }
  }
  while (!in_flight_.empty()) retire();
  close();
  return std::move(result_);
}

bool Engine::can_repeat(const StepPlan& plan) const {
  if (!options_.fast_forward || !plan.steady || capacity_.functional || speculation_.is_on()) {
    return false;
  }
  // Waiting requests must stay refused for the same reason as long as the run lasts.
  if (scheduler_.waiting() > 0 && options_.enable_prefix_caching &&
      (cache_may_grow_ || scheduler_.policy().waiting == WaitingOrder::kLongestPrefix)) {
    return false;
  }
  if (!scheduler_.plans_ahead()) {
    // With several batches in flight a waiting request may be admitted beside this one.
    return in_flight_.empty() && (depth_ == 1 || scheduler_.waiting() == 0);
  }
  // The host must be done long before the device, so that the steps follow without a gap.
  return in_flight_.size() == 1 && step_ns_ >= 2 * options_.host_overhead_ns;
}

int64_t Engine::run_limit(const StepPlan& plan) const {
  if (!can_repeat(plan)) return 1;
  const int64_t next_ns = arrivals_.next_ns();
  const int64_t most = callbacks_.most_repeated
                           ? std::clamp<int64_t>(callbacks_.most_repeated(), 1, kMaxRun)
                           : kMaxRun;
  if (next_ns == kNever || step_ns_ == 0) return most;
  return std::clamp<int64_t>((next_ns - host_ns_) / step_ns_ + 1, 1, most);
}

void Engine::note(const StepPlan& plan) {
  for (const Admitted& admitted : plan.admitted) {
    RequestRecord& record = result_.requests[static_cast<size_t>(admitted.request)];
    if (record.first_scheduled_ns >= 0) {
      record.preempted_hit_tokens += admitted.hit.tokens;
      continue;
    }
    record.first_scheduled_ns = host_ns_;
    record.cached_tokens = admitted.hit.tokens;
  }
  if (capacity_.functional) {
    // Tokens that came from steps under way are made again.
    for (const Preemption& gone : plan.preempted) {
      const RequestState& state = scheduler_.requests()[static_cast<size_t>(gone.request)];
      tokens_.ids(gone.request).resize(static_cast<size_t>(state.length()));
    }
  }
  has_events_ = log_.add_events(plan) || has_events_;
}

void Engine::dispatch(StepPlan plan) {
  InFlight step;
  step.plan = std::move(plan);
  step.first_step = log_.steps();
  step.running = scheduler_.running();
  step.waiting = scheduler_.waiting();
  step.has_events = std::exchange(has_events_, false);
  const int64_t ready_ns = host_ns_ + options_.host_overhead_ns;
  const int64_t limit = run_limit(step.plan);
  const int64_t reserved = limit > 1 ? scheduler_.reserve_run(step.plan, limit) : 1;
  if (reserved > 1) {
    repeat(step, reserved, ready_ns);
  } else {
    execute(step, ready_ns);
  }
  step.kv_blocks = scheduler_.pool().used();
  host_ns_ = ready_ns;
  in_flight_.push_back(std::move(step));
}

void Engine::add_busy(int64_t start_ns, int64_t end_ns) {
  TW_CHECK(end_ns >= start_ns, "a step ends after it began");
  log_.end_step(end_ns);
  result_.host_ns += options_.host_overhead_ns;
  result_.device_ns += std::max<int64_t>(end_ns - std::max(start_ns, free_ns_), 0);
  free_ns_ = std::max(free_ns_, end_ns);
}

void Engine::repeat(InFlight& step, int64_t limit, int64_t ready_ns) {
  const int64_t gap_ns = scheduler_.plans_ahead() ? 0 : options_.host_overhead_ns;
  // With several batches in flight the host plans again as soon as a step was handed over.
  const bool is_piped = depth_ > 1 && !scheduler_.plans_ahead();
  const int64_t next_ns = arrivals_.next_ns();
  const int64_t until_ns =
      is_piped && next_ns != kNever ? next_ns - options_.host_overhead_ns : next_ns;
  RepeatedExecution done =
      executor_.repeat_decode(step.plan.batch, ready_ns, limit, until_ns, gap_ns);
  step.steps = std::ssize(done.end_ns);
  TW_CHECK(step.steps >= 1 && step.steps <= limit,
           "the executor makes between one step and the limit");
  scheduler_.commit_run(step.plan, step.steps);
  int64_t start_ns = std::max(ready_ns, free_ns_);
  step.times.start_ns = start_ns;
  for (int64_t end_ns : done.end_ns) {
    add_busy(start_ns, end_ns);
    step_ns_ = end_ns - start_ns + gap_ns;
    start_ns = end_ns + gap_ns;
  }
  step.times.idle_ns = done.idle_ns;
  step.times.work = done.work;
  log_.add_times(step.times, done.ops);
}

void Engine::execute(InFlight& step, int64_t ready_ns) {
  Batch& batch = step.plan.batch;
  batch.wants_logits = callbacks_.on_logits && capacity_.functional;
  if (capacity_.functional) show_ids(batch);
  Execution done = executor_.execute(batch, ready_ns);
  add_busy(done.start_ns, done.end_ns);
  step_ns_ =
      done.end_ns - done.start_ns + (scheduler_.plans_ahead() ? 0 : options_.host_overhead_ns);
  step.times.start_ns = done.start_ns;
  step.times.idle_ns = done.idle_ns;
  step.times.work = done.work;
  log_.add_times(step.times, done.ops);
  step.logits = std::move(done.logits);
  if (capacity_.functional) {
    take_tokens(step, done);
  } else if (step.plan.verifies > 0) {
    draw_acceptance(step);
  }
}

void Engine::show_ids(Batch& batch) {
  for (SequenceSlice& slice : batch.slices) {
    std::vector<int32_t>& ids = tokens_.ids(slice.request);
    if (slice.drafts > 0) {
      const std::span<const int32_t> drafts = speculation_.drafts(slice.request);
      ids.insert(ids.end(), drafts.begin(), drafts.begin() + slice.drafts);
    }
    slice.ids = std::span(ids).subspan(static_cast<size_t>(slice.context),
                                       static_cast<size_t>(slice.tokens));
  }
}

void Engine::take_tokens(InFlight& step, const Execution& done) {
  size_t sample = 0;
  size_t next = 0;
  for (SequenceSlice& slice : step.plan.batch.slices) {
    std::vector<int32_t>& ids = tokens_.ids(slice.request);
    ids.resize(ids.size() - static_cast<size_t>(slice.drafts));
    slice.ids = {};
    if (!slice.samples) continue;
    TW_CHECK(sample < done.token_counts.size(), "each slice that samples has tokens");
    const auto count = static_cast<size_t>(done.token_counts[sample++]);
    TW_CHECK(next + count <= done.tokens.size(), "there are as many tokens as counted");
    const auto first = done.tokens.begin() + static_cast<ptrdiff_t>(next);
    ids.insert(ids.end(), first, first + static_cast<ptrdiff_t>(count));
    next += count;
    step.counts.push_back(static_cast<int64_t>(count));
  }
}

void Engine::draw_acceptance(InFlight& step) {
  for (const SequenceSlice& slice : step.plan.batch.slices) {
    if (!slice.samples) continue;
    const int64_t generated = scheduler_.requests()[static_cast<size_t>(slice.request)].generated;
    step.counts.push_back(
        1 +
        (slice.drafts == 0 ? 0 : speculation_.accepted(slice.request, generated, slice.drafts)));
  }
}

void Engine::retire() {
  InFlight& step = in_flight_.front();
  if (scheduler_.plans_ahead() && step.steps > 1) {
    // The host plans what follows while the last step of the run is under way.
    retire_steps(step, step.steps - 1);
    return;
  }
  retire_steps(step, step.steps);
  spare_ = std::move(step.plan);
  in_flight_.pop_front();
}

void Engine::retire_steps(InFlight& step, int64_t steps) {
  const int64_t last = step.first_step + steps - 1;
  const StepOutcome outcome = scheduler_.complete(step.plan, step.counts, steps);
  StepRecord record = std::move(step.times);
  step.times = {};
  record.first_step = step.first_step;
  record.count = steps;
  record.tokens = step.plan.tokens;
  record.prefill_tokens = step.plan.prefill_tokens;
  record.decodes = step.plan.decodes;
  record.verifies = step.plan.verifies;
  record.draft_tokens = step.plan.draft_tokens;
  record.running = step.running;
  record.waiting = step.waiting;
  record.kv_blocks = step.kv_blocks;
  record.preemptions = std::ssize(step.plan.preempted);
  record_tokens(step, outcome, steps);
  if (!step.logits.empty()) report_logits(step, outcome);
  step.times = std::move(record);
  draft(step);
  step.times.end_ns = log_.step_end_ns[static_cast<size_t>(last)];
  host_ns_ = std::max(host_ns_, step.times.end_ns);
  for (int64_t request : outcome.finished) {
    ++finished_;
    arrivals_.end(request, step.times.end_ns);
    speculation_.forget(request);
  }
  log_.add(std::move(step.times), step.plan.samples, step.has_events);
  step.plan.preempted.clear();
  step.has_events = false;
  step.times = {};
  step.first_step += steps;
  step.steps -= steps;
  report_progress();
  report_step();
}

void Engine::record_tokens(const InFlight& step, const StepOutcome& outcome, int64_t steps) {
  size_t sample = 0;
  for (const SequenceSlice& slice : step.plan.batch.slices) {
    if (!slice.samples) continue;
    const int64_t tokens = outcome.appended[sample++];
    if (tokens < 0) continue;
    if (slice.drafts > 0) {
      speculation_.count(slice.drafts, step.counts[sample - 1] - 1);
    }
    auto& runs = result_.requests[static_cast<size_t>(slice.request)].token_runs;
    if (!runs.empty() && runs.back().tokens == tokens &&
        runs.back().first_step + runs.back().count == step.first_step) {
      runs.back().count += steps;
    } else {
      runs.push_back({step.first_step, steps, tokens});
    }
  }
}

void Engine::report_logits(const InFlight& step, const StepOutcome& outcome) {
  const auto vocab = static_cast<size_t>(capacity_.vocab);
  TW_CHECK(step.logits.size() == static_cast<size_t>(step.plan.samples) * vocab,
           "there is a row of logits for every sample");
  size_t row = 0;
  size_t sample = 0;
  for (const SequenceSlice& slice : step.plan.batch.slices) {
    if (!slice.samples) continue;
    const int64_t first = slice.context + slice.tokens - slice.drafts;
    for (int64_t i = 0; i < outcome.appended[sample]; ++i) {
      callbacks_.on_logits(
          slice.request, first + i,
          std::span(step.logits).subspan((row + static_cast<size_t>(i)) * vocab, vocab));
    }
    row += static_cast<size_t>(slice.drafts) + 1;
    ++sample;
  }
}

void Engine::draft(InFlight& step) {
  if (!speculation_.is_on()) return;
  if (draft_model_) {
    const int64_t ready_ns = log_.step_end_ns.back();
    DraftModel::Drafting drafting =
        draft_model_->follow(step.plan, scheduler_, speculation_, tokens_, ready_ns);
    log_.add_times(step.times, drafting.ops);
    // One batch is in flight, so this is the last step: it lasts until its drafts exist.
    log_.step_end_ns.back() = drafting.end_ns;
    result_.device_ns += drafting.end_ns - ready_ns;
    free_ns_ = drafting.end_ns;
    return;
  }
  for (size_t i = 0; i < step.plan.batch.slices.size(); ++i) {
    const SequenceSlice& slice = step.plan.batch.slices[i];
    const RequestState& state = scheduler_.requests()[static_cast<size_t>(slice.request)];
    if (!slice.samples || state.finish != FinishReason::kNone ||
        state.preemptions != step.plan.epochs[i]) {
      continue;
    }
    const std::span<const int32_t> ids = capacity_.functional
                                             ? std::span<const int32_t>(tokens_.ids(slice.request))
                                             : std::span<const int32_t>();
    scheduler_.set_drafts(slice.request,
                          speculation_.propose(slice.request, state.length(), ids,
                                               scheduler_.most_drafts(slice.request)));
  }
}

void Engine::report_progress() const {
  if (!callbacks_.progress) return;
  callbacks_.progress({.now_ns = host_ns_,
                       .steps = in_flight_.front().first_step,
                       .finished = finished_,
                       .requests = std::ssize(workload_.requests),
                       .running = scheduler_.running(),
                       .waiting = scheduler_.waiting(),
                       .kv_blocks = scheduler_.pool().used()});
}

void Engine::report_step() const {
  if (!callbacks_.on_step) return;
  callbacks_.on_step({.now_ns = host_ns_,
                      .finished = finished_,
                      .running = scheduler_.running(),
                      .waiting = scheduler_.waiting(),
                      .kv_blocks = scheduler_.pool().used(),
                      .requests = result_.requests,
                      .states = scheduler_.requests(),
                      .steps = log_.records,
                      .step_end_ns = log_.step_end_ns,
                      .events = log_.events,
                      .by_op = log_.by_op});
}

void Engine::close() {
  if (result_.interrupted) scheduler_.abort();
  TW_CHECK(scheduler_.pool().used() == 0, "no KV block is lost");
  result_.end_ns = host_ns_;
  result_.step_end_ns = std::move(log_.step_end_ns);
  result_.steps = std::move(log_.records);
  result_.events = std::move(log_.events);
  result_.by_op = std::move(log_.by_op);
  result_.preemptions = log_.preemptions;
  result_.peak_kv_blocks = log_.peak_kv_blocks;
  result_.step_tokens = std::move(log_.step_tokens);
  result_.step_samples = std::move(log_.step_samples);
  for (const StepRecord& record : result_.steps) result_.idle_ns += record.idle_ns;
  result_.kv_blocks = scheduler_.pool().total();
  result_.max_model_len = scheduler_.max_model_len();
  result_.prefix_cache = scheduler_.kv().stats();
  result_.speculation = speculation_.stats();
  result_.peak_flops = capacity_.peak_flops;
  result_.peak_bytes_per_s = capacity_.peak_bytes_per_s;
  for (size_t i = 0; i < result_.requests.size(); ++i) {
    const RequestState& state = scheduler_.requests()[i];
    TW_CHECK(state.finish != FinishReason::kNone, "every request has ended");
    RequestRecord& record = result_.requests[i];
    take_state(state, record);
    TW_CHECK(record.cached_tokens + record.preempted_hit_tokens == state.hits,
             "every hit belongs to an admission");
    if (!capacity_.functional) continue;
    const std::vector<int32_t>& ids = tokens_.ids(static_cast<int64_t>(i));
    const auto output = ids.begin() + state.prompt;
    record.output_ids.assign(output, output + state.generated);
  }
}

}  // namespace

RequestRecord ServingSoFar::record_of(size_t request) const {
  RequestRecord record = requests[request];
  take_state(states[request], record);
  return record;
}

Utilisation ServingResult::utilisation(const StepRecord& record) const {
  return utilisation_of(record.work, record.end_ns - record.start_ns, peak_flops, peak_bytes_per_s);
}

ServingResult serve(const Workload& workload, Executor& executor, const ServingOptions& options,
                    const ServingCallbacks& callbacks, Executor* draft_model) {
  return Engine(workload, executor, options, callbacks, draft_model).run();
}

}  // namespace tilewright
