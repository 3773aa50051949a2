#include <fmt/format.h>

#include <algorithm>

#include "core/graph/infer_rules.h"

namespace tilewright {
namespace {

std::string text_of(const Shape& shape) {
  return to_text(shape, false);
}

std::vector<Shape> operand_shapes(const OpView& view) {
  std::vector<Shape> shapes;
  for (size_t i = 0; i < view.operand_count(); ++i) shapes.push_back(view.operand(i));
  return shapes;
}

/// The operand if there is one, else a tuple of them.
Shape same_as_operands(const OpView& view) {
  view.need_operands_from(1);
  return view.operand_count() == 1 ? view.operand(0) : tuple_shape(operand_shapes(view));
}

const Shape& part(const OpView& view, const Shape& tuple, size_t index) {
  if (!tuple.is_tuple() || tuple.parts.size() <= index) {
    view.fail(fmt::format("{} has no part {}", text_of(tuple), index));
  }
  return tuple.parts[index];
}

/// all-gather and reduce-scatter: the result has a multiple, or a part, of one dimension.
Shape infer_resized(const OpView& view, bool grows) {
  const int64_t dimension = view.op().get<CollectiveDimension>().dimension;
  const std::vector<Shape> stated =
      view.op().shape.is_tuple() ? view.op().shape.parts : std::vector<Shape>{view.op().shape};
  view.need(stated.size() == view.operand_count(), "one result for each operand is needed");
  Shape result = {.type = ElementType::kTuple};
  for (size_t i = 0; i < stated.size(); ++i) {
    const Shape& operand = view.operand(i);
    view.need(is_array(operand.type), "operands must be arrays");
    view.need_dimensions({dimension}, operand.rank(), "dimensions");
    const auto along = static_cast<size_t>(dimension);
    view.need(stated[i].dims.size() == operand.dims.size(), "the result has another rank");
    const int64_t more = grows ? stated[i].dims[along] : operand.dims[along];
    const int64_t less = grows ? operand.dims[along] : stated[i].dims[along];
    if (less == 0 ? more != 0 : more % less != 0) {
      view.fail(
          fmt::format("{} elements of dimension {} are no multiple of {}", more, dimension, less));
    }
    result.parts.push_back(array_shape(operand.type, operand.dims));
    result.parts.back().dims[along] = stated[i].dims[along];
  }
  return view.op().shape.is_tuple() ? result : result.parts[0];
}

/// One operand is cut and joined along one dimension; several are handed round whole.
Shape infer_all_to_all(const OpView& view) {
  if (view.op().shape.is_tuple()) return tuple_shape(operand_shapes(view));
  view.need_operands(1);
  return view.operand(0);
}

Shape infer_async_start(const OpView& view) {
  const Shape& stated = view.op().shape;
  if (!same_value_shape(part(view, stated, 0), tuple_shape(operand_shapes(view))) ||
      !same_value_shape(part(view, stated, 1), view.called_result(0))) {
    view.fail(fmt::format("{} does not begin with the operands and the result of '{}'",
                          text_of(stated), view.called(0).name));
  }
  view.need_parameters(0, operand_shapes(view));
  return stated;
}

/// A first half states its operand, its result and what the runtime keeps; the second half gives
/// the result.
Shape infer_started(const OpView& view) {
  const Shape& stated = view.op().shape;
  const Shape operand = same_as_operands(view);
  if (!same_value_shape(part(view, stated, 0), operand)) {
    view.fail(
        fmt::format("{} does not begin with the operand {}", text_of(stated), text_of(operand)));
  }
  part(view, stated, 1);
  return stated;
}

Shape infer_copy_start(const OpView& view) {
  const Shape& stated = view.op().shape;
  if (!same_value_shape(part(view, stated, 0), view.operand(0)) ||
      !same_value_shape(part(view, stated, 1), view.operand(0))) {
    view.fail(
        fmt::format("{} does not begin with {} twice", text_of(stated), text_of(view.operand(0))));
  }
  return stated;
}

Shape infer_recv_done(const OpView& view) {
  const Shape& received = view.operand(0);
  return tuple_shape({part(view, received, 0), array_shape(ElementType::kToken)});
}

}  // namespace

Shape infer_tuple(const OpView& view) {
  return tuple_shape(operand_shapes(view));
}

Shape infer_get_tuple_element(const OpView& view) {
  return part(view, view.operand(0), static_cast<size_t>(view.op().get<TupleIndex>().index));
}

Shape infer_call(const OpView& view) {
  view.need_parameters(0, operand_shapes(view));
  return view.called_result(0);
}

Shape infer_while(const OpView& view) {
  const Shape& state = view.operand(0);
  view.need_parameters(0, {state});
  view.need_parameters(1, {state});
  view.need(same_value_shape(view.called_result(0), array_shape(ElementType::kPred)),
            "the condition must give pred[]");
  if (!same_value_shape(view.called_result(1), state)) {
    view.fail(
        fmt::format("the body makes {} of {}", text_of(view.called_result(1)), text_of(state)));
  }
  return state;
}

Shape infer_conditional(const OpView& view) {
  const size_t branches = view.op().called.size();
  view.need_operands(branches + 1);
  const Shape& selector = view.operand(0);
  const bool binary = selector.type == ElementType::kPred && branches == 2;
  view.need(selector.is_scalar() && (binary || selector.type == ElementType::kS32),
            "operand 0 must be pred[] for two branches, or s32[]");
  for (size_t i = 0; i < branches; ++i) {
    view.need_parameters(i, {view.operand(i + 1)});
    view.need(same_value_shape(view.called_result(i), view.called_result(0)),
              "all branches must give the same shape");
  }
  return view.called_result(0);
}

std::optional<Shape> infer_runtime(const OpView& view) {
  switch (view.op().opcode) {
    case HloOpcode::kAfterAll:
    case HloOpcode::kOutfeed:
    case HloOpcode::kSendDone:
      return array_shape(ElementType::kToken);
    case HloOpcode::kAddDependency:
    case HloOpcode::kDomain:
    case HloOpcode::kOptBarrier:
    case HloOpcode::kAllReduceDone:
    case HloOpcode::kAsyncUpdate:
      return view.operand(0);
    case HloOpcode::kAllReduce:
    case HloOpcode::kAllReduceStart:
    case HloOpcode::kCollectiveBroadcast:
      return same_as_operands(view);
    case HloOpcode::kAllGather:
      return infer_resized(view, true);
    case HloOpcode::kReduceScatter:
      return infer_resized(view, false);
    case HloOpcode::kAllToAll:
      return infer_all_to_all(view);
    case HloOpcode::kCollectivePermute:
      // The form with four operands writes into the second one.
      return view.operand_count() == 4 ? view.operand(1) : same_as_operands(view);
    case HloOpcode::kAllGatherStart:
      return infer_started(view);
    case HloOpcode::kCollectivePermuteStart:
      if (view.operand_count() == 4) return view.op().shape;
      return infer_started(view);
    case HloOpcode::kAllGatherDone:
    case HloOpcode::kCollectivePermuteDone:
    case HloOpcode::kAsyncDone:
      return part(view, view.operand(0), 1);
    case HloOpcode::kAsyncStart:
      return infer_async_start(view);
    case HloOpcode::kCopyStart:
      return infer_copy_start(view);
    case HloOpcode::kCopyDone:
      return part(view, view.operand(0), 0);
    case HloOpcode::kSend:
      return tuple_shape(
          {view.operand(0), array_shape(ElementType::kU32), array_shape(ElementType::kToken)});
    case HloOpcode::kRecvDone:
      return infer_recv_done(view);
    default:
      return std::nullopt;
  }
}

}  // namespace tilewright
