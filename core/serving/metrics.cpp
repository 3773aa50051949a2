#include "core/serving/metrics.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"

namespace tilewright {

namespace {

constexpr double kMsPerNs = 1e-6;
constexpr int64_t kNsPerSecond = 1'000'000'000;

/// A value in ns that occurs `count` times.
struct Sample {
  double ns = 0;
  int64_t count = 1;
};

/// The percentile of sorted samples, as if each stood there `count` times.
double percentile_of(std::span<const Sample> sorted, int64_t total, double percent) {
  const double rank = percent / 100 * static_cast<double>(total - 1);
  const auto below = static_cast<int64_t>(rank);
  const double fraction = rank - static_cast<double>(below);
  int64_t passed = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    passed += sorted[i].count;
    if (passed <= below) continue;
    const bool next_is_same = below + 1 < passed || i + 1 == sorted.size();
    const double next = next_is_same ? sorted[i].ns : sorted[i + 1].ns;
    return sorted[i].ns + fraction * (next - sorted[i].ns);
  }
  return 0;
}

LatencySummary summarise(std::vector<Sample> samples) {
  std::sort(samples.begin(), samples.end(),
            [](const Sample& a, const Sample& b) { return a.ns < b.ns; });
  int64_t total = 0;
  double sum = 0;
  for (const Sample& sample : samples) {
    total += sample.count;
    sum += sample.ns * static_cast<double>(sample.count);
  }
  if (total == 0) return {};
  const double mean = sum / static_cast<double>(total);
  double squares = 0;
  for (const Sample& sample : samples) {
    squares += (sample.ns - mean) * (sample.ns - mean) * static_cast<double>(sample.count);
  }
  return {.mean = mean * kMsPerNs,
          .median = percentile_of(samples, total, 50) * kMsPerNs,
          .std = std::sqrt(squares / static_cast<double>(total)) * kMsPerNs,
          .p90 = percentile_of(samples, total, 90) * kMsPerNs,
          .p99 = percentile_of(samples, total, 99) * kMsPerNs};
}

/// Gathers what the summaries need, request after request.
class Collector {
 public:
  Collector(std::span<const int64_t> step_end_ns, const Slo& slo)
      : step_end_ns_(step_end_ns),
        slo_(slo),
        gap_changes_(step_end_ns.size() + 1),
        token_changes_(step_end_ns.size() + 1) {}

  void add(const RequestRecord& request);
  ServingMetrics finish(int64_t first_arrival_ns);

 private:
  int64_t end_of(int64_t step) const { return step_end_ns_[static_cast<size_t>(step)]; }
  void add_tokens(const RequestRecord& request);
  void add_step_gaps();
  double peak_token_rate(int64_t origin_ns) const;
  int64_t peak_concurrency(int64_t origin_ns) const;

