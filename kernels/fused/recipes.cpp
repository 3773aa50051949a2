#include "kernels/fused/recipes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <optional>
#include <span>

#include "core/base/error.h"
#include "kernels/fused/fused_ops.h"
#include "kernels/fused/recipe_writer.h"
#include "kernels/fused/recipes_bits.h"

namespace tilewright {

void RecipeWriter::compare(CompareDirection direction, const RecipeOperand& a,
                           const RecipeOperand& b) {
  const auto put_comparison = [&](VectorOp op, const RecipeOperand& x, const RecipeOperand& y) {
    put(op, dst_, array_of(x), array_of(y));
  };
  switch (direction) {
    case CompareDirection::kLt:
      return put_comparison(VectorOp::kLess, a, b);
    case CompareDirection::kGt:
      return put_comparison(VectorOp::kLess, b, a);
    case CompareDirection::kLe:
      return put_comparison(VectorOp::kLessEqual, a, b);
    case CompareDirection::kGe:
      return put_comparison(VectorOp::kLessEqual, b, a);
    case CompareDirection::kEq:
      return put_comparison(VectorOp::kEqual, a, b);
    case CompareDirection::kNe:
      put_comparison(VectorOp::kEqual, a, b);
      return invert(dst_, dst_);
  }
}

void RecipeWriter::polynomial(int a, std::span<const double> coefficients, int to) {
  put(VectorOp::kMuls, to, a, -1, coefficients[0]);
  for (size_t i = 1; i < coefficients.size(); ++i) {
    put(VectorOp::kAdds, to, to, -1, coefficients[i]);
    if (i + 1 < coefficients.size()) put(VectorOp::kMul, to, to, a);
  }
}

void RecipeWriter::truncate(int a, ElementType type, const RecipeUse& use) {
  if (use.of_whole) {
    round_small(a, dst_);
  } else {
    const int size = temporary();
    const int beyond = temporary();
    put(VectorOp::kMuls, size, a, -1, -1);
    put(VectorOp::kMax, size, size, a);
    round_small(size, dst_);
    put(VectorOp::kLess, beyond, size, dst_);
    put(VectorOp::kSub, dst_, dst_, beyond);
    less({a, 0}, {-1, 0}, beyond);
    put(VectorOp::kMuls, beyond, beyond, -1, -2);
    put(VectorOp::kAdds, beyond, beyond, -1, 1);
    put(VectorOp::kMul, dst_, dst_, beyond);
  }
  // Storing stops at the ends of the type, too; rounding has stopped at those of 32 bits.
  if (!use.is_read || type != ElementType::kS8) return;
  put(VectorOp::kMax, dst_, dst_, array_of({-1, std::numeric_limits<int8_t>::min()}));
  put(VectorOp::kMin, dst_, dst_, array_of({-1, std::numeric_limits<int8_t>::max()}));
}

/// tanh(x) = 1 - 2 / (exp(2x) + 1), which ends at 1 and -1 without an overflow that matters.
void RecipeWriter::tanh(int a) {
  const int two = array_of({-1, 2});
  put(VectorOp::kMuls, dst_, a, -1, 2);
  put(VectorOp::kExp, dst_, dst_);
  put(VectorOp::kAdds, dst_, dst_, -1, 1);
  put(VectorOp::kDiv, dst_, two, dst_);
  invert(dst_, dst_);
}

void RecipeWriter::logistic(int a) {
  const int one = array_of({-1, 1});
  put(VectorOp::kMuls, dst_, a, -1, -1);
  put(VectorOp::kExp, dst_, dst_);
  put(VectorOp::kAdds, dst_, dst_, -1, 1);
  put(VectorOp::kDiv, dst_, one, dst_);
}

/// Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: within 1.5e-7 for x >= 0; the
/// function is odd.
void RecipeWriter::erf(int a) {
  constexpr std::array kCoefficients = {1.061405429,  -1.453152027, 1.421413741,
                                        -0.284496736, 0.254829592,  0.0};
  const int size = temporary();
  const int fraction = temporary();
  const int sum = temporary();
  const int sign = temporary();
  put(VectorOp::kMuls, size, a, -1, -1);
  put(VectorOp::kMax, size, size, a);
  less({a, 0}, {-1, 0}, sign);  // 1 where x < 0
  put(VectorOp::kMuls, sign, sign, -1, -2);
  put(VectorOp::kAdds, sign, sign, -1, 1);
  put(VectorOp::kMuls, fraction, size, -1, 0.3275911);
  put(VectorOp::kAdds, fraction, fraction, -1, 1);
  divide({-1, 1}, {fraction, 0}, fraction);
  polynomial(fraction, kCoefficients, sum);
  put(VectorOp::kMul, size, size, size);
  put(VectorOp::kMuls, size, size, -1, -1);
  put(VectorOp::kExp, size, size);
  put(VectorOp::kMul, sum, sum, size);
  invert(sum, sum);
  put(VectorOp::kMul, dst_, sum, sign);
}

/// sin(x) = (-1)^k sin(x - k pi) with k = round(x / pi), pi in three parts of few bits so that the
/// products are exact, and Taylor's series up to the eleventh power (error below 6e-8 up to pi /
/// 2). cos(x) = sin(x + pi / 2), the shift taken in k.
void RecipeWriter::sine(int a, bool cosine) {
  constexpr std::array kPi = {3.140625, 9.67502593994140625e-4, 1.509957990978376432e-7};
  constexpr std::array kSeries = {-1.0 / 39916800, 1.0 / 362880, -1.0 / 5040,
                                  1.0 / 120,       -1.0 / 6,     1.0};
  const int turns = temporary();
  const int rest = temporary();
  const int part = temporary();
  const double shift = cosine ? 0.5 : 0;
  put(VectorOp::kMuls, turns, a, -1, std::numbers::inv_pi);
  put(VectorOp::kAdds, turns, turns, -1, shift);
  round_small(turns, turns);
  put(VectorOp::kAdds, turns, turns, -1, -shift);
  put(VectorOp::kCopy, rest, a);
  for (const double digits : kPi) {
    put(VectorOp::kMuls, part, turns, -1, -digits);
    put(VectorOp::kAdd, rest, rest, part);
  }
  // The parity of k: k - 2 round(k / 2 - 1/4).
  put(VectorOp::kAdds, turns, turns, -1, shift);
  put(VectorOp::kMuls, part, turns, -1, 0.5);
  put(VectorOp::kAdds, part, part, -1, -0.25);
  round_small(part, part);
  put(VectorOp::kMuls, part, part, -1, -2);
  put(VectorOp::kAdd, turns, turns, part);
  put(VectorOp::kMuls, turns, turns, -1, -2);
  put(VectorOp::kAdds, turns, turns, -1, 1);
  put(VectorOp::kMul, turns, turns, rest);  // sign and first factor
  put(VectorOp::kMul, rest, rest, rest);
  polynomial(rest, kSeries, part);
  put(VectorOp::kMul, dst_, part, turns);
}

namespace {

/// The exponent as a small whole number, where it is one.
std::optional<int> small_exponent(double exponent) {
  if (exponent != std::floor(exponent) || exponent < 1 || exponent > 16) return std::nullopt;
  return static_cast<int>(exponent);
}

}  // namespace

void RecipeWriter::power(const RecipeOperand& a, const RecipeOperand& b) {
  if (a.is_fixed()) {  // a > 0: a^b = exp(b ln a)
    put(VectorOp::kMuls, dst_, b.array, -1, std::log(a.value));
    return put(VectorOp::kExp, dst_, dst_);
  }
  if (b.value == 0.5) return put(VectorOp::kSqrt, dst_, a.array);
  if (b.value == -0.5) return put(VectorOp::kRsqrt, dst_, a.array);
  const std::optional<int> exponent = small_exponent(b.value);
  if (!exponent) {  // of a < 0 no number, as it should be
    put(VectorOp::kLn, dst_, a.array);
    put(VectorOp::kMuls, dst_, dst_, -1, b.value);
    return put(VectorOp::kExp, dst_, dst_);
  }
  // The binary digits below the highest: square, and multiply where the digit is 1.
  int digit = 1;
  while (digit * 2 <= *exponent) digit *= 2;
  const int base = temporary();
  put(VectorOp::kCopy, base, a.array);
  put(VectorOp::kCopy, dst_, a.array);
  for (digit /= 2; digit > 0; digit /= 2) {
    put(VectorOp::kMul, dst_, dst_, dst_);
    if ((*exponent & digit) != 0) put(VectorOp::kMul, dst_, dst_, base);
  }
}

/// Of whole numbers, with the sign of the dividend: |a| - |b| round(|a| / |b|), and |b| more where
/// that is below 0. By 0 it is the dividend.
void RecipeWriter::remainder(const RecipeOperand& a, const RecipeOperand& b) {
  const int dividend = array_of(a);
  const int divisor = array_of(b);
  const int size = temporary();
  const int step = temporary();
  const int part = temporary();
  put(VectorOp::kMuls, size, dividend, -1, -1);
  put(VectorOp::kMax, size, size, dividend);
  put(VectorOp::kMuls, step, divisor, -1, -1);
  put(VectorOp::kMax, step, step, divisor);
  const int none = temporary();
  less({step, 0}, {-1, 0.5}, none);
  put(VectorOp::kAdd, step, step, none);  // 1 in place of 0
  divide({size, 0}, {step, 0}, part);
  round_small(part, part);
  put(VectorOp::kMul, part, part, step);
  put(VectorOp::kSub, size, size, part);
  less({size, 0}, {-1, 0}, part);
  put(VectorOp::kMul, part, part, step);
  put(VectorOp::kAdd, size, size, part);
  less({dividend, 0}, {-1, 0}, part);
  put(VectorOp::kMuls, part, part, -1, -2);
  put(VectorOp::kAdds, part, part, -1, 1);
  put(VectorOp::kMul, size, size, part);
  put(VectorOp::kSelect, size, none, dividend);
  put(VectorOp::kCopy, dst_, size);
}

namespace {

bool is_number(ElementType type) {
  return type != ElementType::kPred;
}

}  // namespace

bool keeps_value(const Computation& computation, const Op& op) {
  if (op.opcode == HloOpcode::kReducePrecision) {
    return op.get<ReducePrecision>().exponent_bits >= 8;
  }
  if (op.opcode != HloOpcode::kConvert) return false;
  const ElementType from = computation.operand(op, 0).shape.type;
  const ElementType to = op.shape.type;
  if (from == ElementType::kU32 || to == ElementType::kU32 || !memory_type_of(from)) return false;
  return is_float(to) || from == ElementType::kPred || (!is_float(from) && to == ElementType::kS32);
}

bool gives_whole(const Computation& computation, const Op& op) {
  switch (op.opcode) {
    case HloOpcode::kRoundNearestEven:
    case HloOpcode::kFloor:
    case HloOpcode::kCeil:
    case HloOpcode::kSign:
      return true;
    case HloOpcode::kConvert:
      return !is_float(computation.operand(op, 0).shape.type);
    default:
      return false;
  }
}

std::string why_no_recipe(const Computation& computation, const Op& op) {
  const ElementType from = computation.operand(op, 0).shape.type;
  const auto fixed = [&](size_t operand) -> bool {
    const Op& value = computation.operand(op, operand);
    return value.opcode == HloOpcode::kConstant ||
           (value.opcode == HloOpcode::kBroadcast &&
            computation.operand(value, 0).opcode == HloOpcode::kConstant);
  };
  /// The base of a power of which the logarithm is known.
  const auto fixed_above_0 = [&](size_t operand) {
    const Op& value = computation.operand(op, operand);
    const Op& number =
        value.opcode == HloOpcode::kBroadcast ? computation.operand(value, 0) : value;
    if (number.opcode != HloOpcode::kConstant) return false;
    const Literal& literal = number.get<Literal>();
    return literal.floats.size() == 1 && literal.floats[0] > 0 && std::isfinite(literal.floats[0]);
  };
  const auto unless = [&](bool has_recipe, const char* what) -> std::string {
    return has_recipe ? "" : fmt::format("the vector unit has no {} {}", what, name_of(op.opcode));
  };
  if (takes_or_gives_bits(computation, op)) return why_no_recipe_of_bits(computation, op);
  switch (op.opcode) {
    case HloOpcode::kAdd:
    case HloOpcode::kSubtract:
    case HloOpcode::kMaximum:
    case HloOpcode::kMinimum:
    case HloOpcode::kNegate:
    case HloOpcode::kAbs:
    case HloOpcode::kClamp:
    case HloOpcode::kCompare:
    case HloOpcode::kSelect:
    case HloOpcode::kSign:
      return "";
    case HloOpcode::kAnd:
    case HloOpcode::kOr:
    case HloOpcode::kXor:
    case HloOpcode::kNot:
      return unless(!is_number(from), "bitwise");
    case HloOpcode::kConvert:
      return unless(keeps_value(computation, op) || op.shape.type == ElementType::kPred ||
                        (is_float(from) && is_integer(op.shape.type)),
                    "truncating");
    case HloOpcode::kReducePrecision:
      return unless(keeps_value(computation, op), "saturating");
    case HloOpcode::kMultiply:
    case HloOpcode::kDivide:
      return unless(is_float(from), "whole-number");
    case HloOpcode::kExponential:
    case HloOpcode::kExponentialMinusOne:
    case HloOpcode::kLog:
    case HloOpcode::kLogPlusOne:
    case HloOpcode::kLogistic:
    case HloOpcode::kSqrt:
    case HloOpcode::kRsqrt:
    case HloOpcode::kTanh:
    case HloOpcode::kErf:
    case HloOpcode::kSine:
    case HloOpcode::kCosine:
    case HloOpcode::kFloor:
    case HloOpcode::kCeil:
    case HloOpcode::kRoundNearestEven:
    case HloOpcode::kIsFinite:
      return unless(is_float(from), "whole-number");
    case HloOpcode::kPower:
      return unless(is_float(from) && (fixed(1) || fixed_above_0(0)), "general");
    case HloOpcode::kRemainder:
      return unless(!is_float(from), "floating-point");
    default:
      return unless(false, "instruction for");
  }
}

void add_recipe(const Op& op, const std::vector<RecipeOperand>& operands, int dst,
                const RecipeUse& use, VecProgram& program, std::vector<VecStep>& steps) {
  const bool takes_bits = std::ranges::any_of(operands, [&](const RecipeOperand& operand) {
    return holds_bits(program, operand.array);
  });
  if (takes_bits || holds_bits(program, dst)) {
    return add_recipe_of_bits(op, operands, dst, program, steps);
  }
  RecipeWriter writer(dst, program, steps);
  const auto operand = [&](size_t i) { return operands[i]; };
  const auto array = [&](size_t i) { return writer.array_of(operands[i]); };
  switch (op.opcode) {
    case HloOpcode::kAdd:
      return writer.add(operand(0), operand(1), dst);
    case HloOpcode::kSubtract:
      return writer.subtract(operand(0), operand(1), dst);
    case HloOpcode::kMultiply:
      return writer.multiply(operand(0), operand(1), dst);
    case HloOpcode::kDivide:
      return writer.divide_nearly(operand(0), operand(1), dst);
    case HloOpcode::kAnd:
    case HloOpcode::kMinimum:
      return writer.put_either_way(VectorOp::kMin, dst, array(0), array(1));
    case HloOpcode::kOr:
    case HloOpcode::kMaximum:
      return writer.put_either_way(VectorOp::kMax, dst, array(0), array(1));
    case HloOpcode::kXor:
      writer.subtract(operand(0), operand(1), dst);
      return writer.put(VectorOp::kMul, dst, dst, dst);
    case HloOpcode::kNot:
      return writer.invert(array(0), dst);
    case HloOpcode::kNegate:
      return writer.put(VectorOp::kMuls, dst, array(0), -1, -1);
    case HloOpcode::kAbs: {
      const int negative = writer.temporary();
      writer.put(VectorOp::kMuls, negative, array(0), -1, -1);
      return writer.put(VectorOp::kMax, dst, array(0), negative);
    }
    case HloOpcode::kClamp:
      writer.put_either_way(VectorOp::kMax, dst, array(1), array(0));
      return writer.put(VectorOp::kMin, dst, dst, array(2));
    case HloOpcode::kCompare:
      return writer.compare(op.get<Comparison>().direction, operand(0), operand(1));
    case HloOpcode::kSelect: {
      // The selection overwrites the values for "false" where the truth is 1.
      const int chosen = array(1);
      const int truth = array(0);
      writer.put(VectorOp::kCopy, dst, array(2));
      return writer.put(VectorOp::kSelect, dst, truth, chosen);
    }
    case HloOpcode::kSign: {
      const int below = writer.temporary();
      writer.less(operand(0), {-1, 0}, below);
      writer.less({-1, 0}, operand(0), dst);
      return writer.put(VectorOp::kSub, dst, dst, below);
    }
    case HloOpcode::kConvert:
      if (op.shape.type == ElementType::kPred) {
        return writer.compare(CompareDirection::kNe, operand(0), {-1, 0});
      }
      return writer.truncate(array(0), op.shape.type, use);
    case HloOpcode::kExponential:
      return writer.put(VectorOp::kExp, dst, array(0));
    case HloOpcode::kExponentialMinusOne:
      writer.put(VectorOp::kExp, dst, array(0));
      return writer.put(VectorOp::kAdds, dst, dst, -1, -1);
    case HloOpcode::kLog:
      return writer.put(VectorOp::kLn, dst, array(0));
    case HloOpcode::kLogPlusOne:
      writer.put(VectorOp::kAdds, dst, array(0), -1, 1);
      return writer.put(VectorOp::kLn, dst, dst);
    case HloOpcode::kSqrt:
      return writer.put(VectorOp::kSqrt, dst, array(0));
    case HloOpcode::kRsqrt:
      return writer.put(VectorOp::kRsqrt, dst, array(0));
    case HloOpcode::kLogistic:
      return writer.logistic(array(0));
    case HloOpcode::kTanh:
      return writer.tanh(array(0));
    case HloOpcode::kErf:
      return writer.erf(array(0));
    case HloOpcode::kSine:
      return writer.sine(array(0), false);
    case HloOpcode::kCosine:
      return writer.sine(array(0), true);
    case HloOpcode::kPower:
      return writer.power(operand(0), operand(1));
    case HloOpcode::kRemainder:
      return writer.remainder(operand(0), operand(1));
    case HloOpcode::kFloor:
    case HloOpcode::kCeil: {
      const int rounded = writer.temporary();
      const int beyond = writer.temporary();
      const bool floor = op.opcode == HloOpcode::kFloor;
      writer.round(array(0), rounded);
      writer.put(VectorOp::kLess, beyond, floor ? array(0) : rounded, floor ? rounded : array(0));
      return writer.put(floor ? VectorOp::kSub : VectorOp::kAdd, dst, rounded, beyond);
    }
    case HloOpcode::kRoundNearestEven:
      return use.to_integers ? writer.round_small(array(0), dst) : writer.round(array(0), dst);
    case HloOpcode::kIsFinite: {
      const int negative = writer.temporary();
      writer.put(VectorOp::kMuls, negative, array(0), -1, -1);
      writer.put(VectorOp::kMax, negative, array(0), negative);
      return writer.less({negative, 0}, {-1, std::numeric_limits<double>::infinity()}, dst);
    }
    default:
      TW_CHECK(false, "why_no_recipe() refuses what has no recipe");
  }
}

}  // namespace tilewright
