#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace tilewright {

/// Which columns to take, so that their weights are worth most and no row has too many of its own.
struct IntegerProgram {
  struct Row {
    std::vector<int32_t> columns = {};  ///< ascending
    int32_t most = 1;                   ///< of them that may be taken
  };
  std::vector<double> weights = {};  ///< by column
  std::vector<Row> rows = {};
};

struct IntegerSolution {
  std::vector<bool> takes = {};  ///< by column
  double value = 0;
  double bound = 0;  ///< no solution is worth more; `value` where this one is the best
};

/// Whether this program was built with a solver (CBC).
bool has_integer_solver();

/// The best of a branch and bound of at most so many nodes, by the same steps every time; none
/// where it found no solution by then. Error (infeasible) without a solver.
std::optional<IntegerSolution> maximize(const IntegerProgram& program, int64_t most_nodes);

}  // namespace tilewright
