#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tilewright {

/// A stretch of a launch in ticks, and the arithmetic of looking at it: pure, so that it can be
/// tested without a screen.
struct TimeWindow {
  int64_t from = 0;
  int64_t to = 0;

  int64_t ticks() const { return to - from; }
  int64_t middle() const { return from + ticks() / 2; }
  bool contains(int64_t tick) const { return tick >= from && tick < to; }
  /// Whether [begin, end) and the window have time in common; an event without duration counts.
  bool touches(int64_t begin, int64_t end) const {
    return begin < to && (end > from || begin >= from);
  }

  friend bool operator==(const TimeWindow&, const TimeWindow&) = default;
};

/// How a launch is looked at: from which tick on, and how many ticks a cell of the screen has. The
/// window follows from the number of cells, so that a wider terminal shows more.
struct TimeZoom {
  int64_t from = 0;
  int64_t cell = 0;  ///< ticks; 0: the whole launch in whatever cells there are

  friend bool operator==(const TimeZoom&, const TimeZoom&) = default;
};

/// What `cells` cells show of a launch of `end` ticks: never anything behind its end, as long as
/// the launch has a tick for each cell.
TimeWindow window_of(const TimeZoom& zoom, int64_t end, int cells);

/// The next finer (`step` 1) or coarser (-1) zoom in steps of 1-2-5 cycles a cell, from the whole
/// launch to a hundredth of a cycle. The tick `anchor` stays in its cell; one that is out of sight
/// counts as the nearest that is not.
TimeZoom zoomed(const TimeZoom& zoom, int64_t end, int cells, int step, int64_t anchor);

/// Moved by a share of the window, to the right when positive; stays within the launch.
TimeZoom panned(const TimeZoom& zoom, int64_t end, int cells, double share);

/// The tick in the middle, as far as the launch's ends allow.
TimeZoom centered(const TimeZoom& zoom, int64_t end, int cells, int64_t tick);

/// The coarsest zoom at which [begin, end) takes at least half of the window, in its middle; the
/// finest where none does.
TimeZoom fitted(int64_t begin, int64_t end, int64_t launch_end, int cells);

/// The cell that shows a tick; outside of [0, cells) when none does.
int cell_of(const TimeWindow& window, int cells, int64_t tick);
/// The tick in the middle of a cell.
int64_t tick_of(const TimeWindow& window, int cells, int cell);

/// How times are written.
enum class TimeUnit : uint8_t { kCycles, kMicroseconds };

/// Ticks as text: "1,001,217 cyc" or "12.345 us".
struct TimeFormat {
  TimeUnit unit = TimeUnit::kCycles;
  double ticks_per_us = 1;

  double ticks_per_unit() const;
  /// "cyc" or "us".
  std::string name() const;
  /// Without the unit. Below 1,000 cycles with the decimals that there are, else whole ones.
  std::string number(int64_t ticks) const;
  std::string text(int64_t ticks) const { return number(ticks) + " " + name(); }
  /// What one cell of a window shows.
  std::string cell_text(double ticks) const;
};

/// A mark of a ruler: a round time.
struct RulerMark {
  int cell = 0;
  std::string label;
};

/// Marks at multiples of 1, 2 or 5 x 10^n of the unit, far enough from each other for their labels.
std::vector<RulerMark> ruler_marks(const TimeWindow& window, int cells, const TimeFormat& format);

}  // namespace tilewright
