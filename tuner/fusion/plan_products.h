#pragma once

#include "kernels/fused/product_part.h"
#include "tuner/fusion/planner.h"

namespace tilewright {

/// Joins the dots of a plan, which run by themselves in it, with kernels that make what they read
/// or read what they make, wherever that saves time (GEMM prologue and epilogue, cube-vector
/// pipelines): dots in the order in which they run, the join that saves most first. Vetoed pairs
/// stay apart, and pinned ones are joined where that is legal. `candidates` counts the joins that
/// were judged.
FusionPlan join_products(RegionCost& cost, FusionPlan plan, const PlanOptions& options,
                         int64_t& candidates);

}  // namespace tilewright
