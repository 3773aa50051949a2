#include "app/tui/timeline/lane_rows.h"

#include <algorithm>

namespace tilewright {

namespace {

/// Folded cores with a row of their own, before the others share one.
constexpr int kFoldedRows = 4;

}  // namespace

std::vector<LaneRow> lane_rows(const TimelineState& timeline) {
  std::vector<LaneRow> rows;
  if (!timeline.data) return rows;
  const TimelineIndex& index = timeline.data->index;
  for (const int lane : timeline.pinned) {
    rows.push_back({.lane = lane, .cores = {}, .is_pinned = true, .names_core = true});
  }
  const int count = static_cast<int>(index.cores().size());
  LaneRow rest{.kind = LaneRow::Kind::kRest, .cores = {}};
  int folded = 0;
  for (int core = 0; core < count; ++core) {
    if (!timeline.open_cores.contains(core)) {
      const bool has_row = timeline.lists_cores || folded < kFoldedRows;
      ++folded;
      if (has_row) {
        rows.push_back({.kind = LaneRow::Kind::kCore, .cores = {core}, .names_core = true});
      } else {
        rest.cores.push_back(core);
      }
      continue;
    }
    bool is_first = true;
    for (const int lane : index.cores()[static_cast<size_t>(core)].lanes) {
      rows.push_back({.lane = lane, .cores = {core}, .names_core = is_first});
      is_first = false;
    }
  }
  if (rest.cores.size() == 1) {
    rest.kind = LaneRow::Kind::kCore;
    rest.names_core = true;
  }
  if (!rest.cores.empty()) rows.push_back(rest);
  return rows;
}

std::vector<int> lanes_of(const TimelineData& data, const LaneRow& row) {
  if (row.kind == LaneRow::Kind::kLane) return {row.lane};
  std::vector<int> lanes;
  for (const int core : row.cores) {
    const std::vector<int>& own = data.index.cores()[static_cast<size_t>(core)].lanes;
    lanes.insert(lanes.end(), own.begin(), own.end());
  }
  return lanes;
}

int row_of_lane(const TimelineState& timeline, std::span<const LaneRow> rows, int lane) {
  const auto own = std::ranges::find_if(rows, [&](const LaneRow& row) {
    return row.kind == LaneRow::Kind::kLane && row.lane == lane && !row.is_pinned;
  });
  if (own != rows.end()) return static_cast<int>(own - rows.begin());
  const auto any = std::ranges::find_if(rows, [&](const LaneRow& row) {
    const std::vector<int> lanes = lanes_of(*timeline.data, row);
    return std::ranges::find(lanes, lane) != lanes.end();
  });
  return any == rows.end() ? -1 : static_cast<int>(any - rows.begin());
}

LaneGeometry::LaneGeometry(int width, int height) : cells(cells_in(width)) {
  constexpr int kHighPane = 13;
  constexpr int kLowPane = 6;
  totals = height >= kHighPane ? 2 : height >= kLowPane ? 1 : 0;
  rows = std::max(0, height - 1 - totals);
}

int first_visible_row(int wanted, int cursor, int count, int visible) {
  const int first =
      std::clamp(wanted, cursor - visible + 1, std::max(cursor, cursor - visible + 1));
  return std::clamp(first, 0, std::max(0, count - visible));
}

}  // namespace tilewright
