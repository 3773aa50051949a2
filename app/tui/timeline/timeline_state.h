#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/tui/kernel_request.h"
#include "app/tui/timeline/time_window.h"
#include "app/tui/timeline/timeline_data.h"

namespace tilewright {

/// The part of the launch whose statistics were asked for.
struct MarkedArea {
  TimeWindow time;
  std::vector<int> lanes;  ///< empty: all
};

/// What the Timeline shows, and how.
struct TimelineState {
  // Shared with the worker that made them; never changed.
  std::shared_ptr<const TimelineData> data;
  std::shared_ptr<const AreaData> area;

  std::optional<KernelRequest> wanted;  ///< what `job` simulates
  int64_t job = 0;                      ///< that indexes events; it is at work while State knows it
  int64_t area_job = 0;
  std::optional<AreaData> asked;  ///< the area and grouping that `area_job` works on

  TimeZoom zoom;
  TimeUnit unit = TimeUnit::kCycles;
  std::set<int> open_cores;  ///< into TimelineIndex::cores(): one row a lane
  bool lists_cores = false;  ///< a row for every folded core, instead of one for most of them
  std::vector<int> pinned;   ///< lanes that stay on top
  int row = 0;               ///< of the cursor, into lane_rows()
  int first_row = 0;         ///< that is drawn
  std::optional<int64_t> selected;  ///< an event's id
  std::vector<int64_t> trail;       ///< events that `c` came through, the first one first
  bool shows_path = false;
  std::string search;

  std::optional<int64_t> mark_begin;  ///< a tick, while the area has no end
  std::optional<MarkedArea> marked;
  std::optional<int64_t> drag_from;  ///< a tick, while the mouse draws an area
  int drag_row = 0;

  AreaGrouping grouping = AreaGrouping::kPipe;
  int area_row = 0;  ///< the first that is drawn
  int path_row = 0;  ///< of the cursor
  int side = 2;      ///< the pane that shares the lower part with the others
};

}  // namespace tilewright
