#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "simulator/path_log.h"

namespace tilewright {

/// A flag that was set by the record that ended at `from`: a waiting instruction may start at
/// `time`, which includes the way from the setter.
struct FlagSet {
  int64_t time = 0;
  PathLog::Moment from = 0;
  Pipe setter = Pipe::kScalar;
};

/// Sets ahead of the waits that a flag can count.
constexpr uint32_t kFlagDepth = 16;

/// The counting flag of one core: a queue of sets that were not waited for yet. Few are: the queue
/// shifts, so that it stays in the cache line of its count.
class alignas(64) LocalFlag {
 public:
  /// Remembers that a pipe, given as a bit, waits for the next set.
  void wait(uint32_t pipe) { waiters_ |= static_cast<uint8_t>(pipe); }
  /// The pipes that waited, as bits; nobody waits any more.
  uint32_t wake() { return std::exchange(waiters_, uint8_t{0}); }

  bool full() const { return count_ == kFlagDepth; }
  bool ready() const { return count_ != 0; }
  const FlagSet& front() const { return sets_[0]; }
  void push(int64_t time, PathLog::Moment from, Pipe setter) {
    // Member by member: the processor need not put a copy together first.
    FlagSet& set = sets_[count_++];
    set.time = time;
    set.from = from;
    set.setter = setter;
  }
  void pop() {
    --count_;
    for (uint32_t i = 0; i < count_; ++i) sets_[i] = sets_[i + 1];
  }
  template <typename Visit>
  void for_each_moment(Visit visit) {
    for (uint32_t i = 0; i < count_; ++i) visit(sets_[i].from);
  }

 private:
  uint32_t count_ = 0;
  uint8_t waiters_ = 0;
  std::array<FlagSet, kFlagDepth> sets_{};
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

  /// True when the set completed: consumers may go on.
  bool push(int core, const FlagSet& set) {
    Slot& slot = slots_[member(setters_, core, initial_).count++ % kFlagDepth];
    if (slot.arrived == 0 || set.time > slot.latest.time) slot.latest = set;
    return ++slot.arrived == producers_;
  }

  bool ready(int core) const {
    return slots_[count_of(consumers_, core, 0) % kFlagDepth].arrived == producers_;
  }
  const FlagSet& front(int core) const {
    return slots_[count_of(consumers_, core, 0) % kFlagDepth].latest;
  }

  void pop(int core) {
    ++member(consumers_, core, 0).count;
    const auto oldest =
        std::min_element(consumers_.begin(), consumers_.end(),
                         [](const Member& a, const Member& b) { return a.count < b.count; });
    if (oldest->count != first_) slots_[first_++ % kFlagDepth].arrived = 0;
  }

  /// Calls visit(moment) for every set that somebody may still take.
  template <typename Visit>
  void for_each_moment(Visit visit) {
    for (Slot& slot : slots_) {
      if (slot.arrived > 0) visit(slot.latest.from);
    }
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
