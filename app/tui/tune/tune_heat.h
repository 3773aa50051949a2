#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/tui/tune/tune_state.h"

namespace tilewright {

/// What was tried with two values together.
struct HeatCell {
  int64_t tried = 0;
  int64_t failed = 0;
  double best_us = 0;     ///< over all other parameters; 0: nothing worked
  bool is_exact = false;  ///< else only a cheaper evaluator timed it
  size_t best_row = 0;    ///< of the table of tries, where best_us > 0
};

/// The best times over two parameters.
struct HeatGrid {
  size_t across = 0;  ///< parameters
  size_t down = 0;
  std::vector<int64_t> columns;  ///< values
  std::vector<int64_t> rows;
  std::vector<HeatCell> cells;  ///< row by row; none in a grid without its tries

  size_t size() const { return columns.size() * rows.size(); }
  const HeatCell& at(const SpaceCursor& place) const {
    return cells[place.row * columns.size() + place.column];
  }
};

/// Parameters with several values, by their places: what can be an axis.
std::vector<size_t> axis_choices(const TuneProblemView& problem);

/// The two parameters that are shown; nothing where there are no two to choose from.
std::optional<std::pair<size_t, size_t>> axes_of(const TuneState& tune,
                                                 const TuneProblemView& problem);

/// The values of both axes, which is quick, and with them everything that was tried.
HeatGrid grid_of(const TuneProblemView& problem, size_t across, size_t down);
HeatGrid heat_of(const TuneProblemView& problem, size_t across, size_t down);

/// The cell of the cursor; that of the best config where it was not moved.
SpaceCursor cursor_of(const TuneState& tune, const TuneProblemView& problem, const HeatGrid& grid);

/// The fastest tries that count, at most so many, as rows of the table of tries.
std::vector<size_t> top_rows(const TuneProblemView& problem, size_t at_most);
constexpr size_t kTopRows = 50;

/// Whether the pairs that fit are those of the axes.
bool is_of(const TuneFit* fit, const TuneProblemView& problem, const HeatGrid& grid);

}  // namespace tilewright
