#include "core/timeline/timeline_path.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

namespace tilewright {

TimelinePath::TimelinePath(const TimelineIndex& index, int64_t id) {
  if (id < 0) return;
  TimelineEvent event = index.event(id);
  int64_t leaves = event.end;
  for (;;) {
    steps_.push_back({event.id, event.start, leaves - event.start});
    if (event.predecessor < 0) break;
    const TimelineEvent before = index.event(event.predecessor);
    leaves = event.reason == StartReason::kIssue ? before.start : before.end;
    steps_.back().waited = event.start - leaves;
    event = before;
  }
  std::ranges::reverse(steps_);
  add_up(index);
}

void TimelinePath::add_up(const TimelineIndex& index) {
  std::map<std::pair<Pipe, int32_t>, PathShare> shares;
  std::map<std::pair<IdleCause, int32_t>, PathWait> waits;
  for (const PathStep& step : steps_) {
    const EventPlace place = index.place(step.id);
    const TimelineLane& lane = index.lane(place.lane);
    const EventKind kind = lane.events.kind(place.position);
    PathShare& share = shares[{lane.pipe, kind.name()}];
    share.pipe = lane.pipe;
    share.name = kind.name();
    ++share.count;
    share.ticks += step.busy;
    if (step.waited == 0) continue;
    const bool first = &step == &steps_.front();
    const IdleCause cause = first ? IdleCause::kLaunch : idle_cause(kind.reason());
    const int32_t flag = cause == IdleCause::kFlag ? kind.flag() : -1;
    PathWait& wait = waits[{cause, flag}];
    wait.cause = cause;
    wait.flag = flag;
    ++wait.count;
    wait.ticks += step.waited;
  }
  for (const auto& [key, share] : shares) shares_.push_back(share);
  for (const auto& [key, wait] : waits) waits_.push_back(wait);
  std::ranges::stable_sort(shares_, std::greater(), &PathShare::ticks);
  std::ranges::stable_sort(waits_, std::greater(), &PathWait::ticks);
}

bool TimelinePath::contains(int64_t id) const {
  return std::ranges::binary_search(steps_, id, {}, &PathStep::id);
}

TimelinePath critical_path(const TimelineIndex& index) {
  return TimelinePath(index, index.last_event());
}

}  // namespace tilewright
