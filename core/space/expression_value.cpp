#include "core/space/expression_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <compare>
#include <limits>

#include "core/base/error.h"

namespace tilewright {

namespace {

using Kind = ExpressionValue::Kind;

constexpr const char* kOverflow = "a whole number leaves 64 bits";
constexpr const char* kZero = "division by zero";
constexpr const char* kMixed = "an operator gets a type it has no meaning for";

double as_double(const ExpressionValue& value) {
  return value.kind == Kind::kFloat ? value.number : static_cast<double>(value.integer);
}

/// Exact for every pair of a 64-bit whole number and a double: it has 64 bits of precision.
long double as_exact(const ExpressionValue& value) {
  return value.kind == Kind::kFloat ? static_cast<long double>(value.number)
                                    : static_cast<long double>(value.integer);
}

/// Whether a double loses nothing of a whole number; it may also lose nothing of others.
bool is_exact(int64_t whole) {
  constexpr int64_t kMost = int64_t{1} << 53;
  return whole >= -kMost && whole <= kMost;
}

ExpressionValue whole_power(int64_t base, int64_t exponent) {
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) {
      return error_value(kOverflow);
    }
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return error_value(kOverflow);
  }
  return int_value(result);
}

ExpressionValue power(const ExpressionValue& a, const ExpressionValue& b) {
  if (a.is_whole() && b.is_whole() && b.integer >= 0) return whole_power(a.integer, b.integer);
  const double base = as_double(a);
  const double exponent = as_double(b);
  if (base == 0 && exponent < 0) return error_value("zero to a negative power");
  if (base < 0 && exponent != std::floor(exponent)) return error_value("a power is complex");
  const double result = std::pow(base, exponent);
  if (std::isinf(result) && std::isfinite(base) && std::isfinite(exponent)) {
    return error_value("a number is too large");
  }
  return float_value(result);
}

/// Quotient (rounded down) or remainder (with the sign of the divisor) of whole numbers.
ExpressionValue whole_division(Operator op, int64_t a, int64_t b) {
  if (b == 0) return error_value(kZero);
  if (b == -1) {  // the one quotient that overflows
    if (op == Operator::kModulo) return int_value(0);
    int64_t negated = 0;
    return __builtin_sub_overflow(int64_t{0}, a, &negated) ? error_value(kOverflow)
                                                           : int_value(negated);
  }
  const int64_t remainder = a % b;
  const bool adjust = remainder != 0 && (remainder < 0) != (b < 0);
  if (op == Operator::kModulo) return int_value(adjust ? remainder + b : remainder);
  return int_value(a / b - (adjust ? 1 : 0));
}

/// The same of floats, as Python defines it by the exact remainder.
ExpressionValue float_division(Operator op, double a, double b) {
  if (b == 0) return error_value(kZero);
  double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder != 0) {
    if ((b < 0) != (remainder < 0)) {
      remainder += b;
      quotient -= 1;
    }
  } else {
    remainder = std::copysign(0.0, b);
  }
  if (op == Operator::kModulo) return float_value(remainder);
  if (quotient == 0) return float_value(std::copysign(0.0, a / b));
  const double floor = std::floor(quotient);
  return float_value(quotient - floor > 0.5 ? floor + 1 : floor);
}

ExpressionValue arithmetic(Operator op, const ExpressionValue& a, const ExpressionValue& b) {
  if (!a.is_number() || !b.is_number()) return error_value(kMixed);
  if (op == Operator::kPower) return power(a, b);
  if (op == Operator::kDivide) {
    if (as_double(b) == 0) return error_value(kZero);
    const bool whole = a.is_whole() && b.is_whole();
    if (!whole || (is_exact(a.integer) && is_exact(b.integer))) {
      return float_value(as_double(a) / as_double(b));
    }
    return float_value(static_cast<double>(as_exact(a) / as_exact(b)));
  }
  const bool divides = op == Operator::kFloorDivide || op == Operator::kModulo;
  if (a.is_whole() && b.is_whole()) {
    if (divides) return whole_division(op, a.integer, b.integer);
    int64_t result = 0;
    const bool overflow =
        op == Operator::kAdd        ? __builtin_add_overflow(a.integer, b.integer, &result)
        : op == Operator::kSubtract ? __builtin_sub_overflow(a.integer, b.integer, &result)
                                    : __builtin_mul_overflow(a.integer, b.integer, &result);
    return overflow ? error_value(kOverflow) : int_value(result);
  }
  const double x = as_double(a);
  const double y = as_double(b);
  if (divides) return float_division(op, x, y);
  return float_value(op == Operator::kAdd ? x + y : op == Operator::kSubtract ? x - y : x * y);
}

bool equal(const ExpressionValue& a, const ExpressionValue& b) {
  if (a.is_whole() && b.is_whole()) return a.integer == b.integer;
  if (a.is_number() && b.is_number()) return as_exact(a) == as_exact(b);
  if (a.kind != b.kind) return false;
  return a.kind == Kind::kText ? *a.text == *b.text : std::ranges::equal(*a.list, *b.list, equal);
}

/// By value; of texts by their bytes.
std::partial_ordering order(const ExpressionValue& a, const ExpressionValue& b) {
  if (a.is_whole() && b.is_whole()) return a.integer <=> b.integer;
  if (a.kind == Kind::kText) return *a.text <=> *b.text;
  return as_exact(a) <=> as_exact(b);
}

