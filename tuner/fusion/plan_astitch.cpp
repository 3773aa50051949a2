#include <algorithm>
#include <map>

#include "tuner/fusion/planner.h"

namespace tilewright {

namespace {

/// Ops that run by themselves on the longest path to a node, by op: nodes of one depth do not wait
/// for each other through such an op.
std::vector<int32_t> compute_depths(const FusionGraph& graph) {
  std::vector<int32_t> order = graph.nodes();
  std::ranges::sort(order, {}, [&](int32_t op) { return graph.rank(op); });
  std::vector<int32_t> depths(static_cast<size_t>(graph.size()), 0);
  for (const int32_t op : order) {
    int32_t& depth = depths[static_cast<size_t>(op)];
    for (const int32_t earlier : graph.before(op)) {
      const int32_t passed = graph.is_fusible(earlier) ? 0 : 1;
      depth = std::max(depth, depths[static_cast<size_t>(earlier)] + passed);
    }
  }
  return depths;
}

}  // namespace

/// Maximal subgraphs between compute ops: first what has one depth and hangs together, which never
/// makes a cycle; then neighbours of other depths where that makes none; then, remote stitching,
/// what is independent, by depth.
PlannedRegion plan_astitch(RegionCost& cost, const PlanOptions& options) {
  const FusionGraph& graph = cost.graph();
  const std::vector<int32_t> depths = compute_depths(graph);
  const auto depth = [&](int32_t op) { return depths[static_cast<size_t>(op)]; };
  PlannedRegion result;
  Clusters clusters(graph);
  for (const bool any_depth : {false, true}) {
    for (const int32_t op : graph.nodes()) {
      if (!graph.is_fusible(op)) continue;
      for (const int32_t read : graph.reads(op)) {
        const int32_t a = clusters.cluster_of(read);
        const int32_t b = clusters.cluster_of(op);
        if (a == b || !graph.is_fusible(read) || (!any_depth && depth(read) != depth(op))) continue;
        ++result.candidates;
        clusters.merge(a, b);
      }
    }
  }
  std::map<int32_t, int32_t> packed;  // by depth: the cluster that takes what is independent
  for (const int32_t cluster : clusters.clusters()) {
    if (clusters.members(cluster).empty() || !clusters.is_fusible(cluster)) continue;
    const auto [entry, is_new] =
        packed.try_emplace(depth(clusters.members(cluster).front()), cluster);
    if (is_new) continue;
    ++result.candidates;
    if (const auto merged = clusters.merge(entry->second, cluster)) entry->second = *merged;
  }
  result.plan =
      plan_of(graph, feasible_groups(cost, constrained_groups(cost, clusters.groups(), options)));
  return result;
}

}  // namespace tilewright
