#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tilewright {

/// An order of things that depend on each other, or a circle among them.
struct TopologicalOrder {
  std::vector<int32_t> order = {};  ///< all of them, or none if there is a circle
  std::vector<int32_t> cycle = {};  ///< each depends on the next, and the last on the first
};

/// Orders 0, 1, ... so that each comes behind those that it depends on, else smaller before larger:
/// what is in order stays as it is. O((V + E) log V).
TopologicalOrder topological_order(std::span<const std::vector<int32_t>> depends_on);

}  // namespace tilewright
