// Tables below the lanes: statistics of an area, and what the critical path is made of.

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "app/tui/timeline/timeline_update.h"
#include "app/tui/timeline/timeline_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// "4 lanes", or all of them.
std::string lanes_text(const TimelineData& data, const TimelineArea& area) {
  const size_t count = area.lanes.size();
  if (count == data.index.lanes().size()) return "all lanes";
  if (count == 1) return lane_name(data.index, area.lanes.front());
  return fmt::format("{} lanes", count);
}

bool is_current(const State& state) {
  const TimelineArea area = shown_area(state);
  const AreaData& shown = *state.timeline.area;
  return shown.area.from == area.from && shown.area.to == area.to &&
         shown.area.lanes == area.lanes && shown.grouping == state.timeline.grouping;
}

/// Why the main pipe of the area idles.
std::string idle_text(const State& state, const AreaData& data) {
  const auto main =
      std::ranges::find(data.pipes, state.timeline.data->main_pipe, &PipeStatistics::pipe);
  if (main == data.pipes.end() || main->idle.empty()) return "";
  int64_t idle = 0;
  for (const IdleShare& share : main->idle) idle += share.ticks;
  std::vector<std::string> parts;
  constexpr int kCauseColumns = 28;
  for (const IdleShare& share : main->idle) {
    const std::string cause = share.name(state.timeline.data->index.names());
    parts.push_back(
        fmt::format("{} {}", utf8_of(elided(cause, kCauseColumns, glyphs_of(state.look.glyphs))),
                    format_share(static_cast<double>(share.ticks) / static_cast<double>(idle))));
  }
  return fmt::format("{} idles {}: {}", name_of(main->pipe), format_share(1 - main->busy),
                     join(parts, ", "));
}

/// All pipes in one row, for panes that are too low for a table.
void draw_pipes_in_a_row(const State& state, Canvas& canvas, const AreaData& data) {
  int x = canvas.text(0, 0, "busy", Role::kDim) + 2;
  for (const PipeStatistics& pipe : data.pipes) {
    const std::string text = fmt::format("{} {}", name_of(pipe.pipe), format_share(pipe.busy));
    x = canvas.text(x, 0, text, role_of(pipe.pipe)) + 2;
  }
  draw_wrapped(canvas, 0, 1, idle_text(state, data));
}

void draw_pipes(const State& state, Canvas& canvas, const AreaData& data) {
  if (std::ssize(data.pipes) + 1 > canvas.height()) {
    return draw_pipes_in_a_row(state, canvas, data);
  }
  const TimeFormat format = time_format(state);
  const std::string unit = format.name();
  const std::string mean = "mean " + unit;
  const std::vector<Column> columns = fit_columns({{"pipe", 6},
                                                   {"busy", 7, true},
                                                   {"events", 9, true},
                                                   {mean, 8, true},
                                                   {"p50", 7, true},
                                                   {"p99", 8, true},
                                                   {"max", 8, true}},
                                                  0, canvas.width());
  draw_table_head(canvas, 0, columns);
  int y = 1;
  for (const PipeStatistics& pipe : data.pipes) {
    draw_table_row(canvas, y, columns,
                   {"", format_share(pipe.busy), format_count(pipe.events),
                    format.number(static_cast<int64_t>(pipe.mean)), format.number(pipe.p50),
                    format.number(pipe.p99), format.number(pipe.max)});
    canvas.text(0, y++, name_of(pipe.pipe), role_of(pipe.pipe));
  }
  draw_wrapped(canvas, 0, y, idle_text(state, data));
}

