#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/graph/op_graph.h"

namespace tilewright {

/// The rules behind infer_shape, by family of opcodes.

/// An op with what it reads, for rules.
class OpView {
 public:
  OpView(const OpGraph& graph, const Computation& computation, const Op& op)
      : graph_(graph), computation_(computation), op_(op) {}

  const Op& op() const { return op_; }
  size_t operand_count() const { return op_.operands.size(); }
  const Shape& operand(size_t index) const { return computation_.operand(op_, index).shape; }
  const Computation& called(size_t index) const { return graph_.computation(op_.called[index]); }
  const Shape& called_result(size_t index) const { return called(index).root_op().shape; }

  /// Throws Error (failed): "place: opcode: message".
  [[noreturn]] void fail(const std::string& message) const;
  /// Throws unless `condition`; for messages without values.
  void need(bool condition, const char* message) const;
  /// There are that many operands, or an operand is an array of numbers.
  void need_operands(size_t count) const;
  void need_operands_from(size_t count) const;
  void need_array(size_t index) const;
  void need_arrays() const;
  /// Each of `dims` is in [0, rank), none twice.
  void need_dimensions(const std::vector<int64_t>& dims, int64_t rank, const char* what) const;
  /// The called computation takes parameters of these shapes (layouts aside).
  void need_parameters(size_t callee, const std::vector<Shape>& shapes) const;

 private:
  const OpGraph& graph_;
  const Computation& computation_;
  const Op& op_;
};

Shape infer_elementwise(const OpView& view);

Shape infer_broadcast(const OpView& view);
Shape infer_reshape(const OpView& view);
Shape infer_bitcast(const OpView& view);
Shape infer_transpose(const OpView& view);
Shape infer_reverse(const OpView& view);
Shape infer_concatenate(const OpView& view);
Shape infer_slice(const OpView& view);
Shape infer_dynamic_slice(const OpView& view);
Shape infer_dynamic_update_slice(const OpView& view);
Shape infer_pad(const OpView& view);
Shape infer_iota(const OpView& view);
Shape infer_gather(const OpView& view);
Shape infer_scatter(const OpView& view);

Shape infer_dot(const OpView& view);
Shape infer_convolution(const OpView& view);
Shape infer_reduce(const OpView& view);
Shape infer_map(const OpView& view);
Shape infer_reduce_window(const OpView& view);
Shape infer_select_and_scatter(const OpView& view);
Shape infer_sort(const OpView& view);
Shape infer_topk(const OpView& view);
Shape infer_fft(const OpView& view);
Shape infer_cholesky(const OpView& view);
Shape infer_triangular_solve(const OpView& view);
Shape infer_batch_norm(const OpView& view);

Shape infer_tuple(const OpView& view);
Shape infer_get_tuple_element(const OpView& view);
Shape infer_call(const OpView& view);
Shape infer_while(const OpView& view);
Shape infer_conditional(const OpView& view);
/// Tokens, copies in two halves, collectives, sends and receives, async ops.
std::optional<Shape> infer_runtime(const OpView& view);

/// Elements from the first to the last of `count` that are `gap` apart; fails beyond kMaxElements.
int64_t stretched(const OpView& view, int64_t count, int64_t gap);
/// Shapes of a window's results over `dims`, one window dimension each.
std::vector<int64_t> windowed(const OpView& view, const std::vector<int64_t>& dims,
                              const Window& window);

}  // namespace tilewright
