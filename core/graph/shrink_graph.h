#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "core/graph/axes.h"
#include "core/graph/op_graph.h"

namespace tilewright {

/// Makes a graph's arrays smaller while everything still fits together, so that what a graph does
/// can be tried in little time. Dimensions that ops make equal, or products of each other, are cut
/// into axes that shrink alike: through elementwise ops, broadcasts, reductions, transposes,
/// reshapes, dots, and along whatever slices, updates, concatenations, pads and gathers leave
/// whole. Extents that ops state in numbers (pieces of slices, pads, concatenations, the values of
/// constants) stay.
class GraphShrinker {
 public:
  /// Of the ops of the entry; what others call has to be functions of scalars. The graph must
  /// outlive the shrinker.
  explicit GraphShrinker(const OpGraph& graph);

  /// Extents of the axes that can shrink, largest first, each once.
  std::vector<int64_t> extents() const;

  /// New extents by old ones: no more, at least 2, and the larger for the larger.
  using Extents = std::vector<std::pair<int64_t, int64_t>>;
  /// The graph with those extents, others as they are; none where an op does not take them.
  std::optional<OpGraph> shrunk(const Extents& extents) const;

 private:
  using Dim = AxisMap::Dim;
  void join(int32_t index);
  void unify(const std::vector<AxisMap::Match>& matches);
  void tie(Dim a, Dim b) { unify({{{a}, {b}}}); }
  void keep(Dim dim) { kept_.push_back(dim); }
  void keep_all(int32_t op);
  int64_t extent_of(Dim dim, const Extents& extents) const;

  const OpGraph& graph_;
  AxisMap axes_{true};
  std::vector<Dim> kept_;
  std::vector<bool> is_kept_ = {};  ///< by axis
};

}  // namespace tilewright
