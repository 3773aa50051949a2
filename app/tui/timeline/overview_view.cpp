// The whole launch in a few rows: how busy, on what the critical path lies, and in which phase.

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "app/tui/timeline/timeline_update.h"
#include "app/tui/timeline/timeline_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"
#include "core/timeline/timeline_cells.h"

namespace tilewright {

namespace {

constexpr int kLeft = LaneGeometry::kName;

/// C, V, S, F, and 1 to 3 for MTE1 to MTE3.
char32_t letter_of(Pipe pipe) {
  const std::string_view name = name_of(pipe);
  return static_cast<char32_t>(name.starts_with("MTE") ? name[3] : name[0]);
}

CellRange whole_range(const State& state) {
  return {0, state.timeline.data->end(), cells_of_time(state)};
}

/// The window's first and last cell stand in brackets, and what is between them is lit.
void draw_window(const State& state, Canvas& canvas, const CellRange& range) {
  const TimeWindow window = shown_window(state);
  const TimeWindow whole = {range.from(), range.to()};
  const int first = std::clamp(cell_of(whole, range.count(), window.from), 0, range.count() - 1);
  const int last =
      std::clamp(cell_of(whole, range.count(), window.to - 1), first, range.count() - 1);
  canvas.restyle({kLeft + first, 0, last - first + 1, 1}, Role::kFocus);
  if (last - first < 2) {
    // Too narrow for two brackets beside what they hold.
    canvas.put(kLeft + first - 1, 0, U'[', Role::kFocus);
    canvas.put(kLeft + last + 1, 0, U']', Role::kFocus);
  } else {
    canvas.put(kLeft + first, 0, U'[', Role::kFocus);
    canvas.put(kLeft + last, 0, U']', Role::kFocus);
  }
}

void draw_busy_row(const State& state, Canvas& canvas, const CellRange& range) {
  const TimelineData& data = *state.timeline.data;
  const std::vector<GroupCell> cells = group_cells(data.index, data.main_lanes, range);
  canvas.text(1, 0, fmt::format("{} busy", name_of(data.main_pipe)), Role::kDim);
  double sum = 0;
  for (int i = 0; i < range.count(); ++i) {
    const GroupCell& cell = cells[static_cast<size_t>(i)];
    const bool is_idle = cell.mean <= 0;
    canvas.put(kLeft + i, 0, share_glyph(cell.mean, canvas.glyphs()),
               is_idle ? Role::kDim : role_of(data.main_pipe));
    sum += cell.mean * range.ticks(i);
  }
  canvas.text_right(canvas.width(), 0,
                    format_share(sum / static_cast<double>(range.to() - range.from())));
  draw_window(state, canvas, range);
}

/// In each cell the pipe that the critical path is longest on; a dot where it mostly waits.
void draw_path_row(const State& state, Canvas& canvas, const CellRange& range) {
  const TimelineIndex& path = state.timeline.data->path_index;
  canvas.text(1, 1, "critical path", Role::kDim);
  std::vector<std::vector<LaneCell>> lanes;
  double busy = 0;
  for (const TimelineLane& lane : path.lanes()) {
    lanes.push_back(lane_cells(lane.events, range));
    busy += static_cast<double>(lane.events.busy(0, lane.events.size()));
  }
  for (int i = 0; i < range.count(); ++i) {
    size_t longest = 0;
    double all = 0;
    for (size_t lane = 0; lane < lanes.size(); ++lane) {
      const double share = lanes[lane][static_cast<size_t>(i)].busy;
      all += share;
      if (share > lanes[longest][static_cast<size_t>(i)].busy) longest = lane;
    }
    if (all < 0.5) {
      canvas.put(kLeft + i, 1, canvas.glyphs().idle, Role::kDim);
    } else {
      const Pipe pipe = path.lane(static_cast<int>(longest)).pipe;
      canvas.put(kLeft + i, 1, letter_of(pipe), role_of(pipe));
    }
  }
  canvas.text_right(canvas.width(), 1,
                    format_share(busy / static_cast<double>(range.to() - range.from())));
}

/// The phase's share of the launch behind its name, or the name alone, or nothing: what has room.
std::string phase_text(std::string_view name, double share, int columns) {
  const std::string text = fmt::format("{} {}", name, format_share(share));
  if (columns_of(text) < columns) return text;
  return columns_of(name) < columns ? std::string(name) : "";
}

/// Each phase of the launch in words on its line. A tail that is too short for words has its share
/// at the right.
void draw_phase_row(const State& state, Canvas& canvas, const CellRange& range) {
  const TimelineData& data = *state.timeline.data;
  struct Phase {
    std::string_view name;
    int64_t from;
    int64_t to;
  };
  const Phase phases[] = {{"launch", 0, data.index.first_start()},
                          {"fill", data.index.first_start(), data.fill_end},
                          {"work", data.fill_end, data.tail_begin},
                          {"tail", data.tail_begin, data.end()}};
  canvas.text(1, 2, "phase", Role::kDim);
  const TimeWindow whole = {range.from(), range.to()};
  const auto launch = static_cast<double>(std::max<int64_t>(1, data.end()));
  std::string text;
  for (const Phase& phase : phases) {
    const int first = cell_of(whole, range.count(), phase.from);
    const int end = cell_of(whole, range.count(), phase.to);
    const double share = static_cast<double>(phase.to - phase.from) / launch;
    text = phase_text(phase.name, share, end - first);
    if (end <= first) continue;
    for (int i = first; i < std::min(end, range.count()); ++i) {
      canvas.put(kLeft + i, 2, canvas.glyphs().horizontal, Role::kFrame);
    }
    canvas.put(kLeft + first, 2, canvas.glyphs().vertical, Role::kFrame);
    canvas.text(kLeft + first + 1, 2, text, Role::kDim);
  }
  if (text.ends_with('%')) return;
  const double tail = static_cast<double>(data.end() - data.tail_begin) / launch;
  canvas.text_right(canvas.width(), 2, fmt::format("tail {:.0f} %", tail * 100), Role::kDim);
}

}  // namespace

std::string overview_title(const State& state) {
  if (!state.timeline.data) return "Overview";
  const TimelineData& data = *state.timeline.data;
  const TimeFormat format = time_format(state);
  const Machine& machine = data.request.machine->machine;
  std::string title = fmt::format("Overview  {}", format.text(data.end()));
  if (format.unit == TimeUnit::kCycles) {
    title += fmt::format(" = {}", format_us(machine.us_of_ticks(data.end())));
  }
  return title + "  " + data.request.problem.text();
}

std::string overview_legend(const State& state, const Rect& inside) {
  if (!state.timeline.data || inside.height < 2) return "";
  std::string text = "path: ";
  for (const TimelineLane& lane : state.timeline.data->path_index.lanes()) {
    text += fmt::format("{} {}  ", utf8_of(std::u32string(1, letter_of(lane.pipe))),
                        name_of(lane.pipe));
  }
  return text + utf8_of(std::u32string(1, glyphs_of(state.look.glyphs).idle)) + " waits";
}

void draw_overview(const State& state, Canvas canvas) {
  if (!state.timeline.data) return;
  const CellRange range = whole_range(state);
  draw_busy_row(state, canvas, range);
  if (canvas.height() > 1) draw_path_row(state, canvas, range);
  if (canvas.height() > 2) draw_phase_row(state, canvas, range);
}

}  // namespace tilewright
