#include <algorithm>
#include <bit>

#include "core/base/error.h"
#include "core/graph/elementwise.h"
#include "core/graph/number_format.h"

namespace tilewright {
namespace {

/// result[i] = f(a, b) wrapped to the type of the result, on s64.
template <class F>
void binary(const Elementwise& op, const Element* const* operands, Element* result, size_t count,
            const F& f) {
  const Element* a = operands[0];
  const Element* b = operands[1];
  const ElementType type = op.to;
  if (width_of(type) == 64) {
    for (size_t i = 0; i < count; ++i) {
      result[i] = element_of(f(integer_of(a[i]), integer_of(b[i])));
    }
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    result[i] = element_of(wrap_to(type, f(integer_of(a[i]), integer_of(b[i]))));
  }
}

template <class F>
void unary(const Elementwise& op, const Element* const* operands, Element* result, size_t count,
           const F& f) {
  const Element* a = operands[0];
  for (size_t i = 0; i < count; ++i) result[i] = element_of(wrap_to(op.to, f(integer_of(a[i]))));
}

/// Sums and products modulo two to the 64, without the undefined overflow of signed numbers.
int64_t add(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
int64_t subtract(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
int64_t multiply(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

bool is_u64(ElementType type) {
  return type == ElementType::kU64;
}

bool less(ElementType type, int64_t a, int64_t b) {
  return is_u64(type) ? static_cast<uint64_t>(a) < static_cast<uint64_t>(b) : a < b;
}

int64_t divide(ElementType type, int64_t a, int64_t b) {
  if (b == 0) return -1;
  if (is_u64(type))
    return static_cast<int64_t>(static_cast<uint64_t>(a) / static_cast<uint64_t>(b));
  return b == -1 ? subtract(0, a) : a / b;
}

int64_t remainder(ElementType type, int64_t a, int64_t b) {
  if (b == 0) return a;
  if (is_u64(type))
    return static_cast<int64_t>(static_cast<uint64_t>(a) % static_cast<uint64_t>(b));
  return b == -1 ? 0 : a % b;
}

int64_t power(ElementType type, int64_t base, int64_t exponent) {
  if (less(type, exponent, 0) && !is_u64(type)) {
    if (base == 1) return 1;
    if (base == -1) return (exponent & 1) != 0 ? -1 : 1;
    return 0;
  }
  int64_t result = 1;
  for (auto left = static_cast<uint64_t>(exponent); left != 0; left >>= 1) {
    if ((left & 1) != 0) result = multiply(result, base);
    base = multiply(base, base);
  }
  return result;
}

/// The bits of `value` in its width, without the sign's extension.
uint64_t own_bits(ElementType type, int64_t value) {
  const int unused = 64 - width_of(type);
  return (static_cast<uint64_t>(value) << unused) >> unused;
}

int64_t shift_left(ElementType type, int64_t a, int64_t by) {
  const auto width = static_cast<uint64_t>(width_of(type));
  return own_bits(type, by) >= width ? 0 : static_cast<int64_t>(static_cast<uint64_t>(a) << by);
}

int64_t shift_right_logical(ElementType type, int64_t a, int64_t by) {
  const auto width = static_cast<uint64_t>(width_of(type));
  return own_bits(type, by) >= width ? 0 : static_cast<int64_t>(own_bits(type, a) >> by);
}

int64_t shift_right_arithmetic(ElementType type, int64_t a, int64_t by) {
  const int width = width_of(type);
  // Unsigned types have their top bit as the sign here.
  const auto extended =
      static_cast<int64_t>(static_cast<uint64_t>(a) << (64 - width)) >> (64 - width);
  const uint64_t bits = own_bits(type, by);
  return extended >> (bits >= static_cast<uint64_t>(width) ? 63 : static_cast<int>(bits));
}

int64_t sign(ElementType type, int64_t a) {
  if (a == 0) return 0;
  return a < 0 && !is_u64(type) ? -1 : 1;
}

bool holds(ElementType type, CompareDirection direction, int64_t a, int64_t b) {
  switch (direction) {
    case CompareDirection::kEq:
      return a == b;
    case CompareDirection::kNe:
      return a != b;
    case CompareDirection::kGe:
      return !less(type, a, b);
    case CompareDirection::kGt:
      return less(type, b, a);
    case CompareDirection::kLe:
      return !less(type, b, a);
    case CompareDirection::kLt:
      return less(type, a, b);
  }
  return false;
}

void convert(const Elementwise& op, const Element* in, Element* out, size_t count) {
  if (!is_float(op.to)) {
    for (size_t i = 0; i < count; ++i) out[i] = element_of(wrap_to(op.to, integer_of(in[i])));
    return;
  }
  const bool rounds = op.arithmetic == Arithmetic::kStated && op.to != ElementType::kF64;
  for (size_t i = 0; i < count; ++i) {
    const bool top = is_u64(op.from) && integer_of(in[i]) < 0;
    // By way of f32 first, as its hardware instruction does; the bits of u64 are no negative
    // number.
    if (rounds) {
      const auto narrow = top ? static_cast<float>(in[i]) : static_cast<float>(integer_of(in[i]));
      out[i] = element_of(round_to(op.to, static_cast<double>(narrow)));
    } else {
      out[i] =
          element_of(top ? static_cast<double>(in[i]) : static_cast<double>(integer_of(in[i])));
    }
  }
}

void clamp(ElementType type, const Element* const* operands, Element* result, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const int64_t low = integer_of(operands[0][i]);
    const int64_t high = integer_of(operands[2][i]);
    int64_t value = integer_of(operands[1][i]);
    if (less(type, value, low)) value = low;
    if (less(type, high, value)) value = high;
    result[i] = element_of(value);
  }
}

/// pred adds by or and multiplies by and.
HloOpcode on_pred(HloOpcode opcode) {
  switch (opcode) {
    case HloOpcode::kAdd:
    case HloOpcode::kMaximum:
      return HloOpcode::kOr;
    case HloOpcode::kMultiply:
    case HloOpcode::kMinimum:
      return HloOpcode::kAnd;
    default:
      return opcode;
  }
}

/// The opcodes of one operand and clamp; false for the others.
bool apply_others(const Elementwise& op, const Element* const* in, Element* out, size_t n) {
  const ElementType type = op.from;
  switch (op.opcode) {
    case HloOpcode::kConvert:
      return convert(op, in[0], out, n), true;
    case HloOpcode::kClamp:
      return clamp(type, in, out, n), true;
    case HloOpcode::kAbs:
      return unary(op, in, out, n,
                   [type](int64_t a) { return less(type, a, 0) ? subtract(0, a) : a; }),
             true;
    case HloOpcode::kNegate:
      return unary(op, in, out, n, [](int64_t a) { return subtract(0, a); }), true;
    case HloOpcode::kNot:
      return unary(
                 op, in, out, n,
                 [type](int64_t a) { return type == ElementType::kPred ? (a == 0 ? 1 : 0) : ~a; }),
             true;
    case HloOpcode::kSign:
      return unary(op, in, out, n, [type](int64_t a) { return sign(type, a); }), true;
    case HloOpcode::kPopcnt:
      return unary(op, in, out, n, [type](int64_t a) { return std::popcount(own_bits(type, a)); }),
             true;
    case HloOpcode::kCountLeadingZeros:
      return unary(op, in, out, n,
                   [type](int64_t a) {
                     return std::countl_zero(own_bits(type, a)) - (64 - width_of(type));
                   }),
             true;
    default:
      return false;
  }
}

}  // namespace

void apply_to_integers(const Elementwise& op, const Element* const* in, Element* out, size_t n) {
  if (apply_others(op, in, out, n)) return;
  const ElementType type = op.from;
  const auto by = [&](const auto& f) { binary(op, in, out, n, f); };
  const auto typed = [&](int64_t (*f)(ElementType, int64_t, int64_t)) {
    by([type, f](int64_t a, int64_t b) { return f(type, a, b); });
  };
  switch (type == ElementType::kPred ? on_pred(op.opcode) : op.opcode) {
    case HloOpcode::kAdd:
      return by(add);
    case HloOpcode::kSubtract:
      return by(subtract);
    case HloOpcode::kMultiply:
      return by(multiply);
    case HloOpcode::kDivide:
      return typed(divide);
    case HloOpcode::kRemainder:
      return typed(remainder);
    case HloOpcode::kPower:
      return typed(power);
    case HloOpcode::kMaximum:
      return by([type](int64_t a, int64_t b) { return less(type, a, b) ? b : a; });
    case HloOpcode::kMinimum:
      return by([type](int64_t a, int64_t b) { return less(type, b, a) ? b : a; });
    case HloOpcode::kAnd:
      return by([](int64_t a, int64_t b) { return a & b; });
    case HloOpcode::kOr:
      return by([](int64_t a, int64_t b) { return a | b; });
    case HloOpcode::kXor:
      return by([](int64_t a, int64_t b) { return a ^ b; });
    case HloOpcode::kShiftLeft:
      return typed(shift_left);
    case HloOpcode::kShiftRightLogical:
      return typed(shift_right_logical);
    case HloOpcode::kShiftRightArithmetic:
      return typed(shift_right_arithmetic);
    case HloOpcode::kCompare:
      return by([type, direction = op.comparison.direction](int64_t a, int64_t b) {
        return int64_t{holds(type, direction, a, b)};
      });
    default:
      throw Error(ErrorKind::kUsage, "this op is not defined on integers");
  }
}

}  // namespace tilewright
