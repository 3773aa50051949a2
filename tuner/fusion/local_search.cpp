#include "tuner/fusion/local_search.h"

#include <algorithm>
#include <limits>
#include <map>

#include "core/base/error.h"
#include "tuner/fusion/planner.h"

namespace tilewright {

namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();
/// A gain below this many us is none: sums of the same numbers in another order differ by less.
constexpr double kLeastGain = 1e-6;
/// Clusters behind one in the order that it may be packed with.
constexpr size_t kPackingWindow = 24;
/// An array that more clusters read joins none of them.
constexpr size_t kMostSiblings = 16;
/// Places at which a cluster is tried to be cut.
constexpr size_t kMostCuts = 48;

double gain_by(const std::function<std::optional<double>(const FusedOps&)>& time,
               const FusionGraph& graph, const std::vector<std::vector<int32_t>>& apart,
               const FusedOps& joined) {
  const std::optional<double> together = time(joined);
  if (!together) return kNever;
  double gain = -*together;
  for (const std::vector<int32_t>& part : apart) {
    const std::optional<double> alone = time(kernel_of(graph, part));
    // Parts that cannot be made are worth leaving at any price.
    gain += alone.value_or(1e9);
  }
  return gain;
}

}  // namespace

JoinGain estimated_gain(RegionCost& cost, SeenKernels& seen) {
  return [&cost, &seen](const std::vector<std::vector<int32_t>>& apart,
                        const std::vector<int32_t>& joined) {
    const FusedOps kernel = kernel_of(cost.graph(), joined);
    seen.insert(cost.hash_of(kernel));
    if (!why_illegal_kernel(cost.graph(), kernel).empty()) return kNever;
    return gain_by([&](const FusedOps& ops) { return cost.estimated_us(ops); }, cost.graph(), apart,
                   kernel);
  };
}

JoinGain simulated_gain(RegionCost& cost, SeenKernels& seen) {
  return [&cost, &seen](const std::vector<std::vector<int32_t>>& apart,
                        const std::vector<int32_t>& joined) {
    const FusionGraph& graph = cost.graph();
    const FusedOps kernel = kernel_of(graph, joined);
    seen.insert(cost.hash_of(kernel));
    if (!why_illegal_kernel(graph, kernel).empty()) return kNever;
    bool can_simulate = cost.simulated_us(kernel).has_value();
    for (const std::vector<int32_t>& part : apart) {
      can_simulate = can_simulate && cost.simulated_us(kernel_of(graph, part)).has_value();
    }
    return gain_by(
        [&](const FusedOps& ops) {
          return can_simulate ? cost.simulated_us(ops) : cost.estimated_us(ops);
        },
        graph, apart, kernel);
  };
}

LocalSearch::LocalSearch(Clusters clusters, JoinGain gain, const SeenKernels& seen, int64_t budget,
                         std::function<bool()> is_over)
    : clusters_(std::move(clusters)),
      gain_(std::move(gain)),
      seen_(&seen),
      budget_(budget),
      is_over_(std::move(is_over)) {
  pairs_.resize(static_cast<size_t>(clusters_.graph().size()));
}

double LocalSearch::gain_of(int32_t a, int32_t b) {
  std::vector<int32_t> joined;
  std::ranges::merge(clusters_.members(a), clusters_.members(b), std::back_inserter(joined));
  ++candidates_;
  judged_ops_ += std::ssize(joined);
  return gain_({clusters_.members(a), clusters_.members(b)}, joined);
}

void LocalSearch::add_pair(int32_t a, int32_t b) {
  if (a == b || !clusters_.is_fusible(a) || !clusters_.is_fusible(b) || is_exhausted()) return;
  if (a > b) std::swap(a, b);
  auto& known = pairs_[static_cast<size_t>(a)];
  if (std::ranges::find(known, b, &std::pair<int32_t, double>::first) != known.end()) return;
  if (!clusters_.can_merge(a, b)) return;
  const double gain = gain_of(a, b);
  known.push_back({b, gain});
  pairs_[static_cast<size_t>(b)].push_back({a, gain});
  if (gain > kLeastGain) queue_.insert({-gain, {a, b}});
}

