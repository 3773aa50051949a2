#include "core/serving/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <tuple>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// With more waiting requests, longest-prefix-first falls back to the order of arrival, as SGLang
/// does: looking up all of them in every step would cost more than it gains.
constexpr int64_t kMaxPrefixOrdered = 128;

void check_knob(const char* name, int64_t value, int64_t min) {
  if (value < min) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} is {}; it must be {} or more", name, value, min));
  }
}

const ServingOptions& checked(const ServingOptions& options, const Workload& workload) {
  check_knob("max_num_batched_tokens", options.max_num_batched_tokens, 1);
  check_knob("max_num_seqs", options.max_num_seqs, 1);
  check_knob("long_prefill_token_threshold", options.long_prefill_token_threshold, 0);
  check_knob("host_overhead_ns", options.host_overhead_ns, 0);
  if (!(options.watermark >= 0 && options.watermark < 1)) {
    throw Error(ErrorKind::kUsage, fmt::format("watermark is {}; it must be 0 or more and below 1",
                                               options.watermark));
  }
  const std::array<std::string, 2> orders = {"fcfs", "priority"};
  if (std::find(orders.begin(), orders.end(), options.scheduling_policy) == orders.end()) {
    throw Error(ErrorKind::kUsage,
                fmt::format("unknown scheduling_policy '{}'{}; it is fcfs or priority",
                            printable(options.scheduling_policy),
                            did_you_mean(options.scheduling_policy, orders)));
  }
  TW_CHECK(options.request_generation.empty() ||
               options.request_generation.size() == workload.requests.size(),
           "each request has its generation parameters, or none has");
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

/// What the KV cache can hold, where it is less. Quotients: the product could be too large.
int64_t longest_sequence(const Capacity& capacity) {
  return capacity.max_model_len / capacity.block_size >= capacity.kv_blocks
             ? capacity.kv_blocks * capacity.block_size
             : capacity.max_model_len;
}

}  // namespace

std::string_view name_of(Refusal refusal) {
  constexpr std::array<std::string_view, 6> kNames = {"",          "max_num_seqs", "token_budget",
                                                      "kv_blocks", "max_length",   "preemption"};
  return kNames[static_cast<size_t>(refusal)];
}

Scheduler::Scheduler(const Capacity& capacity, const ServingOptions& options,
                     const Workload& workload, const TokenIdentity& tokens)
    : options_(checked(options, workload)),
      policy_(find_policy(options.policy)),
      workload_(workload),
      tokens_(tokens),
      kv_(checked(capacity), options, tokens, workload.requests.size()),
      max_model_len_(longest_sequence(capacity)),
      is_functional_(capacity.functional),
      by_priority_(options.scheduling_policy == "priority"),
      plans_ahead_(options.async_scheduling && capacity.max_in_flight == 1 &&
                   options.speculative.method == DraftMethod::kNone),
      lookahead_(options.speculative.method == DraftMethod::kModel
                     ? options.speculative.num_speculative_tokens
                     : 0),
      watermark_blocks_(
          static_cast<int64_t>(std::ceil(std::max(options.watermark, policy_.min_watermark) *
                                         static_cast<double>(capacity.kv_blocks)))) {
  if (!options.enable_chunked_prefill && options.max_num_batched_tokens < max_model_len_) {
    throw Error(ErrorKind::kUsage,
                fmt::format("without chunked prefill a step must hold the longest prompt, but "
                            "max_num_batched_tokens {} is less than max_model_len {}; raise the "
                            "one or lower the other",
                            options.max_num_batched_tokens, max_model_len_));
  }
  requests_.reserve(workload.requests.size());
  for (const Request& request : workload.requests) {
    TW_CHECK(request.prompt_tokens >= 1 && request.output_tokens >= 1, "requests have tokens");
    RequestState added;
    added.prompt = request.prompt_tokens;
    added.output_limit = std::min(request.output_tokens, max_model_len_ - request.prompt_tokens);
    added.priority = request.priority;
    requests_.push_back(added);
  }
}

bool Scheduler::is_before(int64_t a, int64_t b) const {
  return std::tie(state(a).priority, workload_.requests[static_cast<size_t>(a)].arrival_ns, a) <
         std::tie(state(b).priority, workload_.requests[static_cast<size_t>(b)].arrival_ns, b);
}

