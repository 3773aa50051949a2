#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/timeline/timeline_index.h"

namespace tilewright {

/// A part of a timeline: lanes in [from, to) ticks.
struct TimelineArea {
  int64_t from = 0;
  int64_t to = 0;
  std::vector<int> lanes;  ///< into TimelineIndex::lanes()

  /// From 0 to the end on all lanes.
  static TimelineArea whole(const TimelineIndex& index);
};

/// Time in which lanes did nothing, by cause: what their next instruction's start waited for last.
struct IdleShare {
  IdleCause cause = IdleCause::kDone;
  int32_t flag = -1;  ///< into TimelineLanes::flags, of cause kFlag
  int setter = -1;    ///< the Pipe that set the flag, -1 for none
  int64_t count = 0;  ///< of stretches
  int64_t ticks = 0;

  /// "flag full of MTE2", "issue", "launch", "done".
  std::string name(const TimelineLanes& names) const;
};

/// A pipe of an area, over all its lanes there.
struct PipeStatistics {
  Pipe pipe = Pipe::kScalar;
  int64_t lanes = 0;
  int64_t busy_ticks = 0;  ///< events cut at the borders
  double busy = 0;         ///< share of the lanes' time
  // Of the events that start in the area, each with its whole duration (ticks).
  int64_t events = 0;
  double mean = 0;
  int64_t p50 = 0;  ///< nearest rank
  int64_t p99 = 0;  ///< nearest rank
  int64_t max = 0;
  int64_t bytes = 0;
  int64_t flops = 0;
  /// Longest first; with busy_ticks they sum to the lanes' time.
  std::vector<IdleShare> idle;
};

/// The area's pipes in the order of the list of pipes.
std::vector<PipeStatistics> area_statistics(const TimelineIndex& index, const TimelineArea& area);

enum class GroupBy : uint8_t {
  kInstruction,  ///< by pipe and name of the instruction
  kTask,         ///< by core and task
  kCause,        ///< idle time by cause
};

/// Events of an area that are alike.
struct EventGroup {
  std::string label;  ///< "CUBE tile[body 0] mmad", "AIC 0.0 task 3", "flag full of MTE2"
  int64_t count = 0;  ///< events that start in the area; of causes, stretches of idle time
  int64_t ticks = 0;  ///< cut at the area's borders
  int64_t bytes = 0;  ///< of those events
  int64_t flops = 0;
};

/// Longest first. By instruction or task their ticks sum to the area's busy time, by cause to its
/// idle time.
std::vector<EventGroup> group_area(const TimelineIndex& index, const TimelineArea& area,
                                   GroupBy by);

}  // namespace tilewright
