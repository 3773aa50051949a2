#include "core/serving/scheduler.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"

namespace tilewright {

namespace {

void check_knob(const char* name, int64_t value, int64_t min) {
  if (value < min) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} is {}; it must be {} or more", name, value, min));
  }
}

const ServingOptions& checked(const ServingOptions& options) {
  check_knob("max_num_batched_tokens", options.max_num_batched_tokens, 1);
  check_knob("max_num_seqs", options.max_num_seqs, 1);
  check_knob("long_prefill_token_threshold", options.long_prefill_token_threshold, 0);
  check_knob("host_overhead_ns", options.host_overhead_ns, 0);
  return options;
}

const Capacity& checked(const Capacity& capacity) {
  check_knob("block size", capacity.block_size, 1);
  check_knob("max_model_len", capacity.max_model_len, 1);
  if (capacity.kv_blocks < 1) {
    throw Error(ErrorKind::kInfeasible,
                fmt::format("no memory is left for the KV cache ({} blocks of {} tokens)",
                            capacity.kv_blocks, capacity.block_size));
  }
  return capacity;
}

}  // namespace

Scheduler::Scheduler(const Capacity& capacity, const ServingOptions& options,
                     const Workload& workload)
    : options_(checked(options)),
      pool_(checked(capacity).kv_blocks, capacity.block_size),
      // A request alone on the device must be able to reach its end, or it would wait for ever.
      max_model_len_(capacity.max_model_len / capacity.block_size >= capacity.kv_blocks
                         ? capacity.kv_blocks * capacity.block_size
                         : capacity.max_model_len) {
  requests_.reserve(workload.requests.size());
  for (const Request& request : workload.requests) {
    TW_CHECK(request.prompt_tokens >= 1 && request.output_tokens >= 1, "requests have tokens");
    RequestState added;
    added.prompt = request.prompt_tokens;
    added.output_limit = std::min(request.output_tokens, max_model_len_ - request.prompt_tokens);
    requests_.push_back(std::move(added));
  }
}

bool Scheduler::enqueue(int64_t request) {
  RequestState& added = state(request);
  if (added.output_limit < 1) {
    finish(added, FinishReason::kRejected);
    return false;
  }
  waiting_.push_back(request);
  return true;
}

const StepPlan& Scheduler::schedule() {
  plan_.batch.slices.clear();
  plan_.tokens = plan_.prefill_tokens = plan_.decodes = plan_.samples = 0;
  plan_.preempted.clear();
  reserved_.clear();
  int64_t budget = options_.max_num_batched_tokens;
  schedule_running(budget);
  if (plan_.preempted.empty()) admit_waiting(budget);
  TW_CHECK(plan_.tokens <= options_.max_num_batched_tokens, "the token budget holds");
  TW_CHECK(running() <= options_.max_num_seqs, "max_num_seqs holds");
  TW_CHECK(!plan_.batch.slices.empty() || waiting_.empty(),
           "a waiting request fits an idle device");
  plan_.steady = plan_.decodes > 0 && plan_.decodes == running() && plan_.preempted.empty();
  show_blocks();
  return plan_;
}

int64_t Scheduler::grant(const RequestState& request, int64_t budget) const {
  const int64_t wanted = std::min(request.length() - request.computed, budget);
  const int64_t threshold = options_.long_prefill_token_threshold;
  return threshold > 0 ? std::min(wanted, threshold) : wanted;
}

void Scheduler::schedule_running(int64_t& budget) {
  for (size_t i = 0; i < running_.size() && budget > 0; ++i) {
    const int64_t request = running_[i];
    const int64_t tokens = grant(state(request), budget);
    TW_CHECK(tokens > 0, "a running request always has a token to compute");
    if (!make_room(request, tokens)) return;
    add_slice(request, tokens);
    budget -= tokens;
  }
}

void Scheduler::admit_waiting(int64_t& budget) {
  while (budget > 0 && !waiting_.empty() && running() < options_.max_num_seqs) {
    const int64_t request = waiting_.front();
    RequestState& admitted = state(request);
    if (pool_.blocks_for(admitted.length()) > pool_.free()) return;
    const int64_t tokens = grant(admitted, budget);
    pool_.allocate(pool_.blocks_for(tokens), admitted.blocks);
    waiting_.pop_front();
    running_.push_back(request);
    add_slice(request, tokens);
    budget -= tokens;
  }
}

bool Scheduler::make_room(int64_t request, int64_t tokens) {
  RequestState& growing = state(request);
  const int64_t more =
      pool_.blocks_for(growing.computed + tokens) - static_cast<int64_t>(growing.blocks.size());
  while (more > pool_.free()) {
    const bool itself = running_.back() == request;
    preempt_last();
    if (itself) return false;
  }
  pool_.allocate(std::max<int64_t>(more, 0), growing.blocks);
  return true;
}

