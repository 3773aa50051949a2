#include "tuner/fusion/fusion_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/graph/topological_order.h"

namespace tilewright {

namespace {

bool holds(const std::vector<int32_t>& sorted, int32_t op) {
  return std::ranges::binary_search(sorted, op);
}

/// What an op reads past views, free ops outside of the kernel and tuples, that is work.
void add_sources(const FusionGraph& graph, const FusedOps& kernel, int32_t op,
                 std::vector<int32_t>& sources) {
  for (const int32_t input : graph.region().inputs(op)) {
    if (holds(kernel.ops, input)) continue;
    if (graph.is_work(input)) {
      sources.push_back(input);
    } else {
      const auto shown = graph.reads(input);
      sources.insert(sources.end(), shown.begin(), shown.end());
    }
  }
}

/// What in a kernel needs an input and what is written over it.
std::string overwrite_hazard(const FusionGraph& graph, const FusedOps& kernel) {
  const Region& region = graph.region();
  for (const int32_t writer : kernel.outputs) {
    for (const int32_t reader : earlier_readers(region, kernel.ops, writer)) {
      if (!leads_to(region, kernel.ops, writer, reader)) continue;
      return fmt::format("{} takes the memory of {}, which {} of the same kernel still reads",
                         graph.name(writer), graph.name(graph.overwrites(writer)),
                         graph.name(reader));
    }
  }
  return "";
}

}  // namespace

std::vector<bool> joined_products(const FusionGraph& graph, const FusionPlan& plan) {
  std::vector<bool> is_joined(static_cast<size_t>(graph.size()), false);
  if (!graph.fuses_products()) return is_joined;
  for (const FusedOps& kernel : plan.kernels) {
    for (const int32_t op : kernel.ops) {
      if (graph.is_product(op)) is_joined[static_cast<size_t>(op)] = true;
    }
  }
  return is_joined;
}

namespace {

/// The units of a plan that run one after another: its kernels, then ops on their own.
class Units {
 public:
  Units(const FusionGraph& graph, const FusionPlan& plan) : graph_(graph), plan_(plan) {
    makers_.assign(static_cast<size_t>(graph.size()), -1);
    const std::vector<bool> is_joined = joined_products(graph, plan);
    for (const int32_t op : graph.nodes()) {
      if (graph.is_fusible(op) || is_joined[static_cast<size_t>(op)]) continue;
      makers_[static_cast<size_t>(op)] = static_cast<int32_t>(plan.kernels.size() + alone_.size());
      alone_.push_back(op);
    }
  }

  std::string find_makers();
  std::string find_links();
  std::string find_cycle() const;
  /// After find_links(), where there is no cycle.
  std::vector<PlanUnit> in_order() const;

 private:
  std::string name_of_unit(int32_t unit) const {
    const auto index = static_cast<size_t>(unit);
    if (index >= plan_.kernels.size()) return graph_.name(alone_[index - plan_.kernels.size()]);
    return fmt::format("the kernel of {}", graph_.name(plan_.kernels[index].ops.back()));
  }
  int32_t& maker(int32_t op) { return makers_[static_cast<size_t>(op)]; }

