#pragma once

#include "core/graph/op_graph.h"

namespace tilewright {

/// The same program with fewer transposes beside its dots. A matrix unit loads tiles of either order
/// at the same speed, so a transpose on its own before a dot is never worth its bytes.
/// - Transposes that only dots read are folded into them: the dot names other dimensions of the
///   untransposed array. A transpose stays where it changes the order of the dimensions that the
///   dot keeps, those of extent 1 aside. Where a reshape between the two makes one contracted
///   dimension of several, the dot contracts those, and the other operand is reshaped to have them
///   too, which is no work.
/// - A dot whose result is only read by one transpose exchanges its operands where the innermost
///   dimension then stays in its place.
/// - Transposes that move dimensions of extent 1 alone become reshapes.
OpGraph fold_transposes(const OpGraph& graph);

}  // namespace tilewright
