#include "core/serving/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/serving/latencies.h"

namespace tilewright {

namespace {

constexpr double kMsPerNs = 1e-6;
constexpr int64_t kNsPerSecond = 1'000'000'000;

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
    const double next = next_is_same ? sorted[i].value : sorted[i + 1].value;
    return sorted[i].value + fraction * (next - sorted[i].value);
  }
  return 0;
}

LatencySummary summarise(std::vector<Sample> samples, std::span<const double> percentiles) {
  std::sort(samples.begin(), samples.end(),
            [](const Sample& a, const Sample& b) { return a.value < b.value; });
  int64_t total = 0;
  double sum = 0;
  for (const Sample& sample : samples) {
    total += sample.count;
    sum += sample.value * static_cast<double>(sample.count);
  }
  LatencySummary summary;
  const auto at = [&](double percent) {
    return total == 0 ? 0 : percentile_of(samples, total, percent) * kMsPerNs;
  };
  for (const double percent : percentiles) summary.percentiles.emplace_back(percent, at(percent));
  if (total == 0) return summary;
  const double mean = sum / static_cast<double>(total);
  double squares = 0;
  for (const Sample& sample : samples) {
    squares += (sample.value - mean) * (sample.value - mean) * static_cast<double>(sample.count);
  }
  summary.mean = mean * kMsPerNs;
  summary.std = std::sqrt(squares / static_cast<double>(total)) * kMsPerNs;
  summary.median = at(50);
  summary.p90 = at(90);
  summary.p99 = at(99);
  return summary;
}

/// Arrival and last token of a request.
using Span = std::pair<int64_t, int64_t>;

/// The most output tokens whose steps end within the same second after `origin_ns`.
double peak_token_rate(const StepTokens& steps, std::span<const int64_t> step_end_ns,
                       int64_t origin_ns) {
  int64_t peak = 0, in_bin = 0, bin = -1;
  const std::vector<int64_t> tokens = steps.tokens();
  for (size_t step = 0; step < tokens.size(); ++step) {
    const int64_t of_step = (step_end_ns[step] - origin_ns) / kNsPerSecond;
    in_bin = of_step == bin ? in_bin + tokens[step] : tokens[step];
    bin = of_step;
    peak = std::max(peak, in_bin);
  }
  return static_cast<double>(peak);
}

