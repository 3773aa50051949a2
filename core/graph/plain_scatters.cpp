#include "core/graph/plain_scatters.h"

#include <optional>

namespace tilewright {

namespace {

/// The elementwise opcode of a scatter's computation: two parameters in order and the op on them.
std::optional<HloOpcode> combination_of(const Computation& body) {
  const Op& root = body.root_op();
  if (body.parameters.size() != 2 || root.operands != body.parameters) return std::nullopt;
  if (!is_elementwise(root.opcode)) return std::nullopt;
  // Ops that state more than their opcode are left alone.
  if (!std::holds_alternative<std::monostate>(root.attributes)) return std::nullopt;
  return root.opcode;
}

}  // namespace

OpGraph plain_scatters(const OpGraph& graph) {
  OpGraph plain = graph;
  for (Computation& computation : plain.computations) {
    for (Op& op : computation.ops) {
      if (op.opcode != HloOpcode::kScatter || op.operands.size() != 3) continue;
      const auto& dims = op.get<ScatterDimensions>();
      const Shape& updates = computation.operand(op, 2).shape;
      const bool is_whole = dims.scatter_dims_to_operand_dims.empty() &&
                            dims.inserted_window_dims.empty() && dims.input_batching_dims.empty() &&
                            updates.dims == op.shape.dims &&
                            dims.update_window_dims.size() == op.shape.dims.size();
      if (!is_whole) continue;
      const std::optional<HloOpcode> opcode = combination_of(graph.computation(op.called[0]));
      if (!opcode) continue;
      op.opcode = *opcode;
      op.attributes = std::monostate{};
      op.called.clear();
      op.operands.erase(op.operands.begin() + 1);
    }
  }
  return plain;
}

}  // namespace tilewright
