#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/base/dtype.h"
#include "core/base/error.h"
#include "core/graph/elementwise.h"
#include "core/graph/number_format.h"

namespace tilewright {
namespace {

template <class C>
C load(Element element) {
  return static_cast<C>(float_of(element));
}

template <class C>
Element store(C value) {
  return element_of(static_cast<double>(value));
}

template <class C, class F>
void unary(const Element* const* operands, Element* result, size_t count, const F& f) {
  const Element* a = operands[0];
  for (size_t i = 0; i < count; ++i) result[i] = store<C>(f(load<C>(a[i])));
}

template <class C, class F>
void binary(const Element* const* operands, Element* result, size_t count, const F& f) {
  const Element* a = operands[0];
  const Element* b = operands[1];
  for (size_t i = 0; i < count; ++i) result[i] = store<C>(f(load<C>(a[i]), load<C>(b[i])));
}

/// For predicates: f gives a bool.
template <class F>
void test(const Element* const* operands, Element* result, size_t count, const F& f) {
  const Element* a = operands[0];
  const Element* b = operands[1];
  for (size_t i = 0; i < count; ++i) result[i] = f(float_of(a[i]), float_of(b[i])) ? 1 : 0;
}

/// A number for each float so that smaller numbers mean earlier in the total order:
/// -NaN, -infinity, ..., -0, 0, ..., infinity, NaN.
int64_t total_rank(double value) {
  const auto bits = std::bit_cast<int64_t>(value);
  return bits < 0 ? bits ^ std::numeric_limits<int64_t>::max() : bits;
}

template <class T>
bool holds(CompareDirection direction, T a, T b) {
  switch (direction) {
    case CompareDirection::kEq:
      return a == b;
    case CompareDirection::kNe:
      return a != b;
    case CompareDirection::kGe:
      return a >= b;
    case CompareDirection::kGt:
      return a > b;
    case CompareDirection::kLe:
      return a <= b;
    case CompareDirection::kLt:
      return a < b;
  }
  return false;
}

void compare(const Comparison& comparison, const Element* const* operands, Element* result,
             size_t count) {
  const CompareDirection direction = comparison.direction;
  if (comparison.total_order) {
    test(operands, result, count, [direction](double a, double b) {
      return holds(direction, total_rank(a), total_rank(b));
    });
    return;
  }
  test(operands, result, count, [direction](double a, double b) { return holds(direction, a, b); });
}

template <class C>
C sign(C x) {
  return x != x || x == 0 ? x : std::copysign(C{1}, x);
}

/// XLA clamps by a maximum and a minimum, which pass NaN on.
template <class C>
C larger(C a, C b) {
  return a != a || a >= b ? a : b;
}
template <class C>
C smaller(C a, C b) {
  return a != a || a <= b ? a : b;
}

template <class C>
void clamp(const Element* const* operands, Element* result, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const C raised = larger(load<C>(operands[0][i]), load<C>(operands[1][i]));
    result[i] = store<C>(smaller(raised, load<C>(operands[2][i])));
  }
}

/// The opcodes of one operand; false for the others.
template <class C>
bool apply_unary(HloOpcode opcode, const Element* const* in, Element* out, size_t n) {
  switch (opcode) {
    case HloOpcode::kAbs:
      return unary<C>(in, out, n, [](C x) { return std::abs(x); }), true;
    case HloOpcode::kAcos:
      return unary<C>(in, out, n, [](C x) { return std::acos(x); }), true;
    case HloOpcode::kAcosh:
      return unary<C>(in, out, n, [](C x) { return std::acosh(x); }), true;
    case HloOpcode::kAsin:
      return unary<C>(in, out, n, [](C x) { return std::asin(x); }), true;
    case HloOpcode::kAsinh:
      return unary<C>(in, out, n, [](C x) { return std::asinh(x); }), true;
    case HloOpcode::kAtanh:
      return unary<C>(in, out, n, [](C x) { return std::atanh(x); }), true;
    case HloOpcode::kCbrt:
      return unary<C>(in, out, n, [](C x) { return std::cbrt(x); }), true;
    case HloOpcode::kCeil:
      return unary<C>(in, out, n, [](C x) { return std::ceil(x); }), true;
    case HloOpcode::kCosh:
      return unary<C>(in, out, n, [](C x) { return std::cosh(x); }), true;
    case HloOpcode::kCosine:
      return unary<C>(in, out, n, [](C x) { return std::cos(x); }), true;
    case HloOpcode::kErf:
      return unary<C>(in, out, n, [](C x) { return std::erf(x); }), true;
    case HloOpcode::kExponential:
      return unary<C>(in, out, n, [](C x) { return std::exp(x); }), true;
    case HloOpcode::kExponentialMinusOne:
      return unary<C>(in, out, n, [](C x) { return std::expm1(x); }), true;
    case HloOpcode::kFloor:
      return unary<C>(in, out, n, [](C x) { return std::floor(x); }), true;
    case HloOpcode::kImag:
      return unary<C>(in, out, n, [](C) { return C{0}; }), true;
    case HloOpcode::kLog:
      return unary<C>(in, out, n, [](C x) { return std::log(x); }), true;
    case HloOpcode::kLogPlusOne:
      return unary<C>(in, out, n, [](C x) { return std::log1p(x); }), true;
    case HloOpcode::kLogistic:
      return unary<C>(in, out, n, [](C x) { return C{1} / (C{1} + std::exp(-x)); }), true;
    case HloOpcode::kNegate:
      return unary<C>(in, out, n, [](C x) { return -x; }), true;
    case HloOpcode::kRoundNearestAfz:
      return unary<C>(in, out, n, [](C x) { return std::round(x); }), true;
    case HloOpcode::kRoundNearestEven:
      return unary<C>(in, out, n, [](C x) { return std::nearbyint(x); }), true;
    case HloOpcode::kRsqrt:
      return unary<C>(in, out, n, [](C x) { return C{1} / std::sqrt(x); }), true;
    case HloOpcode::kSign:
      return unary<C>(in, out, n, [](C x) { return sign(x); }), true;
    case HloOpcode::kSine:
      return unary<C>(in, out, n, [](C x) { return std::sin(x); }), true;
    case HloOpcode::kSinh:
      return unary<C>(in, out, n, [](C x) { return std::sinh(x); }), true;
    case HloOpcode::kSqrt:
      return unary<C>(in, out, n, [](C x) { return std::sqrt(x); }), true;
    case HloOpcode::kTan:
      return unary<C>(in, out, n, [](C x) { return std::tan(x); }), true;
    case HloOpcode::kTanh:
      return unary<C>(in, out, n, [](C x) { return std::tanh(x); }), true;
    default:
      return false;
  }
}

template <class C>
void apply_in(HloOpcode opcode, const Element* const* in, Element* out, size_t n) {
  if (apply_unary<C>(opcode, in, out, n)) return;
  switch (opcode) {
    case HloOpcode::kAdd:
      return binary<C>(in, out, n, [](C a, C b) { return a + b; });
    case HloOpcode::kSubtract:
      return binary<C>(in, out, n, [](C a, C b) { return a - b; });
    case HloOpcode::kMultiply:
      return binary<C>(in, out, n, [](C a, C b) { return a * b; });
    case HloOpcode::kDivide:
      return binary<C>(in, out, n, [](C a, C b) { return a / b; });
    case HloOpcode::kMaximum:
      return binary<C>(in, out, n, larger<C>);
    case HloOpcode::kMinimum:
      return binary<C>(in, out, n, smaller<C>);
    case HloOpcode::kPower:
      return binary<C>(in, out, n, [](C a, C b) { return std::pow(a, b); });
    case HloOpcode::kRemainder:
      return binary<C>(in, out, n, [](C a, C b) { return std::fmod(a, b); });
    case HloOpcode::kAtan2:
      return binary<C>(in, out, n, [](C a, C b) { return std::atan2(a, b); });
    case HloOpcode::kClamp:
      return clamp<C>(in, out, n);
    default:
      throw Error(ErrorKind::kUsage, "this op is not defined on floats");
  }
}

/// Rounds to a float type what is an f32 already, or any f64.
void round_all(ElementType type, Element* elements, size_t count) {
  if (type == ElementType::kF64) return;
  if (type == ElementType::kF32) {
    for (size_t i = 0; i < count; ++i) elements[i] = store<float>(load<float>(elements[i]));
    return;
  }
  const bool halves = type == ElementType::kBF16 || type == ElementType::kF16;
  for (size_t i = 0; i < count; ++i) {
    const double value = float_of(elements[i]);
    const auto narrow = static_cast<float>(value);
    if (!halves || static_cast<double>(narrow) != value) {
      elements[i] = element_of(round_to(type, value));
    } else if (type == ElementType::kBF16) {
      elements[i] = store<float>(bf16_to_f32(f32_to_bf16(narrow)));
    } else {
      elements[i] = store<float>(f16_to_f32(f32_to_f16(narrow)));
    }
  }
}

void convert_floats(const Elementwise& op, const Element* in, Element* out, size_t count) {
  if (is_float(op.to)) {
    if (out != in) std::copy_n(in, count, out);
    if (op.arithmetic == Arithmetic::kStated) round_all(op.to, out, count);
  } else if (op.to == ElementType::kPred) {
    for (size_t i = 0; i < count; ++i) out[i] = float_of(in[i]) != 0 ? 1 : 0;
  } else {
    for (size_t i = 0; i < count; ++i) out[i] = element_of(saturate_to(op.to, float_of(in[i])));
  }
}

void reduce_all(const Elementwise& op, const Element* in, Element* out, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    out[i] = op.arithmetic == Arithmetic::kExact
                 ? in[i]
                 : element_of(reduce_precision(op.from, float_of(in[i]), op.precision.exponent_bits,
                                               op.precision.mantissa_bits));
  }
}

}  // namespace

void apply_to_floats(const Elementwise& op, const Element* const* operands, Element* result,
                     size_t count) {
  switch (op.opcode) {
    case HloOpcode::kCompare:
      return compare(op.comparison, operands, result, count);
    case HloOpcode::kIsFinite:
      for (size_t i = 0; i < count; ++i)
        result[i] = std::isfinite(float_of(operands[0][i])) ? 1 : 0;
      return;
    case HloOpcode::kConvert:
      return convert_floats(op, operands[0], result, count);
    case HloOpcode::kReducePrecision:
      return reduce_all(op, operands[0], result, count);
    default:
      break;
  }
  if (op.arithmetic == Arithmetic::kExact || op.from == ElementType::kF64) {
    apply_in<double>(op.opcode, operands, result, count);
    return;
  }
  apply_in<float>(op.opcode, operands, result, count);
  if (op.to != ElementType::kF32) round_all(op.to, result, count);
}

}  // namespace tilewright
