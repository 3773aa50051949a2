#include "core/timeline/timeline_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "core/base/text.h"

namespace tilewright {

TimelineSearch::TimelineSearch(const TimelineIndex& index, std::string_view text)
    : index_(index),
      cores_(index.names().cores.size()),
      names_(index.names().names.size()),
      flags_(index.names().flags.size() + 1) {
  if (text.empty()) return;
  const std::string wanted = lower_case(text);
  const auto found = [&](std::string_view name) {
    return lower_case(name).find(wanted) != std::string::npos;
  };
  const TimelineLanes& names = index.names();
  for (size_t i = 0; i < cores_.size(); ++i) {
    cores_[i] = found(names.cores[i]) || wanted == fmt::format("core {}", i);
  }
  for (size_t i = 0; i < names_.size(); ++i) names_[i] = found(names.names[i]);
  for (size_t i = 1; i < flags_.size(); ++i) flags_[i] = found(names.flags[i - 1]);
  for (size_t i = 0; i < index.lanes().size(); ++i) {
    const TimelineLane& lane = index.lanes()[i];
    int64_t matching = 0;
    for (const LaneEvents::KindCount& entry : lane.events.kinds()) {
      if (matches(lane.core, entry.kind)) matching += entry.count;
    }
    if (matching > 0) lanes_.push_back(static_cast<int>(i));
    count_ += matching;
  }
}

bool TimelineSearch::matches(int64_t id) const {
  const EventPlace place = index_.place(id);
  const TimelineLane& lane = index_.lane(place.lane);
  return matches(lane.core, lane.events.kind(place.position));
}

int64_t TimelineSearch::position(int64_t id) const {
  const Key until{index_.event(id).start, id};
  int64_t count = 0;
  for (int i : lanes_) {
    const TimelineLane& lane = index_.lane(i);
    const LaneEvents& events = lane.events;
    const int64_t before = events.first_from(until.start);
    const bool all_match = std::ranges::all_of(
        events.kinds(), [&](const auto& entry) { return matches(lane.core, entry.kind); });
    if (all_match) count += before;
    for (int64_t p = all_match ? before : 0; p < events.size() && key(events, p) <= until; ++p) {
      if (matches(lane.core, events.kind(p))) ++count;
    }
  }
  return count;
}

int64_t TimelineSearch::next(int64_t id) const {
  Key from{INT64_MIN, -1};
  if (id >= 0) from = {index_.event(id).start, id};
  Key best{INT64_MAX, INT64_MAX};
  for (int i : lanes_) {
    const TimelineLane& lane = index_.lane(i);
    const LaneEvents& events = lane.events;
    for (int64_t p = events.first_from(from.start); p < events.size(); ++p) {
      if (events.start(p) > best.start) break;
      const Key at = key(events, p);
      if (at <= from || !matches(lane.core, events.kind(p))) continue;
      best = std::min(best, at);
      break;
    }
  }
  return best.id == INT64_MAX ? -1 : best.id;
}

int64_t TimelineSearch::previous(int64_t id) const {
  Key from{INT64_MAX, INT64_MAX};
  if (id >= 0) from = {index_.event(id).start, id};
  Key best{INT64_MIN, -1};
  for (int i : lanes_) {
    const TimelineLane& lane = index_.lane(i);
    const LaneEvents& events = lane.events;
    int64_t p = from.start == INT64_MAX ? events.size() : events.first_from(from.start + 1);
    while (--p >= 0 && events.start(p) >= best.start) {
      const Key at = key(events, p);
      if (at >= from || !matches(lane.core, events.kind(p))) continue;
      best = std::max(best, at);
      break;
    }
  }
  return best.id;
}

}  // namespace tilewright
