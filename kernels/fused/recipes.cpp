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

namespace tilewright {

namespace {

/// Writes instructions; every method leaves its result in `dst`, which may be an operand.
class RecipeWriter {
 public:
  RecipeWriter(int dst, VecProgram& program, std::vector<VecStep>& steps)
      : dst_(dst), program_(program), steps_(steps) {}

  int temporary() {
    program_.arrays.push_back({program_.arrays[static_cast<size_t>(dst_)].axes, DType::kF32});
    return static_cast<int>(program_.arrays.size()) - 1;
  }
  int whole_temporary() {
    program_.arrays.push_back({program_.arrays[static_cast<size_t>(dst_)].axes, DType::kI32});
    return static_cast<int>(program_.arrays.size()) - 1;
  }
  void put(VectorOp op, int dst, int a = -1, int b = -1, double scalar = 0) {
    steps_.push_back({op, dst, a, b, -1, scalar});
  }
  /// The operand as an array: of a number one of a single element.
  int array_of(const RecipeOperand& operand) {
    if (!operand.is_fixed()) return operand.array;
    program_.arrays.push_back({{}, DType::kF32});
    const int filled = static_cast<int>(program_.arrays.size()) - 1;
    put(VectorOp::kDup, filled, -1, -1, operand.value);
    return filled;
  }
  /// An operation whose operands may be exchanged: the one that serves many places comes second.
  void put_either_way(VectorOp op, int to, int a, int b) {
    if (axes_of(a).size() < axes_of(b).size()) std::swap(a, b);
    put(op, to, a, b);
  }

  void add(const RecipeOperand& a, const RecipeOperand& b, int to) {
    if (a.is_fixed()) return add(b, a, to);
    if (b.is_fixed()) return put(VectorOp::kAdds, to, array_of(a), -1, b.value);
    put_either_way(VectorOp::kAdd, to, a.array, b.array);
  }
  void multiply(const RecipeOperand& a, const RecipeOperand& b, int to) {
    if (a.is_fixed()) return multiply(b, a, to);
    if (b.is_fixed()) return put(VectorOp::kMuls, to, array_of(a), -1, b.value);
    put_either_way(VectorOp::kMul, to, a.array, b.array);
  }
  void subtract(const RecipeOperand& a, const RecipeOperand& b, int to) {
    if (b.is_fixed()) return put(VectorOp::kAdds, to, array_of(a), -1, -b.value);
    if (a.is_fixed()) {
      put(VectorOp::kMuls, to, b.array, -1, -1);
      return put(VectorOp::kAdds, to, to, -1, a.value);
    }
    put(VectorOp::kSub, to, a.array, b.array);
  }
  void divide(const RecipeOperand& a, const RecipeOperand& b, int to) {
    put(VectorOp::kDiv, to, array_of(a), array_of(b));
  }
  /// The same within 1.5 units in the last place. A divisor that serves many places is inverted once
  /// for all of them: a product takes half the time of a quotient.
  void divide_nearly(const RecipeOperand& a, const RecipeOperand& b, int to) {
    const auto inverse = static_cast<float>(1 / b.value);
    if (b.is_fixed() && !a.is_fixed() && std::isnormal(inverse)) {
      return put(VectorOp::kMuls, to, a.array, -1, 1 / b.value);
    }
    if (b.is_fixed() || axes_of(b.array).size() >= axes_of(to).size()) return divide(a, b, to);
    program_.arrays.push_back({axes_of(b.array), DType::kF32});
    const int inverted = static_cast<int>(program_.arrays.size()) - 1;
    divide({-1, 1}, b, inverted);
    multiply(a, {inverted, 0}, to);
  }
  /// to = x < y ? 1 : 0
  void less(const RecipeOperand& x, const RecipeOperand& y, int to) {
    put(VectorOp::kLess, to, array_of(x), array_of(y));
  }
  void invert(int truth, int to) {
    put(VectorOp::kMuls, to, truth, -1, -1);
    put(VectorOp::kAdds, to, to, -1, 1);
  }
  /// The nearest whole number of what is below 2^31; ties go to even ones.
  void round_small(int a, int to) {
    const int whole = whole_temporary();
    put(VectorOp::kConvert, whole, a);
    put(VectorOp::kConvert, to, whole);
  }
  /// The same of all numbers. From 2^23 on an f32 is whole, and so are, in their way, infinity and
  /// NaN: they stay as they are. `to` is not `a`.
  void round(int a, int to) {
    constexpr double kWholeFrom = 1 << 23;
    const int rounded = temporary();
    const int is_small = temporary();
    round_small(a, rounded);
    put(VectorOp::kMul, is_small, a, a);
    less({is_small, 0}, {-1, kWholeFrom * kWholeFrom}, is_small);
    put(VectorOp::kCopy, to, a);
    put(VectorOp::kSelect, to, is_small, rounded);
  }
  /// Cut towards 0, NaN as 0, within the whole numbers of a type as far as `use` asks for it.
  void truncate(int a, ElementType type, const RecipeUse& use);
  void compare(CompareDirection direction, const RecipeOperand& a, const RecipeOperand& b);
  void power(const RecipeOperand& a, const RecipeOperand& b);
  void remainder(const RecipeOperand& a, const RecipeOperand& b);
  void tanh(int a);
  void logistic(int a);
  void erf(int a);
  void sine(int a, bool cosine);
  /// to = polynomial(a), coefficients from the highest power down. `to` is not `a`.
  void polynomial(int a, std::span<const double> coefficients, int to);
  int dst() const { return dst_; }

