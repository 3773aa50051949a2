// Reducers of the Timeline: where one looks and what is chosen.

#include "app/tui/timeline/timeline_update.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/screen.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/timeline/timeline_search.h"

namespace tilewright {

namespace {

constexpr int kOpenAtFirst = 2;

int64_t middle_of(const LaneEvents& events, int64_t position) {
  return events.start(position) + events.duration(position) / 2;
}

void open_first_cores(TimelineState& timeline) {
  timeline.open_cores.clear();
  const int cores = static_cast<int>(timeline.data->index.cores().size());
  for (int core = 0; core < std::min(kOpenAtFirst, cores); ++core) timeline.open_cores.insert(core);
  timeline.lists_cores = false;
}

int core_of_lane(const TimelineIndex& index, int lane) {
  const auto core = std::ranges::find_if(index.cores(), [&](const TimelineCore& one) {
    return std::ranges::find(one.lanes, lane) != one.lanes.end();
  });
  return static_cast<int>(core - index.cores().begin());
}

const LaneRow* row_at_cursor(const TimelineState& timeline, const std::vector<LaneRow>& rows) {
  const auto row = static_cast<size_t>(timeline.row);
  return row < rows.size() ? &rows[row] : nullptr;
}

/// The lane that the cursor is on; -1 for none.
int lane_at_cursor(const TimelineState& timeline) {
  const std::vector<LaneRow> rows = lane_rows(timeline);
  const LaneRow* row = row_at_cursor(timeline, rows);
  return row && row->kind == LaneRow::Kind::kLane ? row->lane : -1;
}

/// Shows the event's time without zooming out, unless it is in sight already.
void reveal_time(State& state, const TimelineEvent& event) {
  const TimeWindow window = shown_window(state);
  if (!window.touches(event.start, event.end)) {
    center_time(state, event.start + (event.end - event.start) / 2);
  }
}

void select_at(State& state, int lane, int64_t tick) {
  const TimelineIndex& index = state.timeline.data->index;
  state.timeline.selected = index.id({lane, index.nearest(lane, tick)});
}

}  // namespace

int cells_of_time(const State& state) {
  return LaneGeometry::cells_in(state.width - 4);
}

TimeWindow shown_window(const State& state) {
  return window_of(state.timeline.zoom, state.timeline.data->end(), cells_of_time(state));
}

TimeFormat time_format(const State& state) {
  return {state.timeline.unit,
          state.timeline.data ? state.timeline.data->index.names().ticks_per_us : 1};
}

const JobSnapshot* indexing_job(const State& state) {
  const auto job = std::ranges::find(state.jobs, state.timeline.job, &JobSnapshot::id);
  return job == state.jobs.end() ? nullptr : &*job;
}

void show_timeline(State& state, std::shared_ptr<const TimelineData> data) {
  TimelineState& timeline = state.timeline;
  TimelineState fresh;
  fresh.unit = timeline.unit;
  fresh.grouping = timeline.grouping;
  fresh.side = timeline.side;
  fresh.shows_path = timeline.shows_path;
  fresh.data = std::move(data);
  timeline = std::move(fresh);
  open_first_cores(timeline);
  if (timeline.shows_path && timeline.data->index.last_event() >= 0) show_end_of_path(state);
  state.focus[static_cast<size_t>(Screen::kTimeline)].pane = kLanesPane;
}

void zoom_time(State& state, int step, int64_t anchor) {
  TimelineState& timeline = state.timeline;
  timeline.zoom = zoomed(timeline.zoom, timeline.data->end(), cells_of_time(state), step, anchor);
}

int64_t zoom_anchor(const State& state) {
  const TimeWindow window = shown_window(state);
  if (!state.timeline.selected) return window.middle();
  const TimelineEvent event = state.timeline.data->index.event(*state.timeline.selected);
  if (!window.touches(event.start, event.end)) return window.middle();
  return std::clamp(event.start + (event.end - event.start) / 2, window.from, window.to - 1);
}

void pan_time(State& state, double share) {
  TimelineState& timeline = state.timeline;
  timeline.zoom = panned(timeline.zoom, timeline.data->end(), cells_of_time(state), share);
}

void center_time(State& state, int64_t tick) {
  TimelineState& timeline = state.timeline;
  timeline.zoom = centered(timeline.zoom, timeline.data->end(), cells_of_time(state), tick);
}

void focus_selected(State& state) {
  TimelineState& timeline = state.timeline;
  const TimelineEvent event = timeline.data->index.event(*timeline.selected);
  const TimeZoom before = timeline.zoom;
  center_time(state, event.start + (event.end - event.start) / 2);
  if (timeline.zoom != before) return;
  timeline.zoom = fitted(event.start, event.end, timeline.data->end(), cells_of_time(state));
}

void select_event(State& state, int64_t id) {
  TimelineState& timeline = state.timeline;
  const TimelineIndex& index = timeline.data->index;
  timeline.selected = id;
  reveal_time(state, index.event(id));
  const int lane = index.place(id).lane;
  std::vector<LaneRow> rows = lane_rows(timeline);
  const LaneRow* row = row_at_cursor(timeline, rows);
  if (row && row->lane == lane) return;
  timeline.open_cores.insert(core_of_lane(index, lane));
  rows = lane_rows(timeline);
  timeline.row = row_of_lane(timeline, rows, lane);
}

void move_to_row(State& state, int row) {
  TimelineState& timeline = state.timeline;
  const int count = static_cast<int>(lane_rows(timeline).size());
  timeline.row = std::clamp(row, 0, std::max(0, count - 1));
  const int lane = lane_at_cursor(timeline);
  if (lane < 0 || !timeline.selected) return;
  const EventPlace at = timeline.data->index.place(*timeline.selected);
  if (at.lane == lane) return;
  const int64_t tick = middle_of(timeline.data->index.lane(at.lane).events, at.position);
  select_at(state, lane, tick);
}

void step_on_lane(State& state, int step) {
  TimelineState& timeline = state.timeline;
  const TimelineIndex& index = timeline.data->index;
  const int lane = lane_at_cursor(timeline);
  if (!timeline.selected || (lane >= 0 && index.place(*timeline.selected).lane != lane)) {
    if (lane < 0) return state.say("the cursor is on no lane: o opens its core", Role::kWarn);
    select_at(state, lane, shown_window(state).middle());
    return select_event(state, *timeline.selected);
  }
  const EventPlace at = index.place(*timeline.selected);
  const auto next = step > 0 ? index.next(at) : index.previous(at);
  if (!next) {
    state.say(step > 0 ? "the last event of the lane" : "the first event of the lane", Role::kDim);
    return;
  }
  select_event(state, index.id(*next));
}

void go_to_lane_end(State& state, int end) {
  const TimelineIndex& index = state.timeline.data->index;
  const int lane = lane_at_cursor(state.timeline);
  if (lane < 0) return state.say("the cursor is on no lane: o opens its core", Role::kWarn);
  const int64_t last = index.lane(lane).events.size() - 1;
  select_event(state, index.id({lane, end > 0 ? last : 0}));
}

void follow_cause(State& state) {
  TimelineState& timeline = state.timeline;
  const TimelineIndex& index = timeline.data->index;
  if (!timeline.selected) {
    if (index.last_event() < 0) return state.say("the launch has no events", Role::kWarn);
    select_event(state, index.last_event());
    return state.say("the event that ends last; c again shows what it waited for", Role::kDim);
  }
  const StartWait wait = index.why_not_earlier(*timeline.selected);
  if (wait.predecessor < 0) {
    return state.say("the launch let it go: nothing comes before it", Role::kDim);
  }
  timeline.trail.push_back(*timeline.selected);
  select_event(state, wait.predecessor);
  state.say(fmt::format("{} back along the causes; b returns", timeline.trail.size()), Role::kDim);
}

void return_along_trail(State& state) {
  std::vector<int64_t>& trail = state.timeline.trail;
  const int64_t id = trail.back();
  trail.pop_back();
  select_event(state, id);
}

void go_to(State& state, std::string_view where) {
  TimelineState& timeline = state.timeline;
  const TimelineIndex& index = timeline.data->index;
  std::string_view number = trim(where);
  if (number.starts_with('#')) {
    const int64_t id = parse_int(number.substr(1), "event");
    if (id < 0 || id >= index.event_count()) {
      throw Error(ErrorKind::kUsage, fmt::format("there is no event {}; they count from 0 to {}",
                                                 id, format_count(index.event_count() - 1)));
    }
    return select_event(state, id);
  }
  const TimeFormat format = time_format(state);
  const double tick = parse_number(number, "a time, or # and an event") * format.ticks_per_unit();
  if (tick < 0 || tick > static_cast<double>(index.end())) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} {} is outside of the launch, which ends at {}", printable(number),
                            format.name(), format.text(index.end())));
  }
  center_time(state, static_cast<int64_t>(tick));
  const int lane = lane_at_cursor(timeline);
  if (lane >= 0) select_at(state, lane, static_cast<int64_t>(tick));
}