bool Scheduler::enqueue(int64_t request) {
  RequestState& added = state(request);
  TW_CHECK(!added.is_queued, "a request arrives once");
  added.is_queued = true;
  if (added.output_limit < 1) {
    added.finish = FinishReason::kRejected;
    return false;
  }
  if (by_priority_) {
    put_back(request);
  } else {
    waiting_.push_back(request);
  }
  return true;
}

void Scheduler::put_back(int64_t request) {
  if (!by_priority_) {
    waiting_.push_front(request);
    return;
  }
  const auto place = std::upper_bound(waiting_.begin(), waiting_.end(), request,
                                      [this](int64_t a, int64_t b) { return is_before(a, b); });
  waiting_.insert(place, request);
}

StepPlan Scheduler::schedule(StepPlan recycled) {
  StepPlan plan;
  plan.batch.slices = std::move(recycled.batch.slices);
  plan.batch.copies = std::move(recycled.batch.copies);
  plan.epochs = std::move(recycled.epochs);
  plan.batch.slices.clear();
  plan.batch.copies.clear();
  plan.epochs.clear();
  plan.number = ++plans_;
  loans_.clear();
  budget_ = options_.max_num_batched_tokens;
  if (policy_.mixes) {
    if (policy_.running != RunningOrder::kDecodesFirst) {
      schedule_running(plan, Turn::kAll);
    } else if (schedule_running(plan, Turn::kDecodes)) {
      schedule_running(plan, Turn::kPrompts);
    }
    admit_waiting(plan);
  } else {
    if (schedule_running(plan, Turn::kPrompts)) admit_waiting(plan);
    if (plan.batch.slices.empty()) schedule_running(plan, Turn::kDecodes);
  }
  TW_CHECK(plan.tokens <= options_.max_num_batched_tokens, "the token budget holds");
  TW_CHECK(running() <= options_.max_num_seqs, "max_num_seqs holds");
  TW_CHECK(!running_.empty() || waiting_.empty(), "a waiting request fits an idle device");
  plan.steady = plan.decodes > 0 && plan.decodes == running() && plan.preempted.empty() &&
                plan.tokens == plan.decodes;
  show_blocks(plan);
  return plan;
}

int64_t Scheduler::grant(const RequestState& request, int64_t budget) const {
  // A token that surely is the last one is not computed on.
  if (request.generated + request.placeholders >= request.output_limit) return 0;
  int64_t tokens = std::min(request.goal() - request.computed, budget);
  if (options_.long_prefill_token_threshold > 0) {
    tokens = std::min(tokens, options_.long_prefill_token_threshold);
  }
  return std::min(tokens, max_model_len_ - request.computed - 1);
}

int64_t Scheduler::decode_tokens() const {
  int64_t tokens = 0;
  for (int64_t request : running_) {
    const RequestState& one = state(request);
    if (one.decodes()) tokens += std::max<int64_t>(grant(one, options_.max_num_batched_tokens), 0);
  }
  return tokens;
}

bool Scheduler::schedule_running(StepPlan& plan, Turn turn) {
  const bool reserves = policy_.running == RunningOrder::kDecodesReserved && turn == Turn::kAll;
  int64_t reserved = reserves ? decode_tokens() : 0;
  bool goes_on = true;
  for (size_t place = 0; goes_on && place < running_.size() && budget_ > 0; ++place) {
    const int64_t request = running_[place];
    RequestState& one = state(request);
    bool decodes = false;
    if (turn != Turn::kAll || reserves) {
      decodes = one.decodes();
      if (turn != Turn::kAll && decodes != (turn == Turn::kDecodes)) continue;
    }
    if (decodes) reserved -= std::max<int64_t>(grant(one, options_.max_num_batched_tokens), 0);
    const int64_t tokens = grant(one, decodes ? budget_ : budget_ - std::max<int64_t>(reserved, 0));
    TW_CHECK(one.computed - one.in_flight <= one.length(), "no more is computed than there is");
    if (tokens <= 0) continue;
    goes_on = one.computed + tokens + lookahead_ <= one.room || make_room(plan, place, tokens);
    if (goes_on) add_slice(plan, request, tokens);
  }
  // What was taken from a request within this step must not be found by others, so blocks are
  // offered to the cache only now.
  for (const SequenceSlice& slice : plan.batch.slices) cache_verified(slice.request, plan.number);
  return goes_on;
}

