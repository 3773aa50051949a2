#include "core/graph/elementwise.h"

#include <algorithm>

#include "core/base/dtype.h"
#include "core/base/error.h"
#include "core/graph/number_format.h"

namespace tilewright {
namespace {

/// acc = step(acc, x) over all elements, with floats of type C.
template <class C, class Step>
Element fold_floats(Element acc, const Element* elements, size_t count, const Step& step) {
  C value = static_cast<C>(float_of(acc));
  for (size_t i = 0; i < count; ++i) value = step(value, static_cast<C>(float_of(elements[i])));
  return element_of(static_cast<double>(value));
}

template <class C, class Round>
Element fold_floats_by(HloOpcode opcode, Element acc, const Element* elements, size_t count,
                       const Round& round) {
  const auto larger = [](C a, C b) { return a != a || a >= b ? a : b; };
  const auto smaller = [](C a, C b) { return a != a || a <= b ? a : b; };
  switch (opcode) {
    case HloOpcode::kAdd:
      return fold_floats<C>(acc, elements, count, [&](C a, C b) { return round(a + b); });
    case HloOpcode::kMultiply:
      return fold_floats<C>(acc, elements, count, [&](C a, C b) { return round(a * b); });
    case HloOpcode::kMaximum:
      return fold_floats<C>(acc, elements, count, larger);
    default:
      TW_CHECK(opcode == HloOpcode::kMinimum, "only four folds of floats are quick");
      return fold_floats<C>(acc, elements, count, smaller);
  }
}

bool folds_quickly(const Elementwise& op) {
  const bool known = op.opcode == HloOpcode::kAdd || op.opcode == HloOpcode::kMultiply ||
                     op.opcode == HloOpcode::kMaximum || op.opcode == HloOpcode::kMinimum;
  return known && is_float(op.from) && op.from == op.to;
}

}  // namespace

bool can_apply(const Elementwise& op) {
  return is_elementwise(op.opcode) && op.opcode != HloOpcode::kStochasticConvert &&
         op.opcode != HloOpcode::kComplex && is_array(op.from) && is_array(op.to) &&
         !is_complex(op.from) && !is_complex(op.to);
}

void apply(const Elementwise& op, const Element* const* operands, Element* result, size_t count) {
  if (op.opcode == HloOpcode::kSelect) {
    for (size_t i = 0; i < count; ++i) {
      result[i] = operands[0][i] != 0 ? operands[1][i] : operands[2][i];
    }
    return;
  }
  if (op.opcode == HloOpcode::kCopy || op.opcode == HloOpcode::kReal) {
    if (result != operands[0]) std::copy_n(operands[0], count, result);
    return;
  }
  (is_float(op.from) ? apply_to_floats : apply_to_integers)(op, operands, result, count);
}

Element fold(const Elementwise& op, Element acc, const Element* elements, size_t count) {
  if (folds_quickly(op)) {
    if (op.arithmetic == Arithmetic::kExact || op.from == ElementType::kF64) {
      return fold_floats_by<double>(op.opcode, acc, elements, count, [](double x) { return x; });
    }
    if (op.from == ElementType::kF32) {
      return fold_floats_by<float>(op.opcode, acc, elements, count, [](float x) { return x; });
    }
    if (op.from == ElementType::kBF16) {
      return fold_floats_by<float>(op.opcode, acc, elements, count,
                                   [](float x) { return bf16_to_f32(f32_to_bf16(x)); });
    }
  }
  for (size_t i = 0; i < count; ++i) {
    const Element* operands[3] = {&acc, elements + i, nullptr};
    apply(op, operands, &acc, 1);
  }
  return acc;
}

}  // namespace tilewright
