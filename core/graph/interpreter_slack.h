#pragma once

#include <span>
#include <vector>

#include "core/graph/op_graph.h"
#include "core/graph/value.h"

namespace tilewright {

/// A graph's result, and how far from it a machine may be that computes in floats of limited
/// precision because something jumped to another side there.
struct SlackResult {
  Value result = {};
  /// By part of the result (one, where it is no tuple): f64, the dimensions of the part, beyond
  /// what the floats themselves may be off; without elements where nothing jumps.
  std::vector<Value> slack = {};
  /// By part: by how much of the largest one its floats may be off.
  std::vector<double> relative = {};
};

/// Interprets the graph (exactly, with the default limits) and follows what jumps: rounding to
/// whole numbers and converting to them, signs, comparisons. An element that such an op reads may
/// be off by `relative` of the largest one of its array where an op before has rounded it, and
/// not at all where it is an input, or moved or chosen from inputs. Where that, and what jumps
/// before, lets the op's result differ, the difference is slack of the result, and later ops
/// pass it on: elementwise ops by the most that operands anywhere between the ends of their slack
/// change the result at the corners, sums as sums, maxima as maxima, dots as dots of sizes,
/// whatever moves elements as elements. `stored`, by op of the entry: by how much the largest
/// element is rounded where an array lies in memory in between; empty: not at all. Errors as
/// interpret(). An index that may jump leaves all elements open that it finds.
SlackResult interpret_with_slack(const OpGraph& graph, std::span<const Value> inputs,
                                 double relative, std::span<const double> stored = {});

}  // namespace tilewright
