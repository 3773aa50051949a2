#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace tilewright {

/// How units of work are dealt to cores.
enum class Assignment : uint8_t {
  kSnake,    ///< by falling load, to the cores forth and back (XY-Serve's Task-Table)
  kGreedy,   ///< by falling load, each to the core with the least load so far
  kAsGiven,  ///< in their own order, one to each core in turn
};
constexpr Assignment kAssignments[] = {Assignment::kSnake, Assignment::kGreedy,
                                       Assignment::kAsGiven};
std::string_view name_of(Assignment assignment);

/// The Task-Table of an attention launch: of every core the numbers of its units, in order.
using UnitTable = std::vector<std::vector<int64_t>>;

/// Deals units with these loads to `cores` > 0 cores; units of equal load keep their order. A core
/// without a unit has an empty list.
UnitTable assign_tasks(std::span<const int64_t> loads, int64_t cores, Assignment assignment);

/// The largest sum of loads of a core.
int64_t makespan(std::span<const int64_t> loads, const UnitTable& table);

}  // namespace tilewright