void show_end_of_path(State& state) {
  TimelineState& timeline = state.timeline;
  const TimelineIndex& index = timeline.data->index;
  const int lane = index.place(index.last_event()).lane;
  timeline.open_cores.insert(core_of_lane(index, lane));
  const int row = row_of_lane(timeline, lane_rows(timeline), lane);
  const bool is_drawn = row >= timeline.first_row && row < timeline.first_row + drawn_rows(state);
  if (!is_drawn) timeline.row = row;
}

void toggle_fold(State& state) {
  TimelineState& timeline = state.timeline;
  const std::vector<LaneRow> rows = lane_rows(timeline);
  const LaneRow* row = row_at_cursor(timeline, rows);
  if (!row) return;
  if (row->kind == LaneRow::Kind::kRest) {
    timeline.lists_cores = true;
    return;
  }
  const int core = row->kind == LaneRow::Kind::kLane ? core_of_lane(timeline.data->index, row->lane)
                                                     : row->cores.front();
  const int lane = timeline.data->index.cores()[static_cast<size_t>(core)].lanes.front();
  if (!timeline.open_cores.erase(core)) timeline.open_cores.insert(core);
  timeline.row = row_of_lane(timeline, lane_rows(timeline), lane);
}

void toggle_all_folds(State& state) {
  TimelineState& timeline = state.timeline;
  const std::vector<LaneRow> rows = lane_rows(timeline);
  const LaneRow* row = row_at_cursor(timeline, rows);
  const int lane = row ? lanes_of(*timeline.data, *row).front() : 0;
  const int cores = static_cast<int>(timeline.data->index.cores().size());
  if (static_cast<int>(timeline.open_cores.size()) == cores) {
    open_first_cores(timeline);
  } else {
    for (int core = 0; core < cores; ++core) timeline.open_cores.insert(core);
  }
  timeline.row = std::max(0, row_of_lane(timeline, lane_rows(timeline), lane));
}

