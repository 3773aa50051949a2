#pragma once

#include "core/graph/op_graph.h"

namespace tilewright {

/// The same program with elementwise ops in place of scatters that have no index: their one window
/// is the whole array, so every element is combined with that of the updates at its place.
OpGraph plain_scatters(const OpGraph& graph);

}  // namespace tilewright
