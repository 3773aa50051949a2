#pragma once

#include "core/machine/machine.h"
#include "core/space/problem.h"
#include "core/space/space.h"
#include "kernels/gemm/gemm_shape.h"

namespace tilewright {

/// The configs of a GEMM. Combinations that repeat another one are left out: bands that cover the
/// whole grid of tiles, one step in L0 where two fit, rings deeper than the loop, fewer cores where
/// that costs a wave, split-K where tiles fill the cores.
Space gemm_space(const GemmShape& shape, const Machine& machine);

/// Of the legal configs that take the time of this one (within 0.1 %) the plainest: a line of tiles
/// goes in the plain order; where each task has a core of its own all do, all cores are told to
/// work, L0C holds one tile and L1 no more chunks than a task has. Searches need only one of them.
Config plainest(const GemmShape& shape, const Config& config, const Machine& machine);

/// CATLASS's default block, shrunk to the problem where a dimension is smaller; on a machine whose
/// buffers do not hold it the first legal config. Error (infeasible) when there is none; `name` is
/// the problem's in it.
Config gemm_default(const GemmShape& shape, const Machine& machine, const std::string& name);

}  // namespace tilewright
