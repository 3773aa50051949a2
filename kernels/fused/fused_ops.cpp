#include "kernels/fused/fused_ops.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/graph/number_format.h"
#include "core/graph/strided.h"
#include "kernels/fused/product_part.h"
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

/// Elements of a table that UB holds twice, as f32, beside what is worked on.
constexpr int64_t kMostTableElements = 16384;

/// The operand of a dynamic-update-slice that goes to its window of operand 0.
constexpr size_t kUpdateOperand = 1;

/// Whether an op shows elements of its operand, perhaps at other places or in another type, without
/// work on them.
bool shows(const Computation& computation, const Op& op) {
  return op.opcode == HloOpcode::kBroadcast || op.opcode == HloOpcode::kTranspose ||
         keeps_value(computation, op);
}

/// The broadcast whose elements a reduce takes, directly or in another form; -1 where it is none.
int32_t spread_for_reduce(const Region& region, int32_t reduce) {
  const Computation& computation = region.computation();
  int32_t op = computation.op(reduce).operands[0];
  while (region.role(op) == OpRole::kView || shows(computation, computation.op(op))) {
    if (computation.op(op).opcode == HloOpcode::kBroadcast && region.role(op) != OpRole::kView) {
      return op;
    }
    op = computation.op(op).operands[0];
  }
  return -1;
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
  if (type == ElementType::kPred) return DType::kI8;
  return type == ElementType::kU32 ? DType::kI32 : npu_type_of(type);
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
      if (op.shape.type == ElementType::kU32) return refuse_type(op.shape) + " reduction";
      if (!monoid_of(region.graph(), op))
        return "it reduces by something else than a sum, maximum or minimum";
      const std::optional<double> start = region.splat(op.operands[1]);
      if (!start) return "its initial value is not a constant";
      if (const int32_t shown = spread_for_reduce(region, index);
          shown >= 0 && region.role(shown) == OpRole::kConstant && !region.splat(shown)) {
        return "it takes elements of a constant more than once";
      }
      return "";
    }
    case OpRole::kMove:
      switch (op.opcode) {
        case HloOpcode::kTranspose:
        case HloOpcode::kDynamicSlice:
          if (computation.op(region.base(op.operands[0])).opcode == HloOpcode::kIota) {
            return "an iota does not lie in memory element by element";
          }
          return "";
        case HloOpcode::kSlice:
        case HloOpcode::kDynamicUpdateSlice:
        case HloOpcode::kConcatenate:
          return "";
        case HloOpcode::kPad: {
          const auto& padding = op.get<Padding>();
          const auto is_plain = [](int64_t edge) { return edge >= 0; };
          if (!std::ranges::all_of(padding.low, is_plain) ||
              !std::ranges::all_of(padding.high, is_plain) ||
              std::ranges::any_of(padding.interior, [](int64_t gap) { return gap != 0; })) {
            return "it cuts edges or pads between elements";
          }
          if (!region.splat(op.operands[1])) return "what it pads with is not a constant";
          return "";
        }
        case HloOpcode::kGather: {
          for (const int32_t operand : op.operands) {
            const Shape& shape = computation.op(operand).shape;
            if (shape.type == ElementType::kU32) return refuse_type(shape) + " gather";
          }
          const std::optional<GatherTable> table = table_of(region, index);
          if (!table) return "it gathers other parts than whole rows by one index each";
          if (table->rows * table->row_elements > kMostTableElements) {
            return "its table does not fit UB";
          }
          return "";
        }
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

std::optional<GatherTable> table_of(const Region& region, int32_t gather) {
  const Computation& computation = region.computation();
  const Op& op = computation.op(gather);
  if (op.opcode != HloOpcode::kGather) return std::nullopt;
  const auto& dims = op.get<GatherDimensions>();
  const Shape& from = computation.operand(op, 0).shape;
  const Shape& indices = computation.operand(op, 1).shape;
  const bool has_vectors = dims.index_vector_dim < indices.rank();
  const int64_t parts =
      has_vectors ? indices.dims[static_cast<size_t>(dims.index_vector_dim)] : int64_t{1};
  if (parts != 1 || dims.start_index_map.size() != 1 || !dims.operand_batching_dims.empty() ||
      dims.collapsed_slice_dims != dims.start_index_map || is_float(indices.type)) {
    return std::nullopt;
  }
  GatherTable table;
  table.op = region.base(op.operands[0]);
  while (keeps_value(computation, computation.op(table.op))) {
    table.op = region.base(computation.op(table.op).operands[0]);
  }
  // An iota lies in memory once along its dimension, and a broadcast, or one number, may not at
  // all.
  if (computation.op(table.op).opcode == HloOpcode::kIota || region.elements(table.op) == 1 ||
      region.role(table.op) == OpRole::kBroadcast || region.splat(table.op)) {
    return std::nullopt;
  }
  const auto indexed = static_cast<size_t>(dims.start_index_map[0]);
  table.rows = from.dims[indexed];
  size_t next = 0;
  for (size_t dim = 0; dim < from.dims.size(); ++dim) {
    if (dim == indexed) continue;
    if (dims.slice_sizes[dim] != from.dims[dim]) return std::nullopt;
    const int64_t place = dims.offset_dims[next++];
    if (dim < indexed) {
      table.lead.push_back(from.dims[dim]);
      table.lead_dims.push_back(place);
    } else {
      table.row_elements *= from.dims[dim];
      table.row_dims.push_back(place);
    }
  }
  return table;
}

std::optional<SliceWindow> window_of(const Region& region, int32_t index) {
  const Op& op = region.computation().op(index);
  const bool is_dynamic = op.opcode == HloOpcode::kDynamicSlice;
  if (!is_dynamic && op.opcode != HloOpcode::kSlice) return std::nullopt;
  const Shape& from = region.computation().operand(op, 0).shape;
  SliceWindow window;
  window.memory_op = region.base(op.operands[0]);
  window.strides = row_major_strides(from.dims);
  window.starts = window_starts(region, index);
  for (size_t i = 0; i < from.dims.size(); ++i) {
    if (!is_dynamic) {
      const auto& ranges = op.get<SliceRanges>();
      window.offset += ranges.start[i] * window.strides[i];
      window.strides[i] *= ranges.stride[i];
    }
  }
  if (is_dynamic) window.dynamic_op = index;
  return window;
}

namespace {

/// Elements of an array as an op shows them: a distance in another array for each dimension.
struct ShownLayout {
  int32_t op = -1;  ///< whose array it is
  std::vector<int64_t> strides = {};
  int64_t offset = 0;
  std::vector<WindowStart> starts = {};
  int32_t dynamic_op = -1;
};

/// How an op of a kernel shows the array of another one; none where it makes its own, or shows what
/// does not lie in memory element by element.
std::optional<ShownLayout> layout_shown(const Region& region, int32_t index) {
  const Op& op = region.computation().op(index);
  if (op.operands.empty()) return std::nullopt;
  const int32_t from = region.base(op.operands[0]);
  if (region.splat(from) || region.computation().op(from).opcode == HloOpcode::kIota) {
    return std::nullopt;
  }
  if (const std::optional<SliceWindow> window = window_of(region, index)) {
    return ShownLayout{window->memory_op, window->strides, window->offset, window->starts,
                       window->dynamic_op};
  }
  const bool transposes = op.opcode == HloOpcode::kTranspose;
  if (!transposes && !keeps_value(region.computation(), op)) return std::nullopt;
  const std::vector<int64_t> strides =
      row_major_strides(region.computation().operand(op, 0).shape.dims);
  return ShownLayout{from, transposes ? picked(strides, op.get<Dimensions>().dims) : strides};
}

/// What a window of `shape` reads in the array that `shown` names, where its elements lie at even
/// distances there, too.
std::optional<SliceWindow> seen_through(const SliceWindow& window,
                                        const std::vector<int64_t>& extents, const Shape& shape,
                                        const ShownLayout& shown) {
  const std::vector<int64_t> own = row_major_strides(shape.dims);
  SliceWindow seen = window;
  seen.memory_op = shown.op;
  seen.offset += shown.offset;
  if (!shown.starts.empty()) {
    if (!window.starts.empty()) return std::nullopt;
    seen.starts = shown.starts;
    seen.dynamic_op = shown.dynamic_op;
  }
  // The same elements one behind the other.
  const auto lies_alike = [&] {
    for (size_t i = 0; i < own.size(); ++i) {
      if (shape.dims[i] > 1 && shown.strides[i] != own[i]) return false;
    }
    return true;
  };
  if (lies_alike()) return seen;
  if (!window.starts.empty()) return std::nullopt;
  // Each dimension of the window steps along one of the shape's, and does not leave it.
  std::vector<int64_t> last(own.size(), 0);
  seen.offset = shown.offset;
  for (size_t i = 0; i < own.size(); ++i) {
    last[i] = window.offset / own[i] % shape.dims[i];
    seen.offset += last[i] * shown.strides[i];
  }
  for (size_t dim = 0; dim < extents.size(); ++dim) {
    if (extents[dim] == 1) continue;
    const int64_t stride = window.strides[dim];
    size_t along = own.size();
    for (size_t i = 0; i < own.size() && along == own.size(); ++i) {
      if (shape.dims[i] > 1 && own[i] <= stride && stride % own[i] == 0) along = i;
    }
    if (along == own.size()) return std::nullopt;
    const int64_t steps = stride / own[along];
    last[along] += (extents[dim] - 1) * steps;
    seen.strides[dim] = steps * shown.strides[along];
  }
  for (size_t i = 0; i < own.size(); ++i) {
    if (last[i] >= shape.dims[i]) return std::nullopt;
  }
  return seen;
}

}  // namespace

SliceWindow read_window(const Region& region, const FusedOps& ops, int32_t slice) {
  std::optional<SliceWindow> window = window_of(region, slice);
  TW_CHECK(window.has_value(), "only slices read windows");
  const std::vector<int64_t>& extents = region.computation().op(slice).shape.dims;
  while (std::ranges::binary_search(ops.ops, window->memory_op)) {
    const std::optional<ShownLayout> shown = layout_shown(region, window->memory_op);
    if (!shown) break;
    const Shape& shape = region.computation().op(window->memory_op).shape;
    const std::optional<SliceWindow> seen = seen_through(*window, extents, shape, *shown);
    if (!seen) break;
    window = seen;
  }
  return *std::move(window);
}

namespace {

/// What a piece above 0 of a pad fills: a side of a dimension, beside what the operand and the
/// dimensions before leave.
struct PadSide {
  size_t dim = 0;
  bool is_high = false;
};
PadSide side_of(size_t piece) {
  return {(piece - 1) / 2, (piece - 1) % 2 == 1};
}

}  // namespace

std::vector<int64_t> piece_extents(const Region& region, int32_t index, size_t piece) {
  const Computation& computation = region.computation();
  const Op& op = computation.op(index);
  if (op.opcode != HloOpcode::kPad) return computation.operand(op, piece).shape.dims;
  const std::vector<int64_t>& inner = computation.operand(op, 0).shape.dims;
  if (piece == 0) return inner;
  const PadSide side = side_of(piece);
  const auto& padding = op.get<Padding>();
  std::vector<int64_t> extents = op.shape.dims;
  std::copy_n(inner.begin(), side.dim, extents.begin());
  extents[side.dim] = (side.is_high ? padding.high : padding.low)[side.dim];
  return extents;
}

SliceWindow piece_of(const Region& region, int32_t index, size_t piece) {
  const Computation& computation = region.computation();
  const Op& op = computation.op(index);
  SliceWindow window;
  window.memory_op = index;
  window.strides = row_major_strides(op.shape.dims);
  if (op.opcode == HloOpcode::kDynamicUpdateSlice) {
    if (piece == kUpdateOperand) window.starts = window_starts(region, index);
    return window;
  }
  if (op.opcode == HloOpcode::kPad) {
    const auto& padding = op.get<Padding>();
    const PadSide side = piece == 0 ? PadSide{padding.low.size(), false} : side_of(piece);
    for (size_t i = 0; i < side.dim; ++i) window.offset += padding.low[i] * window.strides[i];
    if (side.is_high) {
      window.offset +=
          (op.shape.dims[side.dim] - padding.high[side.dim]) * window.strides[side.dim];
    }
    return window;
  }
  const auto dim = static_cast<size_t>(op.get<Dimensions>().dims[0]);
  for (size_t i = 0; i < piece; ++i) {
    window.offset += computation.operand(op, i).shape.dims[dim] * window.strides[dim];
  }
  return window;
}

std::span<const int32_t> start_operands(const Op& op) {
  const std::span<const int32_t> operands = op.operands;
  if (op.opcode == HloOpcode::kDynamicSlice) return operands.subspan(1);
  if (op.opcode == HloOpcode::kDynamicUpdateSlice) return operands.subspan(kUpdateOperand + 1);
  return {};
}

std::vector<WindowStart> window_starts(const Region& region, int32_t index) {
  const Computation& computation = region.computation();
  const Op& op = computation.op(index);
  std::vector<WindowStart> starts;
  if (start_operands(op).empty()) return starts;
  const Shape& whole = computation.operand(op, 0).shape;
  const bool is_slice = op.opcode == HloOpcode::kDynamicSlice;
  const Shape& window = is_slice ? op.shape : computation.operand(op, kUpdateOperand).shape;
  const std::vector<int64_t> strides = row_major_strides(whole.dims);
  for (size_t i = 0; i < strides.size(); ++i) {
    starts.push_back({strides[i], whole.dims[i] - window.dims[i]});
  }
  return starts;
}

int32_t updated_in_memory(const Region& region, const FusedOps& ops, int32_t op) {
  const int32_t updated = region.in_place(op);
  return updated >= 0 && !std::ranges::binary_search(ops.ops, updated) ? updated : -1;
}

bool leads_to(const Region& region, const std::vector<int32_t>& ops, int32_t from, int32_t to) {
  std::vector<int32_t> todo = {from};
  std::vector<int32_t> seen = {from};
  while (!todo.empty()) {
    const int32_t op = todo.back();
    todo.pop_back();
    if (op == to) return true;
    for (const int32_t user : region.users(op)) {
      if (!std::ranges::binary_search(ops, user) || std::ranges::find(seen, user) != seen.end()) {
        continue;
      }
      seen.push_back(user);
      todo.push_back(user);
    }
  }
  return false;
}

std::vector<int32_t> earlier_readers(const Region& region, const std::vector<int32_t>& ops,
                                     int32_t writer) {
  std::vector<int32_t> readers;
  const int32_t input = region.aliased_input(writer);
  if (input < 0 || region.in_place(writer) == input) return readers;
  for (const int32_t reader : ops) {
    const auto inputs = region.inputs(reader);
    if (reader == writer || std::ranges::find(inputs, input) == inputs.end()) continue;
    const OpRole role = region.role(reader);
    const bool in_step = (role == OpRole::kLight || role == OpRole::kHeavy) &&
                         region.elements(reader) == region.elements(writer) &&
                         leads_to(region, ops, reader, writer);
    if (!in_step) readers.push_back(reader);
  }
  return readers;
}

int64_t written_elements(const Region& region, int32_t op) {
  if (region.in_place(op) < 0) return region.elements(op);
  return region.elements(region.computation().op(op).operands[kUpdateOperand]);
}

namespace {

/// Whether the scalar units get a number, an index, from memory or from others by arithmetic.
bool is_index(const Region& region, const std::vector<int32_t>& ops, int32_t op) {
  if (region.splat(op) || !std::ranges::binary_search(ops, op)) return true;
  const Op& made = region.computation().op(op);
  const bool picks = window_of(region, op).has_value();
  if (region.elements(op) != 1 || is_float(made.shape.type)) return false;
  if (region.role(op) != OpRole::kLight && !picks) return false;
  if (picks && std::ranges::binary_search(ops, region.base(made.operands[0]))) return false;
  return std::ranges::all_of(made.operands, [&](int32_t operand) {
    return !is_float(region.computation().op(operand).shape.type) &&
           is_index(region, ops, region.base(operand));
  });
}

}  // namespace

std::string why_not_together(const Region& region, const std::vector<int32_t>& ops) {
  const Computation& computation = region.computation();
  const auto products = std::ranges::count_if(ops, [&](int32_t op) { return is_dot(region, op); });
  if (products > kMostProducts) {
    return fmt::format("a kernel holds at most {} dots, not {}", kMostProducts, products);
  }
  for (const int32_t index : ops) {
    const Op& op = computation.op(index);
    if (op.opcode == HloOpcode::kDot) {
      for (const int32_t operand : op.operands) {
        const int32_t made = region.base(operand);
        const Op& maker = computation.op(made);
        if (std::ranges::binary_search(ops, made) &&
            (shows(computation, maker) || window_of(region, made) ||
             maker.opcode == HloOpcode::kDynamicUpdateSlice)) {
          return fmt::format("{} of the same kernel needs {} in memory", op.name, maker.name);
        }
      }
    }
    // Barriers between vector cores do not hold cube cores back.
    for (const int32_t reader : earlier_readers(region, ops, index)) {
      if (!is_dot(region, reader)) continue;
      return fmt::format("{} writes over what {} of the same kernel reads", op.name,
                         computation.op(reader).name);
    }
    if (op.opcode == HloOpcode::kDynamicUpdateSlice) {
      const int32_t array = region.base(op.operands[0]);
      if (std::ranges::binary_search(ops, array) && is_dot(region, array)) {
        return fmt::format("{} would write over the result of {} in the same kernel", op.name,
                           computation.op(array).name);
      }
    }
    for (const int32_t start : start_operands(op)) {
      if (!is_index(region, ops, region.base(start))) {
        return fmt::format("the place of {} is computed in the same kernel", op.name);
      }
    }
  }
  return "";
}

namespace {

/// Moves what writes over memory that others read, and the nodes that need it, behind all others.
void put_updates_last(const Region& region, const FusedOps& ops, std::vector<FusedNode>& nodes) {
  const auto is_update = [&](int32_t op) {
    return updated_in_memory(region, ops, op) >= 0 ||
           (std::ranges::binary_search(ops.outputs, op) &&
            !earlier_readers(region, ops.ops, op).empty());
  };
  if (std::ranges::none_of(ops.ops, is_update)) return;
  std::vector<bool> is_late(static_cast<size_t>(region.size()), false);
  for (int32_t op = 0; op < region.size(); ++op) {
    const auto at = static_cast<size_t>(op);
    is_late[at] = is_update(op) && std::ranges::binary_search(ops.ops, op);
    for (const int32_t input : region.inputs(op)) {
      is_late[at] = is_late[at] || is_late[static_cast<size_t>(input)];
    }
  }
  std::ranges::stable_sort(nodes, {}, [&](const FusedNode& node) -> bool {
    return is_late[static_cast<size_t>(node.op)];
  });
}

}  // namespace

namespace {

/// Ops that make nothing of their own, but whose elements others of the kernel read at other
/// places, or one by one: slices that cannot see through them, gathers from tables, and reduces of
/// what is spread.
std::vector<int32_t> copied_for_readers(const Region& region, const FusedOps& ops) {
  std::vector<int32_t> copied;
  for (const int32_t op : ops.ops) {
    if (window_of(region, op)) copied.push_back(read_window(region, ops, op).memory_op);
    if (const auto table = table_of(region, op)) copied.push_back(table->op);
    if (region.role(op) == OpRole::kReduce) copied.push_back(spread_for_reduce(region, op));
  }
  return copied;
}

}  // namespace

std::vector<FusedNode> fused_nodes(const Region& region, const FusedOps& ops) {
  const Computation& computation = region.computation();
  const std::vector<int32_t> copied = copied_for_readers(region, ops);
  const auto is_copied = [&](int32_t op) {
    return std::ranges::binary_search(ops.outputs, op) ||
           std::ranges::find(copied, op) != copied.end();
  };
  const auto is_inside = [&](int32_t op) { return std::ranges::binary_search(ops.ops, op); };
  // `last`: an op to see no further than.
  const auto source_of = [&](int32_t op, int32_t last = -1) -> FusedOperand {
    if (const std::optional<double> value = region.splat(op)) return KnownNumber{*value};
    Source source;
    while (true) {
      const bool is_free = is_inside(op) || region.role(op) == OpRole::kConstant;
      const bool passes =
          region.role(op) == OpRole::kView || (is_free && shows(computation, computation.op(op)));
      if (!passes || op == last) break;
      source.through.push_back(op);
      op = computation.op(op).operands[0];
    }
    // A broadcast of a known number inside the kernel is that number, in the narrowest type that it
    // is seen through.
    if (std::optional<double> value = region.splat(op)) {
      for (size_t i = source.through.size(); i-- > 0;) {
        const ElementType type = computation.op(source.through[i]).shape.type;
        if (is_float(type)) value = round_to(type, *value);
      }
      return KnownNumber{*value};
    }
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
    if (op.opcode == HloOpcode::kDynamicUpdateSlice) {
      const bool copies = updated_in_memory(region, ops, index) < 0;
      for (size_t i = copies ? 0 : kUpdateOperand; i <= kUpdateOperand; ++i) {
        nodes.push_back({index, static_cast<int>(i), {source_of(op.operands[i])}});
      }
      continue;
    }
    if (window_of(region, index)) {
      if (is_copied(index)) nodes.push_back({index, -1, {Source{index, {}}}});
      continue;
    }
    if (op.opcode == HloOpcode::kPad) {
      nodes.push_back({index, 0, {source_of(op.operands[0])}});
      for (size_t piece = 1; piece <= 2 * op.shape.dims.size(); ++piece) {
        const std::vector<int64_t> extents = piece_extents(region, index, piece);
        if (std::ranges::find(extents, 0) != extents.end()) continue;
        nodes.push_back(
            {index, static_cast<int>(piece), {KnownNumber{*region.splat(op.operands[1])}}});
      }
      continue;
    }
    if (op.opcode == HloOpcode::kGather) {
      nodes.push_back(
          {index, -1, {Source{table_of(region, index)->op, {}}, source_of(op.operands[1])}});
      continue;
    }
    if (shows(computation, op)) {
      if (!is_copied(index)) continue;
      node.operands = {source_of(op.operands[0])};
    } else {
      const bool reduces = op.opcode == HloOpcode::kReduce;
      const size_t count = reduces ? 1 : op.operands.size();
      const int32_t last = reduces ? spread_for_reduce(region, index) : -1;
      for (size_t i = 0; i < count; ++i) node.operands.push_back(source_of(op.operands[i], last));
    }
    nodes.push_back(std::move(node));
  }
  put_updates_last(region, ops, nodes);
  return nodes;
}

}  // namespace tilewright
