#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "core/serving/block_pool.h"
#include "core/serving/executor.h"
#include "core/serving/options.h"
#include "core/serving/request.h"
#include "core/workload/workload.h"

namespace tilewright {

/// What one step does, as the scheduler decided.
struct StepPlan {
  Batch batch;
  int64_t tokens = 0;
  int64_t prefill_tokens = 0;  ///< of slices that are not a decode of one token
  int64_t decodes = 0;         ///< slices that extend a begun output by one token
  int64_t samples = 0;
  std::vector<int64_t> preempted;  ///< requests that had to give their blocks back
  /// Nothing but decodes of all running requests: unless something arrives or ends, or blocks run
  /// out, the next step is the same again.
  bool steady = false;
};

/// What the end of a step (or of a run of equal ones) brought.
struct StepOutcome {
  int64_t kv_blocks = 0;          ///< in use before those that ended gave theirs back
  std::vector<int64_t> finished;  ///< in the order of the batch
};

/// The scheduler of vLLM v1, without time: a token budget for each step, no phases. Running
/// requests come first, in order; then, unless something was preempted, waiting ones are admitted
/// first come first served while the budget, max_num_seqs and the full-sequence gate (free blocks
/// for the whole current sequence, not just its first chunk) allow it. When a running request finds
/// no block, the last of the running list is preempted: its blocks are freed, its output is kept,
/// and it goes to the front of the waiting queue to be computed again.
///
/// Call order: schedule(), perhaps reserve_run(), then complete().
class Scheduler {
 public:
  /// Error (usage) for knobs that make no sense, (infeasible) when the device has no KV block.
  Scheduler(const Capacity& capacity, const ServingOptions& options, const Workload& workload);

  /// Puts a request at the end of the waiting queue; false, and it has finished as rejected, when
  /// its prompt leaves no room for an output token within max_model_len().
  bool enqueue(int64_t request);

  /// Plans the next step and allocates its blocks; without slices when there is nothing to do. The
  /// plan is valid until the next call.
  const StepPlan& schedule();

  /// Makes a steady plan last for up to `limit` steps (those that no request ends before, and for
  /// which there are blocks) and returns how many (>= 1).
  int64_t reserve_run(int64_t limit);

  /// `steps` steps of the plan were executed: 1, or up to what reserve_run() answered.
  StepOutcome complete(int64_t steps);

  /// Ends every request that has not finished.
  void abort();

  /// The device's, or less where its whole KV pool is smaller.
  int64_t max_model_len() const { return max_model_len_; }
  int64_t running() const { return static_cast<int64_t>(running_.size()); }
  int64_t waiting() const { return static_cast<int64_t>(waiting_.size()); }
  const BlockPool& pool() const { return pool_; }
  std::span<const RequestState> requests() const { return requests_; }

 private:
  RequestState& state(int64_t request) { return requests_[static_cast<size_t>(request)]; }
  int64_t grant(const RequestState& request, int64_t budget) const;
  void schedule_running(int64_t& budget);
  void admit_waiting(int64_t& budget);
  bool make_room(int64_t request, int64_t tokens);
  void preempt_last();
  void add_slice(int64_t request, int64_t tokens);
  void show_blocks();
  int64_t run_blocks(int64_t steps) const;
  void finish(RequestState& request, FinishReason reason);

  ServingOptions options_;
  BlockPool pool_;
  int64_t max_model_len_;
  std::vector<RequestState> requests_;
  std::deque<int64_t> waiting_;
  std::vector<int64_t> running_;
  StepPlan plan_;
  /// Blocks taken ahead by reserve_run(): (step that needs it, slice), in order of allocation.
  std::vector<std::pair<int64_t, size_t>> reserved_;
};

}  // namespace tilewright