/// The most requests that are under way within the same second after `origin_ns`.
int64_t peak_concurrency(std::span<const Span> spans, int64_t origin_ns) {
  std::vector<std::pair<int64_t, int64_t>> changes;  // bin, change
  for (const auto& [arrival_ns, last_ns] : spans) {
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

/// Gathers what the summaries need, request after request.
class Collector {
 public:
  Collector(std::span<const int64_t> step_end_ns, const MetricsOptions& options)
      : step_end_ns_(step_end_ns), options_(options), steps_(step_end_ns) {}

  void add(const RequestRecord& request);
  ServingMetrics finish(int64_t first_arrival_ns);

 private:
  void add_times(const RequestRecord& request);
  void add_summaries();
  void add_peaks();
  bool keeps_slo(const RequestTimes& times) const;

  std::span<const int64_t> step_end_ns_;
  const MetricsOptions& options_;
  StepTokens steps_;
  ServingMetrics metrics_;
  int64_t good_ = 0;
  std::vector<Sample> ttft_, tpot_, e2el_, queue_, prefill_, decode_, inference_;
  std::vector<Span> spans_;
};

void Collector::add(const RequestRecord& request) {
  if (!is_completed(request)) {
    ++(request.finish == FinishReason::kAborted ? metrics_.aborted : metrics_.failed);
    return;
  }
  ++metrics_.completed;
  metrics_.total_input_tokens += request.prompt_tokens;
  metrics_.total_output_tokens += request.output_tokens;
  add_times(request);
  steps_.add(request);
}

void Collector::add_times(const RequestRecord& request) {
  const RequestTimes times = times_of(request, step_end_ns_);
  ttft_.push_back({times.ttft});
  e2el_.push_back({times.e2el});
  if (request.output_tokens > 1) tpot_.push_back({times.tpot});
  decode_.push_back({times.decode});
  if (request.first_scheduled_ns >= 0) {
    queue_.push_back({times.queue});
    prefill_.push_back({times.prefill});
    inference_.push_back({times.inference});
  }
  spans_.emplace_back(request.arrival_ns, request.arrival_ns + static_cast<int64_t>(times.e2el));
  if (keeps_slo(times)) ++good_;
}

bool Collector::keeps_slo(const RequestTimes& times) const {
  const auto keeps = [](double ns, const std::optional<double>& limit_ms) {
    return !limit_ms || ns * kMsPerNs <= *limit_ms;
  };
  const Slo& slo = options_.slo;
  return keeps(times.ttft, slo.ttft_ms) && keeps(times.tpot, slo.tpot_ms) &&
         keeps(times.e2el, slo.e2el_ms);
}

void Collector::add_summaries() {
  const auto summary_of = [&](std::vector<Sample>& samples) {
    return summarise(std::move(samples), options_.percentiles);
  };
  std::vector<Sample> gaps = steps_.gaps();
  metrics_.ttft = summary_of(ttft_);
  metrics_.tpot = summary_of(tpot_);
  metrics_.itl = summary_of(gaps);
  metrics_.e2el = summary_of(e2el_);
  metrics_.queue = summary_of(queue_);
  metrics_.prefill = summary_of(prefill_);
  metrics_.decode = summary_of(decode_);
  metrics_.inference = summary_of(inference_);
}

void Collector::add_peaks() {
  int64_t origin_ns = spans_.front().first;
  for (const Span& span : spans_) origin_ns = std::min(origin_ns, span.first);
  metrics_.max_output_tokens_per_s = peak_token_rate(steps_, step_end_ns_, origin_ns);
  metrics_.max_concurrent_requests = peak_concurrency(spans_, origin_ns);
}

ServingMetrics Collector::finish(int64_t first_arrival_ns) {
  add_summaries();
  if (options_.slo.any()) metrics_.request_goodput = 0;
  if (spans_.empty()) return metrics_;
  add_peaks();
  int64_t last_ns = 0;
  for (const Span& span : spans_) last_ns = std::max(last_ns, span.second);
  metrics_.duration = static_cast<double>(last_ns - first_arrival_ns) * 1e-9;
  if (metrics_.duration <= 0) return metrics_;
  const auto rate = [&](int64_t count) { return static_cast<double>(count) / metrics_.duration; };
  metrics_.request_throughput = rate(metrics_.completed);
  metrics_.output_throughput = rate(metrics_.total_output_tokens);
  metrics_.total_token_throughput =
      rate(metrics_.total_input_tokens + metrics_.total_output_tokens);
  if (options_.slo.any()) metrics_.request_goodput = rate(good_);
  return metrics_;
}

void put(Json& json, const std::string& name, const LatencySummary& summary) {
  json["mean_" + name + "_ms"] = summary.mean;
  json["median_" + name + "_ms"] = summary.median;
  json["std_" + name + "_ms"] = summary.std;
  std::map<double, double> percentiles = {{90, summary.p90}, {99, summary.p99}};
  percentiles.insert(summary.percentiles.begin(), summary.percentiles.end());
  for (const auto& [percent, ms] : percentiles)
    json[fmt::format("p{:g}_{}_ms", percent, name)] = ms;
}

double share(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

void put_speculation(Json& json, const SpeculationStats& stats) {
  const auto drafts = static_cast<double>(stats.num_drafts);
  json["spec_decode_acceptance_rate"] = 100 * stats.acceptance_rate();
  json["spec_decode_acceptance_length"] = stats.mean_acceptance_length();
  json["spec_decode_num_drafts"] = stats.num_drafts;
  json["spec_decode_draft_tokens"] = stats.draft_tokens;
  json["spec_decode_accepted_tokens"] = stats.accepted_tokens;
  Json& rates = json["spec_decode_per_position_acceptance_rates"] = Json::array();
  for (const int64_t at : stats.accepted_per_position)
    rates.push_back(static_cast<double>(at) / drafts);
}

}  // namespace

Utilisation utilisation_of(const StepWork& work, int64_t ns, double peak_flops,
                           double peak_bytes_per_s) {
  const double seconds = static_cast<double>(ns) * 1e-9;
  const double bytes = work.weight_bytes + work.kv_read_bytes + work.kv_write_bytes;
  return {.mfu = share(work.flops, seconds * peak_flops),
          .mbu = share(bytes, seconds * peak_bytes_per_s)};
}

std::vector<double> parse_percentiles(std::string_view text) {
  std::vector<double> percentiles;
  for (const std::string_view part : split(text, ',')) {
    const double percent = parse_number(trim(part), "percentile");
    if (!(percent >= 0 && percent <= 100)) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("percentile {} is outside 0 to 100", printable(part)));
    }
    percentiles.push_back(percent);
  }
  return percentiles;
}

