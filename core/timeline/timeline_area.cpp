#include "core/timeline/timeline_area.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <utility>

namespace tilewright {

namespace {

/// The part of a lane in an area: the events [first, last) start in it; the one before `first` may
/// reach into it.
struct Part {
  const LaneEvents& events;
  LaneEvents::Border left;
  LaneEvents::Border right;

  Part(const LaneEvents& lane, const TimelineArea& area)
      : events(lane), left(lane.border(area.from)), right(lane.border(area.to)) {}
  int64_t first() const { return left.position; }
  int64_t last() const { return right.position; }
  /// Of events that touch the area.
  int64_t first_touching() const { return left.position - (left.inside ? 1 : 0); }
  int64_t ticks_inside(int64_t p) const {
    return std::min(events.end(p), right.tick) - std::max(events.start(p), left.tick);
  }
};

/// Adds up idle time by cause. A table, since there may be a stretch for each of a million events.
class IdleSums {
 public:
  explicit IdleSums(const TimelineIndex& index)
      : first_start_(index.first_start()), flags_((index.names().flags.size() + 1) * kSetters) {}

  void add_lane(const Part& part) {
    const LaneEvents& events = part.events;
    const int64_t from = part.left.tick;
    const int64_t to = part.right.tick;
    // The event behind the area says why the lane idles at the area's end.
    const int64_t last = std::min(part.last() + 1, events.size());
    int64_t free = part.first() == 0 ? from : std::max(from, events.end(part.first() - 1));
    for (int64_t p = part.first(); p < last; ++p) {
      const int64_t start = std::min(to, events.start(p));
      if (p == 0) {
        const int64_t began = std::clamp(first_start_, free, std::max(free, start));
        add(launch_, began - free);
        free = began;
      }
      if (start > free) add(sum_of(events.kind(p)), start - free);
      free = events.end(p);
    }
    if (last == events.size()) add(done_, to - std::max(free, from));
  }

  /// Longest first.
  std::vector<IdleShare> shares() const {
    std::vector<IdleShare> shares;
    const auto list = [&](IdleCause cause, int32_t flag, int setter, const Sum& sum) {
      if (sum.count > 0) shares.push_back({cause, flag, setter, sum.count, sum.ticks});
    };
    for (size_t i = 0; i < flags_.size(); ++i) {
      const auto setter = static_cast<int>(i % kSetters);
      list(IdleCause::kFlag, static_cast<int32_t>(i / kSetters) - 1,
           setter == kPipeCount ? -1 : setter, flags_[i]);
    }
    list(IdleCause::kIssue, -1, -1, issue_);
    list(IdleCause::kLaunch, -1, -1, launch_);
    list(IdleCause::kDone, -1, -1, done_);
    std::ranges::stable_sort(shares, std::greater(), &IdleShare::ticks);
    return shares;
  }

 private:
  static constexpr size_t kSetters = kPipeCount + 1;
  struct Sum {
    int64_t count = 0;
    int64_t ticks = 0;
  };

  static void add(Sum& sum, int64_t ticks) {
    if (ticks <= 0) return;
    ++sum.count;
    sum.ticks += ticks;
  }
  Sum& sum_of(EventKind kind) {
    if (idle_cause(kind.reason()) != IdleCause::kFlag) return issue_;
    return flags_[static_cast<size_t>(kind.flag() + 1) * kSetters +
                  static_cast<size_t>(kind.setter())];
  }

