#include <fmt/format.h>

#include <algorithm>

#include "core/graph/infer_rules.h"

namespace tilewright {
namespace {

bool is_logical(ElementType type) {
  return type == ElementType::kPred || is_integer(type);
}
bool is_continuous(ElementType type) {
  return is_float(type) || is_complex(type);
}
bool is_signed_number(ElementType type) {
  return is_continuous(type) || is_signed_integer(type);
}

ElementType real_part_of(ElementType type) {
  if (type == ElementType::kC64) return ElementType::kF32;
  if (type == ElementType::kC128) return ElementType::kF64;
  return type;
}

using TypeTest = bool (*)(ElementType);

/// Which types an opcode works on; null: on all arrays.
TypeTest domain_of(HloOpcode opcode) {
  switch (opcode) {
    case HloOpcode::kAnd:
    case HloOpcode::kOr:
    case HloOpcode::kXor:
    case HloOpcode::kNot:
      return is_logical;
    case HloOpcode::kShiftLeft:
    case HloOpcode::kShiftRightArithmetic:
    case HloOpcode::kShiftRightLogical:
    case HloOpcode::kPopcnt:
    case HloOpcode::kCountLeadingZeros:
      return is_integer;
    case HloOpcode::kCeil:
    case HloOpcode::kFloor:
    case HloOpcode::kIsFinite:
    case HloOpcode::kErf:
    case HloOpcode::kRoundNearestAfz:
    case HloOpcode::kRoundNearestEven:
    case HloOpcode::kReducePrecision:
    case HloOpcode::kComplex:
    case HloOpcode::kStochasticConvert:
      return is_float;
    case HloOpcode::kAcos:
    case HloOpcode::kAcosh:
    case HloOpcode::kAsin:
    case HloOpcode::kAsinh:
    case HloOpcode::kAtan2:
    case HloOpcode::kAtanh:
    case HloOpcode::kCbrt:
    case HloOpcode::kCosh:
    case HloOpcode::kCosine:
    case HloOpcode::kExponential:
    case HloOpcode::kExponentialMinusOne:
    case HloOpcode::kImag:
    case HloOpcode::kLog:
    case HloOpcode::kLogPlusOne:
    case HloOpcode::kLogistic:
    case HloOpcode::kReal:
    case HloOpcode::kRsqrt:
    case HloOpcode::kSine:
    case HloOpcode::kSinh:
    case HloOpcode::kSqrt:
    case HloOpcode::kTan:
    case HloOpcode::kTanh:
      return is_continuous;
    case HloOpcode::kSign:
      return is_signed_number;
    default:
      return nullptr;
  }
}

/// The type of the result for operands of `type`.
ElementType result_type(const Op& op, ElementType type) {
  switch (op.opcode) {
    case HloOpcode::kCompare:
    case HloOpcode::kIsFinite:
      return ElementType::kPred;
    case HloOpcode::kConvert:
    case HloOpcode::kStochasticConvert:
      return is_array(op.shape.type) ? op.shape.type : type;
    case HloOpcode::kComplex:
      return type == ElementType::kF64 ? ElementType::kC128 : ElementType::kC64;
    case HloOpcode::kAbs:
    case HloOpcode::kReal:
    case HloOpcode::kImag:
      return real_part_of(type);
    default:
      return type;
  }
}

/// The common type of two operands. Floats of different precision meet in the wider one.
ElementType common_type(const OpView& view, size_t a, size_t b) {
  const ElementType first = view.operand(a).type;
  const ElementType second = view.operand(b).type;
  if (first == second) return first;
  if (!is_float(first) || !is_float(second)) {
    view.fail(fmt::format("operands are {} and {}", name_of(first), name_of(second)));
  }
  return bytes_of(first) >= bytes_of(second) ? first : second;
}

void need_same_dims(const OpView& view, size_t a, size_t b) {
  if (same_dims(view.operand(a), view.operand(b))) return;
  view.fail(fmt::format("operands are {} and {}", to_text(view.operand(a), false),
                        to_text(view.operand(b), false)));
}

/// select: a scalar predicate chooses everything.
Shape infer_select(const OpView& view) {
  view.need(view.operand(0).type == ElementType::kPred, "operand 0 must be pred");
  if (!view.operand(0).is_scalar()) need_same_dims(view, 0, 1);
  need_same_dims(view, 1, 2);
  return array_shape(common_type(view, 1, 2), view.operand(1).dims);
}

/// clamp(least, value, most), where scalar bounds hold for all elements.
Shape infer_clamp(const OpView& view) {
  if (!view.operand(0).is_scalar()) need_same_dims(view, 0, 1);
  if (!view.operand(2).is_scalar()) need_same_dims(view, 2, 1);
  common_type(view, 0, 1);
  common_type(view, 2, 1);
  return array_shape(view.operand(1).type, view.operand(1).dims);
}

}  // namespace

Shape infer_elementwise(const OpView& view) {
  const Op& op = view.op();
  if (op.opcode == HloOpcode::kCopy) return view.operand(0);
  view.need_arrays();
  if (op.opcode == HloOpcode::kSelect) return infer_select(view);
  if (op.opcode == HloOpcode::kClamp) return infer_clamp(view);
  ElementType type = view.operand(0).type;
  if (view.operand_count() == 2) {
    need_same_dims(view, 0, 1);
    if (op.opcode != HloOpcode::kStochasticConvert) type = common_type(view, 0, 1);
  }
  const TypeTest in_domain = domain_of(op.opcode);
  if (in_domain && !in_domain(type)) {
    view.fail(fmt::format("is not defined for {}", name_of(type)));
  }
  return array_shape(result_type(op, type), view.operand(0).dims);
}

}  // namespace tilewright
