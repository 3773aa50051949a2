#include "kernels/attention/task_table.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <queue>
#include <utility>

namespace tilewright {

namespace {

std::vector<int64_t> by_falling_load(std::span<const int64_t> loads) {
  std::vector<int64_t> order(loads.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return loads[static_cast<size_t>(a)] > loads[static_cast<size_t>(b)];
  });
  return order;
}

UnitTable deal_in_turn(size_t units, size_t cores) {
  UnitTable table(cores);
  for (size_t i = 0; i < units; ++i) table[i % cores].push_back(static_cast<int64_t>(i));
  return table;
}

UnitTable deal_in_snake_order(std::span<const int64_t> loads, size_t cores) {
  UnitTable table(cores);
  const std::vector<int64_t> order = by_falling_load(loads);
  for (size_t i = 0; i < order.size(); ++i) {
    const bool forth = i / cores % 2 == 0;
    table[forth ? i % cores : cores - 1 - i % cores].push_back(order[i]);
  }
  return table;
}

UnitTable deal_to_least_loaded(std::span<const int64_t> loads, size_t cores) {
  using Core = std::pair<int64_t, size_t>;  // load, number: of equal loads the lowest number
  std::priority_queue<Core, std::vector<Core>, std::greater<>> least;
  for (size_t core = 0; core < cores; ++core) least.push({0, core});
  UnitTable table(cores);
  for (const int64_t unit : by_falling_load(loads)) {
    const auto [load, core] = least.top();
    least.pop();
    table[core].push_back(unit);
    least.push({load + loads[static_cast<size_t>(unit)], core});
  }
  return table;
}

}  // namespace

std::string_view name_of(Assignment assignment) {
  switch (assignment) {
    case Assignment::kSnake:
      return "snake";
    case Assignment::kGreedy:
      return "greedy";
    case Assignment::kAsGiven:
      return "as_given";
  }
  return "";
}

UnitTable assign_tasks(std::span<const int64_t> loads, int64_t cores, Assignment assignment) {
  const auto count = static_cast<size_t>(cores);
  switch (assignment) {
    case Assignment::kSnake:
      return deal_in_snake_order(loads, count);
    case Assignment::kGreedy:
      return deal_to_least_loaded(loads, count);
    case Assignment::kAsGiven:
      break;
  }
  return deal_in_turn(loads.size(), count);
}

int64_t makespan(std::span<const int64_t> loads, const UnitTable& table) {
  int64_t longest = 0;
  for (const std::vector<int64_t>& units : table) {
    int64_t sum = 0;
    for (const int64_t unit : units) sum += loads[static_cast<size_t>(unit)];
    longest = std::max(longest, sum);
  }
  return longest;
}

}  // namespace tilewright
