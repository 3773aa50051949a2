// Lanes: core x pipe over the time of the window.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "app/tui/timeline/timeline_update.h"
#include "app/tui/timeline/timeline_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"
#include "core/timeline/timeline_cells.h"
#include "core/timeline/timeline_search.h"

namespace tilewright {

namespace {

constexpr int kLeft = LaneGeometry::kName;
constexpr int kPipeColumn = 11;

/// What all rows of a frame share.
struct Frame {
  const State& state;
  const TimelineData& data;
  TimeWindow window;
  CellRange range;
  std::optional<TimelineSearch> search;
  std::optional<EventPlace> selected;
  std::vector<EventPlace> trail;

  explicit Frame(const State& shown)
      : state(shown),
        data(*shown.timeline.data),
        window(shown_window(shown)),
        range(window.from, window.to, cells_of_time(shown)) {
    const TimelineState& timeline = shown.timeline;
    if (!timeline.search.empty()) search.emplace(data.index, timeline.search);
    if (timeline.selected) selected = data.index.place(*timeline.selected);
    for (const int64_t id : timeline.trail) trail.push_back(data.index.place(id));
  }
  int cells() const { return range.count(); }
};

/// Cells that an event touches.
struct CellSpan {
  int first = 0;
  int last = 0;

  int count() const { return last - first + 1; }
};

CellSpan span_of(const Frame& frame, const LaneEvents& events, int64_t position) {
  const int64_t start = events.start(position);
  const int64_t end = std::max(start + 1, events.end(position));
  const int last = frame.cells() - 1;
  const int first = std::clamp(cell_of(frame.window, frame.cells(), start), 0, last);
  return {first, std::clamp(cell_of(frame.window, frame.cells(), end - 1), first, last)};
}

/// The one event that a cell shows; nothing when there are too many short ones.
std::optional<int64_t> event_of_cell(const Frame& frame, const LaneEvents& events,
                                     const LaneCell& cell, int i) {
  if (cell.events == 1) return cell.first;
  const double ticks = frame.range.ticks(i);
  const bool both_long = cell.events == 2 &&
                         static_cast<double>(events.duration(cell.first)) >= ticks &&
                         static_cast<double>(events.duration(cell.first + 1)) >= ticks;
  if (!both_long) return std::nullopt;
  const int64_t before = events.end(cell.first) - frame.range.border(i);
  const int64_t after = frame.range.border(i + 1) - events.start(cell.first + 1);
  return after >= before ? cell.first + 1 : cell.first;
}

Role role_of_event(const Frame& frame, int lane, int64_t position) {
  const TimelineIndex& index = frame.data.index;
  const EventPlace place{lane, position};
  if (std::ranges::find(frame.trail, place) != frame.trail.end()) return Role::kPath;
  if (frame.search && frame.search->matches(index.id(place))) return Role::kMatch;
  if (frame.state.timeline.shows_path && frame.data.is_on_path(lane, position, position + 1)) {
    return Role::kPath;
  }
  return role_of(index.lane(lane).pipe, position % 2 != 0);
}

ScreenCell cell_of_lane(const Frame& frame, int lane, const LaneCell& cell, int i,
                        const Glyphs& glyphs) {
  const LaneEvents& events = frame.data.index.lane(lane).events;
  const Pipe pipe = frame.data.index.lane(lane).pipe;
  if (cell.events == 0) return {glyphs.idle, Role::kDim};
  const std::optional<int64_t> position = event_of_cell(frame, events, cell, i);
  if (!position) {
    const bool on_path = frame.state.timeline.shows_path &&
                         frame.data.is_on_path(lane, cell.first, cell.first + cell.events);
    return {share_glyph(cell.busy, glyphs), on_path ? Role::kPath : role_of(pipe)};
  }
  const Role role = role_of_event(frame, lane, *position);
  if (cell.busy >= 0.5) return {glyphs.event(pipe, *position % 2 != 0), role};
  // The edge of a long event, whose other cells show it.
  if (static_cast<double>(events.duration(*position)) >= 2 * frame.range.ticks(i)) {
    return {glyphs.idle, Role::kDim};
  }
  return {share_glyph(cell.busy, glyphs), role};
}

/// The instruction's name as long as there is room: whole, or its last word.
std::string name_in(const Frame& frame, const LaneEvents& events, int64_t position, int columns) {
  const std::string& name =
      frame.data.index.names().names[static_cast<size_t>(events.kind(position).name())];
  if (columns_of(name) <= columns) return name;
  const std::string word = name.substr(name.rfind(' ') + 1);
  return columns_of(word) <= columns ? word : "";
}

/// Names on events that are wide enough.
void draw_names(const Frame& frame, Canvas& canvas, int y, int lane) {
  const LaneEvents& events = frame.data.index.lane(lane).events;
  const LaneEvents::Border left = events.border(frame.window.from);
  const int64_t first = left.position - (left.inside ? 1 : 0);
  const int64_t last = events.first_from(frame.window.to);
  constexpr int kLeastColumns = 6;
  if ((last - first) * kLeastColumns > frame.cells()) return;
  for (int64_t p = first; p < last; ++p) {
    const CellSpan span = span_of(frame, events, p);
    if (span.count() < kLeastColumns) continue;
    const std::string name = name_in(frame, events, p, span.count() - 3);
    canvas.text(kLeft + span.first + 1, y, name, role_of_event(frame, lane, p));
  }
}

/// Between brackets and in the colours of the cursor, so that it is seen in any terminal.
void draw_selected(const Frame& frame, Canvas& canvas, int y, int lane) {
  if (!frame.selected || frame.selected->lane != lane) return;
  const LaneEvents& events = frame.data.index.lane(lane).events;
  const int64_t position = frame.selected->position;
  if (!frame.window.touches(events.start(position), events.end(position))) return;
  const CellSpan span = span_of(frame, events, position);
  if (span.count() == 1) {
    canvas.put(kLeft + span.first, y, U'|', Role::kCursor);
    return;
  }
  canvas.fill({kLeft + span.first, y, span.count(), 1}, U' ', Role::kCursor);
  canvas.text(kLeft + span.first + 1, y, name_in(frame, events, position, span.count() - 2),
              Role::kCursor);
  canvas.put(kLeft + span.first, y, U'[', Role::kCursor);
  canvas.put(kLeft + span.last, y, U']', Role::kCursor);
}

void draw_lane_row(const Frame& frame, Canvas& canvas, int y, const LaneRow& row, bool names_core) {
  const TimelineIndex& index = frame.data.index;
  const TimelineLane& lane = index.lane(row.lane);
  if (names_core) {
    canvas.text(1, y, index.names().cores[static_cast<size_t>(lane.core)], Role::kHeading,
                kPipeColumn - 2);
  }
  if (row.is_pinned) canvas.put(0, y, canvas.glyphs().pinned, Role::kKey);
  canvas.text(kPipeColumn, y, name_of(lane.pipe), role_of(lane.pipe));
  const std::vector<LaneCell> cells = lane_cells(lane.events, frame.range);
  for (int i = 0; i < frame.cells(); ++i) {
    const ScreenCell cell =
        cell_of_lane(frame, row.lane, cells[static_cast<size_t>(i)], i, canvas.glyphs());
    canvas.put(kLeft + i, y, cell.glyph, cell.role);
  }
  draw_names(frame, canvas, y, row.lane);
  draw_selected(frame, canvas, y, row.lane);
  canvas.text_right(canvas.width(), y, format_share(busy_share(lane.events, frame.window)));
}

/// The busy shares of one pipe on several cores.
struct PipeSpread {
  int64_t lanes = 0;
  double sum = 0;
  double least = 1;
  double most = 0;
  int least_lane = -1;
};

std::array<PipeSpread, kPipeCount> spreads_of(const Frame& frame, const LaneRow& row) {
  std::array<PipeSpread, kPipeCount> spreads;
  for (const int lane : lanes_of(frame.data, row)) {
    const TimelineLane& one = frame.data.index.lane(lane);
    PipeSpread& spread = spreads[static_cast<size_t>(one.pipe)];
    const double busy = busy_share(one.events, frame.window);
    if (busy < spread.least || spread.lanes == 0) {
      spread.least = busy;
      spread.least_lane = lane;
    }
    spread.most = std::max(spread.most, busy);
    spread.sum += busy;
    ++spread.lanes;
  }
  return spreads;
}

/// A core's mean busy share of each pipe, or the lowest and highest of many cores.
void draw_folded_row(const Frame& frame, Canvas& canvas, int y, const LaneRow& row) {
  const TimelineIndex& index = frame.data.index;
  const bool is_rest = row.kind == LaneRow::Kind::kRest;
  const auto core_name = [&](int lane) {
    return index.names().cores[static_cast<size_t>(index.lane(lane).core)];
  };
  canvas.text(1, y,
              is_rest ? fmt::format("{} cores", row.cores.size())
                      : core_name(lanes_of(frame.data, row).front()),
              Role::kHeading, kPipeColumn - 2);
  canvas.text(kPipeColumn, y, "folded", Role::kDim);
  const std::array<PipeSpread, kPipeCount> spreads = spreads_of(frame, row);
  const int right = kLeft + frame.cells();
  int x = kLeft;
  for (int pipe = 0; pipe < kPipeCount; ++pipe) {
    const PipeSpread& spread = spreads[static_cast<size_t>(pipe)];
    if (spread.lanes == 0) continue;
    const std::string text =
        is_rest ? fmt::format("{} {:.0f}..{:.0f} %", name_of(static_cast<Pipe>(pipe)),
                              spread.least * 100, spread.most * 100)
                : fmt::format("{} {:.0f} %", name_of(static_cast<Pipe>(pipe)),
                              spread.sum * 100 / static_cast<double>(spread.lanes));
    if (x + columns_of(text) > right) break;
    x = canvas.text(x, y, text, role_of(static_cast<Pipe>(pipe))) + 2;
  }
  // The launch's main pipe, or the busiest one of cores that have no such pipe.
  const auto mean = [](const PipeSpread& spread) {
    return spread.lanes > 0 ? spread.sum / static_cast<double>(spread.lanes) : -1;
  };
  PipeSpread main = spreads[static_cast<size_t>(frame.data.main_pipe)];
  if (main.lanes == 0) main = *std::ranges::max_element(spreads, {}, mean);
  const std::string lowest = fmt::format("lowest {}", core_name(main.least_lane));
  if (is_rest && x + columns_of(lowest) <= right) canvas.text(x, y, lowest, Role::kDim);
  canvas.text_right(canvas.width(), y, format_share(mean(main)));
}

std::string rate_text(double bytes_per_us) {
  const double gb_per_s = bytes_per_us * 1e-3;
  if (gb_per_s >= 1000) return fmt::format("{:.2f} TB/s", gb_per_s * 1e-3).substr(0, 9);
  return fmt::format("{:.{}f} GB/s", gb_per_s, gb_per_s < 10 ? 2 : gb_per_s < 100 ? 1 : 0);
}

/// Bytes a second over time, against the highest in the window; the number is the window's mean.
void draw_rate_row(const Frame& frame, Canvas& canvas, int y, std::string_view name,
                   const std::vector<int>& lanes) {
  const std::vector<double> rates = byte_rates(frame.data.index, lanes, frame.range);
  const double most = *std::ranges::max_element(rates);
  double bytes = 0;
  canvas.text(1, y, name, Role::kHeading);
  for (int i = 0; i < frame.cells(); ++i) {
    const double rate = rates[static_cast<size_t>(i)];
    bytes += rate * frame.range.ticks(i);
    const double share = most > 0 ? rate / most : 0;
    canvas.put(kLeft + i, y, share_glyph(share, canvas.glyphs()),
               share > 0 ? Role::kShared : Role::kDim);
  }
  const double ticks = static_cast<double>(frame.range.to() - frame.range.from());
  canvas.text_right(canvas.width(), y,
                    rate_text(bytes / ticks * frame.data.index.names().ticks_per_us));
}

void draw_ruler(const Frame& frame, Canvas& canvas) {
  const TimelineState& timeline = frame.state.timeline;
  const TimeFormat format = time_format(frame.state);
  canvas.text(1, 0, format.unit == TimeUnit::kCycles ? "cycles" : "us", Role::kDim);
  for (const RulerMark& mark : ruler_marks(frame.window, frame.cells(), format)) {
    canvas.put(kLeft + mark.cell, 0, canvas.glyphs().vertical, Role::kDim);
    if (mark.cell + 1 + columns_of(mark.label) > frame.cells()) continue;
    canvas.text(kLeft + mark.cell + 1, 0, mark.label, Role::kDim);
  }
  canvas.text_right(canvas.width(), 0, "busy", Role::kDim);
  const auto put = [&](int64_t tick, char32_t glyph) {
    const int cell = cell_of(frame.window, frame.cells(), tick);
    if (cell >= 0 && cell < frame.cells()) canvas.put(kLeft + cell, 0, glyph, Role::kMatch);
  };
  if (timeline.marked) {
    const TimeWindow& area = timeline.marked->time;
    const int first = std::max(0, cell_of(frame.window, frame.cells(), area.from));
    const int last = std::min(frame.cells() - 1, cell_of(frame.window, frame.cells(), area.to - 1));
    if (last >= first) canvas.restyle({kLeft + first, 0, last - first + 1, 1}, Role::kMatch);
    put(area.from, U'[');
    put(area.to - 1, U']');
  } else if (timeline.mark_begin) {
    put(*timeline.mark_begin, U'[');
  }
}

}  // namespace

std::string lanes_title(const State& state) {
  if (!state.timeline.data) return "Lanes";
  const TimeFormat format = time_format(state);
  const TimeWindow window = shown_window(state);
  const double cell = static_cast<double>(window.ticks()) / cells_of_time(state);
  std::string title =
      fmt::format("Lanes  {} .. {}", format.number(window.from), format.text(window.to));
  if (const JobSnapshot* job = indexing_job(state)) {
    title =
        fmt::format("Lanes of the run before, simulating the next {:.0f} %", job->fraction * 100);
  }
  constexpr int kShortTitle = 80;
  if (state.width >= kShortTitle) title += fmt::format("  {}/cell", format.cell_text(cell));
  return title;
}

std::string lanes_legend(const State& state, const Rect&) {
  if (!state.timeline.data) return "";
  const Glyphs& glyphs = glyphs_of(state.look.glyphs);
  const auto sign = [](char32_t glyph) { return utf8_of(std::u32string(1, glyph)); };
  const std::string idle = sign(glyphs.idle) + " idle";
  if (glyphs.set == GlyphSet::kAscii) return "letter or sign: one event  0-9 tenths busy  " + idle;
  return fmt::format("{} {} one event each  {} {} part busy  {}",
                     sign(glyphs.event(Pipe::kCube, false)), sign(glyphs.event(Pipe::kCube, true)),
                     sign(share_glyph(0.25, glyphs)), sign(share_glyph(0.5, glyphs)), idle);
}

void draw_lanes(const State& state, Canvas canvas) {
  if (!state.timeline.data) return draw_no_timeline(state, canvas);
  const Frame frame(state);
  const LaneGeometry geometry(canvas.width(), canvas.height());
  const std::vector<LaneRow> rows = lane_rows(state.timeline);
  const int count = static_cast<int>(rows.size());
  const int first =
      first_visible_row(state.timeline.first_row, state.timeline.row, count, geometry.rows);
  draw_ruler(frame, canvas);
  for (int i = 0; i < geometry.rows && first + i < count; ++i) {
    const LaneRow& row = rows[static_cast<size_t>(first + i)];
    if (row.kind == LaneRow::Kind::kLane) {
      // The first that is drawn names its core, whichever of its lanes it is.
      draw_lane_row(frame, canvas, 1 + i, row, row.names_core || i == 0);
    } else {
      draw_folded_row(frame, canvas, 1 + i, row);
    }
    if (first + i != state.timeline.row) continue;
    canvas.put(0, 1 + i, canvas.glyphs().cursor, Role::kKey);
    if (state.pane().pane == kLanesPane) canvas.restyle({0, 1 + i, kLeft - 1, 1}, Role::kCursor);
  }
  if (geometry.totals > 0) {
    draw_rate_row(frame, canvas, geometry.first_total(), "GM loads, mean",
                  frame.data.index.load_lanes());
  }
  if (geometry.totals > 1) {
    draw_rate_row(frame, canvas, geometry.first_total() + 1, "GM stores, mean",
                  frame.data.index.store_lanes());
  }
}

}  // namespace tilewright
