#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/tui/effects.h"
#include "app/tui/fusion/fusion_data.h"
#include "app/tui/state.h"

namespace tilewright {

/// What the Fusion screen shows: which plans there are, where its cursors and marks are in them,
/// and how they move.

using FusionVariantRef = std::shared_ptr<const FusionVariant>;  // shown, and read by jobs

/// All plans: those of planners and searches, and the edited one.
std::vector<FusionVariantRef> fusion_plans(const FusionState& fusion);
/// The plan of that name; null when there is none.
FusionVariantRef fusion_plan_named(const FusionState& fusion, std::string_view name);
FusionVariantRef shown_fusion_plan(const FusionState& fusion);
FusionVariantRef baseline_fusion_plan(const FusionState& fusion);
/// Launches of the shown plan's region; null without a plan.
const std::vector<FusionUnit>* shown_units(const FusionState& fusion);

/// What the cursor is on: of Kernels a kernel, else the row of the graph. None without a plan.
std::optional<FusionRow> fusion_place(const State& state);
/// The two that a merge or an explanation is about: both marks, or the mark and the cursor.
std::optional<std::pair<FusionRow, FusionRow>> fusion_pair(const State& state);
/// The op that a row is about: a heading's is the one that names its kernel.
int32_t op_of(const std::vector<FusionUnit>& units, const FusionRow& row);
bool is_marked(const FusionState& fusion, const FusionRow& row);

/// "A" to "Z", "AA", ...; "-" for what is no launch.
std::string letter_of(const FusionUnit& unit);

void show_fusion_plan(FusionState& fusion, const std::string& name);

void move_in_fusion(State& state, int step);
void toggle_fusion_mark(State& state);
void toggle_fusion_fold(State& state);
/// Folds all kernels, or unfolds them where all are folded.
void fold_all_fusion(State& state);
void next_fusion_region(State& state, int step);
void choose_fusion_region(State& state, size_t region);
void next_fusion_plan(State& state);
void next_fusion_baseline(State& state);
/// The next op behind or before the cursor whose name has the text that is looked for.
void find_in_fusion(State& state, int direction);
/// From Kernels to the ops of the chosen kernel.
void show_kernel_ops(State& state);

/// Rows and the diff, of what is shown now.
void settle_fusion(State& state, Effects& effects);

/// Rows of the panes that are scrolled, by settled state.
struct FusionDiffRow {
  bool is_of_shown = false;  ///< only the shown plan has it; else only the baseline
  size_t region = 0;
  size_t kernel = 0;
};
std::vector<FusionDiffRow> fusion_diff_rows(const FusionState& fusion);

}  // namespace tilewright
