#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "core/timeline/lane_events.h"
#include "core/timeline/timeline.h"

namespace tilewright {

/// The events of one pipe of one core.
struct TimelineLane {
  int32_t core = 0;  ///< into TimelineLanes::cores
  Pipe pipe = Pipe::kScalar;
  LaneEvents events;
};

/// A core that ran something.
struct TimelineCore {
  int32_t core = 0;        ///< into TimelineLanes::cores
  std::vector<int> lanes;  ///< into TimelineIndex::lanes(), by pipe
};

/// Where an event is.
struct EventPlace {
  int lane = 0;          ///< into TimelineIndex::lanes()
  int64_t position = 0;  ///< on the lane, from 0
  bool operator==(const EventPlace&) const = default;
};

/// Why an event did not start earlier.
struct StartWait {
  StartReason reason = StartReason::kLaunch;
  std::string flag;          ///< its name, of reason kFlag
  int64_t predecessor = -1;  ///< the event that let it go, -1 for none: the launch did
  /// When that event let it go: at its end, or for reason kIssue at its start, which made room in a
  /// full queue. 0 without a predecessor.
  int64_t released = 0;
  int64_t latency = 0;  ///< from `released` to the start: of the flag, of the issue, of the launch
  int64_t lane_free = 0;  ///< end of the event before it on its lane, 0 for the first
  int64_t lane_waited =
      0;  ///< from `lane_free` to the start: so much earlier its lane could have run it
};

/// All events of a launch, packed for a reader who asks about any stretch of time at any zoom: the
/// data of the Timeline screen. Give it to time_detailed() as its sink. After finish() it never
/// changes and keeps no caches, so that threads may share it. All times are ticks from the start of
/// the launch.
///
/// Memory: 42 bytes an event, and 8 for each of bytes, flops and the three parts of its duration
/// that its lane knows (core/timeline/lane_events.h): about 50 for a GEMM, and up to twice as much
/// while events arrive.
///
/// Beside it: timeline_cells.h (what to draw), timeline_area.h (statistics of a stretch),
/// timeline_path.h (critical path), timeline_search.h (find).
class TimelineIndex : public TimelineSink {
 public:
  static constexpr int64_t kMaxEvents = 20'000'000;  ///< about 1 GB

  explicit TimelineIndex(int64_t max_events = kMaxEvents) : max_events_(max_events) {}

  /// Error (failed) when the launch has more names or flags than EventKind tells apart.
  void begin(const TimelineLanes& lanes) override;
  /// Error (failed) with more than the accepted number of events; it says how to get by with fewer.
  void add(const TimelineEvent& event) override;
  void finish() override;

  const TimelineLanes& names() const { return names_; }
  int64_t event_count() const { return event_count_; }
  /// Start of the earliest event: what lies before is launch and dispatch. 0 without events.
  int64_t first_start() const { return event_count_ == 0 ? 0 : first_start_; }
  /// End of the event that ends last, and so of the launch. 0 without events.
  int64_t end() const { return end_; }
  /// The event that ends last (of several, the one that the simulator found first); -1 without
  /// events.
  int64_t last_event() const { return last_event_; }

  /// Lanes that ran something, by core, then by pipe.
  const std::vector<TimelineLane>& lanes() const { return lanes_; }
  const TimelineLane& lane(int lane) const { return lanes_[static_cast<size_t>(lane)]; }
  const std::vector<TimelineCore>& cores() const { return cores_; }
  std::vector<int> all_lanes() const;
  /// The lanes of these pipes on all cores.
  std::vector<int> lanes_of(std::initializer_list<Pipe> pipes) const;
  /// Lanes that load bytes from GM (MTE2), and that store them (FIXP, MTE3).
  std::vector<int> load_lanes() const { return lanes_of({Pipe::kMte2}); }
  std::vector<int> store_lanes() const { return lanes_of({Pipe::kFixp, Pipe::kMte3}); }

  /// Ids are 0 <= id < event_count(), in the order in which the simulator started the events.
  EventPlace place(int64_t id) const;
  int64_t id(const EventPlace& place) const { return lane(place.lane).events.id(place.position); }
  TimelineEvent event(int64_t id) const;
  TimelineEvent event(const EventPlace& place) const;

  /// Position of the event that runs at the tick, else of the one nearest to it in time (of two as
  /// near, the earlier).
  int64_t nearest(int lane, int64_t tick) const;
  /// Neighbours on the lane; nothing at its ends.
  std::optional<EventPlace> next(const EventPlace& place) const;
  std::optional<EventPlace> previous(const EventPlace& place) const;

  StartWait why_not_earlier(int64_t id) const;

  size_t memory_bytes() const;

 private:
  int64_t max_events_;
  TimelineLanes names_;
  int64_t event_count_ = 0;
  int64_t first_start_ = 0;
  int64_t end_ = 0;
  int64_t last_event_ = -1;
  std::vector<TimelineLane> lanes_;  ///< until finish(): every pipe of every core
  std::vector<TimelineCore> cores_;
  std::vector<int64_t> first_rows_;  ///< by lane: rows count all events, lane by lane
  std::vector<uint32_t> row_of_id_;
  std::vector<uint8_t> pipe_of_id_;  ///< until finish()
};

}  // namespace tilewright
