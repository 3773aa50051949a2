#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/base/json.h"
#include "core/serving/executor.h"
#include "core/serving/request.h"
#include "core/serving/speculation.h"

namespace tilewright {

/// Statistics of a latency over requests (or gaps between tokens), in ms; all 0 when there are
/// none. Percentiles interpolate linearly, std is that of the population, as numpy's defaults do.
struct LatencySummary {
  double mean = 0;
  double median = 0;
  double std = 0;
  double p90 = 0;
  double p99 = 0;
  /// (percent, ms) of MetricsOptions::percentiles, in their order.
  std::vector<std::pair<double, double>> percentiles = {};
};

/// Latencies that a request must keep for its tokens to count as goodput, in ms, inclusive.
struct Slo {
  std::optional<double> ttft_ms = std::nullopt;
  std::optional<double> tpot_ms = std::nullopt;
  std::optional<double> e2el_ms = std::nullopt;

  bool any() const { return ttft_ms || tpot_ms || e2el_ms; }
};

/// What a run knows beyond the records of its requests; what is 0 was not there or is not known,
/// and gives no measure.
struct RunTotals {
  StepWork work = {};           ///< summed over the steps
  int64_t device_ns = 0;        ///< time in which the device executed a step
  int64_t idle_ns = 0;          ///< of that, waiting for the host (Execution::idle_ns)
  int64_t host_ns = 0;          ///< host work between steps
  double peak_flops = 0;        ///< Capacity::peak_flops
  double peak_bytes_per_s = 0;  ///< Capacity::peak_bytes_per_s
  int64_t chips = 1;
  int64_t preemptions = 0;
  int64_t block_size = 0;
  int64_t kv_blocks = 0;       ///< of the device
  int64_t peak_kv_blocks = 0;  ///< most in use at once
  double mean_kv_blocks = 0;   ///< in use, mean over time
  /// Prefix cache, in tokens, at admission: looked up and found.
  bool prefix_caching = false;
  int64_t prefix_queries = 0;
  int64_t prefix_hits = 0;
  SpeculationStats speculation = {};
  /// Number of steps for each total of tokens (ServingResult::step_tokens).
  std::map<int64_t, int64_t> step_tokens = {};
};

/// Share of what the device could have done at most.
struct Utilisation {
  double mfu = 0;  ///< achieved model FLOP/s over peak_flops
  double mbu = 0;  ///< achieved bytes/s (weights read, KV read and written) over peak_bytes_per_s
};

/// Of `work` that took `ns`, a step's or a whole run's; 0 where a peak or the time is 0.
Utilisation utilisation_of(const StepWork& work, int64_t ns, double peak_flops,
                           double peak_bytes_per_s);

struct MetricsOptions {
  Slo slo = {};
  std::vector<double> percentiles = {50, 90, 95, 99};  ///< each within 0 to 100
};

/// "50,90,99.9" as percentiles; Error (usage) for what is no number from 0 to 100.
std::vector<double> parse_percentiles(std::string_view text);

/// The measures of vLLM's `bench serve`, by its definitions. Only completed requests count, but for
/// `failed`.
/// - TTFT: first token - arrival. E2EL: last token - arrival.
/// - TPOT: (E2EL - TTFT) / (output tokens - 1), over requests with at least two; such with one
///   count as 0 in the goodput.
/// - ITL: gaps between the times at which tokens of a request come, over all of them; tokens of one
///   step come together (accepted drafts), which is one gap.
/// - duration: last token of all - first arrival, in s; rates are per second of it.
/// - max_output_tokens_per_s, max_concurrent_requests: peaks over bins of one second.
/// And those of vLLM's server: queue is arrival to first scheduled, prefill from there to the first
/// token, decode from first to last token, inference from first scheduled to last token, with
/// preemptions in each.
struct ServingMetrics {
  int64_t completed = 0;
  int64_t failed = 0;   ///< rejected
  int64_t aborted = 0;  ///< under way or not begun when the run was stopped
  int64_t total_input_tokens = 0;
  int64_t total_output_tokens = 0;
  double duration = 0;
  double request_throughput = 0;
  double output_throughput = 0;
  double total_token_throughput = 0;
  double max_output_tokens_per_s = 0;
  int64_t max_concurrent_requests = 0;
  std::optional<double> request_goodput;  ///< requests/s that keep every given limit
  LatencySummary ttft;
  LatencySummary tpot;
  LatencySummary itl;
  LatencySummary e2el;
  LatencySummary queue;
  LatencySummary prefill;
  LatencySummary decode;
  LatencySummary inference;
};

/// Measures of a run from its records (ServingResult::requests and ::step_end_ns).
ServingMetrics compute_metrics(std::span<const RequestRecord> requests,
                               std::span<const int64_t> step_end_ns, const MetricsOptions& options);
ServingMetrics compute_metrics(std::span<const RequestRecord> requests,
                               std::span<const int64_t> step_end_ns, const Slo& slo = {});

/// An object with vLLM's keys: duration, completed, ..., mean_ttft_ms, ..., p99_e2el_ms;
/// request_goodput only when a limit was given.
Json to_json(const ServingMetrics& metrics);

/// An object of what `totals` know: mfu and mbu (over device_ns), device_busy (share of
/// `duration_s`), kv_usage_mean and kv_usage_peak, prefix_cache_queries, _hits and _hit_rate, and
/// with drafts vLLM's spec_decode_ keys, whose acceptance_rate is in percent.
Json to_json(const RunTotals& totals, double duration_s);

/// vLLM's detailed lists, one element a request: input_lens, output_lens, ttfts, itls (a list for
/// each), start_times, errors; times in s. Requests that were not completed have 0 tokens, no gaps,
/// and how they ended as their error.
Json detailed_json(std::span<const RequestRecord> requests, std::span<const int64_t> step_end_ns);

}  // namespace tilewright
