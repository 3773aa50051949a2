#include <algorithm>
#include <limits>

#include "core/base/error.h"
#include "tuner/fusion/local_search.h"
#include "tuner/fusion/plan_mix.h"
#include "tuner/fusion/plan_products.h"
#include "tuner/fusion/planner.h"

namespace tilewright {

namespace {

/// Rounds of cutting and merging; each but the last has saved something.
constexpr int kMostRounds = 4;

/// The planner `exact` judges at most so many kernels of a region as a seed.
constexpr int64_t kMostExactKernels = 2000;

/// Share of a region's time that fewer kernels are worth: less than what costs are known to, and
/// each kernel less is one less for host, driver and reader.
constexpr double kFewerKernels = 0.01;

/// The groups of a plan, an op that several kernels make in the one that leaves it in memory, or
/// else the first.
Groups groups_of(const FusionGraph& graph, const FusionPlan& plan) {
  std::vector<int32_t> owner(static_cast<size_t>(graph.size()), -1);
  for (size_t i = 0; i < plan.kernels.size(); ++i) {
    for (const int32_t op : plan.kernels[i].outputs) {
      owner[static_cast<size_t>(op)] = static_cast<int32_t>(i);
    }
  }
  for (size_t i = 0; i < plan.kernels.size(); ++i) {
    for (const int32_t op : plan.kernels[i].ops) {
      if (owner[static_cast<size_t>(op)] < 0)
        owner[static_cast<size_t>(op)] = static_cast<int32_t>(i);
    }
  }
  Groups groups(plan.kernels.size());
  for (const int32_t op : graph.nodes()) {
    const int32_t group = owner[static_cast<size_t>(op)];
    if (group >= 0) groups[static_cast<size_t>(group)].push_back(op);
  }
  std::erase_if(groups, [](const auto& group) { return group.empty(); });
  return groups;
}

bool holds(const std::vector<int32_t>& sorted, int32_t op) {
  return std::ranges::binary_search(sorted, op);
}

/// A gain that never joins a vetoed pair, and always a pinned one.
JoinGain constrained(const JoinGain& gain, const PlanOptions& options) {
  if (options.pins.empty() && options.vetoes.empty()) return gain;
  return [gain, &options](const std::vector<std::vector<int32_t>>& apart,
                          const std::vector<int32_t>& joined) {
    constexpr double kWanted = 1e9;
    double value = gain(apart, joined);
    for (const OpPair& veto : options.vetoes) {
      if (holds(joined, veto.first) && holds(joined, veto.second)) return -2 * kWanted;
    }
    for (const OpPair& pin : options.pins) {
      const auto has_both = [&](const std::vector<int32_t>& part) {
        return holds(part, pin.first) && holds(part, pin.second);
      };
      if (has_both(joined) && std::ranges::none_of(apart, has_both)) value += kWanted;
    }
    return value;
  };
}

/// Whether a plan is as the options want it.
bool satisfies(const FusionPlan& plan, const PlanOptions& options) {
  const auto shares = [&](const OpPair& pair) {
    return std::ranges::any_of(plan.kernels, [&](const FusedOps& kernel) {
      return holds(kernel.ops, pair.first) && holds(kernel.ops, pair.second);
    });
  };
  return std::ranges::all_of(options.pins, shares) && std::ranges::none_of(options.vetoes, shares);
}

Clusters improved(const Clusters& start, const JoinGain& gain, const SeenKernels& seen,
                  int64_t budget, const PlanOptions& options, int64_t& candidates) {
  LocalSearch search(start, gain, seen, budget, options.is_over);
  for (int round = 0; round < kMostRounds && !search.is_exhausted(); ++round) {
    const size_t before = search.clusters().groups().size();
    const bool was_cut = search.cut();
    search.merge_neighbours();
    search.pack();
    if (!was_cut && search.clusters().groups().size() == before) break;
  }
  candidates += search.candidates();
  return search.clusters();
}

/// The best plan so far, of those that are as the options want them.
class Best {
 public:
  Best(RegionCost& cost, const PlanOptions& options) : cost_(cost), options_(options) {}

  void offer(const FusionPlan& plan) {
    if (!satisfies(plan, options_)) return;
    if (!plan_) {
      plan_ = plan;
      return;
    }
    FusionPlan mixed = better_parts(cost_, *plan_, plan);
    if (satisfies(mixed, options_)) plan_ = std::move(mixed);
    // Where parts that are better each cannot be taken together, the whole may still be.
    if (plan_us(cost_, plan) < plan_us(cost_, *plan_)) plan_ = plan;
  }
  void offer(const Clusters& clusters) {
    offer(plan_of(cost_.graph(), feasible_groups(cost_, clusters.groups())));
  }

  bool has_plan() const { return plan_.has_value(); }
  const FusionPlan& plan() const { return *plan_; }