void draw_groups(const State& state, Canvas& canvas, const AreaData& data) {
  const TimeFormat format = time_format(state);
  const std::string unit = format.name();
  const std::vector<Column> columns = fit_columns({{name_of(data.grouping), 24},
                                                   {"share", 7, true},
                                                   {unit, 12, true},
                                                   {"count", 10, true},
                                                   {"bytes", 10, true}},
                                                  0, canvas.width());
  draw_table_head(canvas, 0, columns);
  int64_t all = 0;
  for (const EventGroup& group : data.groups) all += group.ticks;
  const int count = static_cast<int>(data.groups.size());
  const int first = std::clamp(state.timeline.area_row, 0, std::max(0, count - 1));
  for (int y = 1; y < canvas.height() && first + y - 1 < count; ++y) {
    const EventGroup& group = data.groups[static_cast<size_t>(first + y - 1)];
    const double share =
        static_cast<double>(group.ticks) / static_cast<double>(std::max<int64_t>(1, all));
    draw_table_row(
        canvas, y, columns,
        {group.label, format_share(share), format.number(group.ticks), format_count(group.count),
         group.bytes > 0 ? format_bytes(static_cast<double>(group.bytes)) : ""});
  }
}

}  // namespace

std::string area_title(const State& state) {
  const TimelineState& timeline = state.timeline;
  if (!timeline.data) return "Area";
  const TimelineArea area = shown_area(state);
  const std::string what = timeline.marked ? "Area" : "Window";
  const bool is_old = timeline.area && !is_current(state);
  const std::string_view lacks = is_adding_up(state) ? " (adding up)" : " (not added up)";
  return fmt::format("{} by {}{}  {}, {}", what, name_of(timeline.grouping), is_old ? lacks : "",
                     time_format(state).text(area.to - area.from),
                     lanes_text(*timeline.data, area));
}

void draw_area(const State& state, Canvas canvas) {
  const TimelineState& timeline = state.timeline;
  if (!timeline.data) return;
  if (!timeline.area) {
    canvas.text(0, 0, is_adding_up(state) ? "adding up ..." : "not added up; M asks for it again",
                Role::kDim);
  } else if (timeline.area->grouping == AreaGrouping::kPipe) {
    draw_pipes(state, canvas, *timeline.area);
  } else {
    draw_groups(state, canvas, *timeline.area);
  }
}

std::string path_title(const State& state) {
  if (!state.timeline.data) return "Critical path";
  const TimelineData& data = *state.timeline.data;
  return fmt::format("Critical path  {} events, {}", format_count(std::ssize(data.path.steps())),
                     time_format(state).text(data.end()));
}

void draw_path(const State& state, Canvas canvas) {
  if (!state.timeline.data) return;
  const TimelineData& data = *state.timeline.data;
  const TimeFormat format = time_format(state);
  const std::string unit = format.name();
  const std::vector<Column> columns = fit_columns({{"pipe", 6},
                                                   {"instruction or wait", 18},
                                                   {"share", 7, true},
                                                   {unit, 12, true},
                                                   {"count", 9, true}},
                                                  1, canvas.width());
  draw_table_head(canvas, 0, columns);
  const auto share = [&](int64_t ticks) {
    return format_share(static_cast<double>(ticks) /
                        static_cast<double>(std::max<int64_t>(1, data.end())));
  };
  const int count = static_cast<int>(data.path_rows.size());
  const int visible = std::max(1, canvas.height() - 2);
  const int first = first_visible_row(0, state.timeline.path_row, count, visible);
  for (int i = 0; i < visible && first + i < count; ++i) {
    const PathRow& row = data.path_rows[static_cast<size_t>(first + i)];
    draw_table_row(
        canvas, 1 + i, columns,
        {row.pipe, row.what, share(row.ticks), format.number(row.ticks), format_count(row.count)},
        row.pipe == "-" ? Role::kWait : Role::kText);
    if (first + i == state.timeline.path_row && state.pane().pane == kPathPane) {
      canvas.restyle({0, 1 + i, canvas.width(), 1}, Role::kCursor);
    }
  }
  int64_t all = 0;
  for (const PathRow& row : data.path_rows) all += row.ticks;
  draw_table_row(canvas, std::min(canvas.height() - 1, 1 + count), columns,
                 {"total", "", share(all), format.number(all)}, Role::kHeading);
}

}  // namespace tilewright
