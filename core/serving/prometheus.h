#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/serving/metrics.h"
#include "core/serving/request.h"
#include "core/workload/workload.h"

namespace tilewright {

/// A run as Prometheus gets to see it. All must outlive the call.
struct PrometheusRun {
  std::string model_name;
  const Workload& workload;
  std::span<const RequestRecord> requests;  ///< in the order of the workload
  std::span<const int64_t> step_end_ns;
  const RunTotals& totals;
};

/// The state of vLLM's metrics at the end of a run in Prometheus' text format (0.0.4), with vLLM's
/// names, labels (engine, model_name) and buckets: what a scrape of a server right after its last
/// request would have answered. Counters and histograms of requests count those that were
/// completed, but for request_success_total, which has a series for each way to end. Requests that
/// an interrupt ended while they ran or waited stand in num_requests_running and _waiting. Groups
/// that need what `totals` does not know are left out.
std::string prometheus_text(const PrometheusRun& run);

}  // namespace tilewright
