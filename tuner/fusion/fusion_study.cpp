#include "tuner/fusion/fusion_study.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "core/base/error.h"
#include "core/base/statistics.h"
#include "core/graph/interpreter.h"
#include "core/graph/interpreter_work.h"
#include "core/graph/number_format.h"
#include "kernels/fused/fused_check.h"
#include "kernels/fused/reduced_check.h"
#include "simulator/timing.h"
#include "tuner/fusion/run_plan.h"

namespace tilewright {

namespace {

/// Operations of a kernel compared at smaller shapes, and times the most of one kernel that all
/// compared at their own shapes may take together: seconds in all.
constexpr double kReducedOperations = 4e6;
constexpr double kFullChecks = 5;

}  // namespace

std::string EqualityCheck::verdict() const {
  if (!first_failure.empty()) return "no";
  return checked == kernels ? "full" : "reduced";
}

FusionStudy::FusionStudy(const OpGraph& graph, const Machine& machine, double launch_us,
                         bool fuses_products)
    : graph_(&graph), shared_(machine, launch_us), machine_key_(machine.fingerprint()) {
  for (const RegionRuns& runs : region_runs(graph)) {
    regions_.push_back(std::make_unique<Planned>(graph, runs.computation, shared_, fuses_products));
    regions_.back()->runs = runs.runs.value_or(1);
    has_unknown_runs_ = has_unknown_runs_ || !runs.runs;
  }
}

namespace {

/// Pins are about ops that kernels are made of.
void check_pin(const FusionGraph& graph, const OpPair& pin) {
  const auto refuse = [&](const std::string& why) {
    throw Error(ErrorKind::kInfeasible, fmt::format("{} and {} cannot be pinned: {}",
                                                    graph.name(pin.first), graph.name(pin.second),
                                                    why));
  };
  if (pin.first == pin.second) refuse("they are one op");
  for (const int32_t op : {pin.first, pin.second}) {
    const std::string& name = graph.name(op);
    if (graph.is_free(op)) refuse(name + " is made again wherever it is read");
    if (!graph.is_node(op)) refuse(name + " is no work of a kernel");
    if (!graph.is_fusible(op) && !graph.is_product(op)) {
      refuse(fmt::format("{} runs by itself: {}", name, graph.why_not(op)));
    }
  }
}

}  // namespace

GraphPlan FusionStudy::plan(const FusionPlanner& planner, const std::vector<PlanOptions>& options) {
  GraphPlan plan;
  for (size_t i = 0; i < regions_.size(); ++i) {
    plan.push_back(this->plan(planner, i, i < options.size() ? options[i] : PlanOptions{}));
  }
  return plan;
}

PlannedRegion FusionStudy::plan(const FusionPlanner& planner, size_t region,
                                const PlanOptions& wanted) {
  Planned& at = *regions_[region];
  for (const OpPair& pin : wanted.pins) check_pin(at.graph, pin);
  PlanOptions options = wanted;
  if (at.exact && planner.name == std::string_view("tilewright")) options.seeds = {*at.exact};
  PlannedRegion planned = plan_or_find(planner, at, options);
  if (planner.name == std::string_view("exact")) at.exact = planned.plan;
  return planned;
}

PlannedRegion FusionStudy::plan_or_find(const FusionPlanner& planner, Planned& at,
                                        const PlanOptions& options) {
  const FusionPlanKey key = cache_ ? key_of(planner, at, options) : FusionPlanKey{};
  if (cache_) {
    if (std::optional<PlannedRegion> known = known_plan(key, at)) return *std::move(known);
  }
  PlannedRegion planned = planner.plan(at.cost, options);
  const std::string why = why_illegal(at.graph, planned.plan, at.cost.why_infeasible());
  if (!why.empty()) {
    throw Error(ErrorKind::kCheckFailed,
                fmt::format("the plan of '{}' for {} cannot be run: {}", planner.name,
                            at.region.computation().name, why));
  }
  if (cache_ && !planned.is_cut_short) keep(key, at, planned);
  return planned;
}

FusionPlanKey FusionStudy::key_of(const FusionPlanner& planner, const Planned& at,
                                  const PlanOptions& options) const {
  std::string settings = fmt::format("launch={};gemm={};kernels={};simulations={};exact={}",
                                     shared_.launch_us(), at.graph.fuses_products() ? "on" : "off",
                                     options.budget, options.simulations, options.exact_kernels);
  for (const OpPair& pair : options.pins) {
    settings += fmt::format(";pin={},{}", pair.first, pair.second);
  }
  for (const OpPair& pair : options.vetoes) {
    settings += fmt::format(";veto={},{}", pair.first, pair.second);
  }
  if (!options.seeds.empty()) settings += ";seeds=exact";
  return {fmt::format("{:016x}", at.cost.hash_of_region()), planner.name,
          fmt::format("{}.{}", kFusionRevision, kTimingRevision), machine_key_,
          std::move(settings)};
}

/// What is kept is judged like a new plan, by figures that were kept with it: a row that is not of
/// this region is none.
std::optional<PlannedRegion> FusionStudy::known_plan(const FusionPlanKey& key, Planned& at) {
  std::optional<KeptPlan> kept = cache_->find(key);
  if (!kept) return std::nullopt;
  const FusionPlan& plan = kept->planned.plan;
  const auto is_of_region = [&](const FusedOps& kernel) {
    return !kernel.ops.empty() && kernel.ops.back() < at.graph.size() &&
           std::ranges::includes(kernel.ops, kernel.outputs);
  };
  if (!std::ranges::all_of(plan.kernels, is_of_region)) return std::nullopt;
  const WhyInfeasible is_checked_before = [](const FusedOps&) { return std::string(); };
  if (!why_illegal(at.graph, plan, is_checked_before).empty()) return std::nullopt;
  for (size_t i = 0; i < plan.kernels.size(); ++i) at.cost.learn(plan.kernels[i], kept->known[i]);
  kept->planned.is_from_cache = true;
  return std::move(kept->planned);
}

void FusionStudy::keep(const FusionPlanKey& key, Planned& at, const PlannedRegion& planned) {
  KeptPlan kept{planned, {}};
  for (const FusedOps& kernel : planned.plan.kernels) kept.known.push_back(at.cost.known(kernel));
  cache_->keep(key, kept);
}

namespace {

/// A whole graph is run where the interpreter takes at most so many bytes: its elements have 8.
constexpr double kMostWholeBytes = 1024.0 * 1024 * 1024;

/// The most that an element is off, as a share of the largest of its array; infinity where one side
/// has no number, or none that its type holds, and the other has one.
double worst_share(const Value& expected, const Value& got) {
  double worst = 0;
  if (expected.shape().is_tuple()) {
    for (size_t i = 0; i < expected.parts().size(); ++i) {
      worst = std::max(worst, worst_share(expected.parts()[i], got.parts()[i]));
    }
    return worst;
  }
  if (!is_array(expected.shape().type)) return 0;
  const auto number = [](const Value& value, int64_t i) {
    return is_float(value.shape().type) ? value.number(i) : static_cast<double>(value.integer(i));
  };
  double largest = 0, most = 0;
  for (int64_t i = 0; i < expected.size(); ++i) {
    const ElementType type = expected.shape().type;
    const double exact = number(expected, i);
    const double want = is_float(type) ? round_to(type, exact) : exact;
    const double is = number(got, i);
    if (std::isfinite(want)) largest = std::max(largest, std::abs(want));
    if (want == is || (std::isnan(want) && std::isnan(is))) continue;
    const double off = std::abs(want - is);
    most = std::max(most, std::isnan(off) ? std::numeric_limits<double>::infinity() : off);
  }
  return largest > 0 ? most / largest : most;
}

}  // namespace

PlanCosts FusionStudy::costs(const GraphPlan& plan) {
  PlanCosts costs(plan.size());
  for (size_t i = 0; i < plan.size(); ++i) {
    for (const FusedOps& kernel : plan[i].plan.kernels) {
      costs[i].push_back(regions_[i]->cost.cost_of(kernel, true));
    }
  }
  return costs;
}

std::string_view time_source(const FusionUnit& unit) {
  if (!unit.is_kernel()) return "lib";
  return unit.cost.is_simulated ? "sim" : "est";
}

std::vector<FusionUnit> FusionStudy::units(size_t region, const FusionPlan& plan,
                                           const std::vector<KernelCost>& costs) {
  Planned& at = *regions_[region];
  std::vector<FusionUnit> units;
  int number = 0;
  for (const PlanUnit& one : units_in_order(at.graph, plan)) {
    FusionUnit unit{.unit = one, .op = one.op};
    if (unit.is_kernel()) {
      const auto place = static_cast<size_t>(one.kernel);
      const FusedOps& kernel = plan.kernels[place];
      unit.ops = kernel.ops;
      unit.op = kernel.outputs.back();
      unit.number = number++;
      unit.is_memory =
          std::ranges::none_of(kernel.ops, [&](int32_t op) { return at.graph.is_product(op); });
      unit.cost = costs[place];
    } else {
      unit.ops = {one.op};
      const OpTraffic traffic = library_traffic(at.region, one.op);
      unit.cost.time_us = at.cost.library_us(one.op);
      unit.cost.figures.read_bytes = traffic.read;
      unit.cost.figures.write_bytes = traffic.write;
      if (tilewright::is_launch(at.region, one.op)) {
        unit.number = number++;
        unit.is_memory = is_memory_launch(at.region, one.op);
      }
    }
    units.push_back(std::move(unit));
  }
  return units;
}

PlanSummary FusionStudy::summarize(const GraphPlan& plan, const PlanCosts& costs) {
  PlanSummary summary;
  summary.bound_us = 0;
  summary.is_from_cache = true;
  std::set<uint64_t> unsimulated;
  for (size_t i = 0; i < regions_.size(); ++i) {
    Planned& at = *regions_[i];
    const auto runs = static_cast<double>(at.runs);
    summary.candidates += plan[i].candidates;
    summary.recomputed_ops += recomputed_ops(plan[i].plan);
    if (summary.note.empty()) summary.note = plan[i].note;
    summary.is_from_cache = summary.is_from_cache && plan[i].is_from_cache;
    if (summary.bound_us && plan[i].bound_us) {
      *summary.bound_us += runs * *plan[i].bound_us;
    } else {
      summary.bound_us.reset();
    }
    for (const FusionUnit& unit : units(i, plan[i].plan, costs[i])) {
      if (!unit.is_launch()) continue;
      const KernelFigures& figures = unit.cost.figures;
      ++summary.launches;
      summary.launches_run += at.runs;
      summary.memory_launches += unit.is_memory ? 1 : 0;
      summary.read_bytes += at.runs * figures.read_bytes;
      summary.write_bytes += at.runs * figures.write_bytes;
      const double us = runs * unit.cost.time_us;
      summary.time_us += us;
      summary.memory_us += unit.is_memory ? us : 0;
      if (!unit.is_kernel()) continue;
      summary.workspace_bytes = std::max(summary.workspace_bytes, figures.workspace_bytes);
      summary.barriers += at.runs * figures.barriers;
      summary.peak_ub_bytes = std::max(summary.peak_ub_bytes, figures.peak_ub_bytes);
      summary.estimated_us += runs * (figures.estimated_us + shared_.launch_us());
      if (unit.cost.is_simulated) continue;
      const auto place = static_cast<size_t>(unit.unit.kernel);
      unsimulated.insert(at.cost.hash_of(plan[i].plan.kernels[place]));
    }
  }
  summary.unsimulated = std::ssize(unsimulated);
  return summary;
}

CostError FusionStudy::cost_error(const GraphPlan& plan) {
  std::set<uint64_t> seen;
  std::vector<double> errors;
  for (size_t i = 0; i < regions_.size(); ++i) {
    RegionCost& cost = regions_[i]->cost;
    for (const FusedOps& kernel : plan[i].plan.kernels) {
      const std::optional<double> simulated = cost.simulated_us(kernel);
      if (!simulated || !seen.insert(cost.hash_of(kernel)).second) continue;
      const double body = *simulated - shared_.launch_us();
      if (body > 0) errors.push_back(std::abs(cost.figures(kernel).estimated_us / body - 1));
    }
  }
  std::ranges::sort(errors);
  return {std::ssize(errors), percentile(errors, 50), percentile(errors, 95)};
}

EqualityCheck FusionStudy::check(const GraphPlan& plan, double most_operations, uint64_t seed) {
  EqualityCheck check;
  double left = kFullChecks * most_operations;
  std::set<uint64_t> seen;
  for (size_t i = 0; i < regions_.size(); ++i) {
    Planned& at = *regions_[i];
    for (const FusedOps& kernel : plan[i].plan.kernels) {
      if (!seen.insert(at.cost.hash_of(kernel)).second) continue;
      ++check.kernels;
      const FusedKernel planned = plan_fused_kernel(at.region, kernel, shared_.machine());
      const double operations = check_operations(at.region, kernel);
      std::optional<CheckResult> result;
      if (operations <= std::min(most_operations, left)) {
        left -= operations;
        result = check_fused_kernel(at.region, planned, shared_.machine(), seed);
        ++check.checked;
      } else {
        // Kernels of very many ops take more even at the smallest shapes.
        for (const double most : {std::min(most_operations, kReducedOperations), most_operations}) {
          if (result) break;
          result = check_reduced_kernel(at.region, planned, shared_.machine(), most, seed);
        }
        check.reduced += result ? 1 : 0;
      }
      if (result && !result->ok && check.first_failure.empty()) {
        check.first_failure = fmt::format("kernel of {}: {}", at.graph.name(kernel.outputs.back()),
                                          result->first_failure);
      }
    }
  }
  const InterpreterWork work = interpreter_work(*graph_);
  if (work.flops <= kFullChecks * most_operations && work.bytes <= kMostWholeBytes) {
    check.whole_error = whole_error(plan, seed);
  }
  return check;
}

std::optional<double> FusionStudy::whole_error(const GraphPlan& plan, uint64_t seed) {
  size_t entry = 0;
  while (entry < regions_.size() &&
         &regions_[entry]->region.computation() != &graph_->entry_computation()) {
    ++entry;
  }
  if (entry == regions_.size()) return std::nullopt;
  try {
    const std::vector<Value> inputs = make_inputs(*graph_, seed);
    const UnknownValue unknown = made_up_values(seed);
    const Value expected = interpret(*graph_, inputs, {.unknown = unknown});
    const Value got =
        run_plan(regions_[entry]->graph, plan[entry].plan, shared_.machine(), inputs, unknown);
    return worst_share(expected, got);
  } catch (const Error& error) {
    // What the interpreter refuses.
    if (error.kind() != ErrorKind::kUsage) throw;
    return std::nullopt;
  }
}

}  // namespace tilewright
