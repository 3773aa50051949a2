#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/timeline/timeline.h"

namespace tilewright {

/// Running sums of an amount that events have, so that the sum over any of them costs two reads.
/// Takes no memory as long as the amount is 0.
class SumColumn {
 public:
  void add(size_t position, int64_t amount) {
    if (sums_.empty()) {
      if (amount == 0) return;
      sums_.assign(position + 1, 0);
    }
    sums_.push_back(sums_.back() + amount);
  }
  void shrink() { sums_.shrink_to_fit(); }

  /// Of the events [first, last).
  int64_t sum(int64_t first, int64_t last) const {
    if (sums_.empty()) return 0;
    return sums_[static_cast<size_t>(last)] - sums_[static_cast<size_t>(first)];
  }
  int64_t at(int64_t position) const { return sum(position, position + 1); }
  size_t memory_bytes() const { return sums_.capacity() * sizeof(int64_t); }

 private:
  std::vector<int64_t> sums_;  ///< of the events before each position, and of all
};

/// What an event was and why it did not start earlier, in one word: events alike share it.
class EventKind {
 public:
  static constexpr int32_t kMaxNames = 1 << 14;
  static constexpr int32_t kMaxFlags = (1 << 13) - 1;

  /// `setter`: the pipe that set the flag, kPipeCount for none.
  EventKind(int32_t name, StartReason reason, int32_t flag, int setter)
      : bits_(static_cast<uint32_t>(name) << 18 | static_cast<uint32_t>(reason) << 16 |
              static_cast<uint32_t>(setter) << 13 | static_cast<uint32_t>(flag + 1)) {}

  int32_t name() const { return static_cast<int32_t>(bits_ >> 18); }
  StartReason reason() const { return static_cast<StartReason>(bits_ >> 16 & 3); }
  int32_t flag() const { return static_cast<int32_t>(bits_ & 0x1fff) - 1; }
  /// kPipeCount for none.
  int setter() const { return static_cast<int>(bits_ >> 13 & 7); }
  uint32_t bits() const { return bits_; }
  static EventKind of_bits(uint32_t bits) { return EventKind(bits); }

 private:
  explicit EventKind(uint32_t bits) : bits_(bits) {}
  uint32_t bits_;
};

/// The events of one lane in the order of time, as packed columns with running sums. They never
/// overlap, so that both their starts and their ends ascend. An event takes at most 38 bytes, and 8
/// for each of bytes, flops, l2_ticks, hbm_ticks, conflict_ticks and link_ticks that some event of
/// the lane has. Positions count from 0; times are ticks.
class LaneEvents {
 public:
  /// What has happened on the lane by some tick.
  struct Border {
    int64_t tick = 0;
    int64_t position = 0;  ///< of the first event that starts at the tick or later
    int64_t busy = 0;      ///< ticks before the tick
    bool inside = false;   ///< the event before `position` still runs
  };
  struct KindCount {
    EventKind kind;
    int64_t count = 0;
  };

  /// `setter` as in EventKind.
  void add(const TimelineEvent& event, int setter);
  /// After the last event.
  void finish();

  int64_t size() const { return static_cast<int64_t>(starts_.size()); }
  int64_t start(int64_t p) const { return starts_[static_cast<size_t>(p)]; }
  int64_t end(int64_t p) const { return start(p) + duration(p); }
  int64_t duration(int64_t p) const {
    const auto i = static_cast<size_t>(p);
    return busy_before_[i + 1] - busy_before_[i];
  }
  int64_t id(int64_t p) const { return ids_[static_cast<size_t>(p)]; }
  EventKind kind(int64_t p) const { return EventKind::of_bits(kinds_[static_cast<size_t>(p)]); }
  int32_t task(int64_t p) const { return tasks_[static_cast<size_t>(p)]; }
  /// All of the event but its core and pipe.
  TimelineEvent event(int64_t p) const;

  /// First position whose event starts at the tick or later; size() for none.
  int64_t first_from(int64_t tick) const;
  Border border(int64_t tick) const;
  /// Bytes moved before the border, each event's spread evenly over its duration.
  double bytes_before(const Border& border) const;

  /// Sums over the events [first, last).
  int64_t busy(int64_t first, int64_t last) const {
    return busy_before_[static_cast<size_t>(last)] - busy_before_[static_cast<size_t>(first)];
  }
  const SumColumn& bytes() const { return bytes_; }
  const SumColumn& flops() const { return flops_; }

  /// Every kind of event on the lane, by its bits.
  const std::vector<KindCount>& kinds() const { return kind_counts_; }
  size_t memory_bytes() const;

 private:
  void build_buckets();
  void count_kinds();

  std::vector<int64_t> starts_;
  std::vector<int64_t> busy_before_ = {0};
  std::vector<uint32_t> ids_;
  std::vector<uint32_t> predecessors_;
  std::vector<uint32_t> kinds_;
  std::vector<int32_t> tasks_;
  std::vector<int32_t> iterations_;
  SumColumn bytes_;
  SumColumn flops_;
  SumColumn l2_ticks_;
  SumColumn hbm_ticks_;
  SumColumn conflict_ticks_;
  SumColumn link_ticks_;
  /// Time from the first start on in equal pieces of 2^bucket_shift_ ticks: the first event that
  /// starts in each piece or later. A search looks at one piece, which makes a frame 2.3 times as
  /// fast as searching the whole lane.
  std::vector<uint32_t> buckets_;
  int bucket_shift_ = 0;
  std::vector<KindCount> kind_counts_;
};

}  // namespace tilewright