  std::span<const int64_t> step_end_ns_;
  const Slo& slo_;
  ServingMetrics metrics_;
  int64_t good_ = 0;
  std::vector<Sample> ttft_, tpot_, itl_, e2el_;
  std::vector<std::pair<int64_t, int64_t>> spans_;  // arrival and last token
  // Tokens of one run share their gaps with every other request of the same steps, so gaps and
  // tokens are counted by step: as differences between one step and the next.
  std::vector<int64_t> gap_changes_;
  std::vector<int64_t> token_changes_;
};

void Collector::add(const RequestRecord& request) {
  if (!is_complete(request.finish)) {
    ++(request.finish == FinishReason::kAborted ? metrics_.aborted : metrics_.failed);
    return;
  }
  TW_CHECK(!request.token_runs.empty(), "a completed request has tokens");
  ++metrics_.completed;
  metrics_.total_input_tokens += request.prompt_tokens;
  metrics_.total_output_tokens += request.output_tokens;
  const TokenRun& last_run = request.token_runs.back();
  const int64_t last_ns = end_of(last_run.first_step + last_run.count - 1);
  const auto ttft =
      static_cast<double>(end_of(request.token_runs.front().first_step) - request.arrival_ns);
  const auto e2el = static_cast<double>(last_ns - request.arrival_ns);
  double tpot = 0;
  if (request.output_tokens > 1) {
    tpot = (e2el - ttft) / static_cast<double>(request.output_tokens - 1);
    tpot_.push_back({tpot});
  }
  ttft_.push_back({ttft});
  e2el_.push_back({e2el});
  spans_.emplace_back(request.arrival_ns, last_ns);
  const auto keeps = [](double ns, const std::optional<double>& limit_ms) {
    return !limit_ms || ns * kMsPerNs <= *limit_ms;
  };
  if (keeps(ttft, slo_.ttft_ms) && keeps(tpot, slo_.tpot_ms) && keeps(e2el, slo_.e2el_ms)) ++good_;
  add_tokens(request);
}

void Collector::add_tokens(const RequestRecord& request) {
  const TokenRun* before = nullptr;
  for (const TokenRun& run : request.token_runs) {
    const auto first = static_cast<size_t>(run.first_step);
    const auto end = static_cast<size_t>(run.first_step + run.count);
    ++token_changes_[first];
    --token_changes_[end];
    ++gap_changes_[first + 1];  // the first token of a run has no gap within it
    --gap_changes_[end];
    if (before) {
      const int64_t gap = end_of(run.first_step) - end_of(before->first_step + before->count - 1);
      itl_.push_back({static_cast<double>(gap)});
    }
    before = &run;
  }
}

void Collector::add_step_gaps() {
  int64_t requests = 0;
  for (size_t step = 1; step < step_end_ns_.size(); ++step) {
    requests += gap_changes_[step];
    TW_CHECK(step_end_ns_[step] >= step_end_ns_[step - 1], "steps end in order");
    if (requests == 0) continue;
    itl_.push_back({static_cast<double>(step_end_ns_[step] - step_end_ns_[step - 1]), requests});
  }
}

double Collector::peak_token_rate(int64_t origin_ns) const {
  int64_t peak = 0, in_bin = 0, bin = -1, tokens = 0;
  for (size_t step = 0; step < step_end_ns_.size(); ++step) {
    tokens += token_changes_[step];
    const int64_t of_step = (step_end_ns_[step] - origin_ns) / kNsPerSecond;
    in_bin = of_step == bin ? in_bin + tokens : tokens;
    bin = of_step;
    peak = std::max(peak, in_bin);
  }
  return static_cast<double>(peak);
}

int64_t Collector::peak_concurrency(int64_t origin_ns) const {
  std::vector<std::pair<int64_t, int64_t>> changes;  // bin, change
  for (const auto& [arrival_ns, last_ns] : spans_) {
    changes.emplace_back((arrival_ns - origin_ns) / kNsPerSecond, 1);
    changes.emplace_back((last_ns - origin_ns) / kNsPerSecond + 1, -1);
  }
  std::sort(changes.begin(), changes.end());
  int64_t peak = 0, now = 0;
  for (const auto& [bin, change] : changes) {
    now += change;
    peak = std::max(peak, now);
  }
  return peak;
}

ServingMetrics Collector::finish(int64_t first_arrival_ns) {
  add_step_gaps();
  metrics_.ttft = summarise(std::move(ttft_));
  metrics_.tpot = summarise(std::move(tpot_));
  metrics_.itl = summarise(std::move(itl_));
  metrics_.e2el = summarise(std::move(e2el_));
  if (slo_.any()) metrics_.request_goodput = 0;
  if (spans_.empty()) return metrics_;

  int64_t origin_ns = spans_.front().first;
  int64_t last_ns = 0;
  for (const auto& [arrival, last] : spans_) {
    origin_ns = std::min(origin_ns, arrival);
    last_ns = std::max(last_ns, last);
  }
  metrics_.max_output_tokens_per_s = peak_token_rate(origin_ns);
  metrics_.max_concurrent_requests = peak_concurrency(origin_ns);
  metrics_.duration = static_cast<double>(last_ns - first_arrival_ns) * 1e-9;
  if (metrics_.duration <= 0) return metrics_;
  const auto rate = [&](int64_t count) { return static_cast<double>(count) / metrics_.duration; };
  metrics_.request_throughput = rate(metrics_.completed);
  metrics_.output_throughput = rate(metrics_.total_output_tokens);
  metrics_.total_token_throughput =
      rate(metrics_.total_input_tokens + metrics_.total_output_tokens);
  if (slo_.any()) metrics_.request_goodput = rate(good_);
  return metrics_;
}

void put(Json& json, const std::string& name, const LatencySummary& summary) {
  json["mean_" + name + "_ms"] = summary.mean;
  json["median_" + name + "_ms"] = summary.median;
  json["std_" + name + "_ms"] = summary.std;
  json["p90_" + name + "_ms"] = summary.p90;
  json["p99_" + name + "_ms"] = summary.p99;
}

}  // namespace

ServingMetrics compute_metrics(std::span<const RequestRecord> requests,
                               std::span<const int64_t> step_end_ns, const Slo& slo) {
  Collector collector(step_end_ns, slo);
  int64_t first_arrival_ns = requests.empty() ? 0 : requests.front().arrival_ns;
  for (const RequestRecord& request : requests) {
    first_arrival_ns = std::min(first_arrival_ns, request.arrival_ns);
    collector.add(request);
  }
  return collector.finish(first_arrival_ns);
}

Json to_json(const ServingMetrics& metrics) {
  Json json;
  json["duration"] = metrics.duration;
  json["completed"] = metrics.completed;
  json["failed"] = metrics.failed;
  json["total_input_tokens"] = metrics.total_input_tokens;
  json["total_output_tokens"] = metrics.total_output_tokens;
  json["request_throughput"] = metrics.request_throughput;
  if (metrics.request_goodput) json["request_goodput"] = *metrics.request_goodput;
  json["output_throughput"] = metrics.output_throughput;
  json["total_token_throughput"] = metrics.total_token_throughput;
  json["max_output_tokens_per_s"] = metrics.max_output_tokens_per_s;
  json["max_concurrent_requests"] = metrics.max_concurrent_requests;
  put(json, "ttft", metrics.ttft);
  put(json, "tpot", metrics.tpot);
  put(json, "itl", metrics.itl);
  put(json, "e2el", metrics.e2el);
  return json;
}

}  // namespace tilewright
