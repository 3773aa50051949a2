// Reducers of the Timeline: areas and their statistics.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "app/tui/screen.h"
#include "app/tui/timeline/timeline_update.h"

namespace tilewright {

namespace {

/// Events whose statistics take no longer than a frame may: about a millisecond.
constexpr int64_t kInstantEvents = 20'000;

bool is_of(const AreaData& data, const TimelineArea& area, AreaGrouping grouping) {
  return data.area.from == area.from && data.area.to == area.to && data.area.lanes == area.lanes &&
         data.grouping == grouping;
}

/// One job at a time, so that a key that is held down asks for few of them.
void refresh_area(State& state, Effects& effects) {
  TimelineState& timeline = state.timeline;
  TimelineArea area = shown_area(state);
  const bool is_asked = timeline.asked && is_of(*timeline.asked, area, timeline.grouping);
  // Whatever comes of a job, its area is asked for again when one comes back to it.
  if (!is_asked && !is_adding_up(state)) timeline.asked.reset();
  if (timeline.area && is_of(*timeline.area, area, timeline.grouping)) return;
  if (events_in(timeline.data->index, area) <= kInstantEvents) {
    timeline.area = area_data(timeline.data->index, std::move(area), timeline.grouping);
    return;
  }
  // A job that failed is not asked for again as long as nothing else is looked at.
  if (is_adding_up(state) || is_asked) return;
  timeline.asked.emplace();
  timeline.asked->area = area;
  timeline.asked->grouping = timeline.grouping;
  timeline.area_job = submit(state, effects, "area statistics",
                             AreaJob{timeline.data, std::move(area), timeline.grouping});
}

Rect lanes_inside(const State& state) {
  for (const PaneBox& box : visible_panes(state)) {
    if (box.pane == kLanesPane) return box.rect.inset(2, 1);
  }
  return {};
}

int lane_row_count(const State& state) {
  return static_cast<int>(lane_rows(state.timeline).size());
}

}  // namespace

int drawn_rows(const State& state) {
  if (state.screen != Screen::kTimeline) return 0;
  const Rect inside = lanes_inside(state);
  return inside.is_empty() ? 0 : LaneGeometry(inside.width, inside.height).rows;
}

bool is_adding_up(const State& state) {
  return std::ranges::find(state.jobs, state.timeline.area_job, &JobSnapshot::id) !=
         state.jobs.end();
}

TimelineArea shown_area(const State& state) {
  const TimelineState& timeline = state.timeline;
  const TimelineIndex& index = timeline.data->index;
  if (!timeline.marked) {
    const TimeWindow window = shown_window(state);
    return {window.from, std::min(window.to, std::max<int64_t>(1, index.end())), index.all_lanes()};
  }
  const MarkedArea& marked = *timeline.marked;
  return {marked.time.from, marked.time.to,
          marked.lanes.empty() ? index.all_lanes() : marked.lanes};
}

void mark_area(State& state) {
  TimelineState& timeline = state.timeline;
  const TimeWindow window = shown_window(state);
  TimeWindow here = {window.from, window.to};
  if (timeline.selected) {
    const TimelineEvent event = timeline.data->index.event(*timeline.selected);
    here = {event.start, event.end};
  }
  const TimeFormat format = time_format(state);
  if (!timeline.mark_begin) {
    timeline.mark_begin = here.from;
    timeline.marked.reset();
    return state.say(fmt::format("area from {}; m again ends it", format.text(here.from)));
  }
  const int64_t begin = std::min(*timeline.mark_begin, here.from);
  const int64_t end = std::max(*timeline.mark_begin, here.to);
  timeline.marked = MarkedArea{{begin, std::max(begin + 1, end)}, {}};
  timeline.mark_begin.reset();
  timeline.area_row = 0;
  state.say(fmt::format("area of {} on all lanes; M clears it", format.text(end - begin)));
}

void clear_marks(State& state) {
  state.timeline.mark_begin.reset();
  state.timeline.marked.reset();
  state.timeline.drag_from.reset();
  state.timeline.asked.reset();
  state.timeline.area_row = 0;
}

void mark_between(State& state, int64_t first, int64_t last, int first_row, int last_row) {
  TimelineState& timeline = state.timeline;
  const std::vector<LaneRow> rows = lane_rows(timeline);
  if (rows.empty()) return;
  const int bottom = static_cast<int>(rows.size()) - 1;
  const auto [top, low] =
      std::minmax(std::clamp(first_row, 0, bottom), std::clamp(last_row, 0, bottom));
  std::vector<int> lanes;
  for (int row = top; row <= low; ++row) {
    const std::vector<int> own = lanes_of(*timeline.data, rows[static_cast<size_t>(row)]);
    lanes.insert(lanes.end(), own.begin(), own.end());
  }
  std::ranges::sort(lanes);
  lanes.erase(std::unique(lanes.begin(), lanes.end()), lanes.end());
  const auto [begin, end] = std::minmax(first, last);
  timeline.mark_begin.reset();
  timeline.marked = MarkedArea{{begin, std::max(begin + 1, end)}, std::move(lanes)};
  timeline.area_row = 0;
}

void settle_timeline(State& state, Effects& effects) {
  TimelineState& timeline = state.timeline;
  if (state.pane().pane >= kEventPane) timeline.side = state.pane().pane;
  if (!timeline.data) return;
  const int count = lane_row_count(state);
  timeline.row = std::clamp(timeline.row, 0, std::max(0, count - 1));
  if (const int drawn = drawn_rows(state); drawn > 0) {
    timeline.first_row = first_visible_row(timeline.first_row, timeline.row, count, drawn);
  }
  refresh_area(state, effects);
}

}  // namespace tilewright
