// The roofline of the Lab: a log-log plot of speed over arithmetic intensity, and how far each
// component of the core is used.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/lab/lab_figures.h"
#include "app/tui/lab/lab_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

/// Octaves of both axes and how they fall on cells.
class LogPlot {
 public:
  /// `canvas` is the plot's area; x in operations per byte, y in operations per second.
  LogPlot(Canvas canvas, double low_x, double high_x, double low_y, double high_y)
      : canvas_(canvas),
        low_x_(std::log2(low_x)),
        high_x_(std::log2(high_x)),
        low_y_(std::log2(low_y)),
        high_y_(std::log2(high_y)) {}

  double x_at(double column) const {
    return std::exp2(low_x_ + (high_x_ - low_x_) * column / std::max(1, canvas_.width() - 1));
  }
  int column_of(double x) const {
    return static_cast<int>(
        std::lround((std::log2(x) - low_x_) / (high_x_ - low_x_) * (canvas_.width() - 1)));
  }
  int row_of(double y) const {
    return static_cast<int>(
        std::lround((high_y_ - std::log2(y)) / (high_y_ - low_y_) * (canvas_.height() - 1)));
  }
  bool holds(int column, int row) const { return canvas_.area().contains(column, row); }
  Canvas& canvas() { return canvas_; }
  const Canvas& canvas() const { return canvas_; }

  /// Takes cells for a point, whatever stands there.
  void occupy(const Rect& cells) { taken_.push_back(cells); }
  /// Takes cells for a label; false, and none taken, unless all are inside and free.
  bool take(const Rect& cells) {
    const bool is_free = cells.intersection(canvas_.area()) == cells &&
                         std::ranges::all_of(taken_, [&](const Rect& other) {
                           return other.intersection(cells).is_empty();
                         });
    if (is_free) taken_.push_back(cells);
    return is_free;
  }

 private:
  Canvas canvas_;
  std::vector<Rect> taken_;
  double low_x_, high_x_, low_y_, high_y_;
};

/// A slope of bandwidth below a horizontal peak.
void draw_ceiling(LogPlot& plot, double bytes_per_s, double peak, Role role) {
  constexpr int kSamples = 4;  // of a column, so that no row of the slope is left out
  const Glyphs& glyphs = plot.canvas().glyphs();
  for (int i = 0; i < plot.canvas().width() * kSamples; ++i) {
    const double x = plot.x_at(static_cast<double>(i) / kSamples);
    const int column = plot.column_of(x);
    const bool is_flat = x * bytes_per_s >= peak;
    const int row = plot.row_of(std::min(peak, x * bytes_per_s));
    if (plot.holds(column, row)) {
      plot.canvas().put(column, row, is_flat ? glyphs.roof : glyphs.slope, role);
    }
  }
}

struct LabelPlace {
  int column = 0;
  int row = 0;
};
/// A label at the first of some places where it is whole and hides no point and no other label.
/// False, and nothing drawn, when there is none.
bool put_label(LogPlot& plot, std::span<const LabelPlace> places, const std::string& label,
               Role role) {
  for (const LabelPlace& place : places) {
    if (plot.take({place.column, place.row, columns_of(label), 1})) {
      plot.canvas().text(place.column, place.row, label, role);
      return true;
    }
  }
  return false;
}

/// Places beside a slope: in the rows nearest to one, left of it, or right of it.
std::vector<LabelPlace> places_at_slope(const LogPlot& plot, double bytes_per_s, int row,
                                        bool is_left, int label_columns) {
  std::vector<LabelPlace> places;
  const int height = plot.canvas().height();
  for (int distance = 0; distance < height; ++distance) {
    for (const int at : {row + distance, row - distance}) {
      int column = 0;
      while (column < plot.canvas().width() && plot.row_of(plot.x_at(column) * bytes_per_s) > at) {
        ++column;
      }
      places.push_back({is_left ? column - 1 - label_columns : column + 3, at});
    }
  }
  return places;
}

/// A point where it belongs; later labels keep away from it.
void put_point(LogPlot& plot, double x, double y, const std::string& mark, Role role) {
  if (x <= 0 || y <= 0) return;
  const int width = columns_of(mark);
  const int column =
      std::clamp(plot.column_of(x) - width / 2, 0, std::max(0, plot.canvas().width() - width));
  const int row = std::clamp(plot.row_of(y), 0, plot.canvas().height() - 1);
  plot.occupy({column, row, width, 1});
  plot.canvas().text(column, row, mark, role);
}

