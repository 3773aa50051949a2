#pragma once

#include "core/graph/op_graph.h"

namespace tilewright {

/// The same program with transposes that only dots read folded into them: the dot names other
/// dimensions of the untransposed array. A transpose stays where it changes the order of the
/// dimensions that the dot keeps. Where a reshape between the two makes one contracted dimension of
/// several, the dot contracts those, and the other operand is reshaped to have them too, which is
/// no work. A matrix unit loads tiles of either order at the same speed, so a
/// transpose on its own before it is never worth its bytes.
OpGraph fold_transposes(const OpGraph& graph);

}  // namespace tilewright
