#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "tuner/fusion/fusion_graph.h"
#include "tuner/fusion/fusion_plan.h"

namespace tilewright {

/// The nodes of a graph in disjoint clusters that form no cycle, however they are merged. Keeps the
/// clusters in a topological order, of which a merge changes only the part between the two (after
/// Pearce and Kelly 2006), so that most merges look at few clusters of a large graph.
class Clusters {
 public:
  /// Every node a cluster of its own.
  explicit Clusters(const FusionGraph& graph);
  /// These groups, and every other node on its own. None where they form a cycle.
  static std::optional<Clusters> of(const FusionGraph& graph, const Groups& groups);

  const FusionGraph& graph() const { return *graph_; }
  /// The cluster of a node; merged clusters keep the number of one.
  int32_t cluster_of(int32_t node) const { return cluster_of_[static_cast<size_t>(node)]; }
  const std::vector<int32_t>& members(int32_t cluster) const {
    return members_[static_cast<size_t>(cluster)];
  }
  /// Clusters that a cluster's nodes wait for, and that wait for it.
  const std::set<int32_t>& before(int32_t cluster) const {
    return before_[static_cast<size_t>(cluster)];
  }
  const std::set<int32_t>& after(int32_t cluster) const {
    return after_[static_cast<size_t>(cluster)];
  }
  bool is_fusible(int32_t cluster) const { return graph_->is_fusible(members(cluster).front()); }

  /// In topological order.
  std::vector<int32_t> clusters() const;
  /// Clusters of fusible nodes, as groups.
  Groups groups() const;

  /// Whether two clusters can be one without a cycle: no path between them goes through a third.
  bool can_merge(int32_t a, int32_t b) const { return later_than_first(a, b).has_value(); }
  /// Merges two clusters where they can be, and returns the number of the merged one, else none.
  std::optional<int32_t> merge(int32_t a, int32_t b);

 private:
  /// Clusters behind the first of two that must stay behind both, in order; none where one of them
  /// comes before the second.
  std::optional<std::vector<int32_t>> later_than_first(int32_t a, int32_t b) const;
  int32_t position(int32_t cluster) const { return position_[static_cast<size_t>(cluster)]; }

  const FusionGraph* graph_;
  std::vector<int32_t> cluster_of_;            // by op
  std::vector<std::vector<int32_t>> members_;  // by cluster; clusters are named by an op of theirs
  std::vector<std::set<int32_t>> before_;
  std::vector<std::set<int32_t>> after_;
  std::vector<int32_t> position_;  // by cluster
  std::vector<int32_t> order_;     // clusters by position; -1: merged into another
};

}  // namespace tilewright
