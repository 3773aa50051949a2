#pragma once

#include <vector>

#include "core/graph/interpreter.h"
#include "core/graph/value.h"
#include "core/machine/machine.h"
#include "tuner/fusion/fusion_graph.h"
#include "tuner/fusion/fusion_plan.h"

namespace tilewright {

/// What a region gives when it runs by a plan: every fused kernel as its launch does it, on the
/// arrays that those before it have left, every other op (loops with all that they call, too) as the
/// interpreter does it in the types that the graph states. `inputs`: of the region's parameters;
/// `unknown` gives the values of what the interpreter does not know.
Value run_plan(const FusionGraph& graph, const FusionPlan& plan, const Machine& machine,
               const std::vector<Value>& inputs, const UnknownValue& unknown = {});

}  // namespace tilewright
