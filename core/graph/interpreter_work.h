#pragma once

#include <cstdint>
#include <vector>

#include "core/graph/op_graph.h"

namespace tilewright {

/// Which ops of a computation its root needs, and when a value is needed for the last time.
struct NeededOps {
  std::vector<bool> is_needed = {};
  std::vector<int32_t> last_reader = {};  ///< the last needed op that reads it; -1 without one
};
NeededOps needed_ops(const Computation& computation);

/// What interpreting a graph costs, from its shapes alone. Both are upper bounds, up to loops whose
/// number of trips the graph does not show.
struct InterpreterWork {
  /// Arithmetic operations; an element that is only moved counts as one.
  double flops = 0;
  /// Largest memory at one time, with the inputs: 8 bytes an element of any type.
  double bytes = 0;
  /// Needed while ops whose trip_count is not known: their bodies count once.
  int64_t unknown_loops = 0;
};

/// The work of the entry, and of each computation on its own, by its index in the graph.
InterpreterWork interpreter_work(const OpGraph& graph);
std::vector<InterpreterWork> work_of_computations(const OpGraph& graph);

/// Operations of one op, without the computations that a call, fusion, while or conditional runs.
double own_flops(const Computation& computation, const Op& op,
                 const std::vector<InterpreterWork>& estimates);

}  // namespace tilewright