int64_t Scheduler::held_tokens(int64_t tokens) const {
  return std::min(tokens + lookahead_, max_model_len_);
}

bool Scheduler::make_room(StepPlan& plan, size_t& place, int64_t tokens) {
  const int64_t request = running_[place];
  RequestState& growing = state(request);
  while (!kv_.grow(request, held_tokens(growing.computed + tokens))) {
    const size_t gone = victim();
    const bool itself = gone == place;
    preempt(plan, gone, request);
    if (itself) return false;
    if (gone < place) --place;
  }
  growing.room = kv_.room(request);
  return true;
}

size_t Scheduler::victim() const {
  if (!by_priority_) return running_.size() - 1;
  return static_cast<size_t>(
      std::max_element(running_.begin(), running_.end(),
                       [this](int64_t a, int64_t b) { return is_before(a, b); }) -
      running_.begin());
}

void Scheduler::preempt(StepPlan& plan, size_t victim, int64_t needed_by) {
  const int64_t request = running_[victim];
  running_.erase(running_.begin() + static_cast<ptrdiff_t>(victim));
  unschedule(plan, request);
  RequestState& gone = state(request);
  kv_.release(request, verified(gone), plan.number - 1);
  reserved_blocks_ -= longest_blocks(gone);
  gone.recomputed += gone.computed;
  gone.computed = gone.drafts = gone.placeholders = gone.in_flight = gone.room = 0;
  ++gone.preemptions;
  put_back(request);
  plan.preempted.push_back({request, needed_by});
}

void Scheduler::unschedule(StepPlan& plan, int64_t request) {
  std::vector<SequenceSlice>& slices = plan.batch.slices;
  const auto slice = std::find_if(slices.begin(), slices.end(),
                                  [&](const SequenceSlice& one) { return one.request == request; });
  if (slice == slices.end()) return;
  count_slice(plan, *slice, -1);
  RequestState& one = state(request);
  one.computed -= slice->tokens;
  one.scheduled -= slice->tokens;
  budget_ += slice->tokens;
  plan.epochs.erase(plan.epochs.begin() + (slice - slices.begin()));
  slices.erase(slice);
}

void Scheduler::count_slice(StepPlan& plan, const SequenceSlice& slice, int64_t sign) const {
  const RequestState& request = state(slice.request);
  const bool extends =
      slice.samples && slice.tokens == 1 + slice.drafts && slice.context >= request.prompt;
  plan.tokens += sign * slice.tokens;
  plan.samples += slice.samples ? sign * (1 + slice.drafts) : 0;
  plan.draft_tokens += sign * slice.drafts;
  plan.verifies += extends && slice.drafts > 0 ? sign : 0;
  plan.decodes += extends && slice.drafts == 0 ? sign : 0;
  plan.prefill_tokens += extends ? 0 : sign * slice.tokens;
}

void Scheduler::add_slice(StepPlan& plan, int64_t request, int64_t tokens) {
  RequestState& one = state(request);
  const int64_t known = one.length() + one.placeholders;
  SequenceSlice& slice = plan.batch.slices.emplace_back();
  slice.request = request;
  slice.context = one.computed;
  slice.tokens = tokens;
  slice.samples = one.computed + tokens >= known;
  slice.drafts = slice.samples ? one.computed + tokens - known : 0;
  if (is_functional_) slice.sampling = options_.generation_of(request).sampling;
  plan.epochs.push_back(one.preemptions);
  count_slice(plan, slice, 1);
  budget_ -= tokens;
  one.computed += tokens;
  one.scheduled += tokens;
  one.in_flight += tokens;
  if (!slice.samples) return;
  one.drafts = 0;
  if (plans_ahead_) ++one.placeholders;
}

void Scheduler::admit_waiting(StepPlan& plan) {
  if (!plan.preempted.empty()) {
    plan.refusal = Refusal::kPreemption;
    plan.refused = waiting_.front();
    return;
  }
  while (!waiting_.empty() && admit_next(plan)) continue;
}