  const FusionGraph& graph_;
  const FusionPlan& plan_;
  std::vector<int32_t> alone_;
  std::vector<int32_t> makers_;  ///< by op: the unit that leaves its result in memory, or -1
  std::vector<std::vector<int32_t>> depends_on_;
};

std::string Units::find_makers() {
  for (size_t i = 0; i < plan_.kernels.size(); ++i) {
    for (const int32_t op : plan_.kernels[i].outputs) {
      if (maker(op) >= 0) return fmt::format("two kernels leave {} in memory", graph_.name(op));
      maker(op) = static_cast<int32_t>(i);
    }
  }
  for (const int32_t op : graph_.nodes()) {
    // Products inside a kernel leave nothing of what they read to others; find_links() sees who
    // does.
    const bool must = graph_.fuses_products() ? graph_.region().is_result(op) : graph_.is_kept(op);
    if (must && maker(op) < 0) {
      return fmt::format("no kernel leaves {} in memory, where it is needed", graph_.name(op));
    }
  }
  return "";
}

std::string Units::find_links() {
  depends_on_.resize(plan_.kernels.size() + alone_.size());
  std::map<int32_t, std::vector<int32_t>> units_of;  // of ops that overwrites are about
  for (const int32_t op : graph_.nodes()) {
    for (const int32_t earlier : graph_.before(op)) {
      if (graph_.overwrites(op) >= 0) units_of[earlier] = {};
    }
  }
  std::vector<int32_t> sources;
  for (size_t unit = 0; unit < depends_on_.size(); ++unit) {
    static const FusedOps kNothing;
    const bool is_kernel = unit < plan_.kernels.size();
    const FusedOps& kernel = is_kernel ? plan_.kernels[unit] : kNothing;
    const std::vector<int32_t> ops =
        is_kernel ? kernel.ops : std::vector<int32_t>{alone_[unit - plan_.kernels.size()]};
    sources.clear();
    for (const int32_t op : ops) {
      add_sources(graph_, kernel, op, sources);
      if (const auto found = units_of.find(op); found != units_of.end()) {
        found->second.push_back(static_cast<int32_t>(unit));
      }
    }
    for (const int32_t source : sources) {
      const int32_t made_by = maker(source);
      if (made_by < 0) {
        return fmt::format("{} reads {}, which no kernel leaves in memory",
                           name_of_unit(static_cast<int32_t>(unit)), graph_.name(source));
      }
      depends_on_[unit].push_back(made_by);
    }
  }
  for (const int32_t writer : graph_.nodes()) {
    if (graph_.overwrites(writer) < 0) continue;
    const int32_t unit = maker(writer);
    for (const int32_t earlier : graph_.before(writer)) {
      for (const int32_t other : units_of.at(earlier)) {
        if (other != unit) depends_on_[static_cast<size_t>(unit)].push_back(other);
      }
    }
  }
  return "";
}

std::vector<PlanUnit> Units::in_order() const {
  std::vector<PlanUnit> units;
  for (const int32_t unit : topological_order(depends_on_).order) {
    const auto index = static_cast<size_t>(unit);
    const bool is_kernel = index < plan_.kernels.size();
    units.push_back(is_kernel ? PlanUnit{unit, -1}
                              : PlanUnit{-1, alone_[index - plan_.kernels.size()]});
  }
  return units;
}

std::string Units::find_cycle() const {
  const TopologicalOrder order = topological_order(depends_on_);
  if (order.cycle.empty()) return "";
  if (order.cycle.size() == 1) {
    return fmt::format("{} waits for itself", name_of_unit(order.cycle[0]));
  }
  return fmt::format("{} and {} wait for each other: a path leaves one and comes back to it",
                     name_of_unit(order.cycle[0]), name_of_unit(order.cycle[1]));
}

}  // namespace

FusedOps kernel_of(const FusionGraph& graph, const std::vector<int32_t>& nodes) {
  FusedOps kernel;
  const std::vector<int32_t> again = graph.free_ops_of(nodes);
  std::ranges::set_union(nodes, again, std::back_inserter(kernel.ops));
  for (const int32_t op : nodes) {
    const auto is_outside = [&](int32_t reader) { return !holds(nodes, reader); };
    if (graph.is_kept(op) || std::ranges::any_of(graph.readers(op), is_outside)) {
      kernel.outputs.push_back(op);
    }
  }
  return kernel;
}

FusionPlan plan_of(const FusionGraph& graph, const Groups& groups) {
  FusionPlan plan;
  std::vector<bool> is_grouped(static_cast<size_t>(graph.size()), false);
  for (const std::vector<int32_t>& group : groups) {
    if (group.empty()) continue;
    for (const int32_t op : group) is_grouped[static_cast<size_t>(op)] = true;
    plan.kernels.push_back(kernel_of(graph, group));
  }
  for (const int32_t op : graph.nodes()) {
    if (is_grouped[static_cast<size_t>(op)] || !graph.is_fusible(op)) continue;
    plan.kernels.push_back(kernel_of(graph, {op}));
  }
  std::ranges::sort(plan.kernels, {}, [](const FusedOps& kernel) { return kernel.outputs; });
  return plan;
}

std::vector<PlanUnit> units_in_order(const FusionGraph& graph, const FusionPlan& plan) {
  Units units(graph, plan);
  std::string why = units.find_makers();
  if (why.empty()) why = units.find_links();
  TW_CHECK(why.empty(), "the plan is legal");
  return units.in_order();
}

int64_t recomputed_ops(const FusionPlan& plan) {
  std::vector<int32_t> all;
  for (const FusedOps& kernel : plan.kernels) {
    all.insert(all.end(), kernel.ops.begin(), kernel.ops.end());
  }
  std::ranges::sort(all);
  return all.end() - std::unique(all.begin(), all.end());
}

std::string why_illegal_kernel(const FusionGraph& graph, const FusedOps& kernel) {
  if (kernel.ops.empty() || kernel.outputs.empty()) return "a kernel without results";
  for (const int32_t op : kernel.ops) {
    if (!graph.is_fusible(op) && !graph.is_product(op)) {
      return fmt::format("{} cannot be fused: {}", graph.name(op), graph.why_not(op));
    }
  }
  for (const int32_t op : kernel.outputs) {
    if (!holds(kernel.ops, op)) return fmt::format("{} is made elsewhere", graph.name(op));
  }
  return overwrite_hazard(graph, kernel);
}

std::string why_illegal(const FusionGraph& graph, const FusionPlan& plan,
                        const WhyInfeasible& why_infeasible) {
  for (const FusedOps& kernel : plan.kernels) {
    const std::string why = why_illegal_kernel(graph, kernel);
    if (!why.empty()) return why;
  }
  Units units(graph, plan);
  if (const std::string why = units.find_makers(); !why.empty()) return why;
  if (const std::string why = units.find_links(); !why.empty()) return why;
  if (const std::string why = units.find_cycle(); !why.empty()) return why;
  for (const FusedOps& kernel : plan.kernels) {
    const std::string why = why_infeasible(kernel);
    if (!why.empty()) return why;
  }
  return "";
}

}  // namespace tilewright
