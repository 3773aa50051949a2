// The tile space: the best time over two parameters, and what does not fit.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "app/tui/tune/tune_heat.h"
#include "app/tui/tune/tune_recorder.h"
#include "app/tui/tune/tune_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr int kRoomyCell = 5;
constexpr int kTightCell = 4;

/// Ever slower: the sign of a cell by its best time over the best of all.
struct HeatStep {
  double most = 0;
  char32_t sign = U' ';
  Role role = Role::kText;
};
constexpr std::array<HeatStep, 7> kSteps = {{{1.02, U'#', Role::kGood},
                                             {1.06, U'*', Role::kGood},
                                             {1.13, U'+', Role::kText},
                                             {1.22, U'=', Role::kText},
                                             {1.33, U'-', Role::kText},
                                             {1.5, U':', Role::kDim},
                                             {1e300, U'.', Role::kDim}}};

std::pair<char32_t, Role> sign_of(const HeatCell& cell, double best_us, CellFit fit) {
  if (cell.best_us > 0) {
    const double ratio = cell.best_us / best_us;
    if (ratio <= 1 && cell.is_exact) return {U'@', Role::kMatch};
    for (const HeatStep& step : kSteps) {
      if (ratio <= step.most) return {step.sign, step.role};
    }
  }
  if (cell.tried > 0) return {U'!', Role::kBad};
  if (fit == CellFit::kUnfit) return {U'x', Role::kDim};
  if (fit == CellFit::kLeftOut) return {U',', Role::kDim};
  return {U' ', Role::kText};
}

int widest(const Parameter& parameter, const std::vector<int64_t>& values, int most) {
  int columns = 1;
  for (const int64_t value : values) {
    columns = std::max(columns, columns_of(value_name(parameter, value)));
  }
  return std::min(columns, most);
}

/// Rows below the cells: the cursor's cell, and the legend where there is room.
int rows_below(int height) {
  return height >= 14 ? 5 : 3;
}

struct SpaceFacts {
  const TuneProblemView* problem = nullptr;
  HeatGrid grid;
  SpaceCursor cursor;
};

std::optional<SpaceFacts> facts_of(const State& state) {
  const TuneProblemView* problem = state.tune.shown();
  const auto plane = problem ? plane_of(state.tune, *problem) : std::nullopt;
  if (!plane) return std::nullopt;
  SpaceFacts facts{problem, heat_of(*problem, *plane), {}};
  facts.cursor = cursor_of(state.tune, *problem, facts.grid);
  return facts;
}

SpaceWindow window_of(const SpaceFacts& facts, int width, int height) {
  const HeatGrid& grid = facts.grid;
  const Parameter& across = facts.problem->parameters[grid.plane.across];
  const Parameter& down = facts.problem->parameters[grid.plane.down];
  SpaceWindow window;
  window.left = widest(down, grid.rows, 12) + 2;
  const int all = static_cast<int>(grid.columns.size());
  const int room = width - window.left;
  const int needed = widest(across, grid.columns, 8) + 1;
  window.cell = std::max(needed, all * kRoomyCell <= room ? kRoomyCell : kTightCell);
  window.columns = std::clamp(room / window.cell, 1, all);
  window.rows = std::clamp(height - 1 - rows_below(height), 1, static_cast<int>(grid.rows.size()));
  window.column =
      static_cast<size_t>(first_row(static_cast<int>(facts.cursor.column), all, window.columns));
  window.row = static_cast<size_t>(first_row(static_cast<int>(facts.cursor.row),
                                             static_cast<int>(grid.rows.size()), window.rows));
  return window;
}

CellFit fit_at(const State& state, const SpaceFacts& facts, const SpaceCursor& place) {
  const TuneFit* fit = state.tune.fit.get();
  if (!is_of(fit, *facts.problem, facts.grid)) return CellFit::kSearched;
  return fit->cells[place.row * facts.grid.columns.size() + place.column];
}

void draw_cells(const State& state, const SpaceFacts& facts, const SpaceWindow& window,
                Canvas& canvas) {
  const HeatGrid& grid = facts.grid;
  const Parameter& across = facts.problem->parameters[grid.plane.across];
  const Parameter& down = facts.problem->parameters[grid.plane.down];
  for (int i = 0; i < window.columns; ++i) {
    const int64_t value = grid.columns[window.column + static_cast<size_t>(i)];
    canvas.text_right(window.left + (i + 1) * window.cell, 0, value_name(across, value),
                      Role::kHeading);
  }
  for (int j = 0; j < window.rows; ++j) {
    const size_t row = window.row + static_cast<size_t>(j);
    const int y = window.top + j;
    canvas.text_right(window.left - 1, y, value_name(down, grid.rows[row]), Role::kHeading);
    for (int i = 0; i < window.columns; ++i) {
      const SpaceCursor place = {window.column + static_cast<size_t>(i), row};
      const int x = window.left + (i + 1) * window.cell - 2;
      const auto [sign, role] =
          sign_of(grid.at(place), facts.problem->best_us, fit_at(state, facts, place));
      canvas.put(x, y, sign, role);
      if (place != facts.cursor) continue;
      canvas.put(x - 1, y, U'[', Role::kFocus);
      canvas.put(x + 1, y, U']', Role::kFocus);
      if (state.pane().pane == kTuneSpace) canvas.restyle({x - 1, y, 3, 1}, Role::kCursor);
    }
  }
}

