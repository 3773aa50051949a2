#include "core/graph/fold_transposes.h"

#include <algorithm>

#include "core/graph/flatten.h"

namespace tilewright {

namespace {

bool has(const std::vector<int64_t>& list, int64_t value) {
  return std::ranges::find(list, value) != list.end();
}

/// Renames the dimensions of a dot's operand; false, with nothing changed, where the dot's result
/// would list its kept dimensions in another order.
bool rename(std::vector<int64_t>& batch, std::vector<int64_t>& contracting,
            const std::vector<int64_t>& source) {
  int64_t last = -1;
  for (size_t dim = 0; dim < source.size(); ++dim) {
    const auto own = static_cast<int64_t>(dim);
    if (has(batch, own) || has(contracting, own)) continue;
    if (source[dim] < last) return false;
    last = source[dim];
  }
  for (std::vector<int64_t>* dims : {&batch, &contracting}) {
    for (int64_t& dim : *dims) dim = source[static_cast<size_t>(dim)];
  }
  return true;
}

}  // namespace

OpGraph fold_transposes(const OpGraph& graph) {
  OpGraph folded = graph;
  for (Computation& computation : folded.computations) {
    for (Op& op : computation.ops) {
      if (op.opcode != HloOpcode::kDot) continue;
      auto& dims = std::get<DotDimensions>(op.attributes);
      for (const size_t side : {size_t{0}, size_t{1}}) {
        // A chain of transposes folds link by link.
        while (true) {
          const Op& operand = computation.operand(op, side);
          if (operand.opcode != HloOpcode::kTranspose || !operand.control_predecessors.empty()) {
            break;
          }
          const std::vector<int64_t>& source = operand.get<Dimensions>().dims;
          const bool renamed = side == 0 ? rename(dims.lhs_batch, dims.lhs_contracting, source)
                                         : rename(dims.rhs_batch, dims.rhs_contracting, source);
          if (!renamed) break;
          op.operands[side] = operand.operands[0];
        }
      }
    }
  }
  return flatten(folded);
}

}  // namespace tilewright
