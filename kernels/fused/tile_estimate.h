#pragma once

#include <optional>
#include <vector>

#include "core/machine/machine.h"
#include "kernels/fused/tile_plan.h"
#include "kernels/fused/vec_program.h"

namespace tilewright {

/// The time of a nest with the tiles of a plan, from the shares that docs/fusion.md, "Estimates",
/// lists: fills the plan's figures. `in_l2`, by array: another level of the same launch has left
/// what is loaded there. False where a step cannot be divided among instructions.
bool estimate_tiles(const VecProgram& program, const Machine& machine,
                    const std::vector<bool>& in_l2, TilePlan& plan);

/// plan_tiles() for a program of a later level.
std::optional<TilePlan> plan_tiles(const VecProgram& program, const Machine& machine,
                                   const std::vector<bool>& in_l2);

/// Ticks that a core loses over all of its tiles where a transfer takes `instructions` for each,
/// since the array's rows in memory suit other transfers. Estimates take it that they suit this
/// one.
double unsuited_ticks(const VecProgram& program, const TilePlan& plan, const Machine& machine,
                      const VecTransfer& transfer, bool is_load, double instructions);

}  // namespace tilewright