/// "L0C 128K of 128K": the buffer that the config fills most.
std::string fullest_buffer(const TuneProblemView& problem, const Config& config) {
  if (!problem.spaces) return "";
  const ResourceUse* fullest = nullptr;
  const std::vector<ResourceUse> uses = problem.spaces->legal.uses(config);
  for (const ResourceUse& use : uses) {
    const auto share = [](const ResourceUse& one) {
      return one.capacity > 0 ? static_cast<double>(one.needed) / static_cast<double>(one.capacity)
                              : 0;
    };
    if (!fullest || share(use) > share(*fullest)) fullest = &use;
  }
  if (!fullest) return "";
  return fmt::format("  {} {} of {}", fullest->name,
                     format_bytes(static_cast<double>(fullest->needed)),
                     format_bytes(static_cast<double>(fullest->capacity)));
}

std::string cell_text(const State& state, const SpaceFacts& facts) {
  const TuneProblemView& problem = *facts.problem;
  const HeatCell& cell = facts.grid.at(facts.cursor);
  const CellReason* reason = state.tune.reason.get();
  const CellPlace place = {facts.grid.plane, facts.cursor.column, facts.cursor.row};
  if (cell.best_us > 0) {
    const Config config = problem.config(cell.best_row);
    return fmt::format("{}  {}{}{}, {} tried here{}", format_us(cell.best_us),
                       brief_config(problem, config), cell.is_exact ? "" : " (cut early)",
                       fullest_buffer(problem, config), cell.tried,
                       cell.failed > 0 ? fmt::format(", {} failed", cell.failed) : "");
  }
  if (cell.tried > 0) return fmt::format("all {} that were tried here failed", cell.tried);
  if (fit_at(state, facts, facts.cursor) == CellFit::kSearched) return "not tried";
  const bool is_known = reason && reason->problem == problem.problem && reason->cell == place;
  return is_known ? printable(reason->text, 400) : "does not fit";
}

}  // namespace

SpaceWindow space_window(const State& state, int width, int height) {
  const std::optional<SpaceFacts> facts = facts_of(state);
  return facts ? window_of(*facts, width, height) : SpaceWindow{};
}

std::string tune_space_title(const State& state) {
  const TuneProblemView* problem = state.tune.shown();
  const auto plane = problem ? plane_of(state.tune, *problem) : std::nullopt;
  if (!plane) return "Tile space";
  std::string title = fmt::format("Tile space  {} across, {} down",
                                  printable(problem->parameters[plane->across].name),
                                  printable(problem->parameters[plane->down].name));
  if (plane->fixed) {
    const Parameter& held = problem->parameters[plane->fixed->parameter];
    title += fmt::format(", {}={}", printable(held.name), value_name(held, plane->fixed->value));
  }
  return title;
}

void draw_tune_space(const State& state, Canvas canvas) {
  if (draw_without_session(state, canvas)) return;
  const std::optional<SpaceFacts> facts = facts_of(state);
  if (!facts) {
    draw_wrapped(canvas, 0, 0, "there are no two parameters with several values", Role::kDim);
    return;
  }
  const SpaceWindow window = window_of(*facts, canvas.width(), canvas.height());
  draw_cells(state, *facts, window, canvas);
  int y = window.top + window.rows;
  const Parameter& across = facts->problem->parameters[facts->grid.plane.across];
  const Parameter& down = facts->problem->parameters[facts->grid.plane.down];
  const std::string at =
      fmt::format("[{} {}, {} {}] ", printable(across.name),
                  value_name(across, facts->grid.columns[facts->cursor.column]),
                  printable(down.name), value_name(down, facts->grid.rows[facts->cursor.row]));
  y = draw_wrapped(canvas, 0, y, at + cell_text(state, *facts));
  if (y >= canvas.height()) return;
  canvas.text(0, std::max(y, canvas.height() - (canvas.height() >= 14 ? 2 : 1)),
              canvas.width() >= 64
                  ? "@ best  # 1.02x  * 1.06  + 1.13  = 1.22  - 1.33  : 1.5  . more"
                  : "@ best # 1.02x * 1.06 + 1.13 = 1.22 - 1.33 : 1.5 . more",
              Role::kDim);
  if (canvas.height() < 14) return;
  canvas.text(0, canvas.height() - 1, "x does not fit  , left out  ! failed  blank: not tried",
              Role::kDim);
}

}  // namespace tilewright