 private:
  const std::vector<int>& axes_of(int array) const {
    return program_.arrays[static_cast<size_t>(array)].axes;
  }

  int dst_;
  VecProgram& program_;
  std::vector<VecStep>& steps_;
};

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

/// The exponent as a small whole number, where it is one.
std::optional<int> small_exponent(double exponent) {
  if (exponent != std::floor(exponent) || exponent < 1 || exponent > 16) return std::nullopt;
  return static_cast<int>(exponent);
}

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

bool is_number(ElementType type) {
  return type != ElementType::kPred;
}

/// The number of shifts that an op makes of all its elements; none where that is not known.
std::optional<int64_t> known_shift(const Computation& computation, const Op& op) {
  const Op* amount = &computation.operand(op, 1);
  if (amount->opcode == HloOpcode::kBroadcast) amount = &computation.operand(*amount, 0);
  if (amount->opcode != HloOpcode::kConstant) return std::nullopt;
  const Literal& literal = amount->get<Literal>();
  if (literal.integers.size() != 1 || literal.elided) return std::nullopt;
  const int64_t shift = literal.integers.front();
  return shift >= 0 && shift < 32 ? std::optional(shift) : std::nullopt;
}

bool is_of_bits(const Computation& computation, const Op& op) {
  const auto is_u32 = [](const Shape& shape) { return shape.type == ElementType::kU32; };
  for (size_t i = 0; i < op.operands.size(); ++i) {
    if (is_u32(computation.operand(op, i).shape)) return true;
  }
  return is_u32(op.shape);
}

/// why_no_recipe() of what takes or gives 32-bit whole numbers without a sign.
std::string why_no_recipe_of_bits(const Computation& computation, const Op& op) {
  const ElementType from = computation.operand(op, 0).shape.type;
  bool has_recipe = false;
  switch (op.opcode) {
    case HloOpcode::kAdd:
    case HloOpcode::kSubtract:
    case HloOpcode::kMultiply:
    case HloOpcode::kAnd:
    case HloOpcode::kOr:
    case HloOpcode::kXor:
    case HloOpcode::kNot:
    case HloOpcode::kCompare:
    case HloOpcode::kSelect:
      has_recipe = true;
      break;
    case HloOpcode::kShiftLeft:
    case HloOpcode::kShiftRightLogical:
      has_recipe = known_shift(computation, op).has_value();
      break;
    case HloOpcode::kConvert: {
      const ElementType other = from == ElementType::kU32 ? op.shape.type : from;
      has_recipe = other == ElementType::kPred || other == ElementType::kS32 ||
                   (is_float(other) && from == ElementType::kU32);
      break;
    }
    case HloOpcode::kBitcastConvert:
      has_recipe = op.shape.type == ElementType::kF32;
      break;
    default:
      break;
  }
  if (has_recipe) return "";
  return fmt::format("the vector unit has no {} of u32", name_of(op.opcode));
}

/// Writes instructions on 32-bit whole numbers, which wrap around.
class BitsWriter {
 public:
  BitsWriter(int dst, VecProgram& program, std::vector<VecStep>& steps)
      : dst_(dst), program_(program), steps_(steps) {}

  static bool is_whole(const VecProgram& program, int array) {
    return array >= 0 && program.arrays[static_cast<size_t>(array)].type == DType::kI32;
  }

