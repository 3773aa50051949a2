// What a serving run does over simulated time: a line for each load.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "app/tui/serve/serve_update.h"
#include "app/tui/serve/serve_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

constexpr int kLeft = 17;  ///< name and the value of the line's top
constexpr int kRight = 9;  ///< the value now

struct LoadLine {
  std::string_view name;
  Role role;
  double (*value)(const ServeBin& bin);
  bool is_sum = false;  ///< of what happened, not a mean
  bool is_share = false;
};

double tokens_of(const ServeBin& bin) {
  return bin.tokens_per_s;
}
double running_of(const ServeBin& bin) {
  return bin.running;
}
double waiting_of(const ServeBin& bin) {
  return bin.waiting;
}
double kv_of(const ServeBin& bin) {
  return bin.kv_share;
}
double preemptions_of(const ServeBin& bin) {
  return static_cast<double>(bin.preemptions);
}

/// In the order in which they are given up where there is no room, the last one first.
constexpr std::array<LoadLine, 5> kLines = {{
    {"out tok/s", Role::kCube, tokens_of},
    {"running", Role::kVec, running_of},
    {"KV used", Role::kMte2, kv_of, false, true},
    {"waiting", Role::kWait, waiting_of},
    {"preempted", Role::kBad, preemptions_of, true},
}};

/// The value of a cell: the mean (or sum) of the bins behind it.
double cell_value(const ServeSeries& series, const LoadLine& line, int cell, int cells) {
  const auto count = static_cast<int64_t>(series.bins.size());
  const int64_t first = count * cell / cells;
  const int64_t end = std::max(first + 1, count * (cell + 1) / cells);
  double sum = 0;
  for (int64_t i = first; i < end; ++i) sum += line.value(series.bins[static_cast<size_t>(i)]);
  return line.is_sum ? sum : sum / static_cast<double>(end - first);
}

std::string value_text(const LoadLine& line, double value) {
  if (line.is_share) return format_share(value);
  return value < 99.95 && !line.is_sum ? fmt::format("{:.1f}", value)
                                       : format_count(std::llround(value));
}

/// A line of `rows` rows from row `y` on.
void draw_line(Canvas& canvas, const ServeSeries& series, const LoadLine& line, int y, int rows) {
  const int cells = std::max(1, canvas.width() - kLeft - kRight);
  std::vector<double> values;
  double top = 0;
  double sum = 0;
  for (int cell = 0; cell < cells; ++cell) {
    values.push_back(cell_value(series, line, cell, cells));
    top = std::max(top, values.back());
  }
  for (const ServeBin& bin : series.bins) sum += line.value(bin);
  canvas.text(0, y, line.name, Role::kDim, kLeft - 8);
  canvas.text_right(kLeft - 1, y, value_text(line, top), Role::kDim);
  for (int cell = 0; cell < cells; ++cell) {
    const double value = values[static_cast<size_t>(cell)];
    // What is there at all is seen.
    const double exact = top > 0 ? value / top * 8 * rows : 0;
    const int eighths = value > 0 ? std::max(1, static_cast<int>(std::lround(exact))) : 0;
    for (int row = 0; row < rows; ++row) {
      const int level = std::clamp(eighths - 8 * (rows - 1 - row), 0, 8);
      if (level > 0) canvas.put(kLeft + cell, y + row, canvas.glyphs().level(level), line.role);
    }
  }
  const double now = line.is_sum ? sum : line.value(series.bins.back());
  canvas.text_right(canvas.width(), y + rows - 1, value_text(line, now));
}

std::string seconds_text(double ns) {
  return format_us(ns * 1e-3);
}

