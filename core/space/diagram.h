#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "core/space/rule.h"
#include "core/space/space.h"

namespace tilewright {

/// The legal combinations of some parameters as a counted decision diagram: each parameter is a
/// level, a node stands for all prefixes with the same legal continuations and knows their number.
/// Nodes are numbered with children before parents; node 0 is behind the last parameter. An edge
/// stands for a run of places (positions in the parameter's list) that lead to the same child.
class Diagram {
 public:
  /// Of a count that does not fit.
  static constexpr int64_t kTooMany = std::numeric_limits<int64_t>::max();

  struct Step {
    uint32_t place;
    uint32_t child;
    int64_t before;  ///< continuations of the node through smaller places
  };

  uint32_t root() const { return root_; }
  int64_t count(uint32_t node) const { return counts_[node]; }
  /// The step to the continuation of that number, which the node has.
  Step step_to(uint32_t node, int64_t continuation) const;
  /// The step through a place; false when nothing legal follows.
  bool step_through(uint32_t node, uint32_t place, Step& step) const;
  /// All steps of a node, in the order of their places.
  template <typename Visit>
  void each_step(uint32_t node, const Visit& visit) const {
    for (uint32_t edge = first_[node]; edge < first_[node + 1]; ++edge) {
      const int64_t count = length(node, edge);
      const Step step = {edge_place_[edge], edge_child_[edge], edge_before_[edge]};
      for (int64_t i = 0; i < count; ++i) {
        visit(Step{step.place + static_cast<uint32_t>(i), step.child,
                   step.before + i * counts_[step.child]});
      }
    }
  }

  int64_t bytes() const;

 private:
  friend class DiagramNodes;

  int64_t before(uint32_t node, uint32_t edge) const {
    return edge == first_[node + 1] ? counts_[node] : edge_before_[edge];
  }
  /// Places of the run of an edge.
  int64_t length(uint32_t node, uint32_t edge) const {
    return (before(node, edge + 1) - edge_before_[edge]) / counts_[edge_child_[edge]];
  }

  std::vector<uint32_t> first_;  // edge of each node, and the end
  std::vector<int64_t> counts_;  // legal continuations of each node
  std::vector<uint32_t> edge_place_;
  std::vector<uint32_t> edge_child_;
  std::vector<int64_t> edge_before_;
  uint32_t root_ = 0;
};

/// A diagram of `parameters` (positions in the space, ascending) under rules over them alone. Error
/// (usage), naming the parameters, when it takes more than kMaxDiagramBytes or kMaxDiagramSteps;
/// (failed) soon after `stop`, which is asked from time to time, says so.
Diagram diagram_of(const Space& space, std::span<const size_t> parameters,
                   std::span<const Rule* const> rules, const std::function<bool()>& stop = {});

/// A diagram of whole configs, given as places; rows are sorted and distinct.
Diagram listed_diagram(size_t parameters, const std::vector<std::vector<uint32_t>>& rows);

/// Memory while a diagram is made; what is kept is less.
constexpr int64_t kMaxDiagramBytes = int64_t{1} << 30;
/// Values tried; a minute or so, and longer where single ones are evaluated.
constexpr int64_t kMaxDiagramSteps = int64_t{1} << 32;

}  // namespace tilewright
