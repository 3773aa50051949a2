#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/graph/elementwise.h"
#include "core/graph/interpreter_work.h"
#include "core/graph/op_graph.h"
#include "core/graph/value.h"

namespace tilewright {

/// What interpreting a graph may cost; beyond it is refused.
struct InterpreterLimits {
  double bytes = 1 << 30;  ///< as InterpreterWork counts them
  double flops = 10e9;
  int64_t trips = 1'000'000;  ///< of one while op
};

/// Gives the value of an op whose meaning, or whose numbers, the graph does not hold: unknown and
/// custom calls, random numbers, elided constants. None: the op is refused.
using UnknownValue =
    std::function<std::optional<Value>(const Op& op, std::span<const Value> operands)>;

struct InterpreterOptions {
  Arithmetic arithmetic = Arithmetic::kExact;
  InterpreterLimits limits = {};
  UnknownValue unknown = {};
};

/// Computes the graph's result from one value for each parameter of its entry: numeric truth for
/// whatever else computes the same graph. Ops that the result does not need are not evaluated.
/// Semantics are XLA's on one device: sums and products of an element in row-major order (dot,
/// convolution: in f32 under kStated for all types up to f32), indices of dynamic slices and
/// gathers moved into bounds, scattered windows that are not wholly inside dropped.
/// Errors (usage): wrong inputs; limits exceeded; an op that is not known, with its place.
Value interpret(const OpGraph& graph, std::span<const Value> inputs,
                const InterpreterOptions& options = {});

/// Error (usage), with the numbers, when interpreting would go beyond the limits. For callers that
/// are about to make the inputs; interpret asks by itself.
void check_limits(const OpGraph& graph, const InterpreterLimits& limits);

/// Inputs for the parameters of the entry, from make_input with the parameter number as stream.
std::vector<Value> make_inputs(const OpGraph& graph, uint64_t seed, const InputRange& range = {});

/// Made-up numbers that depend on the seed and the name of the op only, so that two runs of graphs
/// with unknown ops can be compared.
UnknownValue made_up_values(uint64_t seed, const InputRange& range = {});

}  // namespace tilewright
