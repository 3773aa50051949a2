#pragma once

#include <vector>

#include "kernels/fused/nests.h"
#include "kernels/fused/vec_program.h"

namespace tilewright {

/// The axes over which a nest's reduces may add up tile by tile: sets of axes, of which a program
/// takes one. The empty set, with which every reduced axis is held whole, always comes first.
std::vector<std::vector<int>> sequential_choices(const Region& region, const LoopNest& nest);

/// Axes of a reduce's operand that its result lacks, ascending; none of other steps.
std::vector<int> reduced_axes(const Region& region, const LoopNest& nest, const NestStep& step);

/// By array of the nest: whether it is there only after the last tile along the sequential axes,
/// since such a sum is part of it. Arrays in memory that only such steps read count, too.
std::vector<bool> late_arrays(const Region& region, const LoopNest& nest,
                              const std::vector<int>& sequential);

/// The nest as instructions on tiles, in f32 whatever the types in memory.
VecProgram lower_nest(const Region& region, const LoopNest& nest,
                      const std::vector<int>& sequential);

}  // namespace tilewright
