#pragma once

#include <cstdint>

#include "core/base/json.h"
#include "core/workload/generator.h"
#include "core/workload/workload.h"

namespace tilewright {

/// What a workload looks like. All 0 where there is nothing to count.
struct WorkloadStatistics {
  int64_t requests = 0;
  int64_t sessions = 0;            ///< with more than one request
  int64_t followers = 0;           ///< requests that come after an earlier one of their session
  double duration_s = 0;           ///< from first to last arrival, without followers
  double requests_per_second = 0;  ///< request_rate()
  double gap_cv = 0;  ///< standard deviation over mean of the gaps between arrivals; 1 is Poisson
  LengthStatistics prompt;
  LengthStatistics output;
  int64_t prompt_tokens = 0;  ///< of all requests
  int64_t output_tokens = 0;
  int64_t prefix_block_tokens = 0;  ///< in which prefixes are known; 0: they are not
  /// Share of the prompt tokens that lie in leading blocks of an earlier prompt: the hit rate of a
  /// prefix cache of unlimited size that knows prompts alone, request after request.
  double shared_prefix = 0;
  int64_t with_prompt_ids = 0;  ///< requests with real tokens
  int64_t with_output_ids = 0;
};

/// Prefixes are those of Request::prefix_hashes (a partial last block counts), or else of whole
/// blocks of 16 token ids.
WorkloadStatistics workload_statistics(const Workload& workload);

/// The statistics by their names; lengths as objects of mean, min, p50, p90, p99, max.
Json to_json(const WorkloadStatistics& statistics);

}  // namespace tilewright
