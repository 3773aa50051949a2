// The Timeline's part of the command table.

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/timeline/timeline_mouse.h"
#include "app/tui/timeline/timeline_screen.h"
#include "app/tui/timeline/timeline_update.h"
#include "app/tui/timeline/timeline_views.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

constexpr int kPage = 10;

std::string no_data(const State& state) {
  return state.timeline.data ? "" : "no run is shown; the Lab has one after a run, t brings it";
}

std::string no_selection(const State& state) {
  if (!state.timeline.data) return no_data(state);
  return state.timeline.selected ? "" : "no event is selected; ] takes one";
}

std::string no_trail(const State& state) {
  return state.timeline.trail.empty() ? "no trail; c begins one" : "";
}

std::string no_search(const State& state) {
  if (!state.timeline.data) return no_data(state);
  return state.timeline.search.empty() ? "nothing is looked for; / begins" : "";
}

bool is_on_tables(const State& state) {
  return state.pane().pane == kAreaPane || state.pane().pane == kPathPane;
}

/// Rows of the pane that takes the keys.
template <int kStep>
void move_by(State& state, std::string_view, Effects&) {
  if (is_on_tables(state)) return scroll_tables(state, kStep);
  move_to_row(state, state.timeline.row + kStep);
}

template <int kStep>
void zoom_by(State& state, std::string_view, Effects&) {
  const TimeZoom before = state.timeline.zoom;
  zoom_time(state, kStep, zoom_anchor(state));
  if (state.timeline.zoom != before) return;
  state.say(kStep > 0 ? "there is nothing finer" : "the whole launch is shown", Role::kDim);
}

/// In tenths of the window.
template <int kTenths>
void pan_by(State& state, std::string_view, Effects&) {
  pan_time(state, kTenths / 10.0);
}

template <int kStep>
void step_by(State& state, std::string_view, Effects&) {
  step_on_lane(state, kStep);
}

template <void (*kDo)(State&)>
void plainly(State& state, std::string_view, Effects&) {
  kDo(state);
}

void next_grouping(State& state) {
  TimelineState& timeline = state.timeline;
  timeline.grouping =
      static_cast<AreaGrouping>((static_cast<int>(timeline.grouping) + 1) % kAreaGroupings);
  timeline.area_row = 0;
  if (state.pane().pane != kPathPane) timeline.side = kAreaPane;
  state.say(fmt::format("area by {}", name_of(timeline.grouping)), Role::kDim);
}

/// What Enter means depends on what takes the keys.
void open_chosen(State& state) {
  TimelineState& timeline = state.timeline;
  if (state.pane().pane == kAreaPane) return next_grouping(state);
  if (state.pane().pane == kPathPane) {
    const auto row = static_cast<size_t>(timeline.path_row);
    if (row < timeline.data->path_rows.size()) {
      select_event(state, timeline.data->path_rows[row].first_event);
    }
    return;
  }
  const std::vector<LaneRow> rows = lane_rows(timeline);
  if (rows.empty()) return;
  if (rows[static_cast<size_t>(timeline.row)].kind != LaneRow::Kind::kLane) {
    return toggle_fold(state);
  }
  if (!timeline.selected) return step_on_lane(state, 1);
  focus_selected(state);
}

void show_all(State& state) {
  state.timeline.zoom = {};
}

void toggle_path(State& state) {
  TimelineState& timeline = state.timeline;
  const TimelineIndex& index = timeline.data->index;
  if (index.last_event() < 0) return state.say("the launch has no events", Role::kWarn);
  timeline.shows_path = !timeline.shows_path;
  if (!timeline.shows_path) return state.say("critical path no longer marked", Role::kDim);
  show_end_of_path(state);
  const int64_t count = std::ssize(timeline.data->path.steps());
  const std::string lane = lane_name(index, index.place(index.last_event()).lane);
  state.say(fmt::format("critical path marked: {} event{}, ends on {}{}", format_count(count),
                        count == 1 ? "" : "s", lane, timeline.selected ? "" : "; c goes there"));
}

void toggle_unit(State& state) {
  TimeUnit& unit = state.timeline.unit;
  unit = unit == TimeUnit::kCycles ? TimeUnit::kMicroseconds : TimeUnit::kCycles;
}

void first_of_lane(State& state) {
  go_to_lane_end(state, -1);
}
void last_of_lane(State& state) {
  go_to_lane_end(state, 1);
}

void export_timeline(State& state, std::string_view path, Effects& effects) {
  submit(state, effects, fmt::format("export {}", path),
         ExportTimelineJob{state.timeline.data->request, std::string(path)});
}

void show_current(State& state, std::string_view, Effects& effects) {
  open_timeline(state, KernelRequest(*current_request(state)), effects);
}

std::string no_current(const State& state) {
  return current_request(state) ? "" : "the Lab shows no result; 2 opens it, Enter runs a kernel";
}

