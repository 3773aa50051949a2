#include "core/serving/step_log.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "core/base/error.h"

namespace tilewright {

std::string_view name_of(StepEvent::Kind kind) {
  constexpr std::array<std::string_view, 3> kNames = {"preemption", "cache_hit", "refusal"};
  return kNames[static_cast<size_t>(kind)];
}

bool operator==(const StepRecord& a, const StepRecord& b) {
  const auto all = [](const StepRecord& r) {
    return std::tie(r.first_step, r.count, r.start_ns, r.end_ns, r.tokens, r.prefill_tokens,
                    r.decodes, r.verifies, r.draft_tokens, r.running, r.waiting, r.kv_blocks,
                    r.preemptions, r.idle_ns, r.op_ns);
  };
  return all(a) == all(b);
}

void StepLog::end_step(int64_t end_ns) {
  TW_CHECK(step_end_ns.empty() || end_ns >= step_end_ns.back(), "steps end in order");
  step_end_ns.push_back(end_ns);
}

bool StepLog::add_events(const StepPlan& plan) {
  const size_t before = events.size();
  const int64_t step = steps();
  preemptions += std::ssize(plan.preempted);
  for (const Preemption& gone : plan.preempted) {
    events.push_back({.step = step,
                      .kind = StepEvent::Kind::kPreemption,
                      .request = gone.request,
                      .needed_by = gone.needed_by});
  }
  for (const Admitted& admitted : plan.admitted) {
    if (admitted.hit.tokens == 0) continue;
    events.push_back({.step = step,
                      .kind = StepEvent::Kind::kCacheHit,
                      .request = admitted.request,
                      .shared_tokens = admitted.hit.tokens - admitted.hit.copied,
                      .copied_tokens = admitted.hit.copied});
  }
  if (plan.refused >= 0 && last_refused_ != std::pair(plan.refused, plan.refusal)) {
    last_refused_ = {plan.refused, plan.refusal};
    events.push_back({.step = step,
                      .kind = StepEvent::Kind::kRefusal,
                      .request = plan.refused,
                      .cause = plan.refusal});
  }
  return events.size() > before;
}

void StepLog::add_times(StepRecord& record, const std::vector<OpTime>& ops) {
  // Steps list their ops in the same order, so the place in the list is nearly always right.
  for (size_t i = 0; i < ops.size(); ++i) {
    auto sum = by_op.begin() + static_cast<ptrdiff_t>(std::min(i, by_op.size()));
    if (sum == by_op.end() || sum->op != ops[i].op) {
      sum = std::find_if(by_op.begin(), by_op.end(),
                         [&](const OpTime& known) { return known.op == ops[i].op; });
    }
    if (sum == by_op.end()) sum = by_op.insert(by_op.end(), {.op = ops[i].op});
    sum->calls += ops[i].calls;
    sum->ns += ops[i].ns;
    const auto place = static_cast<size_t>(sum - by_op.begin());
    if (record.op_ns.size() <= place) record.op_ns.resize(place + 1);
    record.op_ns[place] += ops[i].ns;
  }
}

void StepLog::add(StepRecord record, int64_t samples, bool has_events) {
  peak_kv_blocks = std::max(peak_kv_blocks, record.kv_blocks);
  step_tokens[record.tokens] += record.count;
  if (samples > 0) step_samples[samples] += record.count;
  if (!records.empty()) {
    // With as many decodes of as many running requests, and no prefill, the batch is the same one:
    // another could only have come in by a prefill.
    StepRecord& last = records.back();
    const auto composition = [](const StepRecord& r) {
      return std::tie(r.tokens, r.prefill_tokens, r.decodes, r.running, r.waiting);
    };
    if (!has_events && record.prefill_tokens == 0 && record.verifies == 0 &&
        composition(last) == composition(record)) {
      last.count += record.count;
      last.end_ns = record.end_ns;
      last.kv_blocks = record.kv_blocks;
      last.idle_ns += record.idle_ns;
      last.work += record.work;
      last.op_ns.resize(std::max(last.op_ns.size(), record.op_ns.size()));
      for (size_t i = 0; i < record.op_ns.size(); ++i) last.op_ns[i] += record.op_ns[i];
      return;
    }
  }
  records.push_back(std::move(record));
}

}  // namespace tilewright