void toggle_pin(State& state) {
  TimelineState& timeline = state.timeline;
  const int lane = lane_at_cursor(timeline);
  if (lane < 0) return state.say("only a lane can be pinned: o opens its core", Role::kWarn);
  const auto pinned = std::ranges::find(timeline.pinned, lane);
  if (pinned == timeline.pinned.end()) {
    timeline.pinned.push_back(lane);
  } else {
    timeline.pinned.erase(pinned);
  }
  timeline.row = row_of_lane(timeline, lane_rows(timeline), lane);
}

void find_text(State& state, std::string_view text) {
  state.timeline.search = text;
  find_again(state, 1);
}

void find_again(State& state, int step) {
  TimelineState& timeline = state.timeline;
  const TimelineSearch search(timeline.data->index, timeline.search);
  if (search.count() == 0) {
    return state.say(fmt::format("no instruction, flag or core has \"{}\" in its name",
                                 printable(timeline.search)),
                     Role::kWarn);
  }
  const int64_t from = timeline.selected.value_or(-1);
  int64_t found = step > 0 ? search.next(from) : search.previous(from);
  const bool wraps = found < 0;
  if (wraps) found = step > 0 ? search.next(-1) : search.previous(-1);
  select_event(state, found);
  state.say(
      fmt::format("match {} of {} of \"{}\"{}", format_count(search.position(found)),
                  format_count(search.count()), printable(timeline.search),
                  wraps ? (step > 0 ? ", again from the first" : ", again from the last") : ""));
}

}  // namespace tilewright
