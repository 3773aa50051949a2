#pragma once

#include <string>

#include "core/graph/op_graph.h"

namespace tilewright {

/// The graph as HLO text that parse_hlo reads back to an equal graph, and that XLA reads: names
/// with '%', operands without shapes, every layout stated. Elided constants stay elided.
std::string to_hlo(const OpGraph& graph);

/// One op as a line of that text, without indent and line end: for explanations and screens.
std::string to_hlo_line(const OpGraph& graph, const Computation& computation, const Op& op);

}  // namespace tilewright
