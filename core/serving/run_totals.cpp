#include "core/serving/run_totals.h"

namespace tilewright {

namespace {

double mean_kv_blocks(const std::vector<StepRecord>& steps) {
  double blocks = 0;
  double total_ns = 0;
  for (const StepRecord& step : steps) {
    const auto ns = static_cast<double>(step.end_ns - step.start_ns);
    blocks += ns * static_cast<double>(step.kv_blocks);
    total_ns += ns;
  }
  return total_ns > 0 ? blocks / total_ns : 0;
}

}  // namespace

RunTotals totals_of(const ServingResult& result, const Capacity& capacity) {
  RunTotals totals;
  totals.device_ns = result.device_ns;
  totals.host_ns = result.host_ns;
  totals.peak_flops = capacity.peak_flops;
  totals.peak_bytes_per_s = capacity.peak_bytes_per_s;
  totals.idle_ns = result.idle_ns;
  for (const StepRecord& step : result.steps) totals.work += step.work;
  totals.prefix_caching = result.prefix_cache.requests > 0;
  totals.prefix_queries = result.prefix_cache.queries;
  totals.prefix_hits = result.prefix_cache.hits;
  totals.speculation = result.speculation;
  totals.preemptions = result.preemptions;
  totals.block_size = capacity.block_size;
  totals.kv_blocks = result.kv_blocks;
  totals.peak_kv_blocks = result.peak_kv_blocks;
  totals.mean_kv_blocks = mean_kv_blocks(result.steps);
  totals.step_tokens = result.step_tokens;
  return totals;
}

}  // namespace tilewright
