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
  SpacePlane plane;
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

/// All values that the space of a parameter has, or those seen where it is not known.
std::vector<int64_t> values_of(const TuneProblemView& problem, size_t parameter);
/// "128", or the label that stands for the value.
std::string value_name(const Parameter& parameter, int64_t value);

/// The two parameters that are shown, with the value of a third one that is held; nothing where
/// there are no two to choose from. A value that is held of an axis does not count.
std::optional<SpacePlane> plane_of(const TuneState& tune, const TuneProblemView& problem);

/// The values of both axes, which is quick, and with them everything that was tried with the value
/// that is held.
HeatGrid grid_of(const TuneProblemView& problem, const SpacePlane& plane);
HeatGrid heat_of(const TuneProblemView& problem, const SpacePlane& plane);

/// The cell of the cursor; that of the best config where it was not moved.
SpaceCursor cursor_of(const TuneState& tune, const TuneProblemView& problem, const HeatGrid& grid);

/// The fastest tries that count, at most so many, as rows of the table of tries.
std::vector<size_t> top_rows(const TuneProblemView& problem, size_t at_most);
constexpr size_t kTopRows = 50;

/// Whether the pairs that fit are those of the axes.
bool is_of(const TuneFit* fit, const TuneProblemView& problem, const HeatGrid& grid);

}  // namespace tilewright