size_t Scheduler::next_waiting() {
  if (policy_.waiting != WaitingOrder::kLongestPrefix || waiting() > kMaxPrefixOrdered) return 0;
  size_t best = 0;
  int64_t most = -1;
  for (size_t i = 0; i < waiting_.size(); ++i) {
    const int64_t request = waiting_[i];
    const PrefixHit hit = kv_.find(request, state(request).length(),
                                   options_.generation_of(request).cache_salt, plans_);
    if (hit.tokens <= most) continue;
    most = hit.tokens;
    best = i;
  }
  return best;
}

bool Scheduler::admit_next(StepPlan& plan) {
  const auto refuse = [&](int64_t request, Refusal why) {
    plan.refused = request;
    plan.refusal = why;
    return false;
  };
  if (running() >= options_.max_num_seqs) return refuse(waiting_.front(), Refusal::kMaxNumSeqs);
  if (budget_ <= 0) return refuse(waiting_.front(), Refusal::kTokenBudget);
  const size_t place = next_waiting();
  const int64_t request = waiting_[place];
  RequestState& one = state(request);
  const PrefixHit hit =
      kv_.find(request, one.length(), options_.generation_of(request).cache_salt, plan.number);
  int64_t tokens = one.length() - hit.tokens;
  if (options_.long_prefill_token_threshold > 0) {
    tokens = std::min(tokens, options_.long_prefill_token_threshold);
  }
  if (tokens > budget_) {
    const bool cuts = policy_.cuts_prompts || plan.batch.slices.empty();
    if (!options_.enable_chunked_prefill || !cuts) return refuse(request, Refusal::kTokenBudget);
    tokens = budget_;
  }
  const Refusal why = gate(one, hit, hit.tokens + tokens);
  if (why != Refusal::kNone) return refuse(request, why);

  waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(place));
  running_.push_back(request);
  kv_.admit(request, hit, held_tokens(hit.tokens + tokens), plan.batch.copies);
  kv_.count(hit, one.length(), one.preemptions > 0);
  reserved_blocks_ += longest_blocks(one);
  one.computed = hit.tokens;
  one.hits += hit.tokens;
  one.room = kv_.room(request);
  one.next_full = kv_.next_full(request);
  plan.admitted.push_back({request, hit});
  add_slice(plan, request, tokens);
  cache_verified(request, plan.number);
  return true;
}

int64_t Scheduler::longest_blocks(const RequestState& request) const {
  return pool().blocks_for(held_tokens(request.prompt + request.output_limit));
}

Refusal Scheduler::gate(const RequestState& request, const PrefixHit& hit, int64_t tokens) const {
  const bool whole =
      policy_.gate == AdmissionGate::kOption ? options_.scheduler_reserve_full_isl : true;
  if (policy_.gate == AdmissionGate::kMaxLength &&
      reserved_blocks_ + longest_blocks(request) > pool().total()) {
    return Refusal::kMaxLength;
  }
  const int64_t needed = kv_.needed(hit, held_tokens(whole ? request.length() : tokens));
  const int64_t kept_free = running_.empty() ? 0 : watermark_blocks_;
  return needed + kept_free > pool().free() ? Refusal::kKvBlocks : Refusal::kNone;
}

void Scheduler::cache_verified(int64_t request, int64_t plan) {
  RequestState& one = state(request);
  if (verified(one) < one.next_full) return;
  kv_.cache(request, verified(one), plan);
  one.next_full = kv_.next_full(request);
}

void Scheduler::show_blocks(StepPlan& plan) const {
  for (SequenceSlice& slice : plan.batch.slices) slice.blocks = kv_.blocks(slice.request);
}

void Scheduler::set_drafts(int64_t request, int64_t count) {
  RequestState& one = state(request);
  TW_CHECK(count >= 0 && count <= most_drafts(request) && one.placeholders == 0,
           "drafts stay within the longest output");
  one.drafts = count;
}

int64_t Scheduler::most_drafts(int64_t request) const {
  const RequestState& one = state(request);
  return std::max<int64_t>(
      std::min(one.output_limit - one.generated - 1, max_model_len_ - one.length() - 1), 0);
}

}  // namespace tilewright
