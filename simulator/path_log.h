#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/timeline/breakdown.h"

namespace tilewright {

/// What each instruction's start waited for, kept so that the critical path to any recent moment
/// can be walked back. A record is one instruction: it started because of an earlier moment (its
/// predecessor), after a gap with one cause. When the log is full, everything behind the moments
/// that still matter is folded into sums, so that memory does not grow with the number of events.
class PathLog {
 public:
  /// The end (even) or the start (odd) of a record.
  using Moment = int32_t;

  /// Parts of a record's duration that are not the pipe's own work. Ticks.
  struct Parts {
    int64_t l2 = 0;
    int64_t hbm = 0;
    int64_t conflict = 0;
    int64_t link = 0;
  };
  using Ticks = std::array<int64_t, Cause::kOnPath>;

  /// Moment 0 is the start of all cores, after `launch_ticks` of cause launch.
  PathLog(int64_t launch_ticks, size_t capacity);

  static Moment end_of(int32_t record) { return record * 2; }
  static Moment start_of(int32_t record) { return record * 2 + 1; }
  static int32_t record_of(Moment moment) { return moment / 2; }

  /// A record that starts at `start` because of `from`, with the time between under `gap`.
  int32_t begin(int64_t start, Moment from, Cause gap, Pipe pipe) {
    records_.push_back(
        {start, start, from, -1, static_cast<uint8_t>(gap.id()), static_cast<uint8_t>(pipe)});
    return static_cast<int32_t>(records_.size()) - 1;
  }
  void end(int32_t record, int64_t time) { records_[static_cast<size_t>(record)].end = time; }
  void end(int32_t record, int64_t time, const Parts& parts);

  int64_t time_of(Moment moment) const {
    const Record& record = records_[static_cast<size_t>(record_of(moment))];
    return moment % 2 == 1 ? record.start : record.end;
  }

  bool full() const { return records_.size() >= capacity_; }

  /// Folds everything into the moments that are still referred to. `live` points to every such
  /// moment, `open` to every record that has not ended; both are renumbered in place. Returns the
  /// old number of each record that is left.
  std::vector<int32_t> compact(std::span<Moment* const> live, std::span<int32_t* const> open);

  /// Time by cause on the critical path to the moment; sums to the moment's time.
  Ticks path_to(Moment moment) const;

 private:
  struct Record {
    int64_t start = 0;
    int64_t end = 0;
    Moment from = 0;
    int32_t parts = -1;  // into parts_
    uint8_t gap = 0;
    uint8_t pipe = 0;
  };

  bool is_base(int32_t record) const { return static_cast<size_t>(record) < bases_.size(); }
  void add_own(const Record& record, Ticks& ticks) const;
  void add_gap(const Record& record, Ticks& ticks) const;

  size_t capacity_;
  std::vector<Record> records_;  // the first ones are bases: moments with known sums
  std::vector<Ticks> bases_;
  std::vector<Parts> parts_;
  // Scratch of compact().
  std::vector<Record> old_records_;
  std::vector<Ticks> starts_;
  std::vector<int32_t> needed_;
  std::vector<int32_t> place_;
};

}  // namespace tilewright