/// Whether a run belongs under the roof of another: the same machine, engine and type.
bool shares_roof(const KernelOutcome& a, const KernelOutcome& b) {
  return a.uses_cube() == b.uses_cube() &&
         a.request.machine->argument == b.request.machine->argument &&
         a.request.problem.types.front() == b.request.problem.types.front();
}

void draw_points(const LabState& lab, const LabRun& shown, LogPlot& plot) {
  for (const LabRun& run : lab.runs) {
    if (run.number == shown.number || !shares_roof(*run.outcome, *shown.outcome)) continue;
    const double x = hbm_intensity(*run.outcome);
    const double y = run.outcome->flops_per_s();
    if (run.number == lab.pinned) {
      put_point(plot, x, y, utf8_of(std::u32string(1, plot.canvas().glyphs().pinned)), Role::kWarn);
    } else {
      put_point(plot, x, y, std::string(1, run.short_name().back()), Role::kDim);
    }
  }
  const KernelOutcome& outcome = *shown.outcome;
  put_point(plot, l2_intensity(outcome), outcome.flops_per_s(), "L", Role::kMatch);
  put_point(plot, hbm_intensity(outcome), outcome.flops_per_s(),
            fmt::format("({})", shown.short_name()), Role::kCursor);
}

void draw_labels(const KernelOutcome& outcome, double peak, LogPlot& plot) {
  const Machine& machine = outcome.request.machine->machine;
  const double l2 = l2_bytes_per_s(machine);
  const double hbm = hbm_bytes_per_s(machine);
  const int roof = plot.row_of(peak);
  const std::string peak_label =
      fmt::format("{} {}", outcome.uses_cube() ? "cube" : "vector", speed_text(outcome, peak));
  const int right = plot.canvas().width() - columns_of(peak_label);
  put_label(
      plot,
      std::array{LabelPlace{right, roof - 1}, LabelPlace{right, roof + 1}, LabelPlace{0, roof - 1}},
      peak_label, Role::kDim);
  const std::string hbm_label = "HBM " + rate_text(hbm);
  put_label(
      plot,
      places_at_slope(plot, hbm, (roof + plot.canvas().height()) / 2, false, columns_of(hbm_label)),
      hbm_label, Role::kShared);
  for (const std::string& label : {"L2 " + rate_text(l2), std::string("L2")}) {
    const std::vector<LabelPlace> places =
        places_at_slope(plot, l2, roof + 1, true, columns_of(label));
    if (put_label(plot, places, label, Role::kMte2)) return;
  }
}

/// "512", "2048", "0.25".
std::string axis_text(double value) {
  return value >= 10 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
}

void draw_axis(Canvas& canvas, int left, LogPlot& plot, int y, const std::string& unit) {
  constexpr int kLeastGap = 6;
  canvas.fill({left, y, canvas.width() - left, 1}, canvas.glyphs().horizontal, Role::kDim);
  int free = left;
  const double first = plot.x_at(0);
  for (double x = std::exp2(std::ceil(std::log2(first))); x <= plot.x_at(plot.canvas().width() - 1);
       x *= 2) {
    const std::string label = axis_text(x);
    const int column = left + plot.column_of(x);
    if (column < free || column + columns_of(label) > canvas.width() - columns_of(unit) - 2)
      continue;
    canvas.text(column, y + 1, label, Role::kDim);
    free = column + std::max(kLeastGap, columns_of(label) + 2);
  }
  canvas.text_right(canvas.width(), y + 1, unit, Role::kDim);
}

/// What the axes span: every point and both ridges, with room around them.
struct Span {
  double low_x = 1, high_x = 1, low_y = 1, high_y = 1;
};

Span span_of(const LabState& lab, const LabRun& shown, double peak, const Machine& machine) {
  Span span;
  span.low_x = peak / l2_bytes_per_s(machine);
  span.high_x = peak / hbm_bytes_per_s(machine);
  span.high_y = peak;
  span.low_y = peak;
  for (const LabRun& run : lab.runs) {
    if (!shares_roof(*run.outcome, *shown.outcome)) continue;
    for (const double x : {hbm_intensity(*run.outcome), l2_intensity(*run.outcome)}) {
      if (x <= 0) continue;
      span.low_x = std::min(span.low_x, x);
      span.high_x = std::max(span.high_x, x);
    }
    if (run.outcome->flops > 0) span.low_y = std::min(span.low_y, run.outcome->flops_per_s());
  }
  span.low_x /= 16;
  span.high_x *= 4;
  span.low_y /= 6;
  span.high_y *= 1.5;
  return span;
}

