#include "core/serving/latencies.h"

#include "core/base/error.h"

namespace tilewright {

namespace {

int64_t end_of(std::span<const int64_t> step_end_ns, int64_t step) {
  return step_end_ns[static_cast<size_t>(step)];
}

}  // namespace

bool is_completed(const RequestRecord& request) {
  return is_complete(request.finish);
}

RequestTimes times_of(const RequestRecord& request, std::span<const int64_t> step_end_ns) {
  TW_CHECK(!request.token_runs.empty(), "a completed request has tokens");
  const TokenRun& last_run = request.token_runs.back();
  const int64_t first_ns = end_of(step_end_ns, request.token_runs.front().first_step);
  const int64_t last_ns = end_of(step_end_ns, last_run.first_step + last_run.count - 1);
  RequestTimes times;
  times.ttft = static_cast<double>(first_ns - request.arrival_ns);
  times.e2el = static_cast<double>(last_ns - request.arrival_ns);
  times.decode = static_cast<double>(last_ns - first_ns);
  if (request.output_tokens > 1) {
    times.tpot = times.decode / static_cast<double>(request.output_tokens - 1);
  }
  if (request.first_scheduled_ns >= 0) {
    times.queue = static_cast<double>(request.first_scheduled_ns - request.arrival_ns);
    times.prefill = static_cast<double>(first_ns - request.first_scheduled_ns);
    times.inference = static_cast<double>(last_ns - request.first_scheduled_ns);
  }
  return times;
}

std::vector<int64_t> gaps_of(const RequestRecord& request, std::span<const int64_t> step_end_ns) {
  std::vector<int64_t> gaps;
  int64_t before_ns = -1;
  for (const TokenRun& run : request.token_runs) {
    for (int64_t step = run.first_step; step < run.first_step + run.count; ++step) {
      const int64_t now_ns = end_of(step_end_ns, step);
      if (before_ns >= 0) gaps.push_back(now_ns - before_ns);
      before_ns = now_ns;
    }
  }
  return gaps;
}

StepTokens::StepTokens(std::span<const int64_t> step_end_ns)
    : step_end_ns_(step_end_ns),
      gap_changes_(step_end_ns.size() + 1),
      token_changes_(step_end_ns.size() + 1) {}

void StepTokens::add(const RequestRecord& request) {
  const TokenRun* before = nullptr;
  for (const TokenRun& run : request.token_runs) {
    const auto first = static_cast<size_t>(run.first_step);
    const auto end = static_cast<size_t>(run.first_step + run.count);
    token_changes_[first] += run.tokens;
    token_changes_[end] -= run.tokens;
    ++gap_changes_[first + 1];  // the first step of a run has no gap within it
    --gap_changes_[end];
    if (before) {
      const int64_t gap = end_of(step_end_ns_, run.first_step) -
                          end_of(step_end_ns_, before->first_step + before->count - 1);
      gaps_between_runs_.push_back({static_cast<double>(gap)});
    }
    before = &run;
  }
}

std::vector<Sample> StepTokens::gaps() const {
  std::vector<Sample> samples = gaps_between_runs_;
  int64_t requests = 0;
  for (size_t step = 1; step < step_end_ns_.size(); ++step) {
    requests += gap_changes_[step];
    TW_CHECK(step_end_ns_[step] >= step_end_ns_[step - 1], "steps end in order");
    if (requests == 0) continue;
    samples.push_back({static_cast<double>(step_end_ns_[step] - step_end_ns_[step - 1]), requests});
  }
  return samples;
}

std::vector<int64_t> StepTokens::tokens() const {
  std::vector<int64_t> tokens;
  int64_t now = 0;
  for (size_t step = 0; step < step_end_ns_.size(); ++step) {
    now += token_changes_[step];
    tokens.push_back(now);
  }
  return tokens;
}

}  // namespace tilewright
