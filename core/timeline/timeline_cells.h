#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/timeline/timeline_index.h"

namespace tilewright {

/// A stretch of time in equal cells, as a view draws it. Every query below is exact and costs
/// O(cells x lanes x log events), whatever the zoom: a frame of 120x40 over 1.3 million events on
/// 96 lanes takes about 1 ms (tests/bench/timeline_bench.cpp), so that no coarser levels are kept.
class CellRange {
 public:
  /// [from, to) in `count` >= 1 cells; a stretch of less than a tick a cell is widened to that.
  /// (to - from) x count stays below 2^63.
  CellRange(int64_t from, int64_t to, int count);

  int count() const { return count_; }
  int64_t from() const { return from_; }
  int64_t to() const { return from_ + ticks_; }
  /// Cell i is [border(i), border(i + 1)).
  int64_t border(int i) const { return from_ + ticks_ * i / count_; }
  double ticks(int i) const { return static_cast<double>(border(i + 1) - border(i)); }

 private:
  int64_t from_;
  int64_t ticks_;
  int count_;
};

/// What one lane did in one cell.
struct LaneCell {
  double busy = 0;      ///< share of the cell, events cut at its borders
  int64_t events = 0;   ///< that touch it
  int64_t first = 0;    ///< position of the first of them: with one event, draw that one
  bool starts = false;  ///< an event starts in it
  bool ends = false;    ///< an event ends in it, also at its very end
};
std::vector<LaneCell> lane_cells(const LaneEvents& events, const CellRange& range);

/// What several lanes did in one cell: a folded core, a pipe of all cores, the whole launch.
struct GroupCell {
  double mean = 0;  ///< of the lanes' busy shares
  double min = 0;
  double max = 0;
  int64_t events = 0;  ///< that touch it
};
/// Zeroes without lanes.
std::vector<GroupCell> group_cells(const TimelineIndex& index, std::span<const int> lanes,
                                   const CellRange& range);

/// Bytes a tick that the lanes move together in each cell; an event's bytes are spread evenly over
/// its duration. See TimelineIndex::load_lanes() and store_lanes().
std::vector<double> byte_rates(const TimelineIndex& index, std::span<const int> lanes,
                               const CellRange& range);

}  // namespace tilewright
