#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/graph/op_graph.h"

namespace tilewright {

/// How often the body of a while op runs, where the usual counter says so: an integer that begins
/// at a constant, grows by a constant in each run, and is compared with a constant, or with a value
/// that is constant from before the loop; or else what the framework noted (known_trip_count). The
/// graph should be flat, so that no copy hides a constant.
std::optional<int64_t> trip_count(const OpGraph& graph, const Computation& computation,
                                  const Op& loop);

/// A computation whose ops run one by one, and are planned by themselves: the entry, conditions and
/// bodies of loops, branches of conditionals, and what is called by a call that stayed one. Not the
/// scalar functions of reduce, sort and the like.
struct RegionRuns {
  int32_t computation = 0;
  /// In one run of the graph, over all places that call it. Nothing when a loop's trip count is not
  /// known; a branch counts as if it were always taken.
  std::optional<int64_t> runs = {};
};

/// The regions, callers before what they call; the entry first.
std::vector<RegionRuns> region_runs(const OpGraph& graph);

}  // namespace tilewright
