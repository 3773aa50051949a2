#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/machine/machine.h"
#include "kernels/fused/fused_kernel.h"
#include "tuner/fusion/fusion_plan.h"
#include "tuner/fusion/kernel_hash.h"

namespace tilewright {

/// What the latency evaluator knows of a kernel. Times are us without the launch.
struct KernelFigures {
  std::string why_infeasible = {};  ///< empty: the kernel can be made
  double estimated_us = 0;
  int barriers = 0;
  int64_t peak_ub_bytes = 0;
  int64_t workspace_bytes = 0;
  int64_t read_bytes = 0;
  int64_t write_bytes = 0;

  bool is_feasible() const { return why_infeasible.empty(); }
  bool operator==(const KernelFigures&) const = default;
};

/// What a kernel of a plan costs.
struct KernelCost {
  KernelFigures figures = {};
  double time_us = 0;         ///< with its launch; 0 where it cannot be made
  bool is_simulated = false;  ///< else time_us is the estimate
  bool operator==(const KernelCost&) const = default;
};

/// Costs of kernels on one machine, the same for all planners (docs/fusion.md, "Costs"). Kernels
/// that do the same are planned and simulated once.
class FusionCost {
 public:
  /// Each launch costs launch_us and the machine's dispatch.
  FusionCost(const Machine& machine, double launch_us);

  const Machine& machine() const { return machine_; }
  double launch_us() const { return launch_us_; }
  /// us that a barrier of all cores takes.
  double barrier_us() const;
  /// us that bytes take through HBM, or where they are few through L2.
  double memory_us(double bytes, bool in_l2) const;

  /// Kernels that were planned, and simulated, so far.
  int64_t planned() const { return planned_; }
  int64_t simulated() const { return simulated_; }

  /// Whether kernels may be simulated. Where not, simulated_us() knows no time, not even one that
  /// was simulated before, and the best known one is the estimate.
  bool simulates() const { return simulates_; }
  void set_simulates(bool simulates) { simulates_ = simulates; }

  /// Called before a kernel is planned or simulated for the first time: what takes most of a
  /// planner's time. What it throws ends the planning, and the costs stay as they were.
  void set_watch(std::function<void()> watch) { watch_ = std::move(watch); }

 private:
  void work_begins() const {
    if (watch_) watch_();
  }

  friend class RegionCost;
  Machine machine_;
  double launch_us_ = 0;
  int64_t planned_ = 0;
  int64_t simulated_ = 0;
  bool simulates_ = true;
  std::function<void()> watch_ = {};
  std::unordered_map<uint64_t, KernelFigures> figures_;  // looked up only
  std::unordered_map<uint64_t, std::optional<double>> times_;
  std::unordered_map<uint64_t, double> library_;
};

/// The costs of kernels of one region.
class RegionCost {
 public:
  RegionCost(const FusionGraph& graph, FusionCost& cost)
      : graph_(&graph), cost_(&cost), hash_(graph) {}

  const FusionGraph& graph() const { return *graph_; }
  FusionCost& shared() { return *cost_; }
  const FusionCost& shared() const { return *cost_; }
  uint64_t hash_of(const FusedOps& kernel) const { return hash_.of(kernel); }
  uint64_t hash_of_region() const { return hash_.of_region(); }

  /// The latency evaluator: what code generation plans.
  const KernelFigures& figures(const FusedOps& kernel);
  /// us with the launch, as estimated; none where the kernel cannot be made.
  std::optional<double> estimated_us(const FusedOps& kernel);
  /// us with the launch in the simulator; none where the kernel cannot be made, its launch is too
  /// large to be simulated while planning, or nothing shall be simulated.
  std::optional<double> simulated_us(const FusedOps& kernel);
  /// The simulated time, or the estimate of a launch too large to be simulated.
  std::optional<double> best_known_us(const FusedOps& kernel);
  /// The best known time, or where nothing shall be `simulated` the estimate.
  KernelCost cost_of(const FusedOps& kernel, bool simulates);
  /// us of an op that runs by itself as a library kernel, with its launch; the same for all
  /// planners. 0 for ops that start others (while, conditional) and launch nothing themselves.
  double library_us(int32_t op);

  /// What is known of a kernel that was asked for before: its figures, and where it was simulated
  /// (or found too large for that) its time.
  struct Known {
    KernelFigures figures = {};
    bool was_simulated = false;
    std::optional<double> simulated_us = {};
  };
  Known known(const FusedOps& kernel);
  /// Takes over what another run knew of a kernel; what is known already stays.
  void learn(const FusedOps& kernel, const Known& known);

  /// For the legality check.
  WhyInfeasible why_infeasible();

  /// The delta evaluator: us that one kernel of these nodes saves over kernels of one node each, to
  /// first order: bytes that stay on the chip, launches, less barriers and tiles that shrink.
  double delta_us(const std::vector<int32_t>& nodes) const;

 private:
  /// simulated_us(), whether kernels shall be simulated or not.
  std::optional<double> timed_us(const FusedOps& kernel);

  const FusionGraph* graph_;
  FusionCost* cost_;
  KernelHash hash_;
};

/// Whether an op by itself is a launch; while, call and their kin are none.
bool is_launch(const Region& region, int32_t op);
/// Whether such a launch counts as a memory kernel: no compute op and no collective.
bool is_memory_launch(const Region& region, int32_t op);
/// Bytes that an op by itself reads and writes.
struct OpTraffic {
  int64_t read = 0;
  int64_t write = 0;
};
OpTraffic library_traffic(const Region& region, int32_t op);

}  // namespace tilewright
