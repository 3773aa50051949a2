// What follows a planned step: its results, and runs of steps that repeat it.

#include <algorithm>

#include "core/base/error.h"
#include "core/serving/scheduler.h"

namespace tilewright {

int64_t Scheduler::run_blocks(const StepPlan& plan, int64_t steps) const {
  int64_t blocks = 0;
  for (const SequenceSlice& slice : plan.batch.slices) {
    blocks += pool().blocks_for(state(slice.request).computed + steps - 1) -
              std::ssize(kv_.blocks(slice.request));
  }
  return blocks;
}

int64_t Scheduler::reserve_run(StepPlan& plan, int64_t limit) {
  TW_CHECK(plan.steady && limit >= 1 && loans_.empty(), "only a steady plan can be repeated");
  for (int64_t request : running_) {
    const RequestState& one = state(request);
    const int64_t before = std::max<int64_t>(one.placeholders - 1, 0);
    limit = std::min(limit, one.output_limit - one.generated - before);
  }
  // The longest run that the free blocks allow; one step already has its blocks.
  int64_t steps = 1;
  for (int64_t above = limit + 1; above - steps > 1;) {
    const int64_t middle = steps + (above - steps) / 2;
    (run_blocks(plan, middle) <= pool().free() ? steps : above) = middle;
  }
  // Blocks are taken in the order in which single steps would take them.
  for (size_t i = 0; i < plan.batch.slices.size(); ++i) {
    const RequestState& growing = state(plan.batch.slices[i].request);
    for (int64_t step = growing.room - growing.computed + 1; step < steps;
         step += pool().block_size()) {
      loans_.push_back({step, i, -1});
    }
  }
  std::sort(loans_.begin(), loans_.end(), [](const Loan& a, const Loan& b) {
    return a.step != b.step ? a.step < b.step : a.slice < b.slice;
  });
  const std::vector<int32_t> blocks = pool().peek(std::ssize(loans_));
  for (size_t i = 0; i < loans_.size(); ++i) {
    loans_[i].block = blocks[i];
    kv_.lend(plan.batch.slices[loans_[i].slice].request, blocks[i]);
  }
  show_blocks(plan);
  return steps;
}

void Scheduler::commit_run(StepPlan& plan, int64_t steps) {
  TW_CHECK(plan.steady, "only a steady plan is repeated");
  // A run may have ended early: what was lent for steps that were not made goes back.
  for (; !loans_.empty() && loans_.back().step >= steps; loans_.pop_back()) {
    kv_.give_back_lent(plan.batch.slices[loans_.back().slice].request);
  }
  for (const Loan& loan : loans_) kv_.take_lent(loan.block);
  loans_.clear();
  for (const SequenceSlice& slice : plan.batch.slices) {
    RequestState& one = state(slice.request);
    one.room = kv_.room(slice.request);
    one.computed += steps - 1;
    one.scheduled += steps - 1;
    one.in_flight += steps - 1;
    if (plans_ahead_) one.placeholders += steps - 1;
    TW_CHECK(one.computed <= one.room, "every computed token has a place in the KV cache");
  }
}

StepOutcome Scheduler::complete(const StepPlan& plan, std::span<const int64_t> counts,
                                int64_t steps) {
  StepOutcome outcome;
  outcome.appended.reserve(plan.batch.slices.size());
  if (steps > 1) {
    TW_CHECK(counts.empty(), "steps of a run make one token each");
    complete_run(plan, steps - 1);
  }
  size_t sample = 0;
  for (size_t i = 0; i < plan.batch.slices.size(); ++i) {
    const SequenceSlice& slice = plan.batch.slices[i];
    RequestState& one = state(slice.request);
    const int64_t count = !slice.samples || counts.empty() ? 1 : counts[sample];
    sample += slice.samples ? 1 : 0;
    // Tokens of a request that was preempted meanwhile are made again, those behind an end are not
    // wanted.
    if (one.finish != FinishReason::kNone || one.preemptions != plan.epochs[i]) {
      if (slice.samples) outcome.appended.push_back(-1);
      continue;
    }
    complete_slice(slice, count, outcome);
  }
  if (!outcome.finished.empty()) {
    std::erase_if(running_, [&](int64_t id) { return state(id).finish != FinishReason::kNone; });
  }
  return outcome;
}

void Scheduler::complete_slice(const SequenceSlice& slice, int64_t count, StepOutcome& outcome) {
  RequestState& one = state(slice.request);
  one.in_flight -= slice.tokens;
  if (!slice.samples) return;
  TW_CHECK(count >= 1 && count <= slice.drafts + 1, "a step accepts drafts and adds one token");
  const int64_t rejected = slice.drafts - (count - 1);
  one.computed -= rejected;
  one.rejected += rejected;
  if (plans_ahead_) --one.placeholders;
  int64_t appended = 0;
  FinishReason reason = FinishReason::kNone;
  while (appended < count && reason == FinishReason::kNone) {
    ++one.generated;
    ++appended;
    reason = stop_reason(slice.request);
  }
  one.dropped += count - appended;
  outcome.appended.push_back(appended);
  if (reason == FinishReason::kNone) {
    cache_verified(slice.request, plans_);
    return;
  }
  finish(slice.request, reason);
  outcome.finished.push_back(slice.request);
}

void Scheduler::complete_run(const StepPlan& plan, int64_t steps) {
  struct Full {
    int64_t step;  // the later, the larger
    size_t slice;
    int64_t tokens;
  };
  std::vector<Full> full;
  for (size_t i = 0; i < plan.batch.slices.size(); ++i) {
    RequestState& one = state(plan.batch.slices[i].request);
    one.in_flight -= steps;
    one.generated += steps;
    if (plans_ahead_) one.placeholders -= steps;
    TW_CHECK(one.generated < one.output_limit, "a run ends with the first request that does");
    for (int64_t tokens = one.next_full; tokens <= verified(one); tokens += pool().block_size()) {
      full.push_back({tokens - verified(one), i, tokens});
    }
  }
  // Blocks enter the cache in the order in which single steps would have filled them.
  std::sort(full.begin(), full.end(), [](const Full& a, const Full& b) {
    return a.step != b.step ? a.step < b.step : a.slice < b.slice;
  });
  for (const Full& one : full) {
    const int64_t request = plan.batch.slices[one.slice].request;
    kv_.cache(request, one.tokens, plan.number);
    state(request).next_full = kv_.next_full(request);
  }
}

FinishReason Scheduler::stop_reason(int64_t request) const {
  const RequestState& one = state(request);
  const bool at_limit = one.generated >= one.output_limit;
  if (!is_functional_) return at_limit ? FinishReason::kLength : FinishReason::kNone;
  const GenerationParams& params = options_.generation_of(request);
  if (one.generated < std::min(params.min_tokens, one.output_limit)) return FinishReason::kNone;
  const int32_t token = tokens_.ids(request)[static_cast<size_t>(one.length() - 1)];
  const auto holds = [&](const std::vector<int32_t>& ids) {
    return std::find(ids.begin(), ids.end(), token) != ids.end();
  };
  if (!params.ignore_eos && holds(options_.eos_token_ids)) return FinishReason::kStop;
  if (holds(params.stop_token_ids)) return FinishReason::kStop;
  return at_limit ? FinishReason::kLength : FinishReason::kNone;
}

void Scheduler::finish(int64_t request, FinishReason reason) {
  RequestState& one = state(request);
  TW_CHECK(one.finish == FinishReason::kNone, "a request ends once");
  one.finish = reason;
  if (one.computed > 0) reserved_blocks_ -= longest_blocks(one);
  kv_.release(request, verified(one), plans_);
  one.dropped += one.in_flight;
  TW_CHECK(!is_complete(reason) || one.scheduled == one.length() - 1 - one.hits + one.recomputed +
                                                        one.rejected + one.dropped,
           "scheduled tokens are prompt + output - 1 - hits + recomputed + rejected + dropped");
}

void Scheduler::abort() {
  for (int64_t request = 0; request < std::ssize(requests_); ++request) {
    if (state(request).finish == FinishReason::kNone) finish(request, FinishReason::kAborted);
  }
  running_.clear();
  waiting_.clear();
}

}  // namespace tilewright