  int64_t first_start_;
  std::vector<Sum> flags_;  ///< by flag, then by setter
  Sum issue_;
  Sum launch_;
  Sum done_;
};

/// The lanes of an area by pipe.
std::array<std::vector<int>, kPipeCount> lanes_by_pipe(const TimelineIndex& index,
                                                       const TimelineArea& area) {
  std::array<std::vector<int>, kPipeCount> by_pipe;
  for (int lane : area.lanes) by_pipe[static_cast<size_t>(index.lane(lane).pipe)].push_back(lane);
  return by_pipe;
}

/// The value at `percent` of [begin of values, last) by nearest rank. Values before it are not
/// above it afterwards.
int64_t select_percentile(std::vector<int64_t>& values, size_t last, size_t percent) {
  const size_t rank = (values.size() * percent + 99) / 100;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(rank - 1);
  std::nth_element(values.begin(), at, values.begin() + static_cast<std::ptrdiff_t>(last));
  return *at;
}

void add_durations(std::vector<int64_t>& durations, PipeStatistics& pipe) {
  pipe.events = static_cast<int64_t>(durations.size());
  if (durations.empty()) return;
  int64_t sum = 0;
  for (int64_t ticks : durations) {
    sum += ticks;
    pipe.max = std::max(pipe.max, ticks);
  }
  pipe.mean = static_cast<double>(sum) / static_cast<double>(pipe.events);
  pipe.p99 = select_percentile(durations, durations.size(), 99);
  const size_t below = (durations.size() * 99 + 99) / 100;
  pipe.p50 = select_percentile(durations, below, 50);
}

PipeStatistics pipe_statistics(const TimelineIndex& index, const TimelineArea& area,
                               const std::vector<int>& lanes) {
  PipeStatistics pipe;
  pipe.pipe = index.lane(lanes.front()).pipe;
  pipe.lanes = static_cast<int64_t>(lanes.size());
  IdleSums idle(index);
  std::vector<int64_t> durations;
  for (int lane : lanes) {
    const Part part(index.lane(lane).events, area);
    pipe.busy_ticks += part.right.busy - part.left.busy;
    pipe.bytes += part.events.bytes().sum(part.first(), part.last());
    pipe.flops += part.events.flops().sum(part.first(), part.last());
    durations.reserve(durations.size() + static_cast<size_t>(part.last() - part.first()));
    for (int64_t p = part.first(); p < part.last(); ++p) {
      durations.push_back(part.events.duration(p));
    }
    idle.add_lane(part);
  }
  const int64_t ticks = pipe.lanes * (area.to - area.from);
  if (ticks > 0) pipe.busy = static_cast<double>(pipe.busy_ticks) / static_cast<double>(ticks);
  add_durations(durations, pipe);
  pipe.idle = idle.shares();
  return pipe;
}

std::vector<EventGroup> group_by_cause(const TimelineIndex& index, const TimelineArea& area) {
  IdleSums idle(index);
  for (int lane : area.lanes) idle.add_lane(Part(index.lane(lane).events, area));
  std::vector<EventGroup> groups;
  for (const IdleShare& share : idle.shares()) {
    groups.push_back({share.name(index.names()), share.count, share.ticks, 0, 0});
  }
  return groups;
}

/// Adds the events of a lane to groups; group_of(position) says to which.
template <typename GroupOf>
void add_events(const Part& part, GroupOf group_of) {
  for (int64_t p = part.first_touching(); p < part.last(); ++p) {
    EventGroup& group = group_of(p);
    group.ticks += part.ticks_inside(p);
    if (p < part.first()) continue;
    ++group.count;
    group.bytes += part.events.bytes().at(p);
    group.flops += part.events.flops().at(p);
  }
}

std::vector<EventGroup> group_by_instruction(const TimelineIndex& index, const TimelineArea& area) {
  const size_t names = index.names().names.size();
  std::vector<EventGroup> groups(kPipeCount * names);
  for (int i : area.lanes) {
    const TimelineLane& lane = index.lane(i);
    const size_t base = static_cast<size_t>(lane.pipe) * names;
    add_events(Part(lane.events, area), [&](int64_t p) -> EventGroup& {
      return groups[base + static_cast<size_t>(lane.events.kind(p).name())];
    });
  }
  for (size_t i = 0; i < groups.size(); ++i) {
    groups[i].label =
        fmt::format("{} {}", name_of(static_cast<Pipe>(i / names)), index.names().names[i % names]);
  }
  return groups;
}

std::vector<EventGroup> group_by_task(const TimelineIndex& index, const TimelineArea& area) {
  std::map<std::pair<int32_t, int32_t>, EventGroup> by_task;
  for (int i : area.lanes) {
    const TimelineLane& lane = index.lane(i);
    EventGroup* group = nullptr;
    int32_t task = -1;
    add_events(Part(lane.events, area), [&](int64_t p) -> EventGroup& {
      if (!group || lane.events.task(p) != task) {
        task = lane.events.task(p);
        group = &by_task[{lane.core, task}];
      }
      return *group;
    });
  }
  std::vector<EventGroup> groups;
  for (auto& [key, group] : by_task) {
    group.label =
        fmt::format("{} task {}", index.names().cores[static_cast<size_t>(key.first)], key.second);
    groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace

TimelineArea TimelineArea::whole(const TimelineIndex& index) {
  return {0, index.end(), index.all_lanes()};
}

std::string IdleShare::name(const TimelineLanes& names) const {
  if (cause != IdleCause::kFlag) return std::string(name_of(cause));
  std::string name = "flag " + names.flags[static_cast<size_t>(flag)];
  if (setter >= 0) name += fmt::format(" of {}", name_of(static_cast<Pipe>(setter)));
  return name;
}

std::vector<PipeStatistics> area_statistics(const TimelineIndex& index, const TimelineArea& area) {
  std::vector<PipeStatistics> pipes;
  if (area.to <= area.from) return pipes;
  for (const std::vector<int>& lanes : lanes_by_pipe(index, area)) {
    if (!lanes.empty()) pipes.push_back(pipe_statistics(index, area, lanes));
  }
  return pipes;
}

std::vector<EventGroup> group_area(const TimelineIndex& index, const TimelineArea& area,
                                   GroupBy by) {
  if (area.to <= area.from) return {};
  std::vector<EventGroup> groups = by == GroupBy::kCause  ? group_by_cause(index, area)
                                   : by == GroupBy::kTask ? group_by_task(index, area)
                                                          : group_by_instruction(index, area);
  std::erase_if(groups, [](const EventGroup& group) { return group.count + group.ticks == 0; });
  std::ranges::stable_sort(groups, std::greater(), &EventGroup::ticks);
  return groups;
}

}  // namespace tilewright
