#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/base/json.h"
#include "core/serving/request.h"

namespace tilewright {

/// Statistics of a latency over requests (or tokens), in ms; all 0 when there are none. Percentiles
/// interpolate linearly, std is that of the population, as numpy's defaults do.
struct LatencySummary {
  double mean = 0;
  double median = 0;
  double std = 0;
  double p90 = 0;
  double p99 = 0;
};

/// Latencies that a request must keep for its tokens to count as goodput, in ms, inclusive.
struct Slo {
  std::optional<double> ttft_ms = std::nullopt;
  std::optional<double> tpot_ms = std::nullopt;
  std::optional<double> e2el_ms = std::nullopt;

  bool any() const { return ttft_ms || tpot_ms || e2el_ms; }
};

/// The measures of vLLM's `bench serve`, by its definitions. Only completed requests count, but for
/// `failed`.
/// - TTFT: first token - arrival. E2EL: last token - arrival.
/// - TPOT: (E2EL - TTFT) / (output tokens - 1), over requests with at least two; such with one
/// count
///   as 0 in the goodput. ITL: gaps between consecutive tokens of a request, over all of them.
/// - duration: last token of all - first arrival, in s; rates are per second of it.
/// - max_output_tokens_per_s, max_concurrent_requests: peaks over bins of one second.
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
};

/// Measures of a run from its records (ServingResult::requests and ::step_end_ns).
ServingMetrics compute_metrics(std::span<const RequestRecord> requests,
                               std::span<const int64_t> step_end_ns, const Slo& slo = {});

/// An object with vLLM's keys: duration, completed, ..., mean_ttft_ms, ..., p99_e2el_ms;
/// request_goodput only when a limit was given.
Json to_json(const ServingMetrics& metrics);

}  // namespace tilewright
