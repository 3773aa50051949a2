#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/graph/op_graph.h"
#include "kernels/fused/recipes.h"
#include "kernels/fused/vec_program.h"

namespace tilewright {

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

}  // namespace tilewright