ServingMetrics compute_metrics(std::span<const RequestRecord> requests,
                               std::span<const int64_t> step_end_ns,
                               const MetricsOptions& options) {
  Collector collector(step_end_ns, options);
  int64_t first_arrival_ns = requests.empty() ? 0 : requests.front().arrival_ns;
  for (const RequestRecord& request : requests) {
    first_arrival_ns = std::min(first_arrival_ns, request.arrival_ns);
    collector.add(request);
  }
  return collector.finish(first_arrival_ns);
}

ServingMetrics compute_metrics(std::span<const RequestRecord> requests,
                               std::span<const int64_t> step_end_ns, const Slo& slo) {
  return compute_metrics(requests, step_end_ns, MetricsOptions{.slo = slo});
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
  put(json, "queue", metrics.queue);
  put(json, "prefill", metrics.prefill);
  put(json, "decode", metrics.decode);
  put(json, "inference", metrics.inference);
  return json;
}

Json to_json(const RunTotals& totals, double duration_s) {
  Json json = Json::object();
  const Utilisation used =
      utilisation_of(totals.work, totals.device_ns, totals.peak_flops, totals.peak_bytes_per_s);
  if (totals.peak_flops > 0) json["mfu"] = used.mfu;
  if (totals.peak_bytes_per_s > 0) json["mbu"] = used.mbu;
  if (totals.device_ns > 0) {
    const auto device_ns = static_cast<double>(totals.device_ns);
    json["device_busy"] = share(device_ns * 1e-9, duration_s);
    json["device_idle"] = share(static_cast<double>(totals.idle_ns), device_ns);
  }
  if (totals.kv_blocks > 0) {
    const auto blocks = static_cast<double>(totals.kv_blocks);
    json["kv_usage_mean"] = totals.mean_kv_blocks / blocks;
    json["kv_usage_peak"] = static_cast<double>(totals.peak_kv_blocks) / blocks;
  }
  if (totals.prefix_caching) {
    json["prefix_cache_queries"] = totals.prefix_queries;
    json["prefix_cache_hits"] = totals.prefix_hits;
    json["prefix_cache_hit_rate"] =
        share(static_cast<double>(totals.prefix_hits), static_cast<double>(totals.prefix_queries));
  }
  if (totals.speculation.num_drafts > 0) put_speculation(json, totals.speculation);
  return json;
}

Json detailed_json(std::span<const RequestRecord> requests, std::span<const int64_t> step_end_ns) {
  Json input_lens = Json::array(), output_lens = Json::array(), ttfts = Json::array(),
       itls = Json::array(), start_times = Json::array(), errors = Json::array();
  for (const RequestRecord& request : requests) {
    const bool completed = is_completed(request);
    Json gaps = Json::array();
    if (completed) {
      for (const int64_t ns : gaps_of(request, step_end_ns)) {
        gaps.push_back(static_cast<double>(ns) / kNsPerSecond);
      }
    }
    input_lens.push_back(request.prompt_tokens);
    output_lens.push_back(completed ? request.output_tokens : 0);
    ttfts.push_back(completed ? times_of(request, step_end_ns).ttft / kNsPerSecond : 0.0);
    itls.push_back(std::move(gaps));
    start_times.push_back(static_cast<double>(request.arrival_ns) / kNsPerSecond);
    errors.push_back(completed ? std::string() : std::string(name_of(request.finish)));
  }
  return {{"input_lens", std::move(input_lens)},
          {"output_lens", std::move(output_lens)},
          {"ttfts", std::move(ttfts)},
          {"itls", std::move(itls)},
          {"start_times", std::move(start_times)},
          {"errors", std::move(errors)}};
}

}  // namespace tilewright
