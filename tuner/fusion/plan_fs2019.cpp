#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "tuner/fusion/choose_patterns.h"
#include "tuner/fusion/patterns.h"
#include "tuner/fusion/planner.h"

namespace tilewright {

namespace {

/// Ops of a candidate that is found by exploration; those found by substitution are larger.
constexpr size_t kMostExplored = 12;
/// Candidates that exploration adds from one op, and all of a region together.
constexpr size_t kMostOfOp = 24;
constexpr size_t kMostOfRegion = 4000;
/// Sets that exploration looks at from one op, for each candidate that it may add.
constexpr size_t kMostLooks = 6;
/// us below which a bound is reached.
constexpr double kLeastMissing = 1e-6;
/// Ops of a candidate at all.
constexpr size_t kMostNodes = 400;
/// FusionStitching 2019 (arXiv 1911.11576) as far as its abstract tells it: candidates by
/// substitution and bounded exploration, of which an integer program takes disjoint ones.
/// Variables, heuristics and cuts are a reconstruction.
class IntegerPlanner {
 public:
  explicit IntegerPlanner(RegionCost& cost) : cost_(cost), graph_(cost.graph()) {
    order_ = graph_.nodes();
    std::erase_if(order_, [&](int32_t op) { return !graph_.is_fusible(op); });
    std::ranges::sort(order_, {}, [&](int32_t op) { return graph_.rank(op); });
  }

  PlannedRegion run(const PlanOptions& options);

 private:
  void add(const std::vector<int32_t>& nodes);
  void explore();
  void substitute(bool from_inputs);
  Groups packed(const Groups& groups);

  RegionCost& cost_;
  const FusionGraph& graph_;
  std::vector<int32_t> order_;  // fusible nodes, producers first
  std::map<int32_t, double> alone_us_;
  std::set<std::vector<int32_t>> seen_;
  std::vector<Pattern> patterns_;  // the columns
  int64_t candidates_ = 0;
};

/// A set of nodes as a column, where it can be a kernel and saves something.
void IntegerPlanner::add(const std::vector<int32_t>& nodes) {
  if (nodes.size() < 2 || nodes.size() > kMostNodes || !seen_.insert(nodes).second) return;
  ++candidates_;
  const FusedOps kernel = kernel_of(graph_, nodes);
  if (!why_illegal_kernel(graph_, kernel).empty()) return;
  const std::optional<double> us = cost_.estimated_us(kernel);
  if (!us) return;
  double saved = -*us;
  for (const int32_t op : nodes) {
    const auto [alone, is_new] = alone_us_.try_emplace(op, 0);
    if (is_new) alone->second = cost_.estimated_us(kernel_of(graph_, {op})).value_or(1e9);
    saved += alone->second;
  }
  if (saved > 0) patterns_.push_back({nodes, saved});
}

/// From every op the smallest sets that hang together, first what a path does not leave.
void IntegerPlanner::explore() {
  const size_t most =
      std::clamp(kMostOfRegion / std::max<size_t>(1, order_.size()), size_t{2}, kMostOfOp);
  for (const int32_t first : order_) {
    std::set<std::vector<int32_t>> known = {{first}};
    std::vector<std::vector<int32_t>> queue = {{first}};
    size_t found = 0;
    for (size_t at = 0; at < queue.size() && found < most; ++at) {
      const std::vector<int32_t> nodes = queue[at];
      std::set<int32_t> neighbours;
      for (const int32_t op : nodes) {
        for (const auto list : {graph_.reads(op), graph_.readers(op)}) {
          neighbours.insert(list.begin(), list.end());
        }
      }
      for (const int32_t next : neighbours) {
        // Sets are found from their first op.
        if (!graph_.is_fusible(next) || graph_.rank(next) <= graph_.rank(first) ||
            std::ranges::binary_search(nodes, next) || found >= most) {
          continue;
        }
        std::vector<int32_t> larger = nodes;
        larger.insert(std::ranges::lower_bound(larger, next), next);
        if (larger.size() > kMostExplored || queue.size() >= kMostLooks * most ||
            !known.insert(larger).second) {
          continue;
        }
        queue.push_back(larger);
        if (!is_convex(graph_, larger)) continue;
        ++found;
        add(larger);
      }
    }
  }
}

/// Candidates by their unions: neighbours are replaced by one, in rounds, of which each at most
/// doubles a set.
void IntegerPlanner::substitute(bool from_inputs) {
  Clusters clusters(graph_);
  std::vector<int32_t> order = order_;
  if (!from_inputs) std::ranges::reverse(order);
  for (bool any = true; any;) {
    any = false;
    std::set<int32_t> merged;
    for (const int32_t op : order) {
      for (const auto list : {graph_.readers(op), graph_.reads(op)}) {
        for (const int32_t other : list) {
          const int32_t a = clusters.cluster_of(op);
          const int32_t b = clusters.cluster_of(other);
          if (a == b || !graph_.is_fusible(other) || merged.contains(a) || merged.contains(b) ||
              clusters.members(a).size() + clusters.members(b).size() > kMostNodes) {
            continue;
          }
          const std::optional<int32_t> both = clusters.merge(a, b);
          if (!both) continue;
          merged.insert(*both);
          any = true;
        }
      }
    }
    for (const int32_t cluster : clusters.clusters()) {
      if (clusters.is_fusible(cluster)) add(clusters.members(cluster));
    }
  }
}

/// Kernels that are near in the order and do not depend on each other, as one where that saves.
Groups IntegerPlanner::packed(const Groups& groups) {
  std::optional<Clusters> clusters = Clusters::of(graph_, groups);
  const auto us_of = [&](const std::vector<int32_t>& nodes) {
    return cost_.estimated_us(kernel_of(graph_, nodes));
  };
  std::vector<int32_t> list = clusters->clusters();
  std::erase_if(list, [&](int32_t cluster) { return !clusters->is_fusible(cluster); });
  for (size_t i = 0; i + 1 < list.size(); ++i) {
    const int32_t a = clusters->cluster_of(list[i]);
    const int32_t b = clusters->cluster_of(list[i + 1]);
    if (a == b || clusters->before(b).contains(a) || !clusters->can_merge(a, b)) continue;
    std::vector<int32_t> both;
    std::ranges::merge(clusters->members(a), clusters->members(b), std::back_inserter(both));
    ++candidates_;
    if (both.size() > kMostNodes || !why_illegal_kernel(graph_, kernel_of(graph_, both)).empty()) {
      continue;
    }
    const std::optional<double> joined = us_of(both);
    const std::optional<double> first = us_of(clusters->members(a));
    const std::optional<double> second = us_of(clusters->members(b));
    if (joined && first && second && *joined < *first + *second) clusters->merge(a, b);
  }
  return clusters->groups();
}

PlannedRegion IntegerPlanner::run(const PlanOptions& options) {
  explore();
  substitute(true);
  substitute(false);
  const ChosenPatterns chosen = choose_patterns(graph_, patterns_);
  Groups groups;
  for (const size_t pattern : chosen.patterns) groups.push_back(patterns_[pattern].nodes);
  PlannedRegion result;
  if (chosen.missing > kLeastMissing) {
    result.note =
        fmt::format("the integer program ended early: {:.1f} us might be left", chosen.missing);
  }
  result.plan =
      plan_of(graph_, feasible_groups(cost_, constrained_groups(cost_, packed(groups), options)));
  result.candidates = candidates_;
  return result;
}

}  // namespace

PlannedRegion plan_fs2019(RegionCost& cost, const PlanOptions& options) {
  return IntegerPlanner(cost).run(options);
}

}  // namespace tilewright
