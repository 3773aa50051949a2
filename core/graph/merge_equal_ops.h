#pragma once

#include "core/graph/op_graph.h"

namespace tilewright {

/// The same program with ops that compute the same from the same operands made one (common
/// subexpressions), and computations of equal ops taken as equal whatever their names. Ops with
/// side effects or control predecessors stay apart. Each op that stays has the value it had.
OpGraph merge_equal_ops(const OpGraph& graph);

}  // namespace tilewright
