#include "kernels/fused/fused_ops.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/graph/strided.h"
#include "kernels/fused/recipes.h"

namespace tilewright {

namespace {

/// The binary opcode that a reduce's computation is made of: two parameters and the op on them.
std::optional<HloOpcode> combination_of(const Computation& body) {
  const Op& root = body.root_op();
  if (root.operands.size() != 2 || body.parameters.size() != 2) return std::nullopt;
  const bool in_order =
      root.operands[0] == body.parameters[0] && root.operands[1] == body.parameters[1];
  const bool swapped =
      root.operands[0] == body.parameters[1] && root.operands[1] == body.parameters[0];
  if (!in_order && !swapped) return std::nullopt;
  return root.opcode;
}

/// Whether an op shows elements of its operand, perhaps at other places or in another type, without
/// work on them.
bool shows(const Computation& computation, const Op& op) {
  return op.opcode == HloOpcode::kBroadcast || op.opcode == HloOpcode::kTranspose ||
         keeps_value(computation, op);
}

}  // namespace

std::optional<Monoid> monoid_of(const OpGraph& graph, const Op& op) {
  if (op.opcode != HloOpcode::kReduce || op.called.size() != 1) return std::nullopt;
  const std::optional<HloOpcode> opcode = combination_of(graph.computation(op.called[0]));
  if (!opcode) return std::nullopt;
  switch (*opcode) {
    case HloOpcode::kAdd:
      return Monoid::kSum;
    case HloOpcode::kMaximum:
    case HloOpcode::kOr:
      return Monoid::kMax;
    case HloOpcode::kMinimum:
    case HloOpcode::kAnd:
      return Monoid::kMin;
    default:
      return std::nullopt;
  }
}

std::optional<DType> memory_type_of(ElementType type) {
  return type == ElementType::kPred ? DType::kI8 : npu_type_of(type);
}

std::string why_not_fusible(const Region& region, int32_t index) {
  const Computation& computation = region.computation();
  const Op& op = computation.op(index);
  if (!is_fusible(region.role(index))) {
    return fmt::format("{} is no op of elements", name_of(op.opcode));
  }
  if (!op.control_predecessors.empty()) return "its place is fixed by a control dependence";
  if (region.elements(index) == 0) return "it has no elements";
  const auto refuse_type = [](const Shape& shape) {
    return fmt::format("the vector unit has no {}", name_of(shape.type));
  };
  if (!memory_type_of(op.shape.type)) return refuse_type(op.shape);
  for (const int32_t operand : op.operands) {
    const Shape& shape = computation.op(operand).shape;
    if (!memory_type_of(shape.type)) return refuse_type(shape);
    if (element_count(shape) == 0) return "an operand has no elements";
  }
  switch (region.role(index)) {
    case OpRole::kReduce: {
      if (!monoid_of(region.graph(), op))
        return "it reduces by something else than a sum, maximum or minimum";
      const std::optional<double> start = region.splat(op.operands[1]);
      if (!start) return "its initial value is not a constant";
      return "";
    }
    case OpRole::kMove:
      switch (op.opcode) {
        case HloOpcode::kTranspose:
        case HloOpcode::kSlice:
        case HloOpcode::kDynamicSlice:
        case HloOpcode::kConcatenate:
          return "";
        default:
          return fmt::format("no fused kernel is written for {}", name_of(op.opcode));
      }
    case OpRole::kLight:
    case OpRole::kHeavy:
      return why_no_recipe(computation, op);
    default:
      return "";
  }
}

std::string why_no_product(const Region& region, int32_t index) {
  const Computation& computation = region.computation();
  const Op& op = computation.op(index);
  if (op.opcode != HloOpcode::kDot) return "it is no dot";
  if (!op.control_predecessors.empty()) return "its place is fixed by a control dependence";
  const auto& dims = op.get<DotDimensions>();
  if (!dims.lhs_batch.empty()) return "it multiplies batches of matrices";
  const Shape& a = computation.operand(op, 0).shape;
  const Shape& b = computation.operand(op, 1).shape;
  if (a.type != b.type) return "its operands have different types";
  for (const Shape* shape : {&a, &op.shape}) {
    const std::optional<DType> type = npu_type_of(shape->type);
    if (!type || (*type != DType::kF16 && *type != DType::kBF16 && *type != DType::kF32)) {
      return fmt::format("fused products of {} are not written", name_of(shape->type));
    }
  }
  if (region.elements(index) == 0 || element_count(a) == 0) return "it has no elements";
  const MatrixProduct product = product_of(region, index);
  if (product.n == 1 || product.k == 1) return "a matrix of it is a vector";
  const auto count = std::ssize(dims.lhs_contracting);
  for (int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<size_t>(i);
    if (dims.lhs_contracting[at] != std::ssize(a.dims) - count + i ||
        dims.rhs_contracting[at] != i) {
      return "an operand would have to be transposed";
    }
  }
  for (const int32_t operand : op.operands) {
    if (region.splat(operand)) return "an operand is one number everywhere";
    if (computation.op(region.base(operand)).opcode == HloOpcode::kIota) {
      return "an operand is an iota";
    }
  }
  return "";
}

MatrixProduct product_of(const Region& region, int32_t index) {
  const Computation& computation = region.computation();
  const Op& op = computation.op(index);
  MatrixProduct product;
  product.a = region.base(op.operands[0]);
  product.b = region.base(op.operands[1]);
  const Shape& a = computation.operand(op, 0).shape;
  for (const int64_t dim : op.get<DotDimensions>().lhs_contracting) {
    product.k *= a.dims[static_cast<size_t>(dim)];
  }
  product.m = element_count(a) / product.k;
  product.n = region.elements(index) / product.m;
  return product;
}

std::optional<SliceWindow> window_of(const Region& region, int32_t index) {
  const Op& op = region.computation().op(index);
  const bool is_dynamic = op.opcode == HloOpcode::kDynamicSlice;
  if (!is_dynamic && op.opcode != HloOpcode::kSlice) return std::nullopt;
  const Shape& from = region.computation().operand(op, 0).shape;
  SliceWindow window;
  window.memory_op = region.base(op.operands[0]);
  window.strides = row_major_strides(from.dims);
  for (size_t i = 0; i < from.dims.size(); ++i) {
    if (is_dynamic) {
      window.starts.push_back({window.strides[i], from.dims[i] - op.shape.dims[i]});
    } else {
      const auto& ranges = op.get<SliceRanges>();
      window.offset += ranges.start[i] * window.strides[i];
      window.strides[i] *= ranges.stride[i];
    }
  }
  return window;
}

SliceWindow piece_of(const Region& region, int32_t concatenate, size_t operand) {
  const Computation& computation = region.computation();
  const Op& op = computation.op(concatenate);
  const auto dim = static_cast<size_t>(op.get<Dimensions>().dims[0]);
  SliceWindow window;
  window.memory_op = concatenate;
  window.strides = row_major_strides(op.shape.dims);
  for (size_t i = 0; i < operand; ++i) {
    window.offset += computation.operand(op, i).shape.dims[dim] * window.strides[dim];
  }
  return window;
}

std::string why_not_together(const Region& region, const std::vector<int32_t>& ops) {
  const Computation& computation = region.computation();
  for (const int32_t index : ops) {
    const Op& op = computation.op(index);
    if (op.opcode == HloOpcode::kDot) {
      for (const int32_t operand : op.operands) {
        const int32_t made = region.base(operand);
        if (std::ranges::binary_search(ops, made) &&
            (shows(computation, computation.op(made)) || window_of(region, made))) {
          return fmt::format("{} of the same kernel needs {} in memory", op.name,
                             computation.op(made).name);
        }
      }
    }
    if (op.opcode != HloOpcode::kDynamicSlice) continue;
    for (size_t i = 1; i < op.operands.size(); ++i) {
      if (std::ranges::binary_search(ops, region.base(op.operands[i]))) {
        return fmt::format("the place of {} is computed in the same kernel", op.name);
      }
    }
  }
  return "";
}

std::vector<FusedNode> fused_nodes(const Region& region, const FusedOps& ops) {
  const Computation& computation = region.computation();
  const auto is_inside = [&](int32_t op) { return std::ranges::binary_search(ops.ops, op); };
  const auto source_of = [&](int32_t op) -> FusedOperand {
    if (const std::optional<double> value = region.splat(op)) return KnownNumber{*value};
    Source source;
    while (true) {
      const bool is_free = is_inside(op) || region.role(op) == OpRole::kConstant;
      const bool passes =
          region.role(op) == OpRole::kView || (is_free && shows(computation, computation.op(op)));
      if (!passes) break;
      source.through.push_back(op);
      op = computation.op(op).operands[0];
    }
    // A broadcast of a known number inside the kernel is that number.
    if (const std::optional<double> value = region.splat(op)) return KnownNumber{*value};
    source.op = op;
    return source;
  };
  std::vector<FusedNode> nodes;
  for (const int32_t index : ops.ops) {
    const Op& op = computation.op(index);
    FusedNode node{index, -1, {}};
    if (is_dot(region, index)) {
      TW_CHECK(why_no_product(region, index).empty(), "planners ask before they fuse");
      for (const int32_t operand : op.operands) {
        node.operands.push_back(Source{region.base(operand), {}});
      }
      nodes.push_back(std::move(node));
      continue;
    }
    TW_CHECK(why_not_fusible(region, index).empty(), "planners ask before they fuse");
    if (op.opcode == HloOpcode::kConcatenate) {
      for (size_t i = 0; i < op.operands.size(); ++i) {
        nodes.push_back({index, static_cast<int>(i), {source_of(op.operands[i])}});
      }
      continue;
    }
    if (window_of(region, index)) {
      if (std::ranges::binary_search(ops.outputs, index)) {
        nodes.push_back({index, -1, {Source{index, {}}}});
      }
      continue;
    }
    if (shows(computation, op)) {
      if (!std::ranges::binary_search(ops.outputs, index)) continue;
      node.operands = {source_of(op.operands[0])};
    } else {
      const size_t count = op.opcode == HloOpcode::kReduce ? 1 : op.operands.size();
      for (size_t i = 0; i < count; ++i) node.operands.push_back(source_of(op.operands[i]));
    }
    nodes.push_back(std::move(node));
  }
  return nodes;
}

}  // namespace tilewright
