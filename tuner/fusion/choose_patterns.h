#pragma once

#include <cstddef>
#include <vector>

#include "tuner/fusion/patterns.h"

namespace tilewright {

/// Patterns that are to be kernels.
struct ChosenPatterns {
  std::vector<size_t> patterns = {};  ///< places, ascending
  double missing = 0;  ///< what the best choice may be worth beyond this one, at most
  int cuts = 0;        ///< cycles that were forbidden
};

/// The patterns that are worth most together, of which no two share a node and which form no cycle:
/// an integer program, to which cycles are added as they show up. Deterministic. Only where
/// has_integer_solver().
ChosenPatterns choose_patterns(const FusionGraph& graph, const std::vector<Pattern>& patterns);

}  // namespace tilewright
