#pragma once

#include "core/graph/op_graph.h"

namespace tilewright {

/// The same program with a dynamic slice in place of each gather by one index, such as the row of
/// a table for one token: both move an index that lies outside to the nearest place.
OpGraph plain_gathers(const OpGraph& graph);

}  // namespace tilewright