/// Borders of time, and where the shown step is.
void draw_axis(const State& state, Canvas& canvas, int y) {
  const ServeView& view = *state.serve.view;
  const ServeSeries& series = view.series;
  const int cells = std::max(1, canvas.width() - kLeft - kRight);
  canvas.text(kLeft, y, seconds_text(static_cast<double>(series.begin_ns)), Role::kDim);
  const std::string end = seconds_text(static_cast<double>(series.end_ns()));
  canvas.text_right(kLeft + cells, y, end, Role::kDim);
  const std::optional<size_t> step = shown_serve_step(state);
  if (!step || !state.serve.step) return;
  const auto into = static_cast<double>(view.record.steps[*step].start_ns - series.begin_ns);
  const double share = into / static_cast<double>(series.end_ns() - series.begin_ns);
  const int cell = static_cast<int>(std::clamp(share * cells, 0.0, cells - 1.0));
  canvas.put(kLeft + cell, y, canvas.glyphs().marker, Role::kMatch);
}

std::string progress_text(const ServeView& view) {
  const double simulated = static_cast<double>(view.end_ns) * 1e-9;
  if (!view.progress) {
    const auto steps = std::ssize(view.record.step_end_ns);
    return fmt::format("simulated {:.2f} s in {} steps; {} requests", simulated,
                       format_count(steps), format_count(std::ssize(view.record.requests)));
  }
  const ServeProgress& progress = *view.progress;
  const double rate = progress.wall_seconds > 0 ? simulated / progress.wall_seconds : 0;
  return fmt::format("simulated {:.2f} s, real {:.1f} s: {:.3g}x real time; {}", simulated,
                     progress.wall_seconds, rate,
                     progress.is_paused ? "PAUSED" : pace_text(progress.pace));
}

/// Rows of each line: two for those that say most, where there is room.
std::array<int, kLines.size()> heights_of(int rows) {
  std::array<int, kLines.size()> heights = {};
  for (size_t i = 0; i < heights.size() && rows > 0; ++i, --rows) heights[i] = 1;
  for (int more = 0; rows > 0 && more < 2; ++more) {
    for (size_t i = 0; i < 4 && rows > 0; ++i, --rows) ++heights[i];
  }
  return heights;
}

}  // namespace

std::string load_title(const State& state) {
  const auto& view = state.serve.view;
  if (!view) return "Throughput and load";
  const ServeIdentity& identity = view->identity;
  std::string title = fmt::format("Throughput and load  run {} {}", identity.run, identity.status);
  if (is_serving_paused(state)) title += ", paused";
  return fmt::format("{}  {} {}{}", title, identity.model, identity.workload,
                     view->is_partial ? "  (the last part)" : "");
}

void draw_load(const State& state, Canvas canvas) {
  const auto& view = state.serve.view;
  if (!view || view->series.bins.empty()) return draw_no_serving(state, canvas);
  const bool has_axis = canvas.height() >= 5;
  const bool has_facts = canvas.height() >= 4;
  const std::array<int, kLines.size()> heights =
      heights_of(canvas.height() - (has_axis ? 1 : 0) - (has_facts ? 1 : 0));
  int y = 0;
  for (size_t i = 0; i < kLines.size(); ++i) {
    if (heights[i] == 0) continue;
    draw_line(canvas, view->series, kLines[i], y, heights[i]);
    y += heights[i];
  }
  if (has_axis) draw_axis(state, canvas, y++);
  if (has_facts) canvas.text(0, canvas.height() - 1, progress_text(*view), Role::kDim);
}

void draw_no_serving(const State& state, Canvas& canvas) {
  if (const JobSnapshot* job = serving_job(state)) {
    draw_wrapped(canvas, 0, 0, fmt::format("{}: preparing ...", job->title), Role::kDim);
    return;
  }
  if (state.serve.load_job != 0) {
    draw_wrapped(canvas, 0, 0, "reading the run ...", Role::kDim);
    return;
  }
  if (!state.serve.failure.empty()) {
    draw_wrapped(canvas, 0, 0, "the run failed; the Run pane says why", Role::kBad);
    return;
  }
  const ServeForm& form = state.serve.form;
  draw_wrapped(
      canvas, 0, 0,
      fmt::format(
          "No serving run is shown. r replays {} with {}{} on the simulator; the "
          "Run pane changes what. o opens a run of the database.",
          form.value("model"), form.value("workload"),
          form.value("limit").empty() ? "" : fmt::format(", {} requests", form.value("limit"))),
      Role::kDim);
}

}  // namespace tilewright
