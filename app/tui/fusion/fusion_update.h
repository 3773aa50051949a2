#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/tui/effects.h"
#include "app/tui/state.h"

namespace tilewright {

/// What the Fusion screen has done: plans are made, judged and changed.

/// Whether jobs of the screen are at work.
bool is_planning_fusion(const State& state);
bool is_asking_fusion(const State& state);

std::string no_fusion_plan(const State& state);
/// The same where the region has no op either.
std::string no_fusion_place(const State& state);
std::string fusion_plan_obstacle(const State& state);
std::string fusion_merge_obstacle(const State& state);
std::string fusion_split_obstacle(const State& state);
std::string fusion_explain_obstacle(const State& state);
std::string fusion_simulate_obstacle(const State& state);
std::string fusion_search_obstacle(const State& state);
std::string fusion_undo_obstacle(const State& state);
std::string fusion_redo_obstacle(const State& state);

/// Plans what the form says, with its planners or with all; those that have planned it are not
/// asked again.
void start_planning(State& state, bool with_all, Effects& effects);
void start_fusion_search(State& state, Effects& effects);
void merge_kernels(State& state, Effects& effects);
void split_kernel(State& state, Effects& effects);
void explain_fusion(State& state, Effects& effects);
/// The kernel of the cursor, or all.
void simulate_fusion(State& state, bool all, Effects& effects);
void undo_fusion(State& state);
void redo_fusion(State& state);

/// The command line that plans the same.
std::string fusion_command_line(const State& state);

}  // namespace tilewright
