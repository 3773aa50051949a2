#include "tuner/fusion/explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "tuner/fusion/plan_edit.h"

namespace tilewright {

namespace {

bool holds(const FusedOps& kernel, int32_t op) {
  return std::ranges::binary_search(kernel.ops, op);
}

/// The kernel that leaves an op in memory, or else one that makes it.
const FusedOps* kernel_with(const FusionPlan& plan, int32_t op) {
  const FusedOps* found = nullptr;
  for (const FusedOps& kernel : plan.kernels) {
    if (std::ranges::binary_search(kernel.outputs, op)) return &kernel;
    if (!found && holds(kernel, op)) found = &kernel;
  }
  return found;
}

/// What one kernel costs less than its parts.
void weigh(RegionCost& cost, const std::vector<FusedOps>& apart, const FusedOps& joined,
           FusionExplanation& result) {
  const auto bytes_of = [&](const FusedOps& kernel) {
    const KernelFigures& figures = cost.figures(kernel);
    return figures.read_bytes + figures.write_bytes;
  };
  result.saved_bytes = -bytes_of(joined);
  result.saved_us = -cost.best_known_us(joined).value_or(0);
  for (const FusedOps& part : apart) {
    result.saved_bytes += bytes_of(part);
    result.saved_us += cost.best_known_us(part).value_or(0);
  }
}

std::string verdict(const FusionExplanation& result, std::string_view as_one) {
  return fmt::format("{} moves {} {} and takes {} {} than two", as_one,
                     format_bytes(static_cast<double>(std::abs(result.saved_bytes))),
                     result.saved_bytes >= 0 ? "less" : "more",
                     format_us(std::abs(result.saved_us)), result.saved_us >= 0 ? "less" : "more");
}

/// Both in one kernel: what it would be to cut it before the later op.
void explain_fused(RegionCost& cost, const FusedOps& kernel, FusionExplanation& result) {
  const FusionGraph& graph = cost.graph();
  std::vector<int32_t> nodes;
  for (const int32_t op : kernel.ops) {
    if (graph.is_node(op)) nodes.push_back(op);
  }
  const int32_t later = graph.rank(result.ops.first) > graph.rank(result.ops.second)
                            ? result.ops.first
                            : result.ops.second;
  size_t first = 0;
  for (const int32_t op : nodes) first += graph.rank(op) < graph.rank(later) ? 1 : 0;
  if (first == 0 || first == nodes.size()) {
    result.reason = "the one is made again wherever it is read";
    return;
  }
  const auto [early, late] = cut_group(graph, nodes, first);
  weigh(cost, {kernel_of(graph, early), kernel_of(graph, late)}, kernel, result);
  result.reason = verdict(result, fmt::format("one kernel of {} ops", kernel.ops.size()));
}

void explain_apart(RegionCost& cost, const FusionPlan& plan, const FusedOps& a, const FusedOps& b,
                   FusionExplanation& result) {
  const FusionPlan joined = with_merged(cost.graph(), plan, a, b);
  if (const std::string why = why_illegal(cost.graph(), joined, cost.why_infeasible());
      !why.empty()) {
    result.reason = "one kernel is not legal: " + why;
    return;
  }
  weigh(cost, {a, b}, merged_kernel(cost.graph(), plan, a, b), result);
  result.reason = verdict(result, "one kernel instead of both");
}

int32_t find_op(const FusionGraph& graph, const std::string& name) {
  for (int32_t op = 0; op < graph.size(); ++op) {
    if (graph.name(op) == name) return op;
  }
  return -1;
}

}  // namespace

NamedPair find_pair(const FusionStudy& study, const std::string& a, const std::string& b) {
  bool has_a = false;
  bool has_b = false;
  std::vector<std::string> names;
  for (size_t i = 0; i < study.region_count(); ++i) {
    const FusionGraph& graph = study.graph(i);
    const OpPair ops = {find_op(graph, a), find_op(graph, b)};
    if (ops.first >= 0 && ops.second >= 0) return {i, ops};
    has_a = has_a || ops.first >= 0;
    has_b = has_b || ops.second >= 0;
    for (const int32_t op : graph.nodes()) names.push_back(graph.name(op));
  }
  if (has_a && has_b) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{} and {} are in different regions (a loop's body and its caller), "
                            "which share no kernel",
                            a, b));
  }
  const std::string& missing = has_a ? b : a;
  throw Error(ErrorKind::kNotFound, fmt::format("the flat graph has no op '{}'{}",
                                                printable(missing), did_you_mean(missing, names)));
}

std::string text_of(const FusionGraph& graph, const FusionExplanation& why) {
  return fmt::format("{} and {} are {}: {}", graph.name(why.ops.first), graph.name(why.ops.second),
                     why.is_fused ? "fused" : "not fused", why.reason);
}

FusionExplanation explain(FusionStudy& study, const GraphPlan& plan, const NamedPair& pair) {
  RegionCost& cost = study.cost(pair.region);
  const FusionGraph& graph = cost.graph();
  const FusionPlan& kernels = plan[pair.region].plan;
  FusionExplanation result;
  result.region = pair.region;
  result.ops = pair.ops;
  for (const int32_t op : {pair.ops.first, pair.ops.second}) {
    result.reason = why_alone(graph, op);
    if (!result.reason.empty()) return result;
  }
  for (const FusedOps& kernel : kernels.kernels) {
    if (!holds(kernel, pair.ops.first) || !holds(kernel, pair.ops.second)) continue;
    result.is_fused = true;
    result.kernel_of_a = result.kernel_of_b = graph.name(kernel.outputs.back());
    explain_fused(cost, kernel, result);
    return result;
  }
  // A dot that no kernel holds is one by itself.
  const FusedOps alone_a{{pair.ops.first}, {pair.ops.first}};
  const FusedOps alone_b{{pair.ops.second}, {pair.ops.second}};
  const FusedOps* a = kernel_with(kernels, pair.ops.first);
  const FusedOps* b = kernel_with(kernels, pair.ops.second);
  if (!a && graph.is_product(pair.ops.first)) a = &alone_a;
  if (!b && graph.is_product(pair.ops.second)) b = &alone_b;
  if (!a || !b) {
    result.reason =
        fmt::format("nobody needs {}", graph.name(!a ? pair.ops.first : pair.ops.second));
    return result;
  }
  result.kernel_of_a = graph.name(a->outputs.back());
  result.kernel_of_b = graph.name(b->outputs.back());
  explain_apart(cost, kernels, *a, *b, result);
  return result;
}

}  // namespace tilewright
