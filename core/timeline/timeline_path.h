#pragma once

#include <cstdint>
#include <vector>

#include "core/timeline/timeline_index.h"

namespace tilewright {

/// An event on a path. The path waits before it, enters at its start, and leaves at its end; it
/// leaves at once at the start where the next event waited for the room that the start made in a
/// full queue.
struct PathStep {
  int64_t id = 0;
  int64_t waited =
      0;  ///< ticks from where the path left the event before, or from the launch's start
  int64_t busy = 0;  ///< ticks on the event
};

/// Time on a path by instruction.
struct PathShare {
  Pipe pipe = Pipe::kScalar;
  int32_t name = 0;  ///< into TimelineLanes::names
  int64_t count = 0;
  int64_t ticks = 0;
};

/// Time on a path between instructions: until flags are seen, instructions issued, the launch
/// begun.
struct PathWait {
  IdleCause cause = IdleCause::kIssue;
  int32_t flag = -1;  ///< into TimelineLanes::flags, of cause kFlag
  int64_t count = 0;
  int64_t ticks = 0;
};

/// The chain of events of which each was what the next one's start waited for last: from the launch
/// to an event. It accounts for all ticks up to that event's end.
class TimelinePath {
 public:
  /// The path to the event; none with id -1.
  TimelinePath(const TimelineIndex& index, int64_t id);

  /// In the order of time, which is also that of ids.
  const std::vector<PathStep>& steps() const { return steps_; }
  /// Longest first. The waits' and the shares' ticks sum to the end of the last event.
  const std::vector<PathShare>& shares() const { return shares_; }
  const std::vector<PathWait>& waits() const { return waits_; }
  bool contains(int64_t id) const;

 private:
  void add_up(const TimelineIndex& index);

  std::vector<PathStep> steps_;
  std::vector<PathShare> shares_;
  std::vector<PathWait> waits_;
};

/// The path to the event that ends last.
TimelinePath critical_path(const TimelineIndex& index);

}  // namespace tilewright
