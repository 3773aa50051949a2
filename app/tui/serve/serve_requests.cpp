#include "app/tui/serve/serve_requests.h"

#include <algorithm>
#include <map>

#include "core/serving/latencies.h"

namespace tilewright {

namespace {

constexpr double kMsPerNs = 1e-6;
/// Spans of one request: a row of the table has no more cells.
constexpr size_t kMostSpans = 400;

/// Steps at which each request was preempted, ascending.
std::map<int64_t, std::vector<int64_t>> preemption_steps(const ServingRecord& record) {
  std::map<int64_t, std::vector<int64_t>> steps;
  for (const StepEvent& event : record.events) {
    if (event.kind == StepEvent::Kind::kPreemption) steps[event.request].push_back(event.step);
  }
  return steps;
}

class RequestReader {
 public:
  RequestReader(const ServeView& view, const RequestRecord& record, ServeRequest& request)
      : view_(view), record_(record), request_(request) {}

  void read(const std::vector<int64_t>& preempted) {
    request_.arrival_ns = record_.arrival_ns;
    request_.prompt = record_.prompt_tokens;
    request_.output = record_.output_tokens;
    request_.cached = record_.cached_tokens;
    request_.preemptions = record_.preemptions;
    read_times();
    read_spans(preempted);
    request_.phase = phase_of(preempted);
  }

 private:
  int64_t end_of(int64_t step) const {
    const int64_t last = std::ssize(view_.record.step_end_ns) - 1;
    return view_.record.step_end_ns[static_cast<size_t>(std::clamp<int64_t>(step, 0, last))];
  }
  bool has_tokens() const { return !record_.token_runs.empty(); }
  int64_t first_token_ns() const { return end_of(record_.token_runs.front().first_step); }
  int64_t last_step() const {
    const TokenRun& last = record_.token_runs.back();
    return last.first_step + last.count - 1;
  }
  bool is_under_way() const { return record_.finish == FinishReason::kNone; }

  void read_times() {
    const auto until_now = static_cast<double>(view_.end_ns - record_.arrival_ns) * kMsPerNs;
    if (!has_tokens()) {
      request_.stall_ms = is_under_way() ? std::max(0.0, until_now) : 0;
      return;
    }
    const RequestTimes times = times_of(record_, view_.record.step_end_ns);
    request_.ttft_ms = times.ttft * kMsPerNs;
    if (record_.output_tokens > 1) request_.tpot_ms = times.tpot * kMsPerNs;
    if (is_completed(record_)) request_.e2el_ms = times.e2el * kMsPerNs;
    int64_t longest = 0;
    for (const int64_t gap : gaps_of(record_, view_.record.step_end_ns)) {
      longest = std::max(longest, gap);
    }
    request_.stall_ms = static_cast<double>(longest) * kMsPerNs;
  }

  void add(RequestSpan::Kind kind, int64_t from_ns, int64_t to_ns) {
    if (to_ns <= from_ns || request_.spans.size() >= kMostSpans) return;
    request_.spans.push_back({kind, from_ns, to_ns});
  }

  void read_spans(const std::vector<int64_t>& preempted) {
    using Kind = RequestSpan::Kind;
    const int64_t now = view_.end_ns;
    if (record_.finish == FinishReason::kRejected) return;
    if (record_.first_scheduled_ns < 0) return add(Kind::kWait, record_.arrival_ns, now);
    add(Kind::kWait, record_.arrival_ns, record_.first_scheduled_ns);
    int64_t from = record_.first_scheduled_ns;
    Kind kind = Kind::kPrefill;
    auto next = preempted.begin();
    for (const TokenRun& run : record_.token_runs) {
      // Planned away before this run's first token: it waited and was computed again until then.
      for (; next != preempted.end() && *next <= run.first_step; ++next) {
        const int64_t at = *next > 0 ? end_of(*next - 1) : 0;
        if (at > from) {
          add(kind, from, at);
          from = at;
        }
        kind = Kind::kStall;
      }
      add(kind, from, end_of(run.first_step));
      const int64_t last = end_of(run.first_step + run.count - 1);
      add(Kind::kDecode, end_of(run.first_step), last);
      from = last;
      kind = Kind::kDecode;
    }
    if (!is_under_way() && record_.finish != FinishReason::kAborted) return;
    if (next != preempted.end()) kind = Kind::kStall;
    add(kind, from, now);
  }

