#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "core/serving/executor.h"
#include "core/serving/kv_manager.h"
#include "core/serving/options.h"
#include "core/serving/policy.h"
#include "core/serving/request.h"
#include "core/serving/token_identity.h"
#include "core/workload/workload.h"

namespace tilewright {

/// A request that gave its blocks back, and the one that needed them (it may be itself).
struct Preemption {
  int64_t request = 0;
  int64_t needed_by = 0;

  bool operator==(const Preemption&) const = default;
};

/// A request that began (or began again) to run, and what the prefix cache had of it.
struct Admitted {
  int64_t request = 0;
  PrefixHit hit;
};

/// Why the next waiting request was not admitted.
enum class Refusal : uint8_t {
  kNone,         ///< none waits
  kMaxNumSeqs,   ///< as many run as may
  kTokenBudget,  ///< too little of the budget is left
  kKvBlocks,     ///< too few blocks are free for it, or would be left (watermark)
  kMaxLength,    ///< too few blocks for its longest output (policy no-evict)
  kPreemption,   ///< something was preempted in this step
};

/// "max_num_seqs", "token_budget", "kv_blocks", "max_length", "preemption".
std::string_view name_of(Refusal refusal);

/// What one step does, as the scheduler decided.
struct StepPlan {
  Batch batch;
  std::vector<int64_t> epochs;  ///< of each slice: the preemptions of its request so far
  int64_t number = 0;           ///< counts the steps from 1
  int64_t tokens = 0;
  int64_t prefill_tokens = 0;  ///< of slices that are no decode and no verification
  int64_t decodes = 0;         ///< slices that extend a begun output by one token
  int64_t verifies = 0;        ///< slices with drafts
  int64_t draft_tokens = 0;
  int64_t samples = 0;  ///< rows of logits
  std::vector<Preemption> preempted;
  std::vector<Admitted> admitted;
  Refusal refusal = Refusal::kNone;
  int64_t refused = -1;  ///< the request
  /// Nothing but decodes of all running requests: unless something arrives or ends, or blocks run
  /// out, the next step is the same again.
  bool steady = false;
};

/// What the end of a step (or of a run of equal ones) brought.
struct StepOutcome {
  std::vector<int64_t> finished;  ///< in the order of the batch
  /// Tokens that were appended for each slice that samples, in order; -1 for a slice of a request
  /// that was preempted or ended meanwhile.
  std::vector<int64_t> appended;
};

/// The scheduler of vLLM v1, without time: a token budget for each step, no phases. Running
/// requests come first; then, unless something was preempted, waiting ones are admitted while the
/// budget, max_num_seqs and the full-sequence gate (free blocks for the whole current sequence, not
/// just its first chunk) allow it. When a running request finds no block, the last of the running
/// list is preempted (with priorities: the one that counts least): its blocks are freed, its output
/// is kept, and it goes to the front of the waiting queue to be computed again. A Policy changes
/// some of these decisions.
///
/// Steps may be planned before earlier ones have ended. Call order: schedule(), perhaps
/// reserve_run() and commit_run(); complete() for each plan in order.
class Scheduler {
 public:
  /// Error (usage) for knobs that make no sense, (infeasible) when the device has no KV block.
  /// Workload and identity must outlive this.
  Scheduler(const Capacity& capacity, const ServingOptions& options, const Workload& workload,
            const TokenIdentity& tokens);

  /// Puts a request into the waiting queue; false, and it has finished as rejected, when its prompt
  /// leaves no room for an output token within max_model_len().
  bool enqueue(int64_t request);

  /// Plans the next step and allocates its blocks; without slices when there is nothing to do. The
  /// block tables are valid until the next call of any function that changes blocks. `recycled`
  /// lends its memory.
  StepPlan schedule(StepPlan recycled = {});

  /// Makes a steady plan last for up to `limit` steps (those that no request ends before, and for
  /// which there are blocks) and returns how many (>= 1). Blocks are only lent until commit_run().
  int64_t reserve_run(StepPlan& plan, int64_t limit);

  /// So many steps of the run are made.
  void commit_run(StepPlan& plan, int64_t steps);

