#include "tuner/fusion/plan_products.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace tilewright {

namespace {

bool holds(const std::vector<int32_t>& sorted, int32_t op) {
  return std::ranges::binary_search(sorted, op);
}

class ProductJoiner {
 public:
  ProductJoiner(RegionCost& cost, FusionPlan plan, const PlanOptions& options)
      : cost_(cost), graph_(cost.graph()), options_(options), plan_(std::move(plan)) {}

  FusionPlan join() {
    std::vector<int32_t> dots;
    for (const int32_t op : graph_.nodes()) {
      if (graph_.is_product(op)) dots.push_back(op);
    }
    std::ranges::sort(dots, {}, [&](int32_t dot) { return graph_.rank(dot); });
    for (const int32_t dot : dots) {
      // With what reads it, then with what it reads, or the other way round.
      while (join_best(dot)) continue;
    }
    return std::move(plan_);
  }
  int64_t candidates() const { return candidates_; }

 private:
  /// Kernels of the plan by index, and dots that run by themselves.
  struct Unit {
    size_t kernel = SIZE_MAX;
    int32_t dot = -1;
  };

  Unit unit_of(int32_t dot) const {
    for (size_t i = 0; i < plan_.kernels.size(); ++i) {
      if (holds(plan_.kernels[i].ops, dot)) return {i, -1};
    }
    return {SIZE_MAX, dot};
  }

  FusedOps ops_of(const Unit& unit) const {
    return unit.dot >= 0 ? FusedOps{{unit.dot}, {unit.dot}} : plan_.kernels[unit.kernel];
  }

  /// us of a unit as it is.
  double us_of(const Unit& unit) {
    if (unit.dot >= 0) {
      // Judged as what it may be joined with: library_us() is simulated even where nothing else is.
      return cost_.best_known_us(ops_of(unit)).value_or(cost_.library_us(unit.dot));
    }
    return cost_.best_known_us(plan_.kernels[unit.kernel]).value_or(0);
  }

  int products_in(const FusedOps& kernel) const {
    return static_cast<int>(
        std::ranges::count_if(kernel.ops, [&](int32_t op) { return graph_.is_product(op); }));
  }

  /// Units that hand something to a dot's unit or take something from it.
  std::vector<Unit> neighbours(int32_t dot, const Unit& own) const {
    std::vector<Unit> found;
    for (size_t i = 0; i < plan_.kernels.size(); ++i) {
      if (i == own.kernel) continue;
      const FusedOps& kernel = plan_.kernels[i];
      const auto makes = [&](int32_t op) { return holds(kernel.outputs, op); };
      const auto takes = [&](int32_t op) { return holds(kernel.ops, op); };
      if (std::ranges::any_of(graph_.reads(dot), makes) ||
          std::ranges::any_of(graph_.readers(dot), takes)) {
        found.push_back({i, -1});
      }
    }
    for (const auto list : {graph_.reads(dot), graph_.readers(dot)}) {
      for (const int32_t op : list) {
        if (!graph_.is_product(op)) continue;
        const Unit unit = unit_of(op);
        if (unit.dot >= 0) found.push_back(unit);
      }
    }
    return found;
  }

  /// Whether somebody other than two units needs an op in memory.
  bool is_needed_outside(int32_t op, const FusedOps& joined, const Unit& a, const Unit& b) const {
    if (graph_.region().is_result(op)) return true;
    for (const int32_t reader : graph_.readers(op)) {
      const bool is_inside = holds(joined.ops, reader);
      if (!is_inside && !graph_.is_fusible(reader)) return true;
      for (size_t i = 0; i < plan_.kernels.size(); ++i) {
        if (i == a.kernel || i == b.kernel) continue;
        const FusedOps& other = plan_.kernels[i];
        if (holds(other.ops, reader) && !holds(other.ops, op)) return true;
      }
    }
    return false;
  }

  FusedOps joined(const Unit& a, const Unit& b) const {
    const FusedOps first = ops_of(a);
    const FusedOps second = ops_of(b);
    FusedOps both;
    std::ranges::set_union(first.ops, second.ops, std::back_inserter(both.ops));
    std::vector<int32_t> outputs;
    std::ranges::set_union(first.outputs, second.outputs, std::back_inserter(outputs));
    for (const int32_t op : outputs) {
      if (is_needed_outside(op, both, a, b)) both.outputs.push_back(op);
    }
    return both;
  }

  FusionPlan with(const FusedOps& both, const Unit& a, const Unit& b) const {
    FusionPlan plan;
    for (size_t i = 0; i < plan_.kernels.size(); ++i) {
      if (i != a.kernel && i != b.kernel) plan.kernels.push_back(plan_.kernels[i]);
    }
    plan.kernels.push_back(both);
    std::ranges::sort(plan.kernels, {}, [](const FusedOps& kernel) { return kernel.outputs; });
    return plan;
  }

  bool is_vetoed(const FusedOps& both) const {
    return std::ranges::any_of(options_.vetoes, [&](const OpPair& pair) {
      return holds(both.ops, pair.first) && holds(both.ops, pair.second);
    });
  }
  bool is_pinned(const FusedOps& both, const Unit& a, const Unit& b) const {
    const FusedOps first = ops_of(a);
    const FusedOps second = ops_of(b);
    return std::ranges::any_of(options_.pins, [&](const OpPair& pair) {
      const auto has_both = [&](const FusedOps& unit) {
        return holds(unit.ops, pair.first) && holds(unit.ops, pair.second);
      };
      return has_both(both) && !has_both(first) && !has_both(second);
    });
  }

  bool join_best(int32_t dot) {
    const Unit own = unit_of(dot);
    struct Choice {
      double gain = 0;
      FusionPlan plan = {};
    };
    std::optional<Choice> best;
    for (const Unit& other : neighbours(dot, own)) {
      const FusedOps both = joined(own, other);
      if (both.outputs.empty() || products_in(both) > kMostProducts || is_vetoed(both)) continue;
      ++candidates_;
      if (!cost_.figures(both).is_feasible()) continue;
      const double apart = us_of(own) + us_of(other);
      double gain = apart - cost_.best_known_us(both).value_or(apart);
      if (is_pinned(both, own, other)) gain += kPinned;
      if (gain <= (best ? best->gain : 0)) continue;
      FusionPlan plan = with(both, own, other);
      if (why_illegal(graph_, plan, cost_.why_infeasible()).empty()) {
        best = Choice{gain, std::move(plan)};
      }
    }
    if (!best) return false;
    plan_ = std::move(best->plan);
    return true;
  }

  static constexpr double kPinned = 1e9;

  RegionCost& cost_;
  const FusionGraph& graph_;
  const PlanOptions& options_;
  FusionPlan plan_;
  int64_t candidates_ = 0;
};

}  // namespace

FusionPlan join_products(RegionCost& cost, FusionPlan plan, const PlanOptions& options,
                         int64_t& candidates) {
  ProductJoiner joiner(cost, std::move(plan), options);
  plan = joiner.join();
  candidates += joiner.candidates();
  return plan;
}

}  // namespace tilewright
