#include "app/tui/fusion/fusion_cursor.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/tui/fusion/fusion_screen.h"
#include "app/tui/fusion/fusion_views.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

bool holds(const FusionUnit& unit, int32_t op) {
  return std::ranges::binary_search(unit.ops, op);
}

/// Rows of a region from top to bottom.
std::vector<FusionRow> rows_of_units(const std::vector<FusionUnit>& units,
                                     const std::set<int32_t>& folded) {
  std::vector<FusionRow> rows;
  for (size_t i = 0; i < units.size(); ++i) {
    const FusionUnit& unit = units[i];
    const int place = static_cast<int>(i);
    if (unit.ops.size() > 1) rows.push_back({place, -1});
    if (unit.ops.size() > 1 && folded.contains(unit.op)) continue;
    for (const int32_t op : unit.ops) rows.push_back({place, op});
  }
  return rows;
}

/// By op its row; of an op that several kernels make, where it is left in memory, else the first.
std::vector<int> rows_by_op(const FusionState& fusion, const std::vector<FusionUnit>& units) {
  std::vector<int> row_of(static_cast<size_t>(fusion.program->region(fusion.region).size()), -1);
  const FusionPlan& plan = fusion.rows_of->plan[fusion.region].plan;
  for (size_t i = 0; i < fusion.rows.size(); ++i) {
    const FusionRow& row = fusion.rows[i];
    const FusionUnit& unit = units[static_cast<size_t>(row.unit)];
    const auto set = [&](int32_t op) {
      int& at = row_of[static_cast<size_t>(op)];
      const bool is_left = unit.unit.kernel >= 0 &&
                           std::ranges::binary_search(
                               plan.kernels[static_cast<size_t>(unit.unit.kernel)].outputs, op);
      if (at < 0 || is_left) at = static_cast<int>(i);
    };
    if (row.op >= 0) {
      set(row.op);
    } else if (fusion.folded.contains(unit.op)) {
      for (const int32_t op : unit.ops) set(op);
    }
  }
  return row_of;
}

/// The row of an op, after the rows have changed; 0 where it has none.
void put_cursor_on(FusionState& fusion, int32_t op) {
  const auto place = static_cast<size_t>(op);
  const int row = op >= 0 && place < fusion.row_of.size() ? fusion.row_of[place] : -1;
  fusion.row.move_to(std::max(0, row), static_cast<int>(fusion.rows.size()));
}

void refresh_rows(FusionState& fusion) {
  const FusionVariantRef shown = shown_fusion_plan(fusion);
  const bool is_current = fusion.rows_of == shown && fusion.rows_region == fusion.region &&
                          fusion.rows_folded == fusion.folded;
  if (is_current) return;
  const bool was_here = fusion.rows_of && fusion.rows_region == fusion.region;
  int32_t cursor = -1;
  if (was_here && fusion.row.row < static_cast<int>(fusion.rows.size())) {
    const FusionRow& row = fusion.rows[static_cast<size_t>(fusion.row.row)];
    cursor = op_of(fusion.rows_of->units[fusion.region], row);
    // A heading stays above its first op.
    const bool is_heading = row.op < 0 && fusion.rows_of == shown;
    if (is_heading) cursor = -2 - row.unit;
  }
  fusion.rows_of = shown;
  fusion.rows_region = fusion.region;
  fusion.rows_folded = fusion.folded;
  fusion.rows.clear();
  fusion.row_of.clear();
  if (!shown) return;
  const std::vector<FusionUnit>& units = shown->units[fusion.region];
  fusion.rows = rows_of_units(units, fusion.folded);
  fusion.row_of = rows_by_op(fusion, units);
  if (cursor <= -2) {
    const auto heading = std::ranges::find(fusion.rows, FusionRow{-2 - cursor, -1});
    fusion.row.move_to(static_cast<int>(heading - fusion.rows.begin()),
                       static_cast<int>(fusion.rows.size()));
  } else {
    put_cursor_on(fusion, cursor);
  }
  fusion.kernel.move_to(fusion.kernel.row, static_cast<int>(units.size()));
  // Marks are of the plan that was shown.
  if (!was_here || fusion.marks.empty()) return;
  std::erase_if(fusion.marks, [&](const FusionRow& mark) {
    const auto unit = static_cast<size_t>(mark.unit);
    return unit >= units.size() || (mark.op >= 0 && !holds(units[unit], mark.op));
  });
}

