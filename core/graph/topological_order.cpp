#include "core/graph/topological_order.h"

#include <algorithm>
#include <functional>
#include <queue>

namespace tilewright {
namespace {

/// Some circle among the things that still wait for others. From each of them a dependence leads to
/// another that waits, so that following dependences must come back to where it was.
std::vector<int32_t> find_cycle(std::span<const std::vector<int32_t>> depends_on,
                                const std::vector<int32_t>& waiting) {
  const auto waits = [&](int32_t i) { return waiting[static_cast<size_t>(i)] > 0; };
  std::vector<int32_t> path;
  std::vector<int32_t> place(waiting.size(), -1);
  auto at = static_cast<int32_t>(
      std::find_if(waiting.begin(), waiting.end(), [](int32_t count) { return count > 0; }) -
      waiting.begin());
  while (place[static_cast<size_t>(at)] < 0) {
    place[static_cast<size_t>(at)] = static_cast<int32_t>(path.size());
    path.push_back(at);
    const std::vector<int32_t>& next = depends_on[static_cast<size_t>(at)];
    at = *std::find_if(next.begin(), next.end(), waits);
  }
  path.erase(path.begin(), path.begin() + place[static_cast<size_t>(at)]);
  return path;
}

}  // namespace

TopologicalOrder topological_order(std::span<const std::vector<int32_t>> depends_on) {
  const size_t count = depends_on.size();
  std::vector<int32_t> waiting(count);
  std::vector<std::vector<int32_t>> dependents(count);
  std::priority_queue<int32_t, std::vector<int32_t>, std::greater<>> ready;
  for (size_t i = 0; i < count; ++i) {
    waiting[i] = static_cast<int32_t>(depends_on[i].size());
    for (const int32_t other : depends_on[i]) {
      dependents[static_cast<size_t>(other)].push_back(static_cast<int32_t>(i));
    }
    if (waiting[i] == 0) ready.push(static_cast<int32_t>(i));
  }
  TopologicalOrder result;
  while (!ready.empty()) {
    const int32_t next = ready.top();
    ready.pop();
    result.order.push_back(next);
    for (const int32_t dependent : dependents[static_cast<size_t>(next)]) {
      if (--waiting[static_cast<size_t>(dependent)] == 0) ready.push(dependent);
    }
  }
  if (result.order.size() == count) return result;
  return {.cycle = find_cycle(depends_on, waiting)};
}

}  // namespace tilewright
