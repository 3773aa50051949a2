#include "core/timeline/timeline_cells.h"

#include <algorithm>

#include "core/base/error.h"

namespace tilewright {

namespace {

using Border = LaneEvents::Border;

/// Events that touch [from, to).
int64_t touching(const Border& from, const Border& to) {
  return to.position - from.position + (from.inside ? 1 : 0);
}

double busy_share(const Border& from, const Border& to) {
  return static_cast<double>(to.busy - from.busy) / static_cast<double>(to.tick - from.tick);
}

/// Calls visit(cell, its left border, its right border).
template <typename Visit>
void for_each_cell(const LaneEvents& events, const CellRange& range, Visit visit) {
  Border left = events.border(range.from());
  for (int i = 0; i < range.count(); ++i) {
    const Border right = events.border(range.border(i + 1));
    visit(static_cast<size_t>(i), left, right);
    left = right;
  }
}

}  // namespace

CellRange::CellRange(int64_t from, int64_t to, int count)
    : from_(from), ticks_(std::max<int64_t>(to - from, count)), count_(count) {
  TW_CHECK(count >= 1, "a range has cells");
}

std::vector<LaneCell> lane_cells(const LaneEvents& events, const CellRange& range) {
  std::vector<LaneCell> cells(static_cast<size_t>(range.count()));
  for_each_cell(events, range, [&](size_t i, const Border& left, const Border& right) {
    LaneCell& cell = cells[i];
    cell.busy = busy_share(left, right);
    cell.events = touching(left, right);
    cell.first = left.position - (left.inside ? 1 : 0);
    cell.starts = right.position > left.position;
    cell.ends = cell.events > (right.inside ? 1 : 0);
  });
  return cells;
}

std::vector<GroupCell> group_cells(const TimelineIndex& index, std::span<const int> lanes,
                                   const CellRange& range) {
  std::vector<GroupCell> cells(static_cast<size_t>(range.count()));
  if (lanes.empty()) return cells;
  for (GroupCell& cell : cells) cell.min = 1;
  for (int lane : lanes) {
    const LaneEvents& events = index.lane(lane).events;
    for_each_cell(events, range, [&](size_t i, const Border& left, const Border& right) {
      const double busy = busy_share(left, right);
      GroupCell& cell = cells[i];
      cell.mean += busy;
      cell.min = std::min(cell.min, busy);
      cell.max = std::max(cell.max, busy);
      cell.events += touching(left, right);
    });
  }
  for (GroupCell& cell : cells) cell.mean /= static_cast<double>(lanes.size());
  return cells;
}

std::vector<double> byte_rates(const TimelineIndex& index, std::span<const int> lanes,
                               const CellRange& range) {
  std::vector<double> rates(static_cast<size_t>(range.count()));
  for (int lane : lanes) {
    const LaneEvents& events = index.lane(lane).events;
    for_each_cell(events, range, [&](size_t i, const Border& left, const Border& right) {
      rates[i] += events.bytes_before(right) - events.bytes_before(left);
    });
  }
  for (int i = 0; i < range.count(); ++i) rates[static_cast<size_t>(i)] /= range.ticks(i);
  return rates;
}

}  // namespace tilewright
