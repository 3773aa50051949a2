#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/base/json.h"
#include "db/queries.h"
#include "tuner/fusion/fusion_study.h"

namespace tilewright {

/// A launch of a graph's plan. Bytes and time are those of one launch.
struct FuseLaunch {
  FusionUnit unit = {};
  size_t region = 0;
  int64_t runs = 1;                   ///< in one run of the graph
  std::string op = {};                ///< whose result names it
  std::string computation = {};       ///< of the region
  std::vector<std::string> ops = {};  ///< in an order in which they may run

  double total_us() const { return static_cast<double>(runs) * unit.cost.time_us; }
};

/// The launches of a plan that take most of a run's time, longest first; those that take as long in
/// the order in which they run.
std::vector<FuseLaunch> slowest_launches(FusionStudy& study, const GraphPlan& plan, size_t count);

/// A planner's plan of a graph with all that `tilewright fuse` says of it.
struct FuseRow {
  std::string planner = {};
  PlanSummary summary = {};
  CostError error = {};
  EqualityCheck equality = {};
  double wall_planning_ms = 0;
  std::vector<FuseLaunch> slowest = {};
};

/// Times of all planners under another cost of a launch.
struct FuseSweepRow {
  double launch_us = 0;
  std::vector<std::pair<std::string, double>> times = {};  ///< planner, us
};

/// What a run of the graph costs under each plan.
QueryResult fuse_cost_table(const std::vector<FuseRow>& rows);
/// How the plans were found, and what they ask of a core.
QueryResult fuse_planning_table(const std::vector<FuseRow>& rows);
/// The slowest launches of every plan.
QueryResult fuse_launch_table(const std::vector<FuseRow>& rows);
QueryResult fuse_sweep_table(const std::vector<FuseSweepRow>& rows);

/// One element a planner (docs/fusion.md).
Json fuse_json(const std::vector<FuseRow>& rows);
Json fuse_sweep_json(const std::vector<FuseSweepRow>& rows);

}  // namespace tilewright
