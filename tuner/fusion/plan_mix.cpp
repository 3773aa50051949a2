#include "tuner/fusion/plan_mix.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace tilewright {

namespace {

/// Kernels of both plans that hold the same ops.
struct Part {
  std::vector<FusedOps> base = {};
  std::vector<FusedOps> other = {};
};

std::vector<Part> parts_of(const FusionGraph& graph, const FusionPlan& base,
                           const FusionPlan& other) {
  std::vector<const FusedOps*> kernels;
  for (const FusedOps& kernel : base.kernels) kernels.push_back(&kernel);
  for (const FusedOps& kernel : other.kernels) kernels.push_back(&kernel);
  std::vector<size_t> parent(kernels.size());
  std::iota(parent.begin(), parent.end(), size_t{0});
  const auto root = [&](size_t at) {
    while (parent[at] != at) at = parent[at] = parent[parent[at]];
    return at;
  };
  std::vector<int32_t> holder(static_cast<size_t>(graph.size()), -1);
  for (size_t i = 0; i < kernels.size(); ++i) {
    const auto join = [&](int32_t op) {
      int32_t& first = holder[static_cast<size_t>(op)];
      if (first < 0) {
        first = static_cast<int32_t>(i);
      } else {
        parent[root(i)] = root(static_cast<size_t>(first));
      }
    };
    // Free ops are made again wherever they are read; but not where they are in memory.
    for (const int32_t op : kernels[i]->ops) {
      if (!graph.is_free(op)) join(op);
    }
    for (const int32_t op : kernels[i]->outputs) join(op);
  }
  // A free op that one plan leaves in memory is read by kernels that need not hold it.
  for (size_t i = 0; i < kernels.size(); ++i) {
    for (const int32_t op : kernels[i]->ops) {
      for (const int32_t input : graph.region().inputs(op)) {
        const int32_t maker = holder[static_cast<size_t>(input)];
        if (maker >= 0 && graph.is_free(input)) parent[root(i)] = root(static_cast<size_t>(maker));
      }
    }
  }
  std::map<size_t, Part> parts;
  for (size_t i = 0; i < kernels.size(); ++i) {
    Part& part = parts[root(i)];
    (i < base.kernels.size() ? part.base : part.other).push_back(*kernels[i]);
  }
  std::vector<Part> result;
  for (auto& entry : parts) result.push_back(std::move(entry.second));
  return result;
}

double time_of(RegionCost& cost, const std::vector<FusedOps>& kernels) {
  constexpr double kImpossible = 1e12;
  double us = 0;
  for (const FusedOps& kernel : kernels) {
    us += cost.best_known_us(kernel).value_or(kImpossible);
  }
  return us;
}

FusionPlan composed(const std::vector<Part>& parts, const std::vector<bool>& takes_other) {
  FusionPlan plan;
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::vector<FusedOps>& kernels = takes_other[i] ? parts[i].other : parts[i].base;
    plan.kernels.insert(plan.kernels.end(), kernels.begin(), kernels.end());
  }
  std::ranges::sort(plan.kernels, {}, &FusedOps::outputs);
  return plan;
}

}  // namespace

double plan_us(RegionCost& cost, const FusionPlan& plan) {
  return time_of(cost, plan.kernels);
}

FusionPlan better_parts(RegionCost& cost, const FusionPlan& base, const FusionPlan& other) {
  const WhyInfeasible is_checked_before = [](const FusedOps&) { return std::string(); };
  const auto is_legal = [&](const FusionPlan& plan) {
    return why_illegal(cost.graph(), plan, is_checked_before).empty();
  };
  const std::vector<Part> parts = parts_of(cost.graph(), base, other);
  std::vector<bool> wanted(parts.size(), false);
  bool any = false;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].base == parts[i].other) continue;
    wanted[i] = time_of(cost, parts[i].other) < time_of(cost, parts[i].base);
    any = any || wanted[i];
  }
  if (!any) return base;
  FusionPlan all = composed(parts, wanted);
  if (is_legal(all)) return all;
  std::vector<bool> taken(parts.size(), false);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!wanted[i]) continue;
    taken[i] = true;
    if (!is_legal(composed(parts, taken))) taken[i] = false;
  }
  return composed(parts, taken);
}

}  // namespace tilewright
