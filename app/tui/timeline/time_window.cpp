#include "app/tui/timeline/time_window.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/format.h"
#include "core/machine/machine.h"

namespace tilewright {

namespace {

constexpr double kTicks = static_cast<double>(kTicksPerCycle);

/// Steps are numbered: 0 is 1 cycle a cell, 1 is 2, 2 is 5, 3 is 10; -1 is half a cycle.
constexpr int kFinestStep = -6;
constexpr int kCoarsestStep = 36;  // 10^12 cycles

double round_number(int step) {
  constexpr double kDigits[] = {1, 2, 5};
  const int decade = static_cast<int>(std::floor(step / 3.0));
  return kDigits[step - 3 * decade] * std::pow(10.0, decade);
}

int64_t cell_of_step(int step) {
  return std::max<int64_t>(1, std::llround(round_number(step) * kTicks));
}

/// Ticks a cell when all of the launch is shown.
double whole_cell(int64_t end, int cells) {
  return static_cast<double>(end) / cells;
}

/// The coarsest step that shows less than `cell` ticks in a cell.
int step_below(double cell) {
  int step = kCoarsestStep;
  while (step > kFinestStep && static_cast<double>(cell_of_step(step)) >= cell) --step;
  return step;
}

int64_t clamped_from(int64_t from, int64_t span, int64_t end) {
  return std::clamp<int64_t>(from, 0, std::max<int64_t>(0, end - span));
}

bool is_whole(const TimeZoom& zoom, int64_t end, int cells) {
  return zoom.cell == 0 || zoom.cell >= (end + cells - 1) / cells;
}

}  // namespace

TimeWindow window_of(const TimeZoom& zoom, int64_t end, int cells) {
  if (is_whole(zoom, end, cells)) return {0, std::max<int64_t>(end, cells)};
  const int64_t span = zoom.cell * cells;
  const int64_t from = clamped_from(zoom.from, span, end);
  return {from, from + span};
}

TimeZoom zoomed(const TimeZoom& zoom, int64_t end, int cells, int step, int64_t anchor) {
  const TimeWindow old = window_of(zoom, end, cells);
  const bool was_whole = is_whole(zoom, end, cells);
  int64_t cell = 0;
  if (step > 0) {
    const double before = was_whole ? whole_cell(end, cells) : static_cast<double>(zoom.cell);
    cell = cell_of_step(step_below(before));
    if (static_cast<double>(cell) >= before) return zoom;
  } else {
    if (was_whole) return {};
    int coarser = kFinestStep;
    while (cell_of_step(coarser) <= zoom.cell) ++coarser;
    cell = cell_of_step(coarser);
    if (is_whole({0, cell}, end, cells)) return {};
  }
  const int64_t fixed = std::clamp(anchor, old.from, old.to - 1);
  const double share = static_cast<double>(fixed - old.from) / static_cast<double>(old.ticks());
  const int64_t span = cell * cells;
  const int64_t before = std::llround(share * static_cast<double>(span));
  return {clamped_from(fixed - before, span, end), cell};
}

TimeZoom panned(const TimeZoom& zoom, int64_t end, int cells, double share) {
  if (is_whole(zoom, end, cells)) return {};
  const int64_t span = zoom.cell * cells;
  const int64_t from = window_of(zoom, end, cells).from;
  const int64_t step = std::llround(share * static_cast<double>(span));
  return {clamped_from(from + step, span, end), zoom.cell};
}

TimeZoom centered(const TimeZoom& zoom, int64_t end, int cells, int64_t tick) {
  if (is_whole(zoom, end, cells)) return {};
  const int64_t span = zoom.cell * cells;
  return {clamped_from(tick - span / 2, span, end), zoom.cell};
}

TimeZoom fitted(int64_t begin, int64_t end, int64_t launch_end, int cells) {
  const double wanted = 2 * static_cast<double>(std::max<int64_t>(1, end - begin)) / cells;
  if (wanted >= whole_cell(launch_end, cells)) return {};
  int step = kFinestStep;
  while (step < kCoarsestStep && static_cast<double>(cell_of_step(step + 1)) <= wanted) ++step;
  return centered({0, cell_of_step(step)}, launch_end, cells, begin + (end - begin) / 2);
}

int cell_of(const TimeWindow& window, int cells, int64_t tick) {
  const double share =
      static_cast<double>(tick - window.from) / static_cast<double>(window.ticks());
  return static_cast<int>(std::floor(std::clamp(share, -1.0, 2.0) * cells));
}

int64_t tick_of(const TimeWindow& window, int cells, int cell) {
  return window.from + window.ticks() * (2 * int64_t{cell} + 1) / (2 * int64_t{cells});
}

double TimeFormat::ticks_per_unit() const {
  return unit == TimeUnit::kCycles ? kTicks : ticks_per_us;
}

std::string TimeFormat::name() const {
  return unit == TimeUnit::kCycles ? "cyc" : "us";
}

std::string TimeFormat::number(int64_t ticks) const {
  const double value = static_cast<double>(ticks) / ticks_per_unit();
  if (unit == TimeUnit::kMicroseconds) return format_decimals(value, 3);
  const bool has_decimals = std::abs(value) < 1000 && ticks % kTicksPerCycle != 0;
  // Cut off, as reports do: the same launch has the same number of cycles everywhere.
  return has_decimals ? format_decimals(value, 1) : format_count(ticks / kTicksPerCycle);
}

std::string TimeFormat::cell_text(double ticks) const {
  const double value = ticks / ticks_per_unit();
  if (value >= 100) return format_count(std::llround(value)) + " " + name();
  return fmt::format("{:.3g} {}", value, name());
}

std::vector<RulerMark> ruler_marks(const TimeWindow& window, int cells, const TimeFormat& format) {
  const double unit = format.ticks_per_unit();
  const double cell = static_cast<double>(window.ticks()) / cells / unit;
  const double last = static_cast<double>(window.to) / unit;
  int step = -18;
  const auto label = [&](double value) {
    const int decimals = std::max(0, -static_cast<int>(std::floor(step / 3.0)));
    return format_decimals(value, decimals);
  };
  // A mark, its label and two blanks.
  while (round_number(step) / cell < static_cast<double>(label(last).size() + 3)) ++step;
  const double distance = round_number(step);
  std::vector<RulerMark> marks;
  for (double i = std::ceil(static_cast<double>(window.from) / unit / distance);; ++i) {
    const auto tick = std::llround(i * distance * unit);
    const int at = cell_of(window, cells, tick);
    if (at >= cells || tick >= window.to) return marks;
    if (at >= 0) marks.push_back({at, label(i * distance)});
  }
}

}  // namespace tilewright