/// Rows that the plot takes with its axis, at least.
constexpr int kLeastPlot = 7;
/// "100.0 TFLOPS" and the line of the axis.
constexpr int kAxisLabel = 13;

/// The speed of every other row.
void draw_speeds(const KernelOutcome& outcome, const Span& span, Canvas& canvas, int height) {
  canvas.fill({kAxisLabel - 1, 0, 1, height}, canvas.glyphs().vertical, Role::kDim);
  for (int row = 0; row < height; row += 2) {
    const double share = static_cast<double>(row) / std::max(1, height - 1);
    const double y = std::exp2(std::log2(span.high_y) -
                               (std::log2(span.high_y) - std::log2(span.low_y)) * share);
    canvas.text_right(kAxisLabel - 1, row, speed_text(outcome, y), Role::kDim);
  }
}

/// Ceilings, then the points, which stand where they are, then labels where there is room.
void draw_plot(const LabState& lab, const LabRun& shown, Canvas canvas) {
  const KernelOutcome& outcome = *shown.outcome;
  const Machine& machine = outcome.request.machine->machine;
  const double peak = peak_flops_of(outcome);
  const Span span = span_of(lab, shown, peak, machine);
  const int height = canvas.height() - 2;
  LogPlot plot(canvas.part({kAxisLabel, 0, canvas.width() - kAxisLabel, height}), span.low_x,
               span.high_x, span.low_y, span.high_y);
  draw_ceiling(plot, l2_bytes_per_s(machine), peak, Role::kMte2);
  draw_ceiling(plot, hbm_bytes_per_s(machine), peak, Role::kShared);
  draw_points(lab, shown, plot);
  draw_labels(outcome, peak, plot);
  draw_speeds(outcome, span, canvas, height);
  draw_axis(canvas, kAxisLabel, plot, height, fmt::format("{}/B", operation_of(outcome)));
}

std::vector<std::string> plot_facts(const KernelOutcome& outcome, const std::string& name) {
  const Machine& machine = outcome.request.machine->machine;
  const double ridge = peak_flops_of(outcome) / hbm_bytes_per_s(machine);
  const std::string_view operation = operation_of(outcome);
  return {fmt::format("({}) {} at {} {}/B of HBM", name, speed_text(outcome, outcome.flops_per_s()),
                      axis_text(hbm_intensity(outcome)), operation),
          fmt::format(" L  at {} {}/B of L2, ridge {}", axis_text(l2_intensity(outcome)), operation,
                      axis_text(ridge))};
}

/// U = E x R of each component.
void draw_components(const KernelOutcome& outcome, Canvas canvas) {
  canvas.text(0, 0, "component    use = efficiency x active", Role::kHeading);
  int y = 1;
  for (const ComponentUse& use : outcome.roofline.components) {
    canvas.text(0, y, name_of(use.component));
    canvas.text(10, y++,
                fmt::format("{:>7} = {:>8}  x {:>7}", format_share(use.utilisation()),
                            format_share(use.efficiency), format_share(use.active_ratio)));
  }
}

std::string verdict_words(Verdict verdict) {
  std::string words(name_of(verdict));
  std::ranges::replace(words, '_', ' ');
  return words;
}

}  // namespace

void draw_lab_roofline(const State& state, Canvas canvas) {
  if (draw_without_result(state, canvas)) return;
  const LabRun& shown = *state.lab.shown_run();
  const KernelOutcome& outcome = *shown.outcome;
  int y = 0;
  canvas.text(0, y++, verdict_words(outcome.roofline.verdict), Role::kHeading);
  y = draw_wrapped(canvas, 0, y, outcome.roofline.reason, Role::kDim);
  const int components = static_cast<int>(outcome.roofline.components.size()) + 1;
  const bool has_points = outcome.flops > 0 && hbm_intensity(outcome) > 0;
  const int plot_rows = canvas.height() - y - components - 2;
  if (has_points && plot_rows >= kLeastPlot) {
    draw_plot(state.lab, shown, canvas.part({0, y, canvas.width(), plot_rows}));
    y += plot_rows;
    for (const std::string& fact : plot_facts(outcome, shown.short_name()))
      canvas.text(0, y++, fact);
  } else if (has_points) {
    y = draw_wrapped(canvas, 0, y, plot_facts(outcome, shown.short_name()).front());
  }
  draw_components(outcome, canvas.part({0, y, canvas.width(), canvas.height() - y}));
}

}  // namespace tilewright
