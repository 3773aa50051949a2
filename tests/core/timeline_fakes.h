#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/timeline/timeline_cells.h"
#include "core/timeline/timeline_index.h"

namespace tilewright {

constexpr int32_t kLoadName = 0;
constexpr int32_t kMmadName = 1;
constexpr int32_t kStoreName = 2;

inline TimelineLanes fake_lanes(int cores) {
  TimelineLanes lanes;
  for (int core = 0; core < cores; ++core) lanes.cores.push_back("AIC 0." + std::to_string(core));
  lanes.names = {"tile load", "tile mmad", "tile store"};
  lanes.flags = {"full", "done"};
  lanes.ticks_per_us = 1024;
  return lanes;
}

/// The events come in the order of their ends.
inline TimelineIndex index_of(const TimelineLanes& lanes, std::vector<TimelineEvent> events) {
  std::ranges::stable_sort(events, {}, &TimelineEvent::end);
  TimelineIndex index;
  index.begin(lanes);
  for (const TimelineEvent& event : events) index.add(event);
  index.finish();
  return index;
}

/// Two loads, two mmads and a store on another core, each waiting for the one before:
///   core 0 MTE2  [100 load 200)            [250 load 300)
///   core 0 CUBE            [210 mmad 260)        [310 mmad 330)
///   core 2 FIXP                                        [350 store 400)
inline std::vector<TimelineEvent> hand_made() {
  std::vector<TimelineEvent> events(5);
  const auto set = [&](size_t i, int32_t core, Pipe pipe, int32_t name, int64_t start,
                       int64_t end) {
    events[i].id = static_cast<int64_t>(i);
    events[i].core = core;
    events[i].pipe = pipe;
    events[i].name = name;
    events[i].start = start;
    events[i].end = end;
  };
  set(0, 0, Pipe::kMte2, kLoadName, 100, 200);
  set(1, 0, Pipe::kCube, kMmadName, 210, 260);
  set(2, 0, Pipe::kMte2, kLoadName, 250, 300);
  set(3, 0, Pipe::kCube, kMmadName, 310, 330);
  set(4, 2, Pipe::kFixp, kStoreName, 350, 400);
  for (size_t i : {size_t{1}, size_t{3}}) {
    events[i].reason = StartReason::kFlag;
    events[i].flag = 0;
    events[i].predecessor = static_cast<int64_t>(i) - 1;
    events[i].task = 1;
    events[i].flops = 64;
  }
  events[2].reason = StartReason::kIssue;
  events[2].predecessor = 1;
  events[4].reason = StartReason::kFlag;
  events[4].flag = 1;
  events[4].predecessor = 3;
  events[0].bytes = 1000;
  events[2].bytes = 400;
  events[4].bytes = 128;
  return events;
}

/// Events on three pipes of each core, some of which take no time. Ids go round the lanes, as cores
/// run ahead of each other; every event that waits for a flag waits for an earlier one.
inline std::vector<TimelineEvent> random_events(uint64_t seed, int cores, int count) {
  constexpr Pipe kPipes[] = {Pipe::kMte2, Pipe::kCube, Pipe::kFixp};
  Random random(seed);
  std::vector<TimelineEvent> events;
  std::vector<int64_t> free(static_cast<size_t>(cores) * 3, 20);
  for (int64_t id = 0; id < count; ++id) {
    const size_t lane = random.below(free.size());
    TimelineEvent event;
    event.id = id;
    event.core = static_cast<int32_t>(lane / 3);
    event.pipe = kPipes[lane % 3];
    event.name = static_cast<int32_t>(random.below(3));
    event.start = free[lane] + static_cast<int64_t>(random.below(3) == 0 ? random.below(40) : 0);
    event.end = event.start + static_cast<int64_t>(random.below(30));
    event.task = static_cast<int32_t>(id / 50);
    event.iteration = static_cast<int32_t>(id % 50);
    const bool moves = event.end > event.start && event.pipe != Pipe::kCube;
    event.bytes = moves ? static_cast<int64_t>(random.below(5000)) : 0;
    event.flops = event.pipe == Pipe::kCube ? 128 : 0;
    event.hbm_ticks = event.pipe == Pipe::kMte2 ? event.end - event.start : 0;
    event.l2_ticks = event.pipe == Pipe::kFixp ? 3 : 0;
    event.conflict_ticks = static_cast<int64_t>(random.below(2));
    if (events.empty()) {
      event.reason = StartReason::kLaunch;
    } else {
      const TimelineEvent& before = events[random.below(events.size())];
      event.reason = before.end <= event.start ? StartReason::kFlag : StartReason::kIssue;
      event.predecessor = before.end <= event.start ? before.id : -1;
      if (event.reason == StartReason::kFlag) event.flag = static_cast<int32_t>(id % 2);
      // It is known to have ended when this one ends.
      if (event.predecessor >= 0 && before.end == event.end) event.end = event.start + 1;
    }
    free[lane] = event.end;
    events.push_back(event);
  }
  return events;
}

/// A cell of a lane by looking at every event.
inline LaneCell count_cell(const std::vector<TimelineEvent>& events, const TimelineLane& lane,
                           int64_t from, int64_t to) {
  LaneCell cell;
  int64_t busy = 0;
  int64_t position = -1;
  for (const TimelineEvent& event : events) {
    if (event.core != lane.core || event.pipe != lane.pipe) continue;
    ++position;
    const bool starts = event.start >= from && event.start < to;
    if (!starts && (event.start >= to || event.end <= from)) continue;
    if (cell.events++ == 0) cell.first = position;
    busy += std::min(event.end, to) - std::max(event.start, from);
    cell.starts = cell.starts || starts;
    cell.ends = cell.ends || event.end <= to;
  }
  cell.busy = static_cast<double>(busy) / static_cast<double>(to - from);
  return cell;
}

}  // namespace tilewright
