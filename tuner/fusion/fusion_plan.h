#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/fused/fused_ops.h"
#include "tuner/fusion/fusion_graph.h"

namespace tilewright {

/// Nodes that share a kernel, ascending; sets that share no node.
using Groups = std::vector<std::vector<int32_t>>;

/// The fused kernels of a region. What is in none of them runs by itself: compute and opaque ops as
/// library kernels. An op may be in several kernels, which compute it again; what is read across
/// kernels, or is a result, is an output of exactly one.
struct FusionPlan {
  std::vector<FusedOps> kernels = {};  ///< by their first op
  bool operator==(const FusionPlan&) const = default;
};

/// The kernel of some nodes, in a plan where no node is in two kernels: with the free ops that they
/// read; its outputs are what is kept or read elsewhere.
FusedOps kernel_of(const FusionGraph& graph, const std::vector<int32_t>& nodes);

/// The plan of disjoint groups; fusible nodes of none are kernels of one node.
FusionPlan plan_of(const FusionGraph& graph, const Groups& groups);

/// By op: a dot that is in one of the plan's kernels, and does not run by itself.
std::vector<bool> joined_products(const FusionGraph& graph, const FusionPlan& plan);

/// What a plan launches: one of its kernels, or an op that runs by itself.
struct PlanUnit {
  int32_t kernel = -1;  ///< place in the plan's kernels; -1: `op` alone
  int32_t op = -1;
  bool operator==(const PlanUnit&) const = default;
};

/// All units of a legal plan in an order in which they may run.
std::vector<PlanUnit> units_in_order(const FusionGraph& graph, const FusionPlan& plan);

/// Ops that kernels compute beyond once each.
int64_t recomputed_ops(const FusionPlan& plan);

/// Why the kernel of some ops cannot be made; empty when it can. It holds what of why_illegal() can
/// be seen from one kernel.
std::string why_illegal_kernel(const FusionGraph& graph, const FusedOps& kernel);

/// Says why a kernel does not fit the machine; empty when it does.
using WhyInfeasible = std::function<std::string(const FusedOps&)>;

/// The legality check of all planners: why a plan cannot be run, in words; empty when it can. Every
/// op of a kernel can be fused; nobody waits for itself (a path that leaves a kernel and comes back
/// to it); what a kernel reads is an output of one other, or in memory before; what is kept is an
/// output; an output that takes a parameter's memory disturbs no reader of the parameter; every
/// kernel fits the machine.
std::string why_illegal(const FusionGraph& graph, const FusionPlan& plan,
                        const WhyInfeasible& why_infeasible);

}  // namespace tilewright
