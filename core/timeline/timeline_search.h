#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/timeline/timeline_index.h"

namespace tilewright {

/// The events that a text finds, whatever its case: those whose instruction's name, whose awaited
/// flag's name or whose core's name contains it, or that run on core N for the text "core N" (N
/// from 0 in the order of TimelineLanes::cores). An empty text finds nothing. They are ordered by
/// start, and where starts are equal by id.
class TimelineSearch {
 public:
  /// The index must outlive the search.
  TimelineSearch(const TimelineIndex& index, std::string_view text);

  int64_t count() const { return count_; }
  bool matches(int64_t id) const;
  /// Of a match among all, the first one is 1. Looks at every event before it on lanes where not
  /// all events match: some ns each.
  int64_t position(int64_t id) const;
  /// First match behind the event; the first of all for -1. -1 for none.
  int64_t next(int64_t id) const;
  /// Last match before the event; the last of all for -1. -1 for none.
  int64_t previous(int64_t id) const;

 private:
  struct Key {
    int64_t start = 0;
    int64_t id = 0;
    auto operator<=>(const Key&) const = default;
  };

  bool matches(int32_t core, EventKind kind) const {
    return cores_[static_cast<size_t>(core)] || names_[static_cast<size_t>(kind.name())] ||
           flags_[static_cast<size_t>(kind.flag() + 1)];
  }
  static Key key(const LaneEvents& events, int64_t p) { return {events.start(p), events.id(p)}; }

  const TimelineIndex& index_;
  std::vector<char> cores_;
  std::vector<char> names_;
  std::vector<char> flags_;  ///< one behind the flag's number: 0 is none
  std::vector<int> lanes_;   ///< with matches
  int64_t count_ = 0;
};

}  // namespace tilewright
