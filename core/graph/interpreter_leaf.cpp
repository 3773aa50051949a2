#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "core/base/error.h"
#include "core/graph/interpreter_ops.h"

namespace tilewright {
namespace {

/// Custom calls that place or shard a value and give it back as it is.
bool is_identity_target(std::string_view target) {
  constexpr std::array<std::string_view, 7> kTargets = {
      "Sharding",     "SPMDFullToShardShape",      "SPMDShardToFullShape", "MoveToHost",
      "MoveToDevice", "annotate_device_placement", "LayoutConstraint"};
  return std::find(kTargets.begin(), kTargets.end(), target) != kTargets.end();
}

bool is_identity(const Op& op) {
  switch (op.opcode) {
    case HloOpcode::kOptBarrier:
    case HloOpcode::kDomain:
    case HloOpcode::kAddDependency:
    case HloOpcode::kAllReduceDone:
    case HloOpcode::kAllGatherDone:
    case HloOpcode::kCollectivePermuteDone:
      return true;
    case HloOpcode::kCustomCall:
      return op.operands.size() == 1 && is_identity_target(op.get<CustomCall>().target);
    default:
      return is_collective(op.opcode);
  }
}

/// Operands as they are, when that is what the op states: a collective on a single device.
std::optional<Value> as_is(const OpCall& call) {
  if (call.operands.empty()) return std::nullopt;
  if (same_value_shape(call.operands[0].shape(), call.shape())) return call.operands[0];
  Value all(std::vector<Value>(call.operands.begin(), call.operands.end()));
  if (!same_value_shape(all.shape(), call.shape())) return std::nullopt;
  return all;
}

/// Elementwise functions that frameworks hide in custom calls: "mhlo.erf".
std::optional<Value> as_custom(const OpCall& call) {
  constexpr std::string_view kPrefix = "mhlo.";
  const std::string_view target = call.op.get<CustomCall>().target;
  if (target == "TopK" && call.operands.size() == 1 && call.shape().is_tuple() &&
      !call.shape().parts.empty() && !call.shape().parts[0].dims.empty()) {
    return evaluate_topk(call, call.shape().parts[0].dims.back(), true);
  }
  if (!target.starts_with(kPrefix)) return std::nullopt;
  const HloOpcode opcode = parse_opcode(target.substr(kPrefix.size()));
  const bool plain = is_elementwise(opcode) && arity_of(opcode) == 1 && call.operands.size() == 1 &&
                     opcode != HloOpcode::kConvert && opcode != HloOpcode::kReducePrecision &&
                     same_value_shape(call.operands[0].shape(), call.shape());
  if (!plain) return std::nullopt;
  Op op = call.op;
  op.opcode = opcode;
  return evaluate_elementwise({call.graph, call.computation, op, call.operands, call.arithmetic});
}

Value scalar(const Shape& shape, int64_t number) {
  return {shape, std::span<const int64_t>(&number, 1)};
}

int64_t dimension_size(const OpCall& call) {
  const auto dimension = static_cast<size_t>(call.op.get<Dimensions>().dims[0]);
  return call.operands[0].shape().dims[dimension];
}

/// The value of a shape without any elements, of which there is only one. Such arrays may have
/// dimensions of any size beside the one of size 0, over which no op should loop.
std::optional<Value> empty_value(const Shape& shape) {
  if (is_array(shape.type)) {
    return element_count(shape) == 0 ? std::optional(Value(shape)) : std::nullopt;
  }
  if (shape.parts.empty()) return std::nullopt;
  std::vector<Value> parts;
  for (const Shape& part : shape.parts) {
    std::optional<Value> value = empty_value(part);
    if (!value) return std::nullopt;
    parts.push_back(std::move(*value));
  }
  return Value(std::move(parts));
}

}  // namespace

void refuse(const OpCall& call, const char* reason) {
  throw Error(ErrorKind::kUsage, fmt::format("'{}' {} is not known to the interpreter",
                                             name_of(call.op.opcode), reason));
}

std::optional<Value> evaluate_leaf(const OpCall& call) {
  const Op& op = call.op;
  if (std::optional<Value> empty = empty_value(op.shape)) return empty;
  if (is_identity(op)) return as_is(call);
  switch (op.opcode) {
    case HloOpcode::kAfterAll:
      return Value::token();
    case HloOpcode::kBatchNormGrad:
      return evaluate_batch_norm_grad(call);
    case HloOpcode::kBatchNormInference:
      return evaluate_batch_norm_inference(call);
    case HloOpcode::kBatchNormTraining:
      return evaluate_batch_norm_training(call);
    case HloOpcode::kBitcast:
      return evaluate_bitcast(call);
    case HloOpcode::kBitcastConvert:
      return evaluate_bitcast_convert(call);
    case HloOpcode::kBroadcast:
      return evaluate_broadcast(call);
    case HloOpcode::kConcatenate:
      return evaluate_concatenate(call);
    case HloOpcode::kConstant:
      return op.get<Literal>().elided ? std::nullopt : std::optional(evaluate_constant(call));
    case HloOpcode::kConvolution:
      return evaluate_convolution(call);
    case HloOpcode::kCustomCall:
      return as_custom(call);
    case HloOpcode::kDot:
      return evaluate_dot(call);
    case HloOpcode::kDynamicSlice:
      return evaluate_dynamic_slice(call);
    case HloOpcode::kDynamicUpdateSlice:
      return evaluate_dynamic_update_slice(call);
    case HloOpcode::kGather:
      return evaluate_gather(call);
    case HloOpcode::kGetDimensionSize:
      return scalar(call.shape(), dimension_size(call));
    case HloOpcode::kGetTupleElement:
      return std::move(call.operands[0]);
    case HloOpcode::kIota:
      return evaluate_iota(call);
    case HloOpcode::kMap:
      return evaluate_map(call);
    case HloOpcode::kPad:
      return evaluate_pad(call);
    case HloOpcode::kPartitionId:
    case HloOpcode::kReplicaId:
      return scalar(call.shape(), 0);
    case HloOpcode::kReduce:
      return evaluate_reduce(call);
    case HloOpcode::kReduceWindow:
      return evaluate_reduce_window(call);
    case HloOpcode::kReshape:
      return call.operands[0].reshaped(call.shape());
    case HloOpcode::kReverse:
      return evaluate_reverse(call);
    case HloOpcode::kScatter:
      return evaluate_scatter(call);
    case HloOpcode::kSelectAndScatter:
      return evaluate_select_and_scatter(call);
    case HloOpcode::kSlice:
      return evaluate_slice(call);
    case HloOpcode::kSort:
      return evaluate_sort(call);
    case HloOpcode::kTopk:
      return evaluate_topk(call, op.get<TopK>().k, op.get<TopK>().largest);
    case HloOpcode::kTranspose:
      return evaluate_transpose(call);
    case HloOpcode::kTuple:
      return Value(std::vector<Value>(call.operands.begin(), call.operands.end()));
    default:
      break;
  }
  const bool random = op.opcode == HloOpcode::kStochasticConvert;
  return is_elementwise(op.opcode) && !random ? std::optional(evaluate_elementwise(call))
                                              : std::nullopt;
}

}  // namespace tilewright
