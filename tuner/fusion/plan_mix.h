#pragma once

#include "tuner/fusion/fusion_cost.h"
#include "tuner/fusion/fusion_plan.h"

namespace tilewright {

/// Simulated us of a plan's fused kernels; a kernel that cannot be made costs too much for any
/// plan.
double plan_us(RegionCost& cost, const FusionPlan& plan);

/// A plan no slower than either: `base`, with those parts of `other` that are faster. Parts are the
/// least sets of kernels of one plan that hold the same ops as kernels of the other, so that they
/// can be exchanged; one that would make a cycle is not.
FusionPlan better_parts(RegionCost& cost, const FusionPlan& base, const FusionPlan& other);

}  // namespace tilewright