ExpressionValue comparison(Operator op, const ExpressionValue& a, const ExpressionValue& b) {
  if (op == Operator::kEqual) return bool_value(equal(a, b));
  if (op == Operator::kNotEqual) return bool_value(!equal(a, b));
  const bool comparable =
      (a.is_number() && b.is_number()) || (a.kind == Kind::kText && b.kind == Kind::kText);
  if (!comparable) return error_value(kMixed);
  const std::partial_ordering way = order(a, b);
  switch (op) {
    case Operator::kLess:
      return bool_value(way < 0);
    case Operator::kLessEqual:
      return bool_value(way <= 0);
    case Operator::kGreater:
      return bool_value(way > 0);
    case Operator::kGreaterEqual:
      return bool_value(way >= 0);
    case Operator::kMin:
      return way > 0 ? b : a;
    default:
      return way < 0 ? b : a;
  }
}

ExpressionValue membership(const ExpressionValue& a, const ExpressionValue& b) {
  if (b.kind != Kind::kList) return error_value(kMixed);
  for (const ExpressionValue& element : *b.list) {
    if (element.is_error()) return element;
    if (equal(a, element)) return bool_value(true);
  }
  return bool_value(false);
}

/// A float as a whole number, rounded by `round` to a float that is one.
ExpressionValue whole_of(double number, double (*round)(double)) {
  const double whole = round(number);
  constexpr double kEnd = 9223372036854775808.0;  // 2^63
  if (!(whole >= -kEnd && whole < kEnd)) return error_value(kOverflow);
  return int_value(static_cast<int64_t>(whole));
}

ExpressionValue negated(const ExpressionValue& value) {
  if (!value.is_whole()) return float_value(-value.number);
  if (value.integer == std::numeric_limits<int64_t>::min()) return error_value(kOverflow);
  return int_value(-value.integer);
}

ExpressionValue unary(Operator op, const ExpressionValue& a) {
  if (op == Operator::kNot) return bool_value(!is_true(a));
  if (op == Operator::kBool) return bool_value(is_true(a));
  if (op == Operator::kLen) {
    if (a.kind == Kind::kText) return int_value(static_cast<int64_t>(a.text->size()));
    return a.kind == Kind::kList ? int_value(std::ssize(*a.list)) : error_value(kMixed);
  }
  if (!a.is_number()) return error_value(kMixed);
  switch (op) {
    case Operator::kNegate:
      return negated(a);
    case Operator::kPlus:
      return a.is_whole() ? int_value(a.integer) : a;
    case Operator::kAbs:
      if (a.is_whole()) return a.integer < 0 ? negated(a) : int_value(a.integer);
      return float_value(std::fabs(a.number));
    case Operator::kFloat:
      return float_value(as_double(a));
    case Operator::kInt:
      return a.is_whole() ? int_value(a.integer) : whole_of(a.number, std::trunc);
    default:  // round: halves to the even neighbour, the processor's own rounding
      return a.is_whole() ? int_value(a.integer) : whole_of(a.number, std::nearbyint);
  }
}

}  // namespace

ExpressionValue int_value(int64_t integer) {
  ExpressionValue value;
  value.integer = integer;
  return value;
}

ExpressionValue bool_value(bool truth) {
  ExpressionValue value;
  value.kind = Kind::kBool;
  value.integer = truth ? 1 : 0;
  return value;
}

ExpressionValue float_value(double number) {
  ExpressionValue value;
  value.kind = Kind::kFloat;
  value.number = number;
  return value;
}

ExpressionValue text_value(const std::string* text) {
  ExpressionValue value;
  value.kind = Kind::kText;
  value.text = text;
  return value;
}

ExpressionValue list_value(const std::vector<ExpressionValue>* list) {
  ExpressionValue value;
  value.kind = Kind::kList;
  value.list = list;
  return value;
}

ExpressionValue error_value(const char* reason) {
  ExpressionValue value;
  value.kind = Kind::kError;
  value.reason = reason;
  return value;
}

bool is_true(const ExpressionValue& value) {
  switch (value.kind) {
    case Kind::kInt:
    case Kind::kBool:
      return value.integer != 0;
    case Kind::kFloat:
      return value.number != 0;
    case Kind::kText:
      return !value.text->empty();
    case Kind::kList:
      return !value.list->empty();
    case Kind::kError:
      return false;
  }
  return false;
}

ExpressionValue apply(Operator op, const ExpressionValue& a, const ExpressionValue& b) {
  if (a.is_error()) return a;
  if (op == Operator::kAnd) return is_true(a) ? b : a;
  if (op == Operator::kOr) return is_true(a) ? a : b;
  if (op >= Operator::kNegate) return unary(op, a);
  if (b.is_error()) return b;
  if (op <= Operator::kPower) return arithmetic(op, a, b);
  if (op == Operator::kIn) return membership(a, b);
  return comparison(op, a, b);
}

std::string text_of(const ExpressionValue& value) {
  switch (value.kind) {
    case Kind::kInt:
      return std::to_string(value.integer);
    case Kind::kBool:
      return value.integer != 0 ? "True" : "False";
    case Kind::kFloat: {
      std::string text = fmt::format("{}", value.number);
      // Python keeps a float apart from a whole number.
      if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
      return text;
    }
    case Kind::kText:
      return *value.text;
    case Kind::kList:
      return "a list";
    case Kind::kError:
      return value.reason;
  }
  return {};
}

}  // namespace tilewright