void refresh_diff(FusionState& fusion) {
  if (!fusion.shows_diff) return;
  const FusionVariantRef a = baseline_fusion_plan(fusion);
  const FusionVariantRef b = shown_fusion_plan(fusion);
  if (fusion.diff_a == a && fusion.diff_b == b) return;
  fusion.diff_a = a;
  fusion.diff_b = b;
  fusion.diff.clear();
  fusion.why_row = 0;
  if (!a || !b) return;
  for (size_t i = 0; i < a->plan.size(); ++i) {
    fusion.diff.push_back(diff_plans(a->plan[i].plan, b->plan[i].plan));
  }
}

std::string next_name(const std::vector<FusionVariantRef>& plans, const std::string& now) {
  const auto found =
      std::ranges::find_if(plans, [&](const FusionVariantRef& plan) { return plan->name == now; });
  const bool is_last = found == plans.end() || found + 1 == plans.end();
  return (is_last ? plans.front() : *(found + 1))->name;
}

/// A clamp that moves a first row.
int scrolled_by(int row, int step, int rows) {
  return std::clamp(row + step, 0, std::max(0, rows - 1));
}

}  // namespace

std::vector<FusionVariantRef> fusion_plans(const FusionState& fusion) {
  std::vector<FusionVariantRef> plans = fusion.planned;
  if (fusion.edits_done > 0) plans.push_back(fusion.edits[fusion.edits_done - 1]);
  return plans;
}

FusionVariantRef fusion_plan_named(const FusionState& fusion, std::string_view name) {
  for (const FusionVariantRef& plan : fusion_plans(fusion)) {
    if (plan->name == name) return plan;
  }
  return nullptr;
}

FusionVariantRef shown_fusion_plan(const FusionState& fusion) {
  return fusion_plan_named(fusion, fusion.shown);
}

FusionVariantRef baseline_fusion_plan(const FusionState& fusion) {
  return fusion_plan_named(fusion, fusion.baseline);
}

const std::vector<FusionUnit>* shown_units(const FusionState& fusion) {
  return fusion.rows_of ? &fusion.rows_of->units[fusion.rows_region] : nullptr;
}

std::optional<FusionRow> fusion_place(const State& state) {
  const FusionState& fusion = state.fusion;
  const std::vector<FusionUnit>* units = shown_units(fusion);
  if (!units || fusion.rows.empty()) return std::nullopt;
  if (state.pane().pane != kFusionKernels) {
    return fusion.rows[static_cast<size_t>(fusion.row.row)];
  }
  const FusionUnit& unit = (*units)[static_cast<size_t>(fusion.kernel.row)];
  return FusionRow{fusion.kernel.row, unit.ops.size() > 1 ? -1 : unit.op};
}

int32_t op_of(const std::vector<FusionUnit>& units, const FusionRow& row) {
  return row.op >= 0 ? row.op : units[static_cast<size_t>(row.unit)].op;
}

bool is_marked(const FusionState& fusion, const FusionRow& row) {
  return std::ranges::find(fusion.marks, row) != fusion.marks.end();
}

std::optional<std::pair<FusionRow, FusionRow>> fusion_pair(const State& state) {
  const std::vector<FusionRow>& marks = state.fusion.marks;
  const std::optional<FusionRow> place = fusion_place(state);
  if (!place || marks.empty()) return std::nullopt;
  if (marks.size() == 2) return std::pair(marks[0], marks[1]);
  if (marks[0] == *place) return std::nullopt;
  return std::pair(marks[0], *place);
}

std::string letter_of(const FusionUnit& unit) {
  if (unit.number < 0) return "-";
  std::string letters;
  for (int rest = unit.number; rest >= 0; rest = rest / 26 - 1) {
    letters.insert(letters.begin(), static_cast<char>('A' + rest % 26));
  }
  return letters;
}

void show_fusion_plan(FusionState& fusion, const std::string& name) {
  if (fusion.shown != name) fusion.marks.clear();
  fusion.shown = name;
}

void move_in_fusion(State& state, int step) {
  FusionState& fusion = state.fusion;
  const std::vector<FusionUnit>* units = shown_units(fusion);
  const auto moved = [&](ListCursor& cursor, size_t count) {
    cursor.move_to(scrolled_by(cursor.row, step, static_cast<int>(count)), static_cast<int>(count));
  };
  switch (state.pane().pane) {
    case kFusionGraph:
      return moved(fusion.row, fusion.rows.size());
    case kFusionKernels:
      return moved(fusion.kernel, units ? units->size() : 0);
    case kFusionCosts:
      fusion.cost_row = scrolled_by(fusion.cost_row, step, fusion_cost_rows(state));
      return;
    case kFusionWhy:
      fusion.why_row = scrolled_by(fusion.why_row, step, fusion_why_rows(state));
      return;
    default:
      fusion.field = scrolled_by(fusion.field, step, static_cast<int>(fusion.form.size()));
  }
}

