#include "core/graph/cancel_scales.h"

#include <cmath>
#include <numeric>
#include <optional>
#include <vector>

#include "core/graph/flatten.h"
#include "core/graph/region.h"

namespace tilewright {

namespace {

/// An op that multiplies an array by one number, a power of two.
struct Scale {
  int32_t operand = -1;
  double factor = 1;
};

bool is_power_of_two(double value) {
  int exponent = 0;
  return std::isfinite(value) && std::abs(std::frexp(value, &exponent)) == 0.5;
}

std::optional<Scale> scale_of(const Region& region, const Op& op) {
  const bool divides = op.opcode == HloOpcode::kDivide;
  if (!divides && op.opcode != HloOpcode::kMultiply) return std::nullopt;
  if (!is_float(op.shape.type) || !op.control_predecessors.empty()) return std::nullopt;
  // Either side of a product may be the number.
  for (const size_t side : {size_t{1}, size_t{0}}) {
    const std::optional<double> value = region.splat(op.operands[side]);
    if (value && is_power_of_two(*value)) {
      return Scale{op.operands[1 - side], divides ? 1 / *value : *value};
    }
    if (divides) break;
  }
  return std::nullopt;
}

}  // namespace

OpGraph cancel_scales(const OpGraph& graph) {
  OpGraph simple = graph;
  for (size_t i = 0; i < graph.computations.size(); ++i) {
    const Region region(graph, static_cast<int32_t>(i));
    Computation& computation = simple.computations[i];
    std::vector<int32_t> stands_for(computation.ops.size());
    std::iota(stands_for.begin(), stands_for.end(), 0);
    const auto replaced = [&](int32_t op) { return stands_for[static_cast<size_t>(op)]; };
    for (size_t at = 0; at < computation.ops.size(); ++at) {
      Op& op = computation.ops[at];
      for (int32_t& operand : op.operands) operand = replaced(operand);
      for (int32_t& before : op.control_predecessors) before = replaced(before);
      const std::optional<Scale> scale = scale_of(region, op);
      if (!scale) continue;
      if (scale->factor == 1) {
        stands_for[at] = scale->operand;
        continue;
      }
      const std::optional<Scale> before = scale_of(region, computation.op(scale->operand));
      if (before && before->factor * scale->factor == 1) stands_for[at] = before->operand;
    }
    computation.root = replaced(computation.root);
  }
  return flatten(simple);
}

}  // namespace tilewright
