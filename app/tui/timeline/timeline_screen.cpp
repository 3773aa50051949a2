#include "app/tui/timeline/timeline_screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/layout.h"
#include "app/tui/timeline/timeline_mouse.h"
#include "app/tui/timeline/timeline_update.h"
#include "app/tui/timeline/timeline_views.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr std::array<PaneInfo, 5> kPanes = {{
    {"Overview", overview_title, draw_overview, overview_legend},
    {"Lanes", lanes_title, draw_lanes, lanes_legend},
    {"Event", event_title, draw_event},
    {"Area", area_title, draw_area},
    {"Critical path", path_title, draw_path},
}};

/// Inner rows of the overview, and rows of the panes below the lanes, by the body's height.
struct Heights {
  int overview = 0;
  int below = 0;
};

Heights heights_of(const Rect& body, int focused) {
  Heights heights;
  if (body.height >= 32) {
    heights = {3 + 2, 12};
  } else if (body.height >= 25) {
    heights = {2 + 2, 9};
  } else if (body.height >= 18) {
    heights = {1 + 2, 6};
  } else {
    // One of the two.
    heights = focused == kOverviewPane ? Heights{1 + 2, 0} : Heights{0, 5};
  }
  return heights;
}

/// The one or two panes below the lanes: the event, and the one of the others that was looked at
/// last.
void add_below(const State& state, const Rect& rect, std::vector<PaneBox>& boxes) {
  constexpr int kTwoPanes = 100;
  constexpr int kThreePanes = 170;
  const int focused = state.pane().pane;
  const int side = focused >= kEventPane ? focused : state.timeline.side;
  if (rect.width >= kThreePanes) {
    const std::array<Share, 3> shares = {Share{50, 1}, Share{50, 1}, Share{50, 1}};
    const std::vector<Rect> parts = split_columns(rect, shares);
    for (const int pane : {kEventPane, kAreaPane, kPathPane}) {
      boxes.push_back({pane, parts[static_cast<size_t>(pane - kEventPane)]});
    }
  } else if (rect.width >= kTwoPanes) {
    const std::array<Share, 2> shares = {Share{40, 1}, Share{46, 1}};
    const std::vector<Rect> parts = split_columns(rect, shares);
    boxes.push_back({kEventPane, parts[0]});
    boxes.push_back({side == kPathPane ? kPathPane : kAreaPane, parts[1]});
  } else {
    boxes.push_back({side, rect});
  }
}

std::vector<PaneBox> layout(const State& state, const Rect& body) {
  const Heights heights = heights_of(body, state.pane().pane);
  const std::array<Share, 3> shares = {Share{heights.overview, 0}, Share{4, 1},
                                       Share{heights.below, 0}};
  const std::vector<Rect> rows = split_rows(body, shares);
  std::vector<PaneBox> boxes;
  if (heights.overview > 0) boxes.push_back({kOverviewPane, rows[0]});
  boxes.push_back({kLanesPane, rows[1]});
  if (heights.below > 0) add_below(state, rows[2], boxes);
  return boxes;
}

bool is_same(const KernelRequest& a, const KernelRequest& b) {
  return a.problem == b.problem && a.config == b.config &&
         a.machine->machine.fingerprint() == b.machine->machine.fingerprint();
}

void enter(State& state, Effects& effects) {
  if (state.timeline.data || indexing_job(state)) return;
  if (const KernelRequest* request = current_request(state)) {
    open_timeline(state, KernelRequest(*request), effects);
  }
}

/// Esc gives up what was begun or chosen last, one thing at a time.
bool type(State& state, Key key, Effects&) {
  TimelineState& timeline = state.timeline;
  if (key != keys::kEscape || state.pane().is_zoomed) return false;
  if (timeline.mark_begin || timeline.marked) {
    clear_marks(state);
  } else if (!timeline.search.empty()) {
    timeline.search.clear();
  } else if (timeline.selected) {
    timeline.selected.reset();
    timeline.trail.clear();
  } else {
    return false;
  }
  return true;
}

std::string command_line(const State& state) {
  if (!state.timeline.data) return "";
  const std::string line = command_line_of(state.timeline.data->request);
  return line.empty() ? "" : line + " --trace timeline.json";
}

std::string status(const State& state) {
  const TimelineState& timeline = state.timeline;
  if (!timeline.data) return "";
  const TimelineIndex& index = timeline.data->index;
  std::string text =
      fmt::format("{} events, {} lanes, {} cores, {} of memory", format_count(index.event_count()),
                  index.lanes().size(), index.cores().size(),
                  format_bytes(static_cast<double>(index.memory_bytes())));
  if (state.look.glyphs == GlyphSet::kAscii) text += "; a digit is tenths of a cell";
  if (!timeline.search.empty()) text += fmt::format("; n N find \"{}\"", timeline.search);
  if (!timeline.trail.empty()) text += fmt::format("; trail of {}", timeline.trail.size());
  return text;
}

}  // namespace

const ScreenInfo& timeline_screen() {
  static const ScreenInfo kScreen = {.screen = Screen::kTimeline,
                                     .name = "Timeline",
                                     .place = Place::kTimeline,
                                     .panes = kPanes,
                                     .layout = layout,
                                     .enter = enter,
                                     .settle = settle_timeline,
                                     .type = type,
                                     .mouse = timeline_mouse,
                                     .command_line = command_line,
                                     .status = status};
  return kScreen;
}

void timeline_ready(State& state, int64_t job, const std::shared_ptr<const TimelineData>& data,
                    Effects&) {
  // Another run was asked for meanwhile.
  if (job != state.timeline.job) return;
  show_timeline(state, data);
}

void area_ready(State& state, int64_t job, const std::shared_ptr<const AreaData>& data) {
  // Those of the run that was shown before.
  if (job != state.timeline.area_job) return;
  state.timeline.area = data;
}

void open_timeline(State& state, const KernelRequest& request, Effects& effects) {
  TimelineState& timeline = state.timeline;
  state.screen = Screen::kTimeline;
  if (indexing_job(state)) {
    if (is_same(*timeline.wanted, request)) return;
    effects.emplace_back(CancelEffect{timeline.job});
  } else if (timeline.data && is_same(timeline.data->request, request)) {
    return;
  }
  timeline.wanted = request;
  timeline.job =
      submit(state, effects, "timeline of " + request.problem.text(), IndexTimelineJob{request});
}

const KernelRequest* current_request(const State& state) {
  const LabRun* run = state.lab.shown_run();
  return run ? &run->outcome->request : nullptr;
}

}  // namespace tilewright
