#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/timeline/lanes.h"

namespace tilewright {

/// One instruction that ran: a span on the lane (core, pipe). Times in ticks from the launch's start.
struct TimelineEvent {
  int64_t start = 0;
  int64_t end = 0;
  int32_t core = 0;
  Pipe pipe = Pipe::kScalar;
  int32_t name = 0;      ///< into Timeline::names
  int32_t task = 0;      ///< number of the task in its core's list
  int32_t iteration = 0; ///< of the body
  int64_t bytes = 0;     ///< moved, 0 for compute
  int64_t flops = 0;     ///< done, 0 for transfers
};

/// Events of a launch in the order of (end, core, pipe), with the names of its lanes.
struct Timeline {
  std::vector<std::string> core_names;  ///< "AIC 0", "AIV 1", ...
  std::vector<std::string> names;       ///< of instructions
  std::vector<TimelineEvent> events;
  double ticks_per_us = 1;
};

/// Chrome trace JSON (Perfetto reads it): numeric relative times in us, one process a core, one
/// thread a pipe, small ids.
std::string chrome_trace(const Timeline& timeline);

}  // namespace tilewright
