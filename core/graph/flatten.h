#pragma once

#include "core/graph/op_graph.h"

namespace tilewright {

/// The same program in the form that planners want. Every output has the very same value:
/// - call and fusion are replaced by the ops of what they call;
/// - ops that give their operand unchanged vanish: custom calls that only speak of sharding, copy,
///   opt-barrier and domain, convert to the same type, reshape, bitcast, broadcast and slice to the
///   same dims, transpose in the same order, and get-tuple-element of a tuple;
/// - ops that nobody needs vanish, unless they or what they call have side effects;
/// - computations that nobody calls vanish.
/// Loops and branches stay what they are: the computations they call are regions of their own (see
/// regions.h). Ops with control predecessors, or that are such, stay. Parameters stay, and the
/// entry keeps its result, a tuple if it is one. Inlined ops keep their name and line where the
/// name is free. Error (usage) when the flat program would have more than 500,000 ops.
OpGraph flatten(const OpGraph& graph);

/// Whether an op, or something it calls, does more than to give its result: collectives, sends,
/// random numbers with a hidden state, custom calls that say so, unknown ops.
bool has_side_effect(const OpGraph& graph, const Op& op);

}  // namespace tilewright