void Scheduler::preempt_last() {
  const int64_t request = running_.back();
  running_.pop_back();
  RequestState& victim = state(request);
  pool_.release(static_cast<int64_t>(victim.blocks.size()), victim.blocks);
  victim.recomputed += victim.computed;
  victim.computed = 0;
  ++victim.preemptions;
  waiting_.push_front(request);
  plan_.preempted.push_back(request);
}

void Scheduler::add_slice(int64_t request, int64_t tokens) {
  RequestState& scheduled = state(request);
  const bool samples = scheduled.computed + tokens == scheduled.length();
  const bool decode = samples && tokens == 1 && scheduled.generated > 0;
  plan_.batch.slices.push_back({.request = request,
                                .context = scheduled.computed,
                                .tokens = tokens,
                                .samples = samples,
                                .blocks = {}});
  plan_.tokens += tokens;
  plan_.samples += samples ? 1 : 0;
  plan_.decodes += decode ? 1 : 0;
  plan_.prefill_tokens += decode ? 0 : tokens;
  scheduled.computed += tokens;
  scheduled.scheduled += tokens;
}

void Scheduler::show_blocks() {
  for (SequenceSlice& slice : plan_.batch.slices) slice.blocks = state(slice.request).blocks;
}

int64_t Scheduler::run_blocks(int64_t steps) const {
  int64_t blocks = 0;
  for (int64_t request : running_) {
    const RequestState& growing = requests_[static_cast<size_t>(request)];
    blocks += pool_.blocks_for(growing.computed + steps - 1) -
              static_cast<int64_t>(growing.blocks.size());
  }
  return blocks;
}

int64_t Scheduler::reserve_run(int64_t limit) {
  TW_CHECK(plan_.steady && limit >= 1, "only a steady plan can be repeated");
  for (int64_t request : running_) {
    limit = std::min(limit, state(request).output_limit - state(request).generated);
  }
  // The longest run that the free blocks allow; one step already has its blocks.
  int64_t steps = 1;
  for (int64_t above = limit + 1; above - steps > 1;) {
    const int64_t middle = steps + (above - steps) / 2;
    (run_blocks(middle) <= pool_.free() ? steps : above) = middle;
  }
  // Blocks are taken in the order in which single steps would take them.
  for (size_t i = 0; i < plan_.batch.slices.size(); ++i) {
    const RequestState& growing = state(plan_.batch.slices[i].request);
    const int64_t room =
        static_cast<int64_t>(growing.blocks.size()) * pool_.block_size() - growing.computed;
    for (int64_t step = room + 1; step < steps; step += pool_.block_size()) {
      reserved_.emplace_back(step, i);
    }
  }
  std::sort(reserved_.begin(), reserved_.end());
  for (const auto& [step, slice] : reserved_) {
    pool_.allocate(1, state(plan_.batch.slices[slice].request).blocks);
  }
  show_blocks();
  return steps;
}

StepOutcome Scheduler::complete(int64_t steps) {
  TW_CHECK(steps == 1 || plan_.steady, "only a steady plan is repeated");
  // A run may have ended early: what was taken for steps that were not made goes back.
  for (; !reserved_.empty() && reserved_.back().first >= steps; reserved_.pop_back()) {
    pool_.release(1, state(plan_.batch.slices[reserved_.back().second].request).blocks);
  }
  StepOutcome outcome;
  outcome.kv_blocks = pool_.used();
  for (const SequenceSlice& slice : plan_.batch.slices) {
    RequestState& request = state(slice.request);
    request.computed += steps - 1;
    request.scheduled += steps - 1;
    if (!slice.samples) continue;
    request.generated += steps;
    TW_CHECK(request.generated <= request.output_limit, "no token comes after the last");
    TW_CHECK(request.computed <= static_cast<int64_t>(request.blocks.size()) * pool_.block_size(),
             "every computed token has a place in the KV cache");
    if (request.generated < request.output_limit) continue;
    finish(request, FinishReason::kLength);
    outcome.finished.push_back(slice.request);
  }
  if (!outcome.finished.empty()) {
    std::erase_if(running_, [&](int64_t id) { return state(id).finish != FinishReason::kNone; });
  }
  return outcome;
}

void Scheduler::finish(RequestState& request, FinishReason reason) {
  TW_CHECK(request.finish == FinishReason::kNone, "a request ends once");
  request.finish = reason;
  pool_.release(static_cast<int64_t>(request.blocks.size()), request.blocks);
  TW_CHECK(reason != FinishReason::kLength ||
               request.scheduled == request.length() - 1 + request.recomputed,
           "scheduled tokens are prompt + output - 1 + recomputed");
}

void Scheduler::abort() {
  for (RequestState& request : requests_) {
    if (request.finish == FinishReason::kNone) finish(request, FinishReason::kAborted);
  }
  running_.clear();
  waiting_.clear();
}

}  // namespace tilewright