  void write(const Op& op, const std::vector<RecipeOperand>& operands) {
    const auto array = [&](size_t i) { return array_of(operands[i], DType::kI32); };
    switch (op.opcode) {
      case HloOpcode::kAdd:
        return put(VectorOp::kAdd, dst_, array(0), array(1));
      case HloOpcode::kSubtract:
        return put(VectorOp::kSub, dst_, array(0), array(1));
      case HloOpcode::kMultiply:
        return put(VectorOp::kMul, dst_, array(0), array(1));
      case HloOpcode::kAnd:
        return put(VectorOp::kAnd, dst_, array(0), array(1));
      case HloOpcode::kOr:
        return put(VectorOp::kOr, dst_, array(0), array(1));
      case HloOpcode::kXor: {
        // What either has, without what both have.
        const int a = array(0), b = array(1);
        const int either = temporary(DType::kI32);
        put(VectorOp::kOr, either, a, b);
        put(VectorOp::kAnd, dst_, a, b);
        return put(VectorOp::kSub, dst_, either, dst_);
      }
      case HloOpcode::kNot:
        return put(VectorOp::kSub, dst_, array_of({-1, -1}, DType::kI32), array(0));
      case HloOpcode::kShiftLeft:
        return put(VectorOp::kShiftLefts, dst_, array(0), -1, operands[1].value);
      case HloOpcode::kShiftRightLogical:
        return put(VectorOp::kShiftRights, dst_, array(0), -1, operands[1].value);
      case HloOpcode::kSelect: {
        const int chosen = array(1);
        const int truth = array_of(operands[0], DType::kF32);
        put(VectorOp::kCopy, dst_, array(2));
        return put(VectorOp::kSelect, dst_, truth, chosen);
      }
      case HloOpcode::kCompare:
        return RecipeWriter(dst_, program_, steps_)
            .compare(op.get<Comparison>().direction, {with_sign(array(0)), 0},
                     {with_sign(array(1)), 0});
      case HloOpcode::kBitcastConvert:
        put(VectorOp::kCopy, dst_, array(0));
        steps_.back().takes_bits = true;
        return;
      case HloOpcode::kConvert:
        return convert(op.shape.type, operands[0]);
      default:
        TW_CHECK(false, "planners ask before they fuse");
    }
  }

 private:
  int temporary(DType type) {
    program_.arrays.push_back({program_.arrays[static_cast<size_t>(dst_)].axes, type});
    return static_cast<int>(program_.arrays.size()) - 1;
  }
  void put(VectorOp op, int dst, int a = -1, int b = -1, double scalar = 0) {
    steps_.push_back({op, dst, a, b, -1, scalar});
  }
  int array_of(const RecipeOperand& operand, DType type) {
    if (!operand.is_fixed()) return operand.array;
    program_.arrays.push_back({{}, type});
    const int filled = static_cast<int>(program_.arrays.size()) - 1;
    put(VectorOp::kDup, filled, -1, -1, operand.value);
    return filled;
  }
  /// The number less 2^31: in the order of numbers with a sign.
  int with_sign(int a) {
    program_.arrays.push_back({program_.arrays[static_cast<size_t>(a)].axes, DType::kI32});
    const int moved = static_cast<int>(program_.arrays.size()) - 1;
    put(VectorOp::kAdd, moved, a, array_of({-1, -0x1p31}, DType::kI32));
    return moved;
  }
  void convert(ElementType to, const RecipeOperand& operand) {
    if (is_whole(program_, dst_)) {
      if (operand.is_fixed()) return put(VectorOp::kDup, dst_, -1, -1, operand.value);
      return put(VectorOp::kConvert, dst_, operand.array);
    }
    const int a = array_of(operand, DType::kI32);
    if (to == ElementType::kPred) {
      const int zero = array_of({-1, 0}, DType::kI32);
      return RecipeWriter(dst_, program_, steps_)
          .compare(CompareDirection::kNe, {a, 0}, {zero, 0});
    }
    put(VectorOp::kConvert, dst_, a);
    if (to == ElementType::kS32) return;
    // What looks like a number below 0 is 2^32 more.
    const int below = temporary(DType::kF32);
    put(VectorOp::kLess, below, dst_, array_of({-1, 0}, DType::kF32));
    put(VectorOp::kMuls, below, below, -1, 0x1p32);
    put(VectorOp::kAdd, dst_, dst_, below);
  }

  int dst_;
  VecProgram& program_;
  std::vector<VecStep>& steps_;
};

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
  if (is_of_bits(computation, op)) return why_no_recipe_of_bits(computation, op);
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
    return BitsWriter::is_whole(program, operand.array);
  });
  if (takes_bits || BitsWriter::is_whole(program, dst)) {
    return BitsWriter(dst, program, steps).write(op, operands);
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
