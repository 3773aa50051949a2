#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "tuner/fusion/fusion_graph.h"

namespace tilewright {

/// A set of nodes that might be a kernel, and what it saves.
struct Pattern {
  std::vector<int32_t> nodes = {};  ///< ascending
  double score = 0;
  bool operator==(const Pattern&) const = default;
};

/// The score of a set of nodes; none where they cannot be a kernel.
using PatternScore = std::function<std::optional<double>(const std::vector<int32_t>& nodes)>;

/// PatternReduction of FusionStitching 2020: the best patterns (at most `most`, best first) that
/// begin at a producer, from the best patterns of its consumers. Consumers are taken in groups of
/// two, each with one of its patterns or without; the groups' lists are then joined pair by pair.
std::vector<Pattern> reduce_patterns(int32_t producer,
                                     const std::vector<std::vector<Pattern>>& consumers,
                                     size_t most, const PatternScore& score);

/// Nodes that share a unit depend on what any of them does: by unit, the other units that its nodes
/// wait for, some of them more than once. `unit_of`: by op.
std::vector<std::vector<int32_t>> links_of_units(const FusionGraph& graph,
                                                 const std::vector<int32_t>& unit_of);

/// Whether no path leaves the nodes and comes back.
bool is_convex(const FusionGraph& graph, const std::vector<int32_t>& nodes);

}  // namespace tilewright
