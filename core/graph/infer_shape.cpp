#include "core/graph/infer_shape.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/graph/infer_rules.h"

namespace tilewright {

void OpView::fail(const std::string& message) const {
  throw Error(ErrorKind::kFailed,
              fmt::format("{}: {}: {}", place_of(graph_, op_), name_of(op_.opcode), message));
}

void OpView::need(bool condition, const char* message) const {
  if (!condition) fail(message);
}

void OpView::need_operands(size_t count) const {
  if (operand_count() != count) {
    fail(fmt::format("needs {} operands, and has {}", count, operand_count()));
  }
}

void OpView::need_operands_from(size_t count) const {
  if (operand_count() < count) {
    fail(fmt::format("needs {} operands or more, and has {}", count, operand_count()));
  }
}

void OpView::need_array(size_t index) const {
  if (!is_array(operand(index).type)) {
    fail(
        fmt::format("operand {} is {}, an array is needed", index, to_text(operand(index), false)));
  }
}

void OpView::need_arrays() const {
  for (size_t i = 0; i < operand_count(); ++i) need_array(i);
}

void OpView::need_dimensions(const std::vector<int64_t>& dims, int64_t rank,
                             const char* what) const {
  std::vector<int64_t> sorted = dims;
  std::sort(sorted.begin(), sorted.end());
  if (sorted.empty()) return;
  if (sorted.front() < 0 || sorted.back() >= rank) {
    fail(fmt::format("{} name {}, there are {}", what,
                     sorted.front() < 0 ? sorted.front() : sorted.back(), rank));
  }
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    fail(fmt::format("{} name a dimension twice", what));
  }
}

void OpView::need_parameters(size_t callee, const std::vector<Shape>& shapes) const {
  const Computation& computation = called(callee);
  const std::string name = printable(computation.name);
  if (computation.parameters.size() != shapes.size()) {
    fail(fmt::format("gives {} values to '{}', which takes {}", shapes.size(), name,
                     computation.parameters.size()));
  }
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Shape& wanted = computation.op(computation.parameters[i]).shape;
    if (same_value_shape(wanted, shapes[i])) continue;
    fail(fmt::format("gives {} to '{}', whose parameter {} is {}",
                     printable(to_text(shapes[i], false)), name, i,
                     printable(to_text(wanted, false))));
  }
}

