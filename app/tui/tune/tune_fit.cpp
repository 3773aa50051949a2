#include "app/tui/tune/tune_fit.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/format.h"
#include "core/space/empty_space.h"
#include "core/space/legal_set.h"
#include "tuner/session/space_limits.h"

namespace tilewright {

namespace {

/// Spaces up to this size are walked; in larger ones every pair is asked for.
constexpr int64_t kMostWalked = int64_t{1} << 22;
constexpr int kConfigsPerCheck = 1 << 16;

/// Values that parameters, given by their places, are held at.
std::vector<FixedValue> fixed_values(const Space& space, const CellPlace& cell) {
  std::vector<FixedValue> fixed = {
      {cell.plane.across, space.parameters()[cell.plane.across].values[cell.column]},
      {cell.plane.down, space.parameters()[cell.plane.down].values[cell.row]}};
  if (cell.plane.fixed) fixed.push_back(*cell.plane.fixed);
  return fixed;
}

Space pinned(const Space& space, const std::vector<FixedValue>& fixed) {
  SpaceLimits limits;
  for (const FixedValue& each : fixed) {
    const std::string& name = space.parameters()[each.parameter].name;
    limits.pins.emplace_back(name, space.value_text(name, each.value));
  }
  return limited(space, limits);
}

Space pinned(const Space& space, const CellPlace& cell) {
  return pinned(space, fixed_values(space, cell));
}

bool has_config(const Space& space, const CellPlace& cell) {
  return LegalSet(pinned(space, cell)).size() > 0;
}

/// Which pairs of values some config has, row by row.
std::vector<bool> pairs_of(const Space& whole, const SpacePlane& plane,
                           const std::function<void()>& check) {
  const Space space = plane.fixed ? pinned(whole, std::vector{*plane.fixed}) : whole;
  const size_t columns = space.parameters()[plane.across].values.size();
  const size_t rows = space.parameters()[plane.down].values.size();
  std::vector<bool> pairs(columns * rows);
  const LegalSet legal(space);
  if (legal.size() <= kMostWalked) {
    int visited = 0;
    legal.each([&](std::span<const int> places) {
      if (++visited % kConfigsPerCheck == 0) check();
      pairs[static_cast<size_t>(places[plane.down]) * columns +
            static_cast<size_t>(places[plane.across])] = true;
    });
    return pairs;
  }
  for (size_t row = 0; row < rows; ++row) {
    for (size_t column = 0; column < columns; ++column) {
      check();
      pairs[row * columns + column] = has_config(whole, {plane, column, row});
    }
  }
  return pairs;
}

/// What one constraint says when it alone leaves no config with both values; empty where it takes
/// several together.
std::string one_violation(const Space& space, const CellPlace& cell) {
  std::vector<Parameter> parameters = space.parameters();
  for (const FixedValue& fixed : fixed_values(space, cell)) {
    parameters[fixed.parameter].values = {fixed.value};
  }
  Config least;
  for (const Parameter& axis : parameters) least.values.emplace_back(axis.name, axis.values[0]);
  for (const Constraint& constraint : space.constraints()) {
    const bool has_labels =
        std::ranges::any_of(parameters, [](const Parameter& axis) { return !axis.labels.empty(); });
    if (constraint.rows || has_labels) continue;
    const Space alone(parameters, {constraint});
    if (LegalSet(alone).size() == 0) return alone.violation(least);
  }
  return "";
}

}  // namespace

TuneFit fit_of(const std::string& problem, const TuneSpaces& spaces, const SpacePlane& plane,
               const std::function<void()>& check) {
  TuneFit fit{problem, plane, {}};
  const std::vector<bool> legal = pairs_of(spaces.legal, plane, check);
  const std::vector<bool> searched =
      spaces.is_narrow ? pairs_of(spaces.searched, plane, check) : legal;
  for (size_t i = 0; i < legal.size(); ++i) {
    fit.cells.push_back(searched[i] ? CellFit::kSearched
                        : legal[i]  ? CellFit::kLeftOut
                                    : CellFit::kUnfit);
  }
  return fit;
}

CellReason reason_of(const std::string& problem, const TuneSpaces& spaces, const CellPlace& cell) {
  CellReason reason{problem, cell, ""};
  const Space legal = pinned(spaces.legal, cell);
  const int64_t configs = LegalSet(legal).size();
  if (configs == 0) {
    reason.text = one_violation(spaces.legal, cell);
    if (reason.text.empty()) reason.text = why_empty(legal);
  } else if (spaces.is_narrow && !has_config(spaces.searched, cell)) {
    reason.text = fmt::format(
        "left out: {} config{} fit{}, but none is within the estimate and the limits of this "
        "search (--within, --pin, --ban, --constraint)",
        format_count(configs), configs == 1 ? "" : "s", configs == 1 ? "s" : "");
  }
  return reason;
}

}  // namespace tilewright