  RequestPhase phase_of(const std::vector<int64_t>& preempted) const {
    switch (record_.finish) {
      case FinishReason::kStop:
      case FinishReason::kLength:
        return RequestPhase::kDone;
      case FinishReason::kRejected:
        return RequestPhase::kRejected;
      case FinishReason::kAborted:
        return RequestPhase::kAborted;
      case FinishReason::kNone:
        break;
    }
    if (record_.first_scheduled_ns < 0) return RequestPhase::kWaiting;
    const int64_t last = has_tokens() ? last_step() : -1;
    if (!preempted.empty() && preempted.back() > last) return RequestPhase::kPreempted;
    return has_tokens() ? RequestPhase::kDecode : RequestPhase::kPrefill;
  }

  const ServeView& view_;
  const RequestRecord& record_;
  ServeRequest& request_;
};

/// What the table is ordered by, the most first.
double sort_key(const ServeRequest& request, RequestSort sort) {
  switch (sort) {
    case RequestSort::kTtft:
      return request.ttft_ms;
    case RequestSort::kTpot:
      return request.tpot_ms;
    case RequestSort::kE2el:
      return request.e2el_ms;
    case RequestSort::kStall:
      return request.stall_ms;
    case RequestSort::kPhase:
      return -static_cast<double>(request.phase);
    case RequestSort::kAge:
      break;
  }
  return static_cast<double>(request.arrival_ns);
}

}  // namespace

std::vector<uint32_t> order_of(const std::vector<ServeRequest>& requests, RequestSort sort) {
  std::vector<std::pair<double, uint32_t>> keys;
  keys.reserve(requests.size());
  for (const ServeRequest& request : requests) {
    keys.emplace_back(-sort_key(request, sort), static_cast<uint32_t>(keys.size()));
  }
  std::sort(keys.begin(), keys.end());
  std::vector<uint32_t> order;
  order.reserve(keys.size());
  for (const auto& [key, place] : keys) order.push_back(place);
  return order;
}

std::vector<ServeRequest> serve_requests(const ServeView& view) {
  const auto preempted = preemption_steps(view.record);
  const std::vector<int64_t> never;
  std::vector<ServeRequest> requests(view.record.requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    requests[i].id = view.ids[i];
    requests[i].place = i;
    const auto found = preempted.find(view.ids[i]);
    RequestReader(view, view.record.requests[i], requests[i])
        .read(found == preempted.end() ? never : found->second);
  }
  return requests;
}

size_t record_of_step(const ServeView& view, int64_t step) {
  const std::vector<StepRecord>& steps = view.record.steps;
  const auto behind = std::ranges::upper_bound(steps, step, {}, &StepRecord::first_step);
  return behind == steps.begin() ? 0 : static_cast<size_t>(behind - steps.begin() - 1);
}

size_t record_at(const ServeView& view, int64_t ns) {
  const std::vector<StepRecord>& steps = view.record.steps;
  const auto behind = std::ranges::upper_bound(steps, ns, {}, &StepRecord::start_ns);
  return behind == steps.begin() ? 0 : static_cast<size_t>(behind - steps.begin() - 1);
}

std::vector<size_t> steps_of(const ServeView& view, const ServeRequest& request) {
  std::vector<size_t> places;
  const std::vector<StepRecord>& steps = view.record.steps;
  if (steps.empty()) return places;
  for (const RequestSpan& span : request.spans) {
    if (span.kind == RequestSpan::Kind::kWait) continue;
    for (size_t i = record_at(view, span.from_ns); i < steps.size(); ++i) {
      if (steps[i].start_ns >= span.to_ns) break;
      if (steps[i].end_ns <= span.from_ns) continue;
      if (places.empty() || places.back() < i) places.push_back(i);
    }
  }
  return places;
}

}  // namespace tilewright
