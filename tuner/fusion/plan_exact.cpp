#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>

#include "tuner/fusion/planner.h"

namespace tilewright {

namespace {

/// Nodes of a part that is planned exactly.
constexpr size_t kMostNodes = 25;
/// Sets of nodes that may have run at some time of a plan, and kernels between two such sets.
constexpr size_t kMostStates = 4000;
constexpr int64_t kMostKernels = 20000;
/// The same of a part of a larger region.
constexpr int64_t kMostKernelsOfPart = 600;
/// Of all parts of a region: when they are used up, parts are taken as they are.
constexpr size_t kMostKernelsOfRegion = 1500;

/// The best way to run some nodes that hang together: a shortest path over the sets of nodes that
/// have run (execution states, as in Korch). Every difference of two states is a candidate kernel.
class ExactSearch {
 public:
  ExactSearch(RegionCost& cost, std::vector<int32_t> nodes, int64_t most_kernels,
              std::set<uint64_t>& seen)
      : cost_(cost),
        graph_(cost.graph()),
        nodes_(std::move(nodes)),
        most_kernels_(most_kernels),
        seen_(seen) {
    std::ranges::sort(nodes_, {}, [&](int32_t op) { return graph_.rank(op); });
    find_needs();
  }

  /// None where there are too many states or kernels.
  std::optional<Groups> run();
  int64_t candidates() const { return candidates_; }

 private:
  using Set = uint32_t;
  void find_needs();
  bool find_states();
  std::optional<double> time_of(Set kernel);
  std::vector<int32_t> ops_of(Set set) const;

  RegionCost& cost_;
  const FusionGraph& graph_;
  std::vector<int32_t> nodes_;
  std::vector<Set> needs_;  // by node: nodes that must have run
  std::vector<Set> states_;
  std::unordered_map<Set, std::optional<double>> times_;
  int64_t most_kernels_ = 0;
  std::set<uint64_t>& seen_;  // hashes of kernels that any part asked for
  int64_t candidates_ = 0;
};

/// Also through nodes that are not of this part: nothing may wait for them inside a kernel.
void ExactSearch::find_needs() {
  std::map<int32_t, Set> sets;
  for (size_t i = 0; i < nodes_.size(); ++i) sets[nodes_[i]] = Set{1} << i;
  for (const int32_t op : nodes_) {
    Set needs = 0;
    for (const int32_t earlier : graph_.before(op)) {
      if (const auto found = sets.find(earlier); found != sets.end()) needs |= found->second;
    }
    needs_.push_back(needs);
  }
}

bool ExactSearch::find_states() {
  states_ = {0};
  std::map<Set, bool> seen = {{0, true}};
  for (size_t at = 0; at < states_.size(); ++at) {
    const Set state = states_[at];
    for (size_t i = 0; i < nodes_.size(); ++i) {
      const Set node = Set{1} << i;
      if ((state & node) != 0 || (needs_[i] & ~state) != 0) continue;
      if (seen.try_emplace(state | node, true).second) states_.push_back(state | node);
    }
    if (states_.size() > kMostStates) return false;
  }
  std::ranges::sort(states_, {}, [](Set set) { return std::pair(std::popcount(set), set); });
  return true;
}

std::vector<int32_t> ExactSearch::ops_of(Set set) const {
  std::vector<int32_t> ops;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if ((set & (Set{1} << i)) != 0) ops.push_back(nodes_[i]);
  }
  std::ranges::sort(ops);
  return ops;
}

std::optional<double> ExactSearch::time_of(Set kernel) {
  const auto [entry, is_new] = times_.try_emplace(kernel);
  if (!is_new) return entry->second;
  ++candidates_;
  const FusedOps ops = kernel_of(graph_, ops_of(kernel));
  seen_.insert(cost_.hash_of(ops));
  if (why_illegal_kernel(graph_, ops).empty()) entry->second = cost_.estimated_us(ops);
  return entry->second;
}

std::optional<Groups> ExactSearch::run() {
  if (nodes_.size() > kMostNodes || !find_states()) return std::nullopt;
  constexpr double kFar = std::numeric_limits<double>::infinity();
  std::map<Set, std::pair<double, Set>> best;  // state -> (us, state before)
  for (const Set state : states_) best[state] = {kFar, 0};
  best[0] = {0, 0};
  for (const Set from : states_) {
    const double so_far = best[from].first;
    if (so_far == kFar) continue;
    for (const Set to : states_) {
      if (to == from || (from & ~to) != 0) continue;
      if (candidates_ > most_kernels_) return std::nullopt;
      // A launch is the least that a kernel costs.
      if (so_far + cost_.shared().launch_us() >= best[to].first) continue;
      const std::optional<double> us = time_of(to & ~from);
      if (us && so_far + *us < best[to].first) best[to] = {so_far + *us, from};
    }
  }
  Groups groups;
  for (Set state = states_.back(); state != 0; state = best[state].second) {
    if (best[state].first == kFar) return std::nullopt;
    groups.push_back(ops_of(state & ~best[state].second));
  }
  std::ranges::reverse(groups);
  return groups;
}

/// Nodes between ops that run by themselves, as AStitch finds them, in order.
std::vector<std::vector<int32_t>> islands_of(const FusionGraph& graph) {
  Clusters clusters(graph);
  for (const int32_t op : graph.nodes()) {
    for (const int32_t read : graph.reads(op)) {
      if (!graph.is_fusible(op) || !graph.is_fusible(read)) continue;
      const int32_t a = clusters.cluster_of(read);
      const int32_t b = clusters.cluster_of(op);
      if (a != b) clusters.merge(a, b);
    }
  }
  return clusters.groups();
}

}  // namespace

PlannedRegion plan_exact(RegionCost& cost, const PlanOptions& options) {
  const FusionGraph& graph = cost.graph();
  PlannedRegion result;
  Groups groups;
  size_t cuts = 0;
  std::set<uint64_t> seen;
  std::vector<int32_t> all = graph.nodes();
  const bool is_one =
      static_cast<size_t>(graph.fusible_nodes()) == all.size() && all.size() <= kMostNodes;
  // A region without other ops is one part, whether it hangs together or not.
  const Groups parts = is_one ? Groups{std::move(all)} : islands_of(graph);
  Groups todo = parts;
  std::ranges::reverse(todo);
  while (!todo.empty()) {
    const std::vector<int32_t> part = std::move(todo.back());
    todo.pop_back();
    if (part.empty()) continue;
    if (!is_one && seen.size() >= kMostKernelsOfRegion) {
      ++cuts;
      groups.push_back(part);
      continue;
    }
    ExactSearch search(cost, part, is_one ? kMostKernels : kMostKernelsOfPart, seen);
    const std::optional<Groups> found = search.run();
    result.candidates += search.candidates();
    if (found) {
      groups.insert(groups.end(), found->begin(), found->end());
      continue;
    }
    ++cuts;
    auto [early, late] = cut_group(graph, part, part.size() / 2);
    todo.push_back(std::move(late));
    todo.push_back(std::move(early));
  }
  if (cuts > 0) {
    result.note = fmt::format(
        "parts between compute ops are too large: {} times one was cut or left whole", cuts);
  } else if (!is_one) {
    result.note = "optimal within each part between compute ops, not across";
  }
  result.plan = plan_of(graph, feasible_groups(cost, constrained_groups(cost, groups, options)));
  return result;
}

}  // namespace tilewright
