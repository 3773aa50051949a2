#include "app/tui/timeline/timeline_mouse.h"

#include <algorithm>

#include "app/tui/timeline/timeline_update.h"

namespace tilewright {

namespace {

using Kind = MouseEvent::Kind;

/// The tick below a column of the lanes or the overview, the nearest where none is.
int64_t tick_at(const State& state, const TimeWindow& window, int x) {
  const int cells = cells_of_time(state);
  return tick_of(window, cells, std::clamp(x - LaneGeometry::kName, 0, cells - 1));
}

/// The row of the lanes at a row of the pane; -1 when there is none.
int row_at(const State& state, const Rect& inner, int y) {
  const LaneGeometry geometry(inner.width, inner.height);
  const int count = static_cast<int>(lane_rows(state.timeline).size());
  const int first =
      first_visible_row(state.timeline.first_row, state.timeline.row, count, geometry.rows);
  const int row = first + y - 1;
  return y >= 1 && y <= geometry.rows && row < count ? row : -1;
}

void press_lanes(State& state, const Rect& inner, const MouseEvent& event) {
  TimelineState& timeline = state.timeline;
  const int row = row_at(state, inner, event.y);
  if (row < 0) return;
  const bool was_there = timeline.row == row;
  timeline.row = row;
  const std::vector<LaneRow> rows = lane_rows(timeline);
  const LaneRow& chosen = rows[static_cast<size_t>(row)];
  const bool on_name = event.x < LaneGeometry::kName;
  if (chosen.kind != LaneRow::Kind::kLane) {
    if (on_name || was_there) toggle_fold(state);
    return;
  }
  if (on_name) return;
  const int64_t tick = tick_at(state, shown_window(state), event.x);
  const TimelineIndex& index = timeline.data->index;
  timeline.selected = index.id({chosen.lane, index.nearest(chosen.lane, tick)});
  timeline.trail.clear();
  timeline.drag_from = tick;
  timeline.drag_row = row;
}

/// Where presses and drags come in one read, the terminal library drops the press: the first drag
/// stands for it.
void begin_drag(State& state, const Rect& inner, const MouseEvent& event) {
  TimelineState& timeline = state.timeline;
  const int row = row_at(state, inner, event.y);
  if (row < 0 || event.x < LaneGeometry::kName) return;
  timeline.drag_from = tick_at(state, shown_window(state), event.x);
  timeline.drag_row = row;
}

void drag_lanes(State& state, const Rect& inner, const MouseEvent& event) {
  TimelineState& timeline = state.timeline;
  if (!timeline.drag_from) return begin_drag(state, inner, event);
  const TimeWindow window = shown_window(state);
  const int64_t tick = tick_at(state, window, event.x);
  const int cells = cells_of_time(state);
  // A hand that trembles draws no area.
  if (!timeline.marked &&
      cell_of(window, cells, tick) == cell_of(window, cells, *timeline.drag_from)) {
    return;
  }
  const int row = row_at(state, inner, event.y);
  mark_between(state, *timeline.drag_from, tick, timeline.drag_row,
               row < 0 ? timeline.drag_row : row);
}

void mouse_on_lanes(State& state, const Rect& inner, const MouseEvent& event) {
  switch (event.kind) {
    case Kind::kPress:
      return press_lanes(state, inner, event);
    case Kind::kDrag:
      return drag_lanes(state, inner, event);
    case Kind::kRelease:
      state.timeline.drag_from.reset();
      return;
    case Kind::kWheelUp:
    case Kind::kWheelDown:
      return zoom_time(state, event.kind == Kind::kWheelUp ? 1 : -1,
                       tick_at(state, shown_window(state), event.x));
  }
}

void mouse_on_overview(State& state, const MouseEvent& event) {
  const TimeWindow whole = {0, std::max<int64_t>(1, state.timeline.data->end())};
  if (event.kind == Kind::kPress || event.kind == Kind::kDrag) {
    center_time(state, tick_at(state, whole, event.x));
  } else if (event.kind != Kind::kRelease) {
    zoom_time(state, event.kind == Kind::kWheelUp ? 1 : -1, zoom_anchor(state));
  }
}

void mouse_on_path(State& state, const Rect& inner, const MouseEvent& event) {
  TimelineState& timeline = state.timeline;
  const int count = static_cast<int>(timeline.data->path_rows.size());
  const int visible = std::max(1, inner.height - 2);
  const int first = first_visible_row(0, timeline.path_row, count, visible);
  const int row = first + event.y - 1;
  if (event.y < 1 || event.y > visible || row >= count) return;
  timeline.path_row = row;
  select_event(state, timeline.data->path_rows[static_cast<size_t>(row)].first_event);
}

}  // namespace

void timeline_mouse(State& state, int pane, const Rect& inner, const MouseEvent& event, Effects&) {
  if (!state.timeline.data) return;
  if (event.kind != Kind::kDrag && event.kind != Kind::kRelease) state.timeline.drag_from.reset();
  if (pane == kLanesPane) return mouse_on_lanes(state, inner, event);
  if (pane == kOverviewPane) return mouse_on_overview(state, event);
  if (event.kind == Kind::kWheelUp || event.kind == Kind::kWheelDown) {
    const int focused = state.pane().pane;
    state.pane().pane = pane;
    scroll_tables(state, event.kind == Kind::kWheelUp ? -1 : 1);
    state.pane().pane = focused;
  } else if (event.kind == Kind::kPress && pane == kPathPane) {
    mouse_on_path(state, inner, event);
  }
}

void scroll_tables(State& state, int step) {
  TimelineState& timeline = state.timeline;
  const auto moved = [&](int row, size_t count) {
    return std::clamp(row + step, 0, std::max(0, static_cast<int>(count) - 1));
  };
  if (state.pane().pane == kPathPane) {
    timeline.path_row = moved(timeline.path_row, timeline.data->path_rows.size());
  } else if (state.pane().pane == kAreaPane && timeline.area) {
    timeline.area_row = moved(timeline.area_row, timeline.area->groups.size());
  }
}

}  // namespace tilewright