std::vector<WorkbenchCommand> moving_commands() {
  return {
      {.id = "pan.left",
       .keys = "a Left",
       .hint = "d pan",
       .help = "a tenth of the window to the left",
       .act = pan_by<-1>,
       .obstacle = no_data},
      {.id = "pan.right",
       .keys = "d Right",
       .help = "a tenth of the window to the right",
       .act = pan_by<1>,
       .obstacle = no_data},
      {.id = "page.left",
       .keys = "A",
       .help = "nine tenths of the window to the left",
       .act = pan_by<-9>,
       .obstacle = no_data},
      {.id = "page.right",
       .keys = "D",
       .help = "nine tenths of the window to the right",
       .act = pan_by<9>,
       .obstacle = no_data},
      {.id = "zoom.in",
       .keys = "w +",
       .hint = "s zoom",
       .help = "zoom in at the selected event, in steps of 1-2-5",
       .act = zoom_by<1>,
       .obstacle = no_data},
      {.id = "zoom.out",
       .keys = "s -",
       .help = "zoom out",
       .act = zoom_by<-1>,
       .obstacle = no_data},
      {.id = "down",
       .keys = "j Down",
       .hint = "k lane",
       .help = "next lane, or row of the pane",
       .act = move_by<1>,
       .obstacle = no_data},
      {.id = "up",
       .keys = "k Up",
       .help = "lane or row before",
       .act = move_by<-1>,
       .obstacle = no_data},
      {.id = "event.next",
       .keys = "] .",
       .hint = "[ event",
       .help = "next event on the lane",
       .act = step_by<1>,
       .obstacle = no_data},
      {.id = "event.previous",
       .keys = "[ ,",
       .help = "event before on the lane",
       .act = step_by<-1>,
       .obstacle = no_data},
      {.id = "cause",
       .keys = "c",
       .hint = "cause",
       .help = "to the event that let this one go, leaving a trail",
       .act = plainly<follow_cause>,
       .obstacle = no_data},
      {.id = "cause.back",
       .keys = "b",
       .help = "back along the trail",
       .act = plainly<return_along_trail>,
       .obstacle = no_trail},
      {.id = "fit",
       .keys = "F",
       .hint = "fit",
       .help = "the whole launch",
       .act = plainly<show_all>,
       .obstacle = no_data},
      {.id = "focus",
       .keys = "f",
       .help = "the selected event in the middle; again: zoom to it",
       .act = plainly<focus_selected>,
       .obstacle = no_selection},
      {.id = "goto",
       .keys = "g",
       .help = "to a time in the unit shown, or to an event: #123",
       .act = [](State& state, std::string_view where, Effects&) { go_to(state, where); },
       .obstacle = no_data,
       .argument = "TIME"},
      {.id = "page.down",
       .keys = "PgDn Ctrl-D",
       .help = "ten lanes or rows down",
       .act = move_by<kPage>,
       .obstacle = no_data},
      {.id = "page.up",
       .keys = "PgUp Ctrl-U",
       .help = "ten lanes or rows up",
       .act = move_by<-kPage>,
       .obstacle = no_data},
      {.id = "event.first",
       .keys = "Home",
       .help = "first event of the lane",
       .act = plainly<first_of_lane>,
       .obstacle = no_data},
      {.id = "event.last",
       .keys = "End",
       .help = "last event of the lane",
       .act = plainly<last_of_lane>,
       .obstacle = no_data},
  };
}

std::vector<WorkbenchCommand> looking_commands() {
  return {
      {.id = "mark",
       .keys = "m",
       .hint = "mark",
       .help = "begin an area at the selected event, or end it there",
       .act = plainly<mark_area>,
       .obstacle = no_data},
      {.id = "mark.clear",
       .keys = "M",
       .help = "no area: statistics of the window",
       .act = plainly<clear_marks>,
       .obstacle = no_data},
      {.id = "find",
       .keys = "/",
       .hint = "find",
       .help = "events by instruction, flag or core",
       .act = [](State& state, std::string_view text, Effects&) { find_text(state, text); },
       .obstacle = no_data,
       .argument = "TEXT"},
      {.id = "find.next",
       .keys = "n",
       .help = "next match",
       .act = [](State& state, std::string_view, Effects&) { find_again(state, 1); },
       .obstacle = no_search},
      {.id = "find.previous",
       .keys = "N",
       .help = "match before",
       .act = [](State& state, std::string_view, Effects&) { find_again(state, -1); },
       .obstacle = no_search},
      {.id = "fold",
       .keys = "o",
       .hint = "fold",
       .help = "fold or open the core, or list the folded ones",
       .act = plainly<toggle_fold>,
       .obstacle = no_data},
      {.id = "fold.all",
       .keys = "O",
       .help = "open all cores, or fold all but the first two",
       .act = plainly<toggle_all_folds>,
       .obstacle = no_data},
      {.id = "pin",
       .keys = "P",
       .help = "keep the lane on top, or no longer",
       .act = plainly<toggle_pin>,
       .obstacle = no_data},
      {.id = "path",
       .keys = "C",
       .hint = "path",
       .help = "mark the critical path on the lanes",
       .act = plainly<toggle_path>,
       .obstacle = no_data},
      {.id = "unit",
       .keys = "u",
       .hint = "unit",
       .help = "times in cycles or in us",
       .act = plainly<toggle_unit>,
       .obstacle = no_data},
      {.id = "group",
       .keys = "G",
       .hint = "group",
       .help = "the area by pipe, instruction, task or cause",
       .act = plainly<next_grouping>,
       .obstacle = no_data,
       .pane = kAreaPane},
      {.id = "open",
       .keys = "Enter",
       .hint = "to it",
       .help = "open a core, zoom to the event, go to the first of the row",
       .act = plainly<open_chosen>,
       .obstacle = no_data,
       .pane = kPathPane},
      {.id = "export",
       .keys = "e x",
       .hint = "export",
       .help = "write all events: Chrome trace JSON, or CSV by the file's name",
       .act = export_timeline,
       .obstacle = no_data,
       .argument = "FILE"},
      {.id = "again",
       .keys = "R",
       .help = "the timeline of what the Lab shows",
       .act = show_current,
       .obstacle = no_current},
  };
}

}  // namespace

std::vector<WorkbenchCommand> timeline_commands() {
  std::vector<WorkbenchCommand> table = moving_commands();
  for (const WorkbenchCommand& command : looking_commands()) table.push_back(command);
  for (WorkbenchCommand& command : table) command.place = Place::kTimeline;
  return table;
}

}  // namespace tilewright
