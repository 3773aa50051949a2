#include "core/timeline/timeline_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/base/error.h"

namespace tilewright {

namespace {

constexpr uint32_t kNoRow = UINT32_MAX;
constexpr uint8_t kNoPipe = kPipeCount;

}  // namespace

void TimelineIndex::begin(const TimelineLanes& lanes) {
  if (lanes.names.size() > static_cast<size_t>(EventKind::kMaxNames) ||
      lanes.flags.size() > static_cast<size_t>(EventKind::kMaxFlags)) {
    throw Error(ErrorKind::kFailed,
                fmt::format("the launch has {} instructions and {} flags in its templates, a "
                            "timeline index tells {} and {} apart; write the events to a file "
                            "instead (run --trace FILE)",
                            lanes.names.size(), lanes.flags.size(), EventKind::kMaxNames,
                            EventKind::kMaxFlags));
  }
  *this = TimelineIndex(max_events_);
  names_ = lanes;
  for (size_t core = 0; core < lanes.cores.size(); ++core) {
    for (int pipe = 0; pipe < kPipeCount; ++pipe) {
      lanes_.push_back({static_cast<int32_t>(core), static_cast<Pipe>(pipe), {}});
    }
  }
}

void TimelineIndex::add(const TimelineEvent& event) {
  if (event_count_ >= max_events_) {
    throw Error(ErrorKind::kFailed,
                fmt::format("the launch has more than {} events, which is what a timeline holds in "
                            "memory; take a smaller shape or larger tiles, or write the events to "
                            "a file (run --trace FILE)",
                            max_events_));
  }
  const auto id = static_cast<size_t>(event.id);
  if (id >= pipe_of_id_.size()) pipe_of_id_.resize(id + 1, kNoPipe);
  pipe_of_id_[id] = static_cast<uint8_t>(event.pipe);
  int setter = kNoPipe;
  if (event.reason == StartReason::kFlag && event.predecessor >= 0) {
    setter = pipe_of_id_[static_cast<size_t>(event.predecessor)];
    TW_CHECK(setter != kNoPipe, "who sets a flag ends before who waits for it");
  }
  const size_t lane =
      static_cast<size_t>(event.core) * kPipeCount + static_cast<size_t>(event.pipe);
  lanes_[lane].events.add(event, setter);
  if (event_count_ == 0 || event.start < first_start_) first_start_ = event.start;
  if (event_count_ == 0 || event.end > end_) {
    end_ = event.end;
    last_event_ = event.id;
  }
  ++event_count_;
}

void TimelineIndex::finish() {
  pipe_of_id_ = {};
  std::erase_if(lanes_, [](const TimelineLane& lane) { return lane.events.size() == 0; });
  row_of_id_.assign(static_cast<size_t>(event_count_), kNoRow);
  int64_t row = 0;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    TimelineLane& lane = lanes_[i];
    lane.events.finish();
    if (cores_.empty() || cores_.back().core != lane.core) cores_.push_back({lane.core, {}});
    cores_.back().lanes.push_back(static_cast<int>(i));
    first_rows_.push_back(row);
    for (int64_t p = 0; p < lane.events.size(); ++p, ++row) {
      const int64_t id = lane.events.id(p);
      TW_CHECK(id < event_count_ && row_of_id_[static_cast<size_t>(id)] == kNoRow,
               "ids count the events");
      row_of_id_[static_cast<size_t>(id)] = static_cast<uint32_t>(row);
    }
  }
}

std::vector<int> TimelineIndex::all_lanes() const {
  std::vector<int> all(lanes_.size());
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::vector<int> TimelineIndex::lanes_of(std::initializer_list<Pipe> pipes) const {
  std::vector<int> found;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (std::ranges::find(pipes, lanes_[i].pipe) != pipes.end()) {
      found.push_back(static_cast<int>(i));
    }
  }
  return found;
}

EventPlace TimelineIndex::place(int64_t id) const {
  TW_CHECK(id >= 0 && id < event_count_, "the event exists");
  const int64_t row = row_of_id_[static_cast<size_t>(id)];
  const auto lane = std::ranges::upper_bound(first_rows_, row) - 1;
  return {static_cast<int>(lane - first_rows_.begin()), row - *lane};
}

TimelineEvent TimelineIndex::event(int64_t id) const {
  return event(place(id));
}

TimelineEvent TimelineIndex::event(const EventPlace& place) const {
  const TimelineLane& on = lane(place.lane);
  TimelineEvent event = on.events.event(place.position);
  event.core = on.core;
  event.pipe = on.pipe;
  return event;
}

int64_t TimelineIndex::nearest(int lane_id, int64_t tick) const {
  const LaneEvents& events = lane(lane_id).events;
  const LaneEvents::Border at = events.border(tick);
  if (at.position == 0) return 0;
  const int64_t before = at.position - 1;
  if (at.inside || at.position == events.size()) return before;
  return tick - events.end(before) < events.start(at.position) - tick ? before : at.position;
}

std::optional<EventPlace> TimelineIndex::next(const EventPlace& place) const {
  if (place.position + 1 >= lane(place.lane).events.size()) return {};
  return EventPlace{place.lane, place.position + 1};
}

std::optional<EventPlace> TimelineIndex::previous(const EventPlace& place) const {
  if (place.position == 0) return {};
  return EventPlace{place.lane, place.position - 1};
}

StartWait TimelineIndex::why_not_earlier(int64_t id) const {
  const EventPlace at = place(id);
  const TimelineEvent late = event(at);
  StartWait wait;
  wait.reason = late.reason;
  if (late.flag >= 0) wait.flag = names_.flags[static_cast<size_t>(late.flag)];
  wait.predecessor = late.predecessor;
  if (late.predecessor >= 0) {
    const EventPlace before = place(late.predecessor);
    const LaneEvents& events = lane(before.lane).events;
    wait.released = late.reason == StartReason::kIssue ? events.start(before.position)
                                                       : events.end(before.position);
  }
  wait.latency = late.start - wait.released;
  if (at.position > 0) wait.lane_free = lane(at.lane).events.end(at.position - 1);
  wait.lane_waited = late.start - wait.lane_free;
  return wait;
}

size_t TimelineIndex::memory_bytes() const {
  size_t bytes = row_of_id_.capacity() * sizeof(uint32_t);
  for (const TimelineLane& lane : lanes_) bytes += lane.events.memory_bytes();
  return bytes;
}

}  // namespace tilewright
