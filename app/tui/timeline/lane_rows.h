#pragma once

#include <span>
#include <string>
#include <vector>

#include "app/tui/rect.h"
#include "app/tui/timeline/timeline_state.h"

namespace tilewright {

/// A row of the lanes: a pipe of an open core, a folded core, or all cores that have no row.
struct LaneRow {
  enum class Kind : uint8_t { kLane, kCore, kRest };
  Kind kind = Kind::kLane;
  int lane = -1;           ///< into TimelineIndex::lanes(), of kLane
  std::vector<int> cores;  ///< into TimelineIndex::cores(): its core, or those of the rest
  bool is_pinned = false;
  bool names_core = false;  ///< the first lane of its core
};

/// Pinned lanes first, then core by core; folded cores behind the first few share a row.
std::vector<LaneRow> lane_rows(const TimelineState& timeline);

/// The lanes that a row stands for.
std::vector<int> lanes_of(const TimelineData& data, const LaneRow& row);

/// The row of a lane, else that of its core; -1 for none.
int row_of_lane(const TimelineState& timeline, std::span<const LaneRow> rows, int lane);

/// Where things stand in the Lanes and Overview panes, from their inner corner: names at the left,
/// then cells of time, then a number. The cells depend on the width alone, so that all panes agree.
struct LaneGeometry {
  static constexpr int kName = 18;    ///< columns of a row's name, with a blank behind
  static constexpr int kNumber = 10;  ///< columns of the number at the right, with a blank before

  int cells = 1;
  int rows = 0;    ///< of lanes, below the ruler
  int totals = 0;  ///< rows at the bottom: loads, stores

  /// Columns of the panes' inside.
  static int cells_in(int inner_width) { return std::max(1, inner_width - kName - kNumber); }
  /// Of a pane's inside.
  LaneGeometry(int width, int height);
  int first_total() const { return 1 + rows; }
};

/// First row that is drawn so that the cursor is in sight, as near to `wanted` as possible.
int first_visible_row(int wanted, int cursor, int count, int visible);

}  // namespace tilewright
