#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tuner/fusion/clusters.h"
#include "tuner/fusion/fusion_cost.h"
#include "tuner/fusion/fusion_plan.h"

namespace tilewright {

/// Raised when planners, costs or code generation give other plans than before: plans that were
/// kept under another revision are made again.
constexpr int kFusionRevision = 3;

/// Two ops that a user wants in one kernel, or in different ones.
using OpPair = std::pair<int32_t, int32_t>;

struct PlanOptions {
  /// Most different kernels that the planner `tilewright` makes up in one region and judges by the
  /// latency evaluator.
  int64_t budget = 6000;
  /// The same of those that it has simulated; 0: none is, and the latency evaluator judges alone.
  int64_t simulations = 600;
  /// Most different kernels that the planner `exact` judges in a region that it takes as a whole.
  int64_t exact_kernels = 20000;
  /// Asked between the steps of the planner `tilewright`: once it says true, the planner ends with
  /// the best plan that it has. Empty: never.
  std::function<bool()> is_over = {};
  std::vector<OpPair> pins = {};
  std::vector<OpPair> vetoes = {};
  /// Plans that the planner `tilewright` starts from beside those that it makes itself.
  std::vector<FusionPlan> seeds = {};
};

/// What a planner made of a region.
struct PlannedRegion {
  FusionPlan plan = {};
  int64_t candidates = 0;      ///< kernels that it scored
  std::string note = {};       ///< a limit that it met; empty without one
  bool is_cut_short = false;   ///< PlanOptions::is_over ended the search
  bool is_from_cache = false;  ///< made before, not by this call
  /// us, by estimate: no plan whose kernels share no op but free ones has fused kernels that take
  /// less. Of `exact` where it knows one.
  std::optional<double> bound_us = {};
};

/// A way to plan. All planners share the legality check, code generation and its tiles, and the
/// costs of launches; they differ in what they consider and how they choose.
struct FusionPlanner {
  std::string name;
  std::string summary;
  PlannedRegion (*plan)(RegionCost& cost, const PlanOptions& options) = nullptr;
};

/// Every planner that this program was built with, the plainest first.
const std::vector<FusionPlanner>& fusion_planners();
/// Error (not found) suggests the nearest name, or says what a planner needs that this program was
/// built without.
const FusionPlanner& find_fusion_planner(std::string_view name);

/// Every op a kernel of its own, free ops too.
PlannedRegion plan_none(RegionCost& cost, const PlanOptions& options);
/// XLA's priority fusion (docs/fusion.md, "xla").
PlannedRegion plan_xla(RegionCost& cost, const PlanOptions& options);
/// AStitch: everything between compute ops, then what is independent.
PlannedRegion plan_astitch(RegionCost& cost, const PlanOptions& options);
/// FusionStitching 2018: layers below fusion roots, with one schedule for all their ops.
PlannedRegion plan_fs2018(RegionCost& cost, const PlanOptions& options);
/// FusionStitching 2019, rebuilt: a 0/1 program over candidate kernels (plan_fs2019.cpp). Only
/// where has_integer_solver().
PlannedRegion plan_fs2019(RegionCost& cost, const PlanOptions& options);
/// FusionStitching 2020: the best patterns of each op, then a beam of plans.
PlannedRegion plan_fs2020(RegionCost& cost, const PlanOptions& options);
/// The least estimated time over all plans without recomputation, where a region is small enough.
PlannedRegion plan_exact(RegionCost& cost, const PlanOptions& options);
/// Searches from what all others found, with the simulator to judge.
PlannedRegion plan_tilewright(RegionCost& cost, const PlanOptions& options);

/// The first nodes of a group in an order in which they may run, and the rest: two groups of which
/// the first does not wait for the second.
std::pair<std::vector<int32_t>, std::vector<int32_t>> cut_group(const FusionGraph& graph,
                                                                std::vector<int32_t> group,
                                                                size_t first);

/// Groups whose kernels can be made: those that do not fit, or that disturb a parameter, are cut in
/// two, and again.
Groups feasible_groups(RegionCost& cost, const Groups& groups);

/// Groups as the options want them: vetoed pairs apart, pinned pairs together where that is legal.
Groups constrained_groups(RegionCost& cost, const Groups& groups, const PlanOptions& options);

}  // namespace tilewright
