#pragma once

#include <optional>
#include <span>

#include "core/graph/elementwise.h"
#include "core/graph/op_graph.h"

namespace tilewright {

/// The interpreter's ops on whole arrays, one function for each family. Internal to the
/// interpreter: the graph's invariants hold, and operands have the shapes that it states.

/// One evaluation of an op.
struct OpCall {
  const OpGraph& graph;
  const Computation& computation;
  const Op& op;
  std::span<Value> operands;  ///< handed over: what nobody else holds may be overwritten
  Arithmetic arithmetic = Arithmetic::kExact;

  const Shape& shape() const { return op.shape; }
};

/// Error (usage) that the interpreter does not know the op, with the reason.
[[noreturn]] void refuse(const OpCall& call, const char* reason);

/// An index read from an array; what is too large for an s64 is its largest number.
int64_t index_at(const Value& indices, int64_t place);

// interpreter_leaf.cpp: any op but calls, fusions, loops and conditionals. None where its meaning
// or its numbers are not known; then no operand has been taken.
std::optional<Value> evaluate_leaf(const OpCall& call);

// interpreter_elementwise.cpp
Value evaluate_elementwise(const OpCall& call);
Value evaluate_map(const OpCall& call);
Value evaluate_constant(const OpCall& call);
Value evaluate_iota(const OpCall& call);
Value evaluate_bitcast(const OpCall& call);
Value evaluate_bitcast_convert(const OpCall& call);

// interpreter_movement.cpp
Value evaluate_broadcast(const OpCall& call);
Value evaluate_transpose(const OpCall& call);
Value evaluate_slice(const OpCall& call);
Value evaluate_reverse(const OpCall& call);
Value evaluate_concatenate(const OpCall& call);
Value evaluate_pad(const OpCall& call);
Value evaluate_dynamic_slice(const OpCall& call);
Value evaluate_dynamic_update_slice(const OpCall& call);

// interpreter_gather.cpp
Value evaluate_gather(const OpCall& call);
Value evaluate_scatter(const OpCall& call);

// interpreter_reduce.cpp
Value evaluate_reduce(const OpCall& call);

// interpreter_window.cpp
Value evaluate_reduce_window(const OpCall& call);
Value evaluate_select_and_scatter(const OpCall& call);

// interpreter_dot.cpp
Value evaluate_dot(const OpCall& call);
Value evaluate_convolution(const OpCall& call);

// interpreter_batch_norm.cpp
Value evaluate_batch_norm_inference(const OpCall& call);
Value evaluate_batch_norm_training(const OpCall& call);
Value evaluate_batch_norm_grad(const OpCall& call);

// interpreter_sort.cpp
Value evaluate_sort(const OpCall& call);
Value evaluate_topk(const OpCall& call, int64_t k, bool largest);

}  // namespace tilewright
