#pragma once

#include <optional>
#include <vector>

#include "core/machine/machine.h"
#include "kernels/fused/tile_plan.h"
#include "kernels/fused/vec_program.h"

namespace tilewright {

/// The time of a nest with some tiles, from the shares that docs/fusion.md, "Estimates", lists.
struct TileTimes {
  double work = 0;    ///< of the vector unit for a tile
  double load = 0;    ///< of a tile behind others
  double store = 0;   ///< of a tile
  double turn = 0;    ///< from the load of a tile to the end of the work on it
  double others = 0;  ///< tiles of a core behind its first
  double rest = 0;    ///< the first tile, and what is done once or at the end of a sum

  /// Ticks of the whole nest where rings have so many places.
  double ticks(int64_t slots) const;
};

/// `in_l2`, by array: another level of the same launch has left what is loaded there. None where a
/// step cannot be divided among instructions. The number of places of the plan means nothing.
std::optional<TileTimes> tile_times(const VecProgram& program, const Machine& machine,
                                    const std::vector<bool>& in_l2, const TilePlan& plan);

/// plan_tiles() for a program of a later level.
std::optional<TilePlan> plan_tiles(const VecProgram& program, const Machine& machine,
                                   const std::vector<bool>& in_l2);

/// Ticks that a core loses over all of its tiles where a transfer takes `instructions` for each,
/// since the array's rows in memory suit other transfers. Estimates take it that they suit this
/// one.
double unsuited_ticks(const VecProgram& program, const TilePlan& plan, const Machine& machine,
                      const VecTransfer& transfer, bool is_load, double instructions);

}  // namespace tilewright
