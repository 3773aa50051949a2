#include "app/tui/tune/tune_heat.h"

#include <algorithm>
#include <set>

#include "core/base/text.h"

namespace tilewright {

namespace {

std::optional<size_t> place_of(const std::vector<int64_t>& values, int64_t value) {
  const auto found = std::ranges::lower_bound(values, value);
  if (found == values.end() || *found != value) return std::nullopt;
  return static_cast<size_t>(found - values.begin());
}

void add(HeatCell& cell, const SeenTrial& trial, size_t row) {
  ++cell.tried;
  if (trial.time_us <= 0) {
    ++cell.failed;
    return;
  }
  // A time that counts comes before one that is only about right.
  const bool is_better = cell.best_us == 0 || (trial.is_exact() && !cell.is_exact) ||
                         (trial.is_exact() == cell.is_exact && trial.time_us < cell.best_us);
  if (!is_better) return;
  cell.best_us = trial.time_us;
  cell.is_exact = trial.is_exact();
  cell.best_row = row;
}

std::optional<FixedValue> fixed_of(const TuneState& tune, const TuneProblemView& problem) {
  if (!tune.held) return std::nullopt;
  const auto found = std::ranges::find(problem.parameters, tune.held->first, &Parameter::name);
  if (found == problem.parameters.end()) return std::nullopt;
  const auto place = static_cast<size_t>(found - problem.parameters.begin());
  if (!place_of(values_of(problem, place), tune.held->second)) return std::nullopt;
  return FixedValue{place, tune.held->second};
}

}  // namespace

std::vector<int64_t> values_of(const TuneProblemView& problem, size_t parameter) {
  if (!problem.parameters[parameter].values.empty()) return problem.parameters[parameter].values;
  std::set<int64_t> seen;
  for (size_t row = 0; row < problem.trials.size(); ++row) {
    seen.insert(problem.trials.values(row)[parameter]);
  }
  return {seen.begin(), seen.end()};
}

std::string value_name(const Parameter& parameter, int64_t value) {
  const auto place = static_cast<size_t>(value);
  if (value >= 0 && place < parameter.labels.size()) return printable(parameter.labels[place]);
  return std::to_string(value);
}

std::vector<size_t> axis_choices(const TuneProblemView& problem) {
  std::vector<size_t> choices;
  for (size_t i = 0; i < problem.parameters.size(); ++i) {
    if (values_of(problem, i).size() > 1) choices.push_back(i);
  }
  return choices;
}

std::optional<SpacePlane> plane_of(const TuneState& tune, const TuneProblemView& problem) {
  const std::vector<size_t> choices = axis_choices(problem);
  if (choices.size() < 2) return std::nullopt;
  const auto named = [&](const std::string& wanted, const char* usual) -> std::optional<size_t> {
    for (const std::string& name : {wanted, std::string(usual)}) {
      for (const size_t choice : choices) {
        if (problem.parameters[choice].name == name) return choice;
      }
    }
    return std::nullopt;
  };
  const size_t across = named(tune.across, "tile_n").value_or(choices[0]);
  size_t down = named(tune.down, "tile_m").value_or(choices[1]);
  if (down == across) down = choices[0] == across ? choices[1] : choices[0];
  std::optional<FixedValue> fixed = fixed_of(tune, problem);
  if (fixed && (fixed->parameter == across || fixed->parameter == down)) fixed.reset();
  return SpacePlane{across, down, fixed};
}

HeatGrid grid_of(const TuneProblemView& problem, const SpacePlane& plane) {
  return {plane, values_of(problem, plane.across), values_of(problem, plane.down), {}};
}

HeatGrid heat_of(const TuneProblemView& problem, const SpacePlane& plane) {
  HeatGrid grid = grid_of(problem, plane);
  grid.cells.resize(grid.size());
  for (size_t row = 0; row < problem.trials.size(); ++row) {
    const std::span<const int64_t> values = problem.trials.values(row);
    if (plane.fixed && values[plane.fixed->parameter] != plane.fixed->value) continue;
    const auto column = place_of(grid.columns, values[plane.across]);
    const auto line = place_of(grid.rows, values[plane.down]);
    if (!column || !line) continue;
    add(grid.cells[*line * grid.columns.size() + *column], problem.trials.trial(row), row);
  }
  return grid;
}

SpaceCursor cursor_of(const TuneState& tune, const TuneProblemView& problem, const HeatGrid& grid) {
  SpaceCursor cursor = tune.cursor.value_or(SpaceCursor{});
  if (!tune.cursor && problem.best_us > 0) {
    const auto at = [&](size_t parameter) {
      const std::string& name = problem.parameters[parameter].name;
      return problem.best.has(name) ? problem.best.at(name) : 0;
    };
    cursor.column = place_of(grid.columns, at(grid.plane.across)).value_or(0);
    cursor.row = place_of(grid.rows, at(grid.plane.down)).value_or(0);
  }
  cursor.column = std::min(cursor.column, grid.columns.size() - 1);
  cursor.row = std::min(cursor.row, grid.rows.size() - 1);
  return cursor;
}

std::vector<size_t> top_rows(const TuneProblemView& problem, size_t at_most) {
  std::vector<size_t> rows;
  for (size_t row = 0; row < problem.trials.size(); ++row) {
    if (problem.trials.trial(row).is_exact()) rows.push_back(row);
  }
  const auto faster = [&](size_t a, size_t b) {
    const double left = problem.trials.trial(a).time_us;
    const double right = problem.trials.trial(b).time_us;
    return left != right ? left < right : a < b;
  };
  const size_t count = std::min(at_most, rows.size());
  std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(count), rows.end(),
                    faster);
  rows.resize(count);
  return rows;
}

bool is_of(const TuneFit* fit, const TuneProblemView& problem, const HeatGrid& grid) {
  return fit && fit->problem == problem.problem && fit->plane == grid.plane &&
         fit->cells.size() == grid.size();
}

}  // namespace tilewright
