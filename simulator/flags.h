#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "core/timeline/lanes.h"

namespace tilewright {

/// When a flag was set: by an instruction that ended at `time` on the path `node`; a waiting
/// instruction may start `latency` later.
struct FlagSet {
  int64_t time = 0;
  int64_t latency = 0;
  int32_t node = 0;
  Pipe setter = Pipe::kScalar;
};

/// Sets ahead of the waits that a flag can count.
constexpr uint32_t kFlagDepth = 16;

/// The counting flag of one core: a queue of sets that were not waited for yet.
class alignas(64) LocalFlag {
 public:
  bool full() const { return sets_ - waits_ == kFlagDepth; }
  bool ready() const { return sets_ != waits_; }
  const FlagSet& front() const { return ring_[waits_ % kFlagDepth]; }
  void push(const FlagSet& set) { ring_[sets_++ % kFlagDepth] = set; }
  void pop() {
    // An empty queue starts over, so that few of its slots are ever touched.
    if (++waits_ == sets_) waits_ = sets_ = 0;
  }

 private:
  // Counts and the first slots share a cache line.
  uint32_t sets_ = 0;
  uint32_t waits_ = 0;
  std::array<FlagSet, kFlagDepth> ring_{};
};

/// A flag between cores: set k is there when every producer has set it k times; each consumer takes
/// it once.
class SharedFlag {
 public:
  /// `initial` sets are there from the start.
  SharedFlag(int producers, const std::vector<int>& consumers, uint32_t initial,
             const FlagSet& from_start)
      : producers_(producers), initial_(initial) {
    for (int core : consumers) consumers_.push_back({core, 0});
    for (uint32_t i = 0; i < initial; ++i) slots_[i] = {from_start, producers};
  }

  /// Whether `core` may set it once more without losing a set that somebody still needs.
  bool full(int core) const { return count_of(setters_, core, initial_) - first_ >= kFlagDepth; }

  /// True when the set completed: consumers may go on. `forgotten` gets the node of a set that no
  /// longer counts as the latest (to release), -1 without one.
  bool push(int core, const FlagSet& set, int32_t& forgotten) {
    Slot& slot = slots_[member(setters_, core, initial_).count++ % kFlagDepth];
    forgotten = -1;
    if (slot.arrived == 0) {
      slot.latest = set;
    } else if (set.time + set.latency > slot.latest.time + slot.latest.latency) {
      forgotten = slot.latest.node;
      slot.latest = set;
    } else {
      forgotten = set.node;
    }
    return ++slot.arrived == producers_;
  }

  bool ready(int core) const {
    return slots_[count_of(consumers_, core, 0) % kFlagDepth].arrived == producers_;
  }
  const FlagSet& front(int core) const {
    return slots_[count_of(consumers_, core, 0) % kFlagDepth].latest;
  }

  /// Node of the set that every consumer has now taken (to release), -1 while some still need it.
  int32_t pop(int core) {
    ++member(consumers_, core, 0).count;
    const auto oldest =
        std::min_element(consumers_.begin(), consumers_.end(),
                         [](const Member& a, const Member& b) { return a.count < b.count; });
    if (oldest->count == first_) return -1;
    Slot& slot = slots_[first_++ % kFlagDepth];
    slot.arrived = 0;
    return slot.latest.node;
  }

  const auto& consumers() const { return consumers_; }

 private:
  struct Member {
    int core = 0;
    uint32_t count = 0;  ///< sets made, or waits passed
  };
  struct Slot {
    FlagSet latest;
    int arrived = 0;
  };

  static uint32_t count_of(const std::vector<Member>& members, int core, uint32_t start) {
    for (const Member& member : members) {
      if (member.core == core) return member.count;
    }
    return start;
  }
  static Member& member(std::vector<Member>& members, int core, uint32_t start) {
    for (Member& member : members) {
      if (member.core == core) return member;
    }
    members.push_back({core, start});
    return members.back();
  }

  int producers_;
  uint32_t initial_;
  std::vector<Member> setters_;
  std::vector<Member> consumers_;
  std::array<Slot, kFlagDepth> slots_{};
  uint32_t first_ = 0;  // oldest set that some consumer has not taken
};

}  // namespace tilewright