  /// A step of the plan was executed, or `steps` steps of a run. `counts` holds how many tokens
  /// each slice that samples got (accepted drafts and one more); empty: one each. In functional
  /// mode the tokens are in TokenIdentity::ids().
  StepOutcome complete(const StepPlan& plan, std::span<const int64_t> counts, int64_t steps = 1);

  /// Proposes `count` drafts to be verified by the request's next step; they must not go past its
  /// longest output.
  void set_drafts(int64_t request, int64_t count);

  /// Most drafts that the request's next step could verify.
  int64_t most_drafts(int64_t request) const;

  /// Ends every request that has not finished.
  void abort();

  /// The device's, or less where its whole KV pool is smaller.
  int64_t max_model_len() const { return max_model_len_; }
  int64_t running() const { return std::ssize(running_); }
  int64_t waiting() const { return std::ssize(waiting_); }
  const Policy& policy() const { return policy_; }
  /// Whether a request's next step may be planned before its token has come.
  bool plans_ahead() const { return plans_ahead_; }
  const BlockPool& pool() const { return kv_.pool(); }
  const KvManager& kv() const { return kv_; }
  std::span<const RequestState> requests() const { return requests_; }

 private:
  RequestState& state(int64_t request) { return requests_[static_cast<size_t>(request)]; }
  const RequestState& state(int64_t request) const {
    return requests_[static_cast<size_t>(request)];
  }
  int64_t grant(const RequestState& request, int64_t budget) const;
  int64_t decode_tokens() const;
  int64_t held_tokens(int64_t tokens) const;
  int64_t longest_blocks(const RequestState& request) const;

  enum class Turn : uint8_t { kAll, kDecodes, kPrompts };
  bool schedule_running(StepPlan& plan, Turn turn);
  void admit_waiting(StepPlan& plan);
  bool admit_next(StepPlan& plan);
  size_t next_waiting();
  Refusal gate(const RequestState& request, const PrefixHit& hit, int64_t tokens) const;
  bool make_room(StepPlan& plan, size_t& place, int64_t tokens);
  size_t victim() const;
  void preempt(StepPlan& plan, size_t victim, int64_t needed_by);
  void unschedule(StepPlan& plan, int64_t request);
  void add_slice(StepPlan& plan, int64_t request, int64_t tokens);
  void count_slice(StepPlan& plan, const SequenceSlice& slice, int64_t sign) const;
  void cache_run(const StepPlan& plan);
  void show_blocks(StepPlan& plan) const;
  int64_t run_blocks(const StepPlan& plan, int64_t steps) const;
  void complete_run(const StepPlan& plan, int64_t steps);
  void complete_slice(const SequenceSlice& slice, int64_t count, StepOutcome& outcome);
  int64_t verified(const RequestState& request) const {
    return request.computed < request.length() ? request.computed : request.length();
  }
  void cache_verified(int64_t request, int64_t plan);
  int64_t append(int64_t request, int64_t count);
  FinishReason stop_reason(int64_t request) const;
  bool is_before(int64_t a, int64_t b) const;
  void put_back(int64_t request);
  void finish(int64_t request, FinishReason reason);

  const ServingOptions options_;
  const Policy& policy_;
  const Workload& workload_;
  const TokenIdentity& tokens_;
  KvManager kv_;
  int64_t max_model_len_;
  bool is_functional_;
  bool by_priority_;
  bool plans_ahead_;   // a request's next step may be planned before its token has come
  int64_t lookahead_;  // tokens that a draft model writes behind the last one
  int64_t watermark_blocks_;
  std::vector<RequestState> requests_;
  std::deque<int64_t> waiting_;
  std::vector<int64_t> running_;
  int64_t budget_ = 0;           // what is left of it in the step being planned
  int64_t reserved_blocks_ = 0;  // for the longest outputs of all running requests
  int64_t plans_ = 0;
  /// Blocks lent by reserve_run(): (step that needs it, slice, block), in order of allocation.
  struct Loan {
    int64_t step;
    size_t slice;
    int32_t block;
  };
  std::vector<Loan> loans_;
};

}  // namespace tilewright
