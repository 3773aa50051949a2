#include "app/tui/serve/serve_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/tui/serve/serve_requests.h"
#include "core/base/error.h"
#include "core/serving/latencies.h"

namespace tilewright {

namespace {

constexpr int64_t kMostBins = 512;
constexpr size_t kHistogramParts = 48;
constexpr double kMsPerNs = 1e-6;

/// 1, 2 or 5 times a power of ten that is not below `least`: bins that keep their borders while a
/// run grows.
int64_t round_length(int64_t least) {
  int64_t power = 1;
  while (power <= INT64_MAX / 100 && power * 10 <= least) power *= 10;
  for (const int64_t factor : {1, 2, 5, 10}) {
    if (power * factor >= least) return power * factor;
  }
  return power;
}

void check_order(const ServingRecord& record) {
  if (!std::ranges::is_sorted(record.step_end_ns)) {
    throw Error(ErrorKind::kFailed,
                "the log of the run is damaged: a step ends before the one "
                "before it");
  }
}

/// Adds up a record's steps and tokens by time.
class SeriesMaker {
 public:
  SeriesMaker(const ServeView& view, int64_t begin_ns, int64_t end_ns) : view_(view) {
    constexpr int64_t kLeastBin = 1'000'000;
    const int64_t length = std::max<int64_t>(1, end_ns - begin_ns);
    series_.bin_ns = round_length(std::max(kLeastBin, length / kMostBins + 1));
    series_.begin_ns = begin_ns;
    const int64_t bins = length / series_.bin_ns + 1;
    series_.bins.resize(static_cast<size_t>(bins));
    covered_ns_.resize(static_cast<size_t>(bins));
  }

  void add_steps() {
    for (const StepRecord& step : view_.record.steps) {
      add_loads(step);
      if (step.preemptions > 0 && step.start_ns >= series_.begin_ns) {
        series_.bins[bin_of(step.start_ns)].preemptions += step.preemptions;
      }
    }
  }

  void add_tokens() {
    StepTokens steps(view_.record.step_end_ns);
    for (const RequestRecord& request : view_.record.requests) steps.add(request);
    const std::vector<int64_t> tokens = steps.tokens();
    for (size_t i = 0; i < tokens.size(); ++i) {
      const int64_t end_ns = view_.record.step_end_ns[i];
      if (tokens[i] == 0 || end_ns < series_.begin_ns) continue;
      series_.bins[bin_of(end_ns)].tokens_per_s += static_cast<double>(tokens[i]);
    }
  }

  ServeSeries take() {
    const double seconds = static_cast<double>(series_.bin_ns) * 1e-9;
    for (size_t i = 0; i < series_.bins.size(); ++i) {
      ServeBin& bin = series_.bins[i];
      bin.tokens_per_s /= seconds;
      if (covered_ns_[i] <= 0) continue;
      bin.running /= covered_ns_[i];
      bin.waiting /= covered_ns_[i];
      bin.kv_share /= covered_ns_[i];
    }
    return std::move(series_);
  }

 private:
  size_t bin_of(int64_t ns) const {
    const int64_t last = std::ssize(series_.bins) - 1;
    return static_cast<size_t>(
        std::clamp<int64_t>((ns - series_.begin_ns) / series_.bin_ns, 0, last));
  }

  /// Means over the time that steps take: what nothing runs in says nothing.
  void add_loads(const StepRecord& step) {
    const int64_t from = std::max(step.start_ns, series_.begin_ns);
    if (step.end_ns <= from) return;
    const double blocks = static_cast<double>(view_.identity.kv_blocks);
    const double share = blocks > 0 ? static_cast<double>(step.kv_blocks) / blocks : 0;
    for (size_t bin = bin_of(from); bin <= bin_of(step.end_ns); ++bin) {
      const int64_t begin = series_.begin_ns + static_cast<int64_t>(bin) * series_.bin_ns;
      const int64_t part = std::min(step.end_ns, begin + series_.bin_ns) - std::max(from, begin);
      if (part <= 0) continue;
      const auto ns = static_cast<double>(part);
      covered_ns_[bin] += ns;
      series_.bins[bin].running += ns * static_cast<double>(step.running);
      series_.bins[bin].waiting += ns * static_cast<double>(step.waiting);
      series_.bins[bin].kv_share += ns * share;
    }
  }

