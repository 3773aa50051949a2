#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tuner/fusion/fusion_plan.h"

namespace tilewright {

/// Changes of a plan by hand. What they give is not checked: why_illegal() judges it.

/// Why an op is in no kernel that could be merged with another one; empty when it may be.
std::string why_alone(const FusionGraph& graph, int32_t op);

/// The ops of a unit as a kernel; an op that runs by itself is one of its own.
FusedOps kernel_of_unit(const FusionPlan& plan, const PlanUnit& unit);

/// Two kernels as one, which leaves in memory what is needed outside. Each is of the plan, or a dot
/// that runs by itself in it.
FusedOps merged_kernel(const FusionGraph& graph, const FusionPlan& plan, const FusedOps& a,
                       const FusedOps& b);
/// The plan with that one instead of both.
FusionPlan with_merged(const FusionGraph& graph, const FusionPlan& plan, const FusedOps& a,
                       const FusedOps& b);

/// The plan with a kernel of it in two: the ops before one of its ops, in the order of the region,
/// and the rest. A part that is a dot alone runs by itself. Error (infeasible) where one part has
/// no op of its own.
FusionPlan with_split(const FusionGraph& graph, const FusionPlan& plan, const FusedOps& kernel,
                      int32_t before);

/// How the plans of a region differ: places of the kernels that only one of them has.
struct PlanDiff {
  std::vector<size_t> only_a = {};
  std::vector<size_t> only_b = {};
  size_t same = 0;  ///< kernels that both have
};
PlanDiff diff_plans(const FusionPlan& a, const FusionPlan& b);

}  // namespace tilewright