namespace {

/// get-dimension-size and set-dimension-size name one dimension.
Shape infer_dimension_size(const OpView& view) {
  view.need_array(0);
  const std::vector<int64_t>& dims = view.op().get<Dimensions>().dims;
  view.need_dimensions(dims, view.operand(0).rank(), "dimensions");
  view.need(dims.size() == 1, "exactly one dimension is needed");
  if (view.op().opcode == HloOpcode::kGetDimensionSize) return array_shape(ElementType::kS32);
  return view.operand(0);
}

Shape infer_custom_call(const OpView& view) {
  if (view.op().get<CustomCall>().target != "Sharding") return view.op().shape;
  view.need_operands(1);
  return view.operand(0);
}

/// The state that goes in comes out, beside the random bits.
Shape infer_random_bits(const OpView& view) {
  const Shape& stated = view.op().shape;
  if (stated.is_tuple() && !stated.parts.empty() &&
      !same_value_shape(stated.parts[0], view.operand(0))) {
    view.fail(fmt::format("{} does not begin with the state {}", to_text(stated, false),
                          to_text(view.operand(0), false)));
  }
  return stated;
}

std::optional<Shape> infer(const OpView& view) {
  switch (view.op().opcode) {
    case HloOpcode::kParameter:
    case HloOpcode::kConstant:
    case HloOpcode::kRng:
    case HloOpcode::kRngGetAndUpdateState:
    case HloOpcode::kInfeed:
    case HloOpcode::kRecv:
      return view.op().shape;
    case HloOpcode::kPartitionId:
    case HloOpcode::kReplicaId:
      return array_shape(ElementType::kU32);
    case HloOpcode::kRngBitGenerator:
      return infer_random_bits(view);
    case HloOpcode::kCustomCall:
      return infer_custom_call(view);
    case HloOpcode::kGetDimensionSize:
    case HloOpcode::kSetDimensionSize:
      return infer_dimension_size(view);
    case HloOpcode::kBroadcast:
      return infer_broadcast(view);
    case HloOpcode::kReshape:
      return infer_reshape(view);
    case HloOpcode::kBitcast:
    case HloOpcode::kBitcastConvert:
      return infer_bitcast(view);
    case HloOpcode::kTranspose:
      return infer_transpose(view);
    case HloOpcode::kReverse:
      return infer_reverse(view);
    case HloOpcode::kConcatenate:
      return infer_concatenate(view);
    case HloOpcode::kSlice:
      return infer_slice(view);
    case HloOpcode::kDynamicSlice:
      return infer_dynamic_slice(view);
    case HloOpcode::kDynamicUpdateSlice:
      return infer_dynamic_update_slice(view);
    case HloOpcode::kPad:
      return infer_pad(view);
    case HloOpcode::kIota:
      return infer_iota(view);
    case HloOpcode::kGather:
      return infer_gather(view);
    case HloOpcode::kScatter:
      return infer_scatter(view);
    case HloOpcode::kDot:
      return infer_dot(view);
    case HloOpcode::kConvolution:
      return infer_convolution(view);
    case HloOpcode::kReduce:
      return infer_reduce(view);
    case HloOpcode::kMap:
      return infer_map(view);
    case HloOpcode::kReduceWindow:
      return infer_reduce_window(view);
    case HloOpcode::kSelectAndScatter:
      return infer_select_and_scatter(view);
    case HloOpcode::kSort:
      return infer_sort(view);
    case HloOpcode::kTopk:
      return infer_topk(view);
    case HloOpcode::kFft:
      return infer_fft(view);
    case HloOpcode::kCholesky:
      return infer_cholesky(view);
    case HloOpcode::kTriangularSolve:
      return infer_triangular_solve(view);
    case HloOpcode::kBatchNormGrad:
    case HloOpcode::kBatchNormInference:
    case HloOpcode::kBatchNormTraining:
      return infer_batch_norm(view);
    case HloOpcode::kTuple:
      return infer_tuple(view);
    case HloOpcode::kGetTupleElement:
      return infer_get_tuple_element(view);
    case HloOpcode::kCall:
    case HloOpcode::kFusion:
      return infer_call(view);
    case HloOpcode::kWhile:
      return infer_while(view);
    case HloOpcode::kConditional:
      return infer_conditional(view);
    default:
      return is_elementwise(view.op().opcode) ? infer_elementwise(view) : infer_runtime(view);
  }
}

/// An op names a tuple in a few letters, and inference looks at all of its parts: bounds the sum
/// over a graph, so that checking takes time and memory in proportion to the text.
class PartBudget {
 public:
  explicit PartBudget(const OpGraph& graph) : graph_(graph) {}

  void spend(const Computation& computation) {
    std::vector<int64_t> parts;
    for (const Op& op : computation.ops) {
      parts.push_back(part_count(op.shape));
      if (op.opcode == HloOpcode::kGetTupleElement) continue;  // looks at one part
      for (const int32_t operand : op.operands) {
        left_ -= parts[static_cast<size_t>(operand)];
      }
      if (left_ >= 0) continue;
      throw Error(ErrorKind::kFailed,
                  fmt::format("{}: operands have more than {} parts of tuples in all",
                              place_of(graph_, op), format_count(kMaxParts)));
    }
  }

 private:
  static constexpr int64_t kMaxParts = 10'000'000;

  const OpGraph& graph_;
  int64_t left_ = kMaxParts;
};

}  // namespace

std::optional<Shape> infer_shape(const OpGraph& graph, const Computation& computation,
                                 const Op& op) {
  const OpView view(graph, computation, op);
  if (const auto arity = arity_of(op.opcode)) view.need_operands(static_cast<size_t>(*arity));
  return infer(view);
}

ShapeCheck check_shapes(const OpGraph& graph) {
  ShapeCheck check;
  PartBudget budget(graph);
  for (const Computation& computation : graph.computations) {
    budget.spend(computation);
    for (const Op& op : computation.ops) {
      const auto inferred = infer_shape(graph, computation, op);
      ++(inferred ? check.checked : check.trusted);
      if (!inferred || same_value_shape(*inferred, op.shape)) continue;
      OpView(graph, computation, op)
          .fail(fmt::format("is stated as {}, its operands give {}",
                            printable(to_text(op.shape, false), 200),
                            printable(to_text(*inferred, false), 200)));
    }
  }
  return check;
}

}  // namespace tilewright