  const ServeView& view_;
  ServeSeries series_;
  std::vector<double> covered_ns_;
};

/// Where the series begins: behind the last token of a request that is left out.
int64_t series_begin(const ServeView& view) {
  if (view.record.steps.empty()) return 0;
  return view.is_partial ? view.record.steps.front().start_ns : 0;
}

ServeLatency latency_of(std::string name, const LatencySummary& summary,
                        std::optional<double> limit_ms, std::vector<Sample> samples) {
  ServeLatency latency{
      .name = std::move(name), .summary = summary, .limit_ms = limit_ms, .histogram = {}};
  latency.most_ms = std::max(summary.p99, limit_ms.value_or(0));
  latency.histogram.resize(kHistogramParts);
  int64_t within = 0;
  int64_t all = 0;
  for (const Sample& sample : samples) {
    const double ms = sample.value * kMsPerNs;
    all += sample.count;
    if (limit_ms && ms <= *limit_ms) within += sample.count;
    const double place =
        latency.most_ms > 0 ? ms / latency.most_ms * static_cast<double>(kHistogramParts) : 0;
    const double part = std::clamp(place, 0.0, static_cast<double>(kHistogramParts - 1));
    latency.histogram[static_cast<size_t>(part)] += sample.count;
  }
  if (all > 0) latency.kept = static_cast<double>(within) / static_cast<double>(all);
  return latency;
}

void add_latencies(ServeView& view) {
  std::vector<Sample> ttft, tpot, e2el;
  StepTokens steps(view.record.step_end_ns);
  for (const RequestRecord& request : view.record.requests) {
    if (!is_completed(request)) continue;
    const RequestTimes times = times_of(request, view.record.step_end_ns);
    ttft.push_back({times.ttft});
    e2el.push_back({times.e2el});
    if (request.output_tokens > 1) tpot.push_back({times.tpot});
    steps.add(request);
  }
  const ServingMetrics& metrics = view.metrics;
  const Slo& slo = view.identity.slo;
  view.latencies = {latency_of("TTFT", metrics.ttft, slo.ttft_ms, std::move(ttft)),
                    latency_of("TPOT", metrics.tpot, slo.tpot_ms, std::move(tpot)),
                    latency_of("ITL", metrics.itl, std::nullopt, steps.gaps()),
                    latency_of("E2E", metrics.e2el, slo.e2el_ms, std::move(e2el))};
}

}  // namespace

void complete_view(ServeView& view) {
  check_order(view.record);
  view.end_ns = view.record.step_end_ns.empty() ? 0 : view.record.step_end_ns.back();
  if (view.progress) view.end_ns = view.progress->now_ns;
  view.preemptions = 0;
  for (const StepRecord& step : view.record.steps) {
    view.end_ns = std::max(view.end_ns, step.end_ns);
    view.preemptions += step.preemptions;
  }
  view.metrics = compute_metrics(view.record.requests, view.record.step_end_ns, view.identity.slo);
  SeriesMaker series(view, series_begin(view), view.end_ns);
  series.add_steps();
  series.add_tokens();
  view.series = series.take();
  add_latencies(view);
  view.requests = serve_requests(view);
  for (int sort = 0; sort < kRequestSorts; ++sort) {
    view.orders[static_cast<size_t>(sort)] =
        order_of(view.requests, static_cast<RequestSort>(sort));
  }
}

std::vector<ServeMeasure> measures_of(const ServeView& view) {
  using Unit = ServeMeasure::Unit;
  const ServingMetrics& metrics = view.metrics;
  std::vector<ServeMeasure> measures = {
      {"output tok/s", metrics.output_throughput, true, Unit::kPerSecond},
      {"TTFT p99", metrics.ttft.p99},
      {"TPOT p99", metrics.tpot.p99},
      {"E2E p99", metrics.e2el.p99},
      {"preemptions", static_cast<double>(view.preemptions), false, Unit::kCount},
      {"requests/s", metrics.request_throughput, true, Unit::kPerSecond},
      {"TTFT p50", metrics.ttft.median},
      {"TPOT p50", metrics.tpot.median},
      {"E2E p50", metrics.e2el.median}};
  if (metrics.request_goodput) {
    measures.insert(measures.begin() + 1,
                    {"goodput, req/s", *metrics.request_goodput, true, Unit::kPerSecond});
  }
  return measures;
}

double device_ns(const StepRecord& record) {
  return step_ns(record) * static_cast<double>(record.count);
}

std::string_view name_of(RequestPhase phase) {
  constexpr std::string_view kNames[] = {"waiting", "prefill",  "decode", "preempted",
                                         "done",    "rejected", "aborted"};
  return kNames[static_cast<size_t>(phase)];
}

}  // namespace tilewright
