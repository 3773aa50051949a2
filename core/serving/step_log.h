#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "core/serving/executor.h"
#include "core/serving/scheduler.h"

namespace tilewright {

/// Something that needs a reason, in the planning of a step.
struct StepEvent {
  enum class Kind : uint8_t {
    kPreemption,  ///< the request gave its blocks back
    kCacheHit,    ///< the prefix cache had a part of the admitted request
    kRefusal,     ///< the request had to go on waiting; told once for each cause in a row
  };
  int64_t step = 0;
  Kind kind = Kind::kPreemption;
  int64_t request = 0;
  int64_t needed_by = -1;          ///< kPreemption: the request that found no free block
  int64_t shared_tokens = 0;       ///< kCacheHit: in full blocks
  int64_t copied_tokens = 0;       ///< kCacheHit: in the part of a block that was copied
  Refusal cause = Refusal::kNone;  ///< kRefusal

  bool operator==(const StepEvent&) const = default;
};

/// "preemption", "cache_hit", "refusal".
std::string_view name_of(StepEvent::Kind kind);

/// One step, or `count` steps in a row with the same composition and without events but before the
/// first. Times are virtual ns; ops, idle time and work are sums over the steps.
struct StepRecord {
  int64_t first_step = 0;
  int64_t count = 1;
  int64_t start_ns = 0;  ///< when the device began with the first
  int64_t end_ns = 0;    ///< when the last ended
  int64_t tokens = 0;    ///< in each
  int64_t prefill_tokens = 0;
  int64_t decodes = 0;       ///< sequences that made one more token
  int64_t verifies = 0;      ///< sequences that verified drafts
  int64_t draft_tokens = 0;  ///< that were verified
  int64_t running = 0;       ///< requests, after planning
  int64_t waiting = 0;       ///< requests, after planning
  int64_t kv_blocks = 0;     ///< in use, after planning the last
  int64_t preemptions = 0;   ///< while planning it
  int64_t idle_ns = 0;       ///< the device waited for the host within steps
  StepWork work = {};
  std::vector<int64_t> op_ns = {};  ///< at the places of ServingResult::by_op; may be shorter
};

/// Equal but for work, whose sums depend on the order of additions.
bool operator==(const StepRecord& a, const StepRecord& b);

/// Keeps what a run's steps were like. Steps without change are merged, so that the log grows with
/// the changes, but for eight bytes a step.
class StepLog {
 public:
  int64_t steps() const { return std::ssize(step_end_ns); }

  /// The end of one more step.
  void end_step(int64_t end_ns);

  /// Events of a plan, which belong to the next step; false without any.
  bool add_events(const StepPlan& plan);

  /// Times of steps that are part of `record`.
  void add_times(StepRecord& record, const std::vector<OpTime>& ops);

  /// The next steps: `samples` rows of logits in each. They are merged with those before if nothing
  /// changed.
  void add(StepRecord record, int64_t samples, bool has_events);

  std::vector<int64_t> step_end_ns;
  std::vector<StepRecord> records;
  std::vector<StepEvent> events;
  std::vector<OpTime> by_op;
  int64_t preemptions = 0;
  int64_t peak_kv_blocks = 0;
  std::map<int64_t, int64_t> step_tokens;
  std::map<int64_t, int64_t> step_samples;

 private:
  std::pair<int64_t, Refusal> last_refused_ = {-1, Refusal::kNone};
};

}  // namespace tilewright
