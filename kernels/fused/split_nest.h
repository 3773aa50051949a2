#pragma once

#include <optional>
#include <vector>

#include "kernels/fused/nests.h"

namespace tilewright {

/// A nest whose sums along sequential axes are taken by several cores: each part adds up its share
/// and leaves it in memory, and after a barrier the second nest adds up the parts and goes on with
/// what reads the sums.
struct SplitNest {
  LoopNest parts = {};
  LoopNest rest = {};  ///< at the next level
};

/// The op number under which the partial sums of a reduce lie in memory: f32, the parts first.
constexpr int32_t partial_of(int32_t op) {
  return -2 - op;
}
constexpr bool is_partial(int32_t op) {
  return op <= -2;
}
constexpr int32_t reduce_of(int32_t partial) {
  return -2 - partial;
}

/// Cuts the first of the sequential axes into the most parts up to `most`; none where the axis has
/// no such divisor above 1, or where something else than a sum is there only after the last tile.
std::optional<SplitNest> split_nest(const Region& region, const LoopNest& nest,
                                    const std::vector<int>& sequential, int64_t most);

}  // namespace tilewright
