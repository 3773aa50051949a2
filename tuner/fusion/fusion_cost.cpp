#include "tuner/fusion/fusion_cost.h"

#include <algorithm>

#include "core/base/error.h"
#include "simulator/cost.h"
#include "simulator/launch.h"
#include "simulator/memory.h"
#include "simulator/timing.h"

namespace tilewright {

namespace {

/// Launches with more bytes to move are not simulated while planning: their time is long beside
/// what a model of it gets wrong, and simulating takes time in proportion.
constexpr int64_t kMostSimulatedBytes = int64_t{256} << 20;
/// The same for what moves few bytes and computes long.
constexpr double kMostSimulatedUs = 5000;

/// Share of L2 that intermediate arrays may take to be read back from there.
constexpr double kL2Share = 0.5;

}  // namespace

FusionCost::FusionCost(const Machine& machine, double launch_us) : machine_(machine) {
  machine_.launch.launch_us = launch_us;
  launch_us_ = machine_.us_of_ticks(launch_ticks_of(machine_));
}

double FusionCost::barrier_us() const {
  return machine_.us_of_ticks(to_ticks(machine_.sync.barrier_cycles));
}

double FusionCost::memory_us(double bytes, bool in_l2) const {
  const double hbm_us = bytes / (machine_.hbm.gb_per_s * 1e3);
  if (!in_l2 || bytes > kL2Share * static_cast<double>(machine_.l2.capacity_bytes)) return hbm_us;
  return std::min(hbm_us, bytes / (machine_.l2.read_bytes_per_cycle * machine_.cores.clock_mhz));
}

const KernelFigures& RegionCost::figures(const FusedOps& kernel) {
  const uint64_t hash = hash_.of(kernel);
  if (const auto known = cost_->figures_.find(hash); known != cost_->figures_.end()) {
    return known->second;
  }
  cost_->work_begins();
  ++cost_->planned_;
  KernelFigures& figures = cost_->figures_[hash];
  try {
    const FusedKernel plan = plan_fused_kernel(graph_->region(), kernel, cost_->machine_);
    figures.estimated_us = plan.estimated_ticks /
                           (static_cast<double>(kTicksPerCycle) * cost_->machine_.cores.clock_mhz);
    figures.barriers = plan.barriers();
    figures.peak_ub_bytes = plan.peak_ub_bytes;
    figures.workspace_bytes = plan.workspace_bytes;
    figures.read_bytes = plan.read_bytes;
    figures.write_bytes = plan.write_bytes;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kInfeasible) throw;
    figures.why_infeasible = error.message();
  }
  return figures;
}

std::optional<double> RegionCost::estimated_us(const FusedOps& kernel) {
  const KernelFigures& found = figures(kernel);
  if (!found.is_feasible()) return std::nullopt;
  return found.estimated_us + cost_->launch_us_;
}

std::optional<double> RegionCost::simulated_us(const FusedOps& kernel) {
  return cost_->simulates_ ? timed_us(kernel) : std::nullopt;
}

std::optional<double> RegionCost::timed_us(const FusedOps& kernel) {
  const KernelFigures& found = figures(kernel);
  const uint64_t hash = hash_.of(kernel);
  if (const auto known = cost_->times_.find(hash); known != cost_->times_.end()) {
    return known->second;
  }
  cost_->work_begins();
  std::optional<double>& time = cost_->times_[hash];
  if (!found.is_feasible() || found.estimated_us > kMostSimulatedUs ||
      found.read_bytes + found.write_bytes + 2 * found.workspace_bytes > kMostSimulatedBytes) {
    return time;
  }
  ++cost_->simulated_;
  const FusedKernel plan = plan_fused_kernel(graph_->region(), kernel, cost_->machine_);
  const FusedLaunch built = build_fused_launch(graph_->region(), plan, cost_->machine_);
  validate(built.launch, cost_->machine_);
  const TimingResult timing = time_launch(built.launch, cost_->machine_, Fidelity::kAuto);
  time = cost_->machine_.us_of_ticks(timing.ticks);
  return time;
}

std::optional<double> RegionCost::best_known_us(const FusedOps& kernel) {
  const std::optional<double> simulated = simulated_us(kernel);
  return simulated ? simulated : estimated_us(kernel);
}

KernelCost RegionCost::cost_of(const FusedOps& kernel, bool simulates) {
  KernelCost cost{figures(kernel)};
  const std::optional<double> simulated = simulates ? simulated_us(kernel) : std::nullopt;
  cost.is_simulated = simulated.has_value();
  cost.time_us = simulated ? *simulated : estimated_us(kernel).value_or(0);
  return cost;
}

RegionCost::Known RegionCost::known(const FusedOps& kernel) {
  Known known{figures(kernel)};
  const auto time = cost_->times_.find(hash_.of(kernel));
  known.was_simulated = time != cost_->times_.end();
  if (known.was_simulated) known.simulated_us = time->second;
  return known;
}

void RegionCost::learn(const FusedOps& kernel, const Known& known) {
  const uint64_t hash = hash_.of(kernel);
  cost_->figures_.try_emplace(hash, known.figures);
  if (known.was_simulated) cost_->times_.try_emplace(hash, known.simulated_us);
}

WhyInfeasible RegionCost::why_infeasible() {
  return [this](const FusedOps& kernel) { return figures(kernel).why_infeasible; };
}

double RegionCost::delta_us(const std::vector<int32_t>& nodes) const {
  const Region& region = graph_->region();
  double saved = static_cast<double>(nodes.size() - 1) * cost_->launch_us_;
  int64_t reductions = 0;
  for (const int32_t op : nodes) {
    const auto bytes = static_cast<double>(region.bytes(op));
    int64_t inside = 0;
    bool is_needed = graph_->is_kept(op);
    bool rearranges = false;
    for (const int32_t reader : graph_->readers(op)) {
      if (!std::ranges::binary_search(nodes, reader)) {
        is_needed = true;
        continue;
      }
      ++inside;
      rearranges = rearranges || region.role(reader) == OpRole::kMove;
    }
    if (inside == 0) continue;
    const double once = cost_->memory_us(bytes, false);
    saved += static_cast<double>(inside) * once + (is_needed ? 0 : once);
    // A reduction of columns that is read again, and a transpose of what is made here, pass the
    // array through memory behind a barrier.
    if (region.role(op) == OpRole::kReduce) ++reductions;
    if (rearranges) saved -= cost_->barrier_us() + 2 * cost_->memory_us(bytes, true);
  }
  // Values that wait for a reduction stay in UB and make its tiles smaller.
  const double tile_us = static_cast<double>(reductions) * 0.1 * cost_->barrier_us();
  return saved - tile_us;
}

}  // namespace tilewright
