#include "tuner/fusion/plan_edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "core/base/error.h"

namespace tilewright {

namespace {

bool holds(const std::vector<int32_t>& sorted, int32_t op) {
  return std::ranges::binary_search(sorted, op);
}

void put_in_order(FusionPlan& plan) {
  std::ranges::sort(plan.kernels, {}, [](const FusedOps& kernel) { return kernel.outputs; });
}

/// Whether another kernel of the plan leaves an op in memory.
bool is_left_by_others(const FusionPlan& plan, const FusedOps& kernel, int32_t op) {
  return std::ranges::any_of(plan.kernels, [&](const FusedOps& other) {
    return !(other == kernel) && holds(other.outputs, op);
  });
}

bool is_lone_product(const FusionGraph& graph, const std::vector<int32_t>& nodes) {
  return nodes.size() == 1 && graph.is_product(nodes[0]);
}

/// The places of kernels of `a` that `b` does not have.
std::vector<size_t> only_in(const FusionPlan& a, const FusionPlan& b) {
  std::set<std::pair<std::vector<int32_t>, std::vector<int32_t>>> known;
  for (const FusedOps& kernel : b.kernels) known.emplace(kernel.ops, kernel.outputs);
  std::vector<size_t> only;
  for (size_t i = 0; i < a.kernels.size(); ++i) {
    if (!known.contains({a.kernels[i].ops, a.kernels[i].outputs})) only.push_back(i);
  }
  return only;
}

}  // namespace

std::string why_alone(const FusionGraph& graph, int32_t op) {
  if (graph.is_fusible(op) || graph.is_product(op)) return "";
  return graph.is_work(op) ? fmt::format("{} runs by itself: {}", graph.name(op), graph.why_not(op))
                           : fmt::format("{} is no work of a kernel", graph.name(op));
}

FusedOps kernel_of_unit(const FusionPlan& plan, const PlanUnit& unit) {
  if (unit.kernel < 0) return {{unit.op}, {unit.op}};
  return plan.kernels[static_cast<size_t>(unit.kernel)];
}

FusedOps merged_kernel(const FusionGraph& graph, const FusionPlan& plan, const FusedOps& a,
                       const FusedOps& b) {
  FusedOps both;
  std::ranges::set_union(a.ops, b.ops, std::back_inserter(both.ops));
  std::vector<int32_t> left;
  std::ranges::set_union(a.outputs, b.outputs, std::back_inserter(left));
  const auto is_needed_by = [&](int32_t user, int32_t op) {
    if (holds(both.ops, user)) return false;
    if (!graph.is_fusible(user)) return true;
    return std::ranges::any_of(plan.kernels, [&](const FusedOps& kernel) {
      const bool is_other = !(kernel == a) && !(kernel == b);
      return is_other && holds(kernel.ops, user) && !holds(kernel.ops, op);
    });
  };
  for (const int32_t op : left) {
    const auto users = graph.region().users(op);
    const auto needs_it = [&](int32_t user) { return is_needed_by(user, op); };
    if (graph.region().is_result(op) || std::ranges::any_of(users, needs_it)) {
      both.outputs.push_back(op);
    }
  }
  return both;
}

FusionPlan with_merged(const FusionGraph& graph, const FusionPlan& plan, const FusedOps& a,
                       const FusedOps& b) {
  FusionPlan merged;
  for (const FusedOps& kernel : plan.kernels) {
    if (!(kernel == a) && !(kernel == b)) merged.kernels.push_back(kernel);
  }
  merged.kernels.push_back(merged_kernel(graph, plan, a, b));
  put_in_order(merged);
  return merged;
}

FusionPlan with_split(const FusionGraph& graph, const FusionPlan& plan, const FusedOps& kernel,
                      int32_t before) {
  std::vector<int32_t> early;
  std::vector<int32_t> late;
  for (const int32_t op : kernel.ops) {
    if (graph.is_node(op)) (op < before ? early : late).push_back(op);
  }
  if (early.empty() || late.empty()) {
    throw Error(ErrorKind::kInfeasible,
                fmt::format("no op of the kernel comes {} {}; the cut is made before the op",
                            early.empty() ? "before" : "behind", graph.name(before)));
  }
  const auto part = [&](const std::vector<int32_t>& nodes, const std::vector<int32_t>& rest) {
    FusedOps made;
    const std::vector<int32_t> again = graph.free_ops_of(nodes);
    std::ranges::set_union(nodes, again, std::back_inserter(made.ops));
    for (const int32_t op : nodes) {
      const bool is_read = std::ranges::any_of(graph.readers(op),
                                               [&](int32_t reader) { return holds(rest, reader); });
      if (holds(kernel.outputs, op) || (is_read && !is_left_by_others(plan, kernel, op))) {
        made.outputs.push_back(op);
      }
    }
    return made;
  };
  FusionPlan split;
  for (const FusedOps& other : plan.kernels) {
    if (!(other == kernel)) split.kernels.push_back(other);
  }
  if (!is_lone_product(graph, early)) split.kernels.push_back(part(early, late));
  if (!is_lone_product(graph, late)) split.kernels.push_back(part(late, early));
  put_in_order(split);
  return split;
}

PlanDiff diff_plans(const FusionPlan& a, const FusionPlan& b) {
  PlanDiff diff{only_in(a, b), only_in(b, a)};
  diff.same = a.kernels.size() - diff.only_a.size();
  return diff;
}

}  // namespace tilewright