void LocalSearch::forget(int32_t cluster) {
  for (const auto& known : pairs_[static_cast<size_t>(cluster)]) {
    const Pair pair = std::minmax(cluster, known.first);
    queue_.erase({-known.second, pair});
    std::erase_if(pairs_[static_cast<size_t>(known.first)],
                  [&](const auto& other) { return other.first == cluster; });
  }
  pairs_[static_cast<size_t>(cluster)].clear();
}

void LocalSearch::add_neighbours(int32_t cluster) {
  std::set<int32_t> others(clusters_.before(cluster).begin(), clusters_.before(cluster).end());
  others.insert(clusters_.after(cluster).begin(), clusters_.after(cluster).end());
  const FusionGraph& graph = clusters_.graph();
  const Region& region = graph.region();
  for (const int32_t op : clusters_.members(cluster)) {
    for (const int32_t input : region.inputs(op)) {
      const auto users = region.users(input);
      if (users.size() > kMostSiblings) continue;
      for (const int32_t user : users) {
        if (graph.is_node(user)) others.insert(clusters_.cluster_of(user));
      }
    }
  }
  for (const int32_t other : others) add_pair(cluster, other);
}

void LocalSearch::merge_all() {
  while (!queue_.empty() && !is_exhausted()) {
    const Pair pair = queue_.begin()->second;
    std::vector<int32_t> others;
    for (const int32_t cluster : {pair.first, pair.second}) {
      for (const auto& known : pairs_[static_cast<size_t>(cluster)]) {
        if (known.first != pair.first && known.first != pair.second) others.push_back(known.first);
      }
    }
    // Merges elsewhere may have made a path between the two since their gain was computed.
    const std::optional<int32_t> merged = clusters_.merge(pair.first, pair.second);
    if (!merged) {
      queue_.erase(queue_.begin());
      continue;
    }
    forget(pair.first);
    forget(pair.second);
    for (const int32_t other : others) add_pair(*merged, other);
    add_neighbours(*merged);
  }
  queue_.clear();
  for (auto& known : pairs_) known.clear();
}

void LocalSearch::merge_neighbours() {
  for (const int32_t cluster : clusters_.clusters()) {
    if (clusters_.is_fusible(cluster)) add_neighbours(cluster);
  }
  merge_all();
}

void LocalSearch::pack() {
  std::vector<int32_t> fusible;
  for (const int32_t cluster : clusters_.clusters()) {
    if (clusters_.is_fusible(cluster)) fusible.push_back(cluster);
  }
  for (size_t i = 0; i < fusible.size(); ++i) {
    for (size_t j = i + 1; j < std::min(fusible.size(), i + 1 + kPackingWindow); ++j) {
      add_pair(fusible[i], fusible[j]);
    }
  }
  merge_all();
}

void LocalSearch::cut_further(std::vector<int32_t> group, Groups& groups) {
  const FusionGraph& graph = clusters_.graph();
  const size_t step = std::max<size_t>(1, group.size() / kMostCuts);
  double best = kLeastGain;
  std::vector<std::vector<int32_t>> parts;
  for (size_t first = step; first < group.size() && !is_exhausted(); first += step) {
    auto [early, late] = cut_group(graph, group, first);
    ++candidates_;
    judged_ops_ += std::ssize(group);
    const double gain = -gain_({early, late}, group);
    if (gain <= best) continue;
    best = gain;
    parts = {std::move(early), std::move(late)};
  }
  if (parts.empty()) {
    groups.push_back(std::move(group));
    return;
  }
  for (std::vector<int32_t>& part : parts) cut_further(std::move(part), groups);
}

bool LocalSearch::cut() {
  const Groups before = clusters_.groups();
  Groups after;
  for (const std::vector<int32_t>& group : before) cut_further(group, after);
  if (after.size() == before.size()) return false;
  std::optional<Clusters> cut = Clusters::of(clusters_.graph(), after);
  TW_CHECK(cut.has_value(), "cutting clusters in an order of their ops makes no cycle");
  clusters_ = std::move(*cut);
  return true;
}

}  // namespace tilewright