 private:
  RegionCost& cost_;
  const PlanOptions& options_;
  std::optional<FusionPlan> plan_;
};

/// A plan of fewer kernels that takes at most kFewerKernels longer than `plan`, and no longer than
/// `limit_us`: the plan itself where there is none.
FusionPlan with_fewer_kernels(RegionCost& cost, const FusionPlan& plan, double limit_us,
                              const PlanOptions& options, int64_t& candidates) {
  const auto clusters = Clusters::of(cost.graph(), groups_of(cost.graph(), plan));
  if (!clusters || plan.kernels.size() < 2) return plan;
  const double us = plan_us(cost, plan);
  const double slack_us = kFewerKernels * us;
  SeenKernels seen;
  const JoinGain gain = simulated_gain(cost, seen);
  const int64_t budget = options.simulations > 0 ? options.simulations : options.budget;
  // A join may lose all of the share, or else less and less of it: if each loses as much as the
  // last try allows, all together lose the share.
  for (double each_us = slack_us; each_us * static_cast<double>(plan.kernels.size()) >= slack_us;
       each_us /= 4) {
    const JoinGain generous = [&](const std::vector<std::vector<int32_t>>& apart,
                                  const std::vector<int32_t>& joined) {
      return gain(apart, joined) + each_us;
    };
    LocalSearch search(*clusters, constrained(generous, options), seen, budget, options.is_over);
    search.merge_neighbours();
    search.pack();
    candidates += search.candidates();
    FusionPlan fewer = plan_of(cost.graph(), feasible_groups(cost, search.clusters().groups()));
    const bool is_better = fewer.kernels.size() < plan.kernels.size() &&
                           satisfies(fewer, options) &&
                           plan_us(cost, fewer) <= std::min(limit_us, us + slack_us);
    if (is_better) return fewer;
  }
  return plan;
}

/// Has nothing simulated as long as it lives, where that is wanted.
class EstimatesOnly {
 public:
  EstimatesOnly(FusionCost& cost, bool is_wanted) : cost_(cost), simulated_(cost.simulates()) {
    if (is_wanted) cost_.set_simulates(false);
  }
  ~EstimatesOnly() { cost_.set_simulates(simulated_); }
  EstimatesOnly(const EstimatesOnly&) = delete;
  EstimatesOnly& operator=(const EstimatesOnly&) = delete;

 private:
  FusionCost& cost_;
  bool simulated_;
};

}  // namespace

PlannedRegion plan_tilewright(RegionCost& cost, const PlanOptions& all_options) {
  const FusionGraph& graph = cost.graph();
  const EstimatesOnly judge(cost.shared(), all_options.simulations == 0);
  const auto is_over = [&] { return all_options.is_over && all_options.is_over(); };
  PlannedRegion result;
  // Dots join the kernels of a plan at the end.
  PlanOptions options = all_options;
  std::erase_if(options.pins, [&](const OpPair& pair) {
    return graph.is_product(pair.first) || graph.is_product(pair.second);
  });
  Best best(cost, options);
  double limit_us = std::numeric_limits<double>::infinity();  // of what the others found
  const auto offer_seed = [&](const FusionPlanner& planner) {
    if (best.has_plan() && is_over()) return;
    PlanOptions seed_options = options;
    seed_options.exact_kernels = std::min(options.exact_kernels, kMostExactKernels);
    const PlannedRegion seed = planner.plan(cost, seed_options);
    result.candidates += seed.candidates;
    if (satisfies(seed.plan, options)) limit_us = std::min(limit_us, plan_us(cost, seed.plan));
    best.offer(seed.plan);
  };
  for (const FusionPlanner& planner : fusion_planners()) {
    if (planner.plan != plan_tilewright && planner.plan != plan_fs2019) offer_seed(planner);
  }
  for (const FusionPlan& seed : options.seeds) {
    if (satisfies(seed, options)) limit_us = std::min(limit_us, plan_us(cost, seed));
    best.offer(seed);
  }
  if (!best.has_plan()) {
    const Groups groups = constrained_groups(cost, {}, options);
    best.offer(plan_of(graph, feasible_groups(cost, groups)));
  }
  if (!best.has_plan()) {
    throw Error(ErrorKind::kInfeasible,
                "no legal plan has the pinned ops together and the vetoed ones apart");
  }
  // The latency evaluator searches from every op alone and from the best so far.
  SeenKernels planned;
  const JoinGain estimate = constrained(estimated_gain(cost, planned), options);
  int64_t budget = 0;
  for (const Groups& start : {Groups{}, groups_of(graph, best.plan())}) {
    if (const std::optional<Clusters> clusters = Clusters::of(graph, start)) {
      // Half of the budget for each start.
      budget += options.budget / 2;
      best.offer(improved(*clusters, estimate, planned, budget, options, result.candidates));
    }
  }
  // The simulator has the last word.
  const auto simulate_from_best = [&] {
    if (!cost.shared().simulates() || is_over()) return;
    const auto clusters = Clusters::of(graph, groups_of(graph, best.plan()));
    if (!clusters) return;
    SeenKernels simulated;
    const JoinGain simulate = constrained(simulated_gain(cost, simulated), options);
    best.offer(
        improved(*clusters, simulate, simulated, options.simulations, options, result.candidates));
  };
  simulate_from_best();
  // Which is there or not, as the program was built: the searches above are the same for all.
  const FusionPlan without = best.plan();
  for (const FusionPlanner& planner : fusion_planners()) {
    if (planner.plan == plan_fs2019) offer_seed(planner);
  }
  if (!(without == best.plan())) simulate_from_best();
  result.plan = best.plan();
  if (!is_over()) {
    result.plan = with_fewer_kernels(cost, best.plan(), limit_us, options, result.candidates);
  }
  result.is_cut_short = is_over();
  if (result.is_cut_short) result.note = "the time ran out: the best plan until then";
  if (graph.fuses_products()) {
    result.plan = join_products(cost, std::move(result.plan), all_options, result.candidates);
    if (!satisfies(result.plan, all_options)) {
      throw Error(ErrorKind::kInfeasible,
                  "no legal plan has the pinned ops together and the vetoed ones apart");
    }
  }
  return result;
}

}  // namespace tilewright
