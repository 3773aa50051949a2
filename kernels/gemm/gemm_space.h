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

/// CATLASS's default block, shrunk to the problem where a dimension is smaller; on a machine whose
/// buffers do not hold it the first legal config. Error (infeasible) when there is none; `name` is
/// the problem's in it.
Config gemm_default(const GemmShape& shape, const Machine& machine, const std::string& name);

}  // namespace tilewright
