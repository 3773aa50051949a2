#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/serving/executor.h"
#include "core/serving/options.h"
#include "core/serving/request.h"
#include "core/workload/workload.h"

namespace tilewright {

/// One step, or `count` steps in a row with the same decodes and nothing else. Times are virtual
/// ns.
struct StepRecord {
  int64_t first_step = 0;
  int64_t count = 1;
  int64_t start_ns = 0;  ///< when the first was handed to the device
  int64_t end_ns = 0;    ///< when the last ended
  int64_t tokens = 0;    ///< in each
  int64_t prefill_tokens = 0;
  int64_t decodes = 0;      ///< sequences that made one more token
  int64_t running = 0;      ///< requests, after planning
  int64_t waiting = 0;      ///< requests, after planning
  int64_t kv_blocks = 0;    ///< in use at the end
  int64_t preemptions = 0;  ///< while planning it

  bool operator==(const StepRecord&) const = default;
};

/// A complete serving run.
struct ServingResult {
  std::vector<RequestRecord> requests;  ///< in the order of the workload
  std::vector<int64_t> step_end_ns;     ///< end of every step
  std::vector<StepRecord> steps;
  std::vector<OpTime> by_op;  ///< summed over the steps, in order of first appearance
  int64_t host_ns = 0;        ///< host overhead, summed over the steps
  int64_t device_ns = 0;      ///< time in which the device executed a step
  int64_t end_ns = 0;         ///< virtual time at which the run ended
  int64_t preemptions = 0;
  int64_t kv_blocks = 0;  ///< of the device
  int64_t peak_kv_blocks = 0;
  int64_t max_model_len = 0;  ///< that held: the device's, or what its KV cache can hold
  bool interrupted = false;   ///< stopped before every request had ended
  /// Number of steps for each total of tokens (rows of the layers' GEMMs), and for each number of
  /// sampled tokens (rows of lm_head; steps that sample nothing are not counted).
  std::map<int64_t, int64_t> step_tokens;
  std::map<int64_t, int64_t> step_samples;
};

/// Where a run stands.
struct ServingProgress {
  int64_t now_ns = 0;
  int64_t steps = 0;
  int64_t finished = 0;  ///< requests, rejected ones included
  int64_t requests = 0;
  int64_t running = 0;
  int64_t waiting = 0;
  int64_t kv_blocks = 0;
};

/// Both may be empty. They are asked between steps, so up to many thousand times a second.
struct ServingCallbacks {
  std::function<bool()> stop;  ///< true ends the run; requests under way end as aborted
  std::function<void(const ServingProgress&)> progress;
};

/// Serves a workload in virtual time, in timing mode: a request ends after the number of output
/// tokens that the workload states, or at max_model_len. Steps are synchronous: a step is planned
/// when the one before has ended, with the requests that have arrived by then. Deterministic.
///
/// Requests whose prompt leaves no room for an output token (max_model_len, or the whole KV cache)
/// end as rejected. Error (usage, infeasible) as Scheduler's constructor; the executor's pass
/// through.
ServingResult serve(const Workload& workload, Executor& executor, const ServingOptions& options,
                    const ServingCallbacks& callbacks = {});

}  // namespace tilewright
