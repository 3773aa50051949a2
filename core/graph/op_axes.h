#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "core/graph/axes.h"
#include "core/graph/op_graph.h"

namespace tilewright {

/// How an op's result is walked together with one of its operands, given the numbers of their
/// arrays in an AxisMap: empty where the operand has no dimension (a scalar). None where the op
/// cannot read the operand element by element while it is made in the same loop nest: a slice reads
/// at other places, and so does a gather, but of its indices, a dot reads every element many times,
/// and what the op means may be unknown.
std::optional<std::vector<AxisMap::Match>> axis_matches(const Computation& computation,
                                                        const Op& op, size_t operand,
                                                        int operand_array, int result_array);

/// Dimensions of the operand and of the result, grouped where both list the same elements in
/// row-major order: the finest groups there are. None where the numbers of elements differ.
std::optional<std::vector<AxisMap::Match>> reshape_matches(const Shape& operand,
                                                           const Shape& result, int operand_array,
                                                           int result_array);

}  // namespace tilewright
