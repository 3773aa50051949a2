#include "tuner/fusion/clusters.h"

#include <algorithm>

#include "core/graph/topological_order.h"
#include "tuner/fusion/patterns.h"

namespace tilewright {

Clusters::Clusters(const FusionGraph& graph) : graph_(&graph) {
  const auto count = static_cast<size_t>(graph.size());
  cluster_of_.assign(count, -1);
  members_.resize(count);
  before_.resize(count);
  after_.resize(count);
  position_.assign(count, -1);
  order_ = graph.nodes();
  std::ranges::sort(order_, {}, [&](int32_t op) { return graph.rank(op); });
  for (size_t place = 0; place < order_.size(); ++place) {
    const int32_t op = order_[place];
    const auto at = static_cast<size_t>(op);
    position_[at] = static_cast<int32_t>(place);
    cluster_of_[at] = op;
    members_[at] = {op};
    before_[at] = {graph.before(op).begin(), graph.before(op).end()};
    after_[at] = {graph.after(op).begin(), graph.after(op).end()};
  }
}

std::optional<Clusters> Clusters::of(const FusionGraph& graph, const Groups& groups) {
  Clusters clusters(graph);
  std::vector<int32_t> unit_of = clusters.cluster_of_;
  for (const std::vector<int32_t>& group : groups) {
    for (const int32_t op : group) unit_of[static_cast<size_t>(op)] = group.front();
  }
  const auto count = static_cast<size_t>(graph.size());
  const std::vector<std::vector<int32_t>> depends_on = links_of_units(graph, unit_of);
  const TopologicalOrder sorted = topological_order(depends_on);
  if (!sorted.cycle.empty()) return std::nullopt;
  clusters.cluster_of_ = unit_of;
  for (const int32_t op : graph.nodes()) {
    const auto at = static_cast<size_t>(op);
    clusters.members_[at].clear();
    clusters.before_[at].clear();
    clusters.after_[at].clear();
  }
  for (const int32_t op : graph.nodes()) {
    clusters.members_[static_cast<size_t>(unit_of[static_cast<size_t>(op)])].push_back(op);
  }
  for (size_t unit = 0; unit < count; ++unit) {
    for (const int32_t other : depends_on[unit]) {
      clusters.before_[unit].insert(other);
      clusters.after_[static_cast<size_t>(other)].insert(static_cast<int32_t>(unit));
    }
  }
  clusters.order_.clear();
  for (const int32_t unit : sorted.order) {
    if (clusters.members_[static_cast<size_t>(unit)].empty()) continue;
    clusters.position_[static_cast<size_t>(unit)] = static_cast<int32_t>(clusters.order_.size());
    clusters.order_.push_back(unit);
  }
  return clusters;
}

std::vector<int32_t> Clusters::clusters() const {
  std::vector<int32_t> all;
  for (const int32_t cluster : order_) {
    if (cluster >= 0) all.push_back(cluster);
  }
  return all;
}

Groups Clusters::groups() const {
  Groups groups;
  for (const int32_t cluster : order_) {
    if (cluster >= 0 && is_fusible(cluster)) groups.push_back(members(cluster));
  }
  return groups;
}

std::optional<std::vector<int32_t>> Clusters::later_than_first(int32_t a, int32_t b) const {
  if (position(a) > position(b)) std::swap(a, b);
  std::vector<int32_t> later;
  std::vector<int32_t> todo;
  std::set<int32_t> seen;
  const auto visit = [&](int32_t cluster) {
    for (const int32_t next : after(cluster)) {
      if (position(next) > position(b)) continue;
      if (next == b) {
        if (cluster != a) return false;
        continue;
      }
      if (seen.insert(next).second) todo.push_back(next);
    }
    return true;
  };
  if (!visit(a)) return std::nullopt;
  while (!todo.empty()) {
    const int32_t cluster = todo.back();
    todo.pop_back();
    later.push_back(cluster);
    if (!visit(cluster)) return std::nullopt;
  }
  std::ranges::sort(later, {}, [&](int32_t cluster) { return position(cluster); });
  return later;
}

std::optional<int32_t> Clusters::merge(int32_t a, int32_t b) {
  if (position(a) > position(b)) std::swap(a, b);
  const std::optional<std::vector<int32_t>> later = later_than_first(a, b);
  if (!later) return std::nullopt;
  // Between the two places: what need not be behind them, then the merged cluster, then the rest.
  const auto first = static_cast<size_t>(position(a));
  const auto last = static_cast<size_t>(position(b));
  std::vector<int32_t> window;
  const std::set<int32_t> behind(later->begin(), later->end());
  for (size_t at = first; at <= last; ++at) {
    const int32_t cluster = order_[at];
    if (cluster >= 0 && cluster != a && cluster != b && !behind.contains(cluster)) {
      window.push_back(cluster);
    }
  }
  window.push_back(a);
  window.insert(window.end(), later->begin(), later->end());
  for (size_t at = first; at <= last; ++at) {
    const size_t from = at - first;
    order_[at] = from < window.size() ? window[from] : -1;
    if (order_[at] >= 0) position_[static_cast<size_t>(order_[at])] = static_cast<int32_t>(at);
  }
  const auto into = static_cast<size_t>(a);
  const auto from = static_cast<size_t>(b);
  std::vector<int32_t> members;
  std::ranges::merge(members_[into], members_[from], std::back_inserter(members));
  members_[into] = std::move(members);
  for (const int32_t op : members_[from]) cluster_of_[static_cast<size_t>(op)] = a;
  members_[from].clear();
  for (const int32_t other : before_[from]) {
    after_[static_cast<size_t>(other)].erase(b);
    if (other == a) continue;
    after_[static_cast<size_t>(other)].insert(a);
    before_[into].insert(other);
  }
  for (const int32_t other : after_[from]) {
    before_[static_cast<size_t>(other)].erase(b);
    if (other == a) continue;
    before_[static_cast<size_t>(other)].insert(a);
    after_[into].insert(other);
  }
  before_[into].erase(b);
  after_[into].erase(b);
  before_[from].clear();
  after_[from].clear();
  return a;
}

}  // namespace tilewright
