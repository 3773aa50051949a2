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

/// The space with one value each of two parameters.
Space pinned(const Space& space, const CellPlace& cell) {
  SpaceLimits limits;
  for (const auto& [parameter, value] :
       {std::pair(cell.across, cell.column), {cell.down, cell.row}}) {
    const Parameter& axis = space.parameters()[parameter];
    limits.pins.emplace_back(axis.name, space.value_text(axis.name, axis.values[value]));
  }
  return limited(space, limits);
}

bool has_config(const Space& space, const CellPlace& cell) {
  return LegalSet(pinned(space, cell)).size() > 0;
}

/// Which pairs of values some config has, row by row.
std::vector<bool> pairs_of(const Space& space, size_t across, size_t down,
                           const std::function<void()>& check) {
  const size_t columns = space.parameters()[across].values.size();
  const size_t rows = space.parameters()[down].values.size();
  std::vector<bool> pairs(columns * rows);
  const LegalSet legal(space);
  if (legal.size() <= kMostWalked) {
    int visited = 0;
    legal.each([&](std::span<const int> places) {
      if (++visited % kConfigsPerCheck == 0) check();
      pairs[static_cast<size_t>(places[down]) * columns + static_cast<size_t>(places[across])] =
          true;
    });
    return pairs;
  }
  for (size_t row = 0; row < rows; ++row) {
    for (size_t column = 0; column < columns; ++column) {
      check();
      pairs[row * columns + column] = has_config(space, {across, down, column, row});
    }
  }
  return pairs;
}

/// What one constraint says when it alone leaves no config with both values; empty where it takes
/// several together.
std::string one_violation(const Space& space, const CellPlace& cell) {
  std::vector<Parameter> parameters = space.parameters();
  for (const auto& [parameter, place] :
       {std::pair(cell.across, cell.column), {cell.down, cell.row}}) {
    Parameter& axis = parameters[parameter];
    axis.values = {axis.values[place]};
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

TuneFit fit_of(const std::string& problem, const TuneSpaces& spaces, size_t across, size_t down,
               const std::function<void()>& check) {
  TuneFit fit{problem, across, down, {}};
  const std::vector<bool> legal = pairs_of(spaces.legal, across, down, check);
  const std::vector<bool> searched =
      spaces.is_narrow ? pairs_of(spaces.searched, across, down, check) : legal;
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
