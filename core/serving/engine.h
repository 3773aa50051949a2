#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "core/serving/executor.h"
#include "core/serving/kv_manager.h"
#include "core/serving/metrics.h"
#include "core/serving/options.h"
#include "core/serving/request.h"
#include "core/serving/speculation.h"
#include "core/serving/step_log.h"
#include "core/workload/workload.h"

namespace tilewright {

/// A complete serving run.
struct ServingResult {
  std::vector<RequestRecord> requests;  ///< in the order of the workload
  std::vector<int64_t> step_end_ns;     ///< end of every step
  std::vector<StepRecord> steps;
  std::vector<StepEvent> events;  ///< in order of their steps
  std::vector<OpTime> by_op;      ///< summed over the steps, in order of first appearance
  int64_t host_ns = 0;            ///< host overhead, summed over the steps
  int64_t device_ns = 0;          ///< time in which the device executed a step
  int64_t idle_ns = 0;            ///< of that, waiting for the host within steps
  int64_t end_ns = 0;             ///< virtual time at which the run ended
  int64_t preemptions = 0;
  int64_t kv_blocks = 0;  ///< of the device
  int64_t peak_kv_blocks = 0;
  int64_t max_model_len = 0;  ///< that held: the device's, or what its KV cache can hold
  bool interrupted = false;   ///< stopped before every request had ended
  /// Number of steps for each total of tokens (rows of the layers' GEMMs), and for each number of
  /// sampled tokens (rows of lm_head; steps that sample nothing are not counted).
  std::map<int64_t, int64_t> step_tokens;
  std::map<int64_t, int64_t> step_samples;
  PrefixCacheStats prefix_cache;
  SpeculationStats speculation;
  double peak_flops = 0;  ///< of the device (Capacity)
  double peak_bytes_per_s = 0;

  /// MFU and MBU of a record's steps.
  Utilisation utilisation(const StepRecord& record) const;
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

/// What a run knows behind a step; the spans are valid during the call.
struct ServingSoFar {
  int64_t now_ns = 0;
  int64_t finished = 0;  ///< requests, rejected ones included
  int64_t running = 0;
  int64_t waiting = 0;
  int64_t kv_blocks = 0;  ///< in use
  /// Arrivals, first steps, hits and tokens so far; the other numbers are in `states`.
  std::span<const RequestRecord> requests;
  std::span<const RequestState> states;  ///< of the same requests
  std::span<const StepRecord> steps;     ///< the last one may still grow
  std::span<const int64_t> step_end_ns;  ///< those of steps under way included
  std::span<const StepEvent> events;
  std::span<const OpTime> by_op;

  /// A request as it would be recorded if the run ended here, but for its end.
  RequestRecord record_of(size_t request) const;
};

/// All may be empty.
struct ServingCallbacks {
  /// Asked between steps, so up to many thousand times a second: true ends the run; requests under
  /// way end as aborted.
  std::function<bool()> stop = {};
  std::function<void(const ServingProgress&)> progress = {};
  /// Functional mode: the logits from which the token at `position` (in prompt + output) of a
  /// request came, for every token of the output.
  std::function<void(int64_t request, int64_t position, std::span<const float> logits)> on_logits =
      {};
  /// Called behind each step, or run of unchanged ones: whoever follows the run copies what it
  /// wants, and may take its time.
  std::function<void(const ServingSoFar&)> on_step = {};
  /// Asked before each run of unchanged decode steps: at most so many (>= 1) are made before
  /// on_step is called. What the run comes to does not depend on it.
  std::function<int64_t()> most_repeated = {};
};

/// Serves a workload in virtual time. In functional mode (Capacity::functional) the requests have
/// prompt_ids, and the executor makes their output; it ends at stop tokens, at output_tokens or at
/// max_model_len. In timing mode a request makes the output tokens that the workload states. One
/// step is under way at a time; with asynchronous scheduling the next one is planned meanwhile, and
/// with several batches in flight (Capacity::max_in_flight) as many are under way. A step is
/// planned with the requests that have arrived by then. Deterministic.
///
/// Requests whose prompt leaves no room for an output token (max_model_len, or the whole KV cache)
/// end as rejected. `draft_model` is needed for DraftMethod::kModel and has KV blocks of the same
/// number and size; while it is used one batch is in flight.
///
/// Error (usage, infeasible, not found) as Scheduler, ArrivalQueue, Speculation and DraftModel, and
/// for a functional run over requests without valid token ids; the executor's pass through.
ServingResult serve(const Workload& workload, Executor& executor, const ServingOptions& options,
                    const ServingCallbacks& callbacks = {}, Executor* draft_model = nullptr);

}  // namespace tilewright
