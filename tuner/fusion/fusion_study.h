#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/graph/regions.h"
#include "tuner/fusion/plan_cache.h"
#include "tuner/fusion/planner.h"

namespace tilewright {

/// What a plan of a graph comes to. Bytes, workspace, barriers and times are those of one run of
/// the graph: a region that runs often counts as often. Launches are kernels of the plan, each
/// region's once.
struct PlanSummary {
  int64_t memory_launches = 0;  ///< without dots
  int64_t launches = 0;
  int64_t launches_run = 0;  ///< in one run of the graph
  int64_t read_bytes = 0;
  int64_t write_bytes = 0;
  int64_t workspace_bytes = 0;
  double time_us = 0;
  double memory_us = 0;  ///< of time_us: kernels that are no compute op
  int64_t barriers = 0;
  int64_t peak_ub_bytes = 0;
  int64_t recomputed_ops = 0;
  int64_t candidates = 0;
  int64_t unsimulated = 0;  ///< distinct kernels too large to simulate: their time is the estimate
  std::string note = {};
  /// By estimate, of the fused kernels: what they take, and what no plan without recomputation goes
  /// below where the planner of every region knows that.
  double estimated_us = 0;
  std::optional<double> bound_us = {};
  bool is_from_cache = false;  ///< of all regions
};

/// How the estimates of a plan's distinct kernels compare with the simulator: |estimate / simulated
/// - 1|, bodies of kernels without launch.
struct CostError {
  int64_t kernels = 0;
  double median = 0;
  double p95 = 0;
};

/// Whether the distinct kernels of a plan compute what the interpreter does.
struct EqualityCheck {
  int64_t kernels = 0;
  int64_t checked = 0;  ///< at their own shapes
  int64_t reduced = 0;  ///< at smaller ones with the same decisions (reduced_check.h)
  std::string first_failure = {};
  /// Of the whole graph run by its kernels, where it is small: the most that an element is off, as a
  /// share of the largest in its array. It grows with what follows on each other.
  std::optional<double> whole_error = {};
  /// Compared in neither way.
  int64_t left_out() const { return kernels - checked - reduced; }
  /// "full", "reduced" where some kernels were compared at smaller shapes or left out, or "no".
  std::string verdict() const;
};

/// Plans of all regions of a graph, in the order of the study's regions.
using GraphPlan = std::vector<PlannedRegion>;

/// The costs of a plan's kernels: by region, in the order of its kernels.
using PlanCosts = std::vector<std::vector<KernelCost>>;

/// A launch of a plan, or an op that only starts others.
struct FusionUnit {
  PlanUnit unit = {};
  std::vector<int32_t> ops = {};  ///< in an order in which they may run
  int32_t op = -1;                ///< whose result names it
  int number = -1;                ///< among the region's launches; -1: it is none
  bool is_memory = false;         ///< a launch that is no compute op
  KernelCost cost = {};           ///< of an op that runs by itself its bytes and time alone

  bool is_launch() const { return number >= 0; }
  bool is_kernel() const { return unit.kernel >= 0; }
};

/// Where the time of a unit comes from: "sim", "est" where its kernel is not simulated, or "lib" of
/// an op that runs by itself.
std::string_view time_source(const FusionUnit& unit);

/// A flat graph whose regions are planned and compared on one machine.
class FusionStudy {
 public:
  /// The graph must outlive the study.
  FusionStudy(const OpGraph& graph, const Machine& machine, double launch_us,
              bool fuses_products = false);

  size_t region_count() const { return regions_.size(); }
  const FusionGraph& graph(size_t region) const { return regions_[region]->graph; }
  RegionCost& cost(size_t region) { return regions_[region]->cost; }
  FusionCost& shared_cost() { return shared_; }
  /// Runs in one run of the graph; 1 where they are not known.
  int64_t runs(size_t region) const { return regions_[region]->runs; }
  bool has_unknown_runs() const { return has_unknown_runs_; }
  const FusionCost& shared_cost() const { return shared_; }

  /// Plans that the cache has are taken from there, new ones are kept there; none: no cache. It
  /// must outlive the study.
  void set_cache(PlanCache* cache) { cache_ = cache; }

  /// Plans every region, each with its own options (none: the defaults). Error (check failed) with
  /// the reason when a plan is not legal, (infeasible) when a pin is about what is in no kernel.
  /// What `exact` has planned before, `tilewright` starts from: it is never worse.
  GraphPlan plan(const FusionPlanner& planner, const std::vector<PlanOptions>& options = {});
  /// The same for one region.
  PlannedRegion plan(const FusionPlanner& planner, size_t region, const PlanOptions& options = {});
  PlanCosts costs(const GraphPlan& plan);
  /// What runs for a plan of a region, in an order in which it may, with the costs of its kernels.
  std::vector<FusionUnit> units(size_t region, const FusionPlan& plan,
                                const std::vector<KernelCost>& costs);
  PlanSummary summarize(const GraphPlan& plan) { return summarize(plan, costs(plan)); }
  /// With costs that are known already.
  PlanSummary summarize(const GraphPlan& plan, const PlanCosts& costs);
  CostError cost_error(const GraphPlan& plan);
  /// Runs the distinct kernels that take the interpreter at most so many operations, and all of
  /// them together some times that, at their own shapes, the others at smaller ones; and the whole
  /// graph where that takes no more and 1 GiB.
  EqualityCheck check(const GraphPlan& plan, double most_operations, uint64_t seed);

 private:
  struct Planned;
  std::optional<double> whole_error(const GraphPlan& plan, uint64_t seed);
  FusionPlanKey key_of(const FusionPlanner& planner, const Planned& at,
                       const PlanOptions& options) const;
  PlannedRegion plan_or_find(const FusionPlanner& planner, Planned& at, const PlanOptions& options);
  std::optional<PlannedRegion> known_plan(const FusionPlanKey& key, Planned& at);
  void keep(const FusionPlanKey& key, Planned& at, const PlannedRegion& planned);

  struct Planned {
    Planned(const OpGraph& program, int32_t computation, FusionCost& shared, bool fuses_products)
        : region(program, computation), graph(region, fuses_products), cost(graph, shared) {}
    Region region;
    FusionGraph graph;
    RegionCost cost;
    int64_t runs = 1;
    std::optional<FusionPlan> exact = {};  ///< the last plan of that planner
  };
  const OpGraph* graph_;
  FusionCost shared_;
  std::vector<std::unique_ptr<Planned>> regions_;  // they point to each other
  bool has_unknown_runs_ = false;
  PlanCache* cache_ = nullptr;
  std::string machine_key_;  // of the machine as it was given, whatever a launch costs
};

}  // namespace tilewright