void toggle_fusion_mark(State& state) {
  std::vector<FusionRow>& marks = state.fusion.marks;
  const FusionRow place = *fusion_place(state);
  if (std::erase(marks, place) > 0) return;
  if (marks.size() == 2) marks.erase(marks.begin());
  marks.push_back(place);
}

void toggle_fusion_fold(State& state) {
  FusionState& fusion = state.fusion;
  const FusionUnit& unit = (*shown_units(fusion))[static_cast<size_t>(fusion_place(state)->unit)];
  if (unit.ops.size() < 2) return state.say("it is one op alone", Role::kDim);
  if (fusion.folded.erase(unit.op) == 0) fusion.folded.insert(unit.op);
}

void fold_all_fusion(State& state) {
  FusionState& fusion = state.fusion;
  std::set<int32_t> all;
  for (const FusionUnit& unit : *shown_units(fusion)) {
    if (unit.ops.size() > 1) all.insert(unit.op);
  }
  fusion.folded = std::ranges::includes(fusion.folded, all) ? std::set<int32_t>() : std::move(all);
}

void choose_fusion_region(State& state, size_t region) {
  FusionState& fusion = state.fusion;
  fusion.region = region;
  fusion.folded.clear();
  fusion.marks.clear();
  fusion.row = fusion.kernel = {};
}

void next_fusion_region(State& state, int step) {
  const auto count = static_cast<int>(state.fusion.program->asking.region_count());
  if (count == 1) return state.say("the graph has one region, without loops", Role::kDim);
  const int next = (static_cast<int>(state.fusion.region) + step + count) % count;
  choose_fusion_region(state, static_cast<size_t>(next));
}

void next_fusion_plan(State& state) {
  FusionState& fusion = state.fusion;
  show_fusion_plan(fusion, next_name(fusion_plans(fusion), fusion.shown));
}

void next_fusion_baseline(State& state) {
  FusionState& fusion = state.fusion;
  fusion.baseline = next_name(fusion_plans(fusion), fusion.baseline);
}

void find_in_fusion(State& state, int direction) {
  FusionState& fusion = state.fusion;
  const std::vector<FusionUnit>& units = *shown_units(fusion);
  const FusionGraph& graph = fusion.program->region(fusion.region);
  const std::vector<FusionRow> all = rows_of_units(units, {});
  const FusionRow now = fusion.rows[static_cast<size_t>(fusion.row.row)];
  const auto count = std::ssize(all);
  auto at = std::ranges::find(all, now) - all.begin();
  for (int64_t i = 0; i < count; ++i) {
    at = (at + direction + count) % count;
    const FusionRow& row = all[static_cast<size_t>(at)];
    if (row.op < 0 || lower_case(graph.name(row.op)).find(fusion.search) == std::string::npos) {
      continue;
    }
    fusion.folded.erase(units[static_cast<size_t>(row.unit)].op);
    refresh_rows(fusion);
    const auto found = std::ranges::find(fusion.rows, row);
    fusion.row.move_to(static_cast<int>(found - fusion.rows.begin()),
                       static_cast<int>(fusion.rows.size()));
    state.pane().pane = kFusionGraph;
    return;
  }
  state.say(fmt::format("no op of the region has '{}' in its name", printable(fusion.search)),
            Role::kWarn);
}

void show_kernel_ops(State& state) {
  FusionState& fusion = state.fusion;
  const FusionRow place = *fusion_place(state);
  const auto found = std::ranges::find(fusion.rows, place);
  fusion.row.move_to(static_cast<int>(found - fusion.rows.begin()),
                     static_cast<int>(fusion.rows.size()));
  state.pane().pane = kFusionGraph;
}

void settle_fusion(State& state, Effects&) {
  refresh_rows(state.fusion);
  refresh_diff(state.fusion);
}

std::vector<FusionDiffRow> fusion_diff_rows(const FusionState& fusion) {
  std::vector<FusionDiffRow> rows;
  for (size_t i = 0; i < fusion.diff.size(); ++i) {
    for (const size_t kernel : fusion.diff[i].only_a) rows.push_back({false, i, kernel});
    for (const size_t kernel : fusion.diff[i].only_b) rows.push_back({true, i, kernel});
  }
  return rows;
}

}  // namespace tilewright
