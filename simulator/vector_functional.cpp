#include "simulator/vector_functional.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tilewright {

namespace {

/// The larger and the smaller of two numbers as IEEE 754-2019 maximum and minimum: a NaN wins, +0
/// is larger than -0.
float larger(float a, float b) {
  if (a != a || b != b) return a + b;
  return a > b || (a == b && !std::signbit(a)) ? a : b;
}

float smaller(float a, float b) {
  if (a != a || b != b) return a + b;
  return a < b || (a == b && std::signbit(a)) ? a : b;
}

/// result = op(a) for each element; a single row or column of `a` stands for all.
template <typename Op>
void for_each(const VectorOperand& a, VectorOperand& result, Op op) {
  for (int64_t r = 0; r < result.rows; ++r) {
    const float* in = a.row(r);
    float* out = result.row(r);
    if (a.cols == 1) {
      std::fill(out, out + result.cols, op(in[0]));
    } else {
      for (int64_t c = 0; c < result.cols; ++c) out[c] = op(in[c]);
    }
  }
}

template <typename Op>
void for_each(const VectorOperand& a, const VectorOperand& b, VectorOperand& result, Op op) {
  for (int64_t r = 0; r < result.rows; ++r) {
    const float* left = a.row(r);
    const float* right = b.row(r);
    float* out = result.row(r);
    if (a.cols > 1 && b.cols > 1) {
      for (int64_t c = 0; c < result.cols; ++c) out[c] = op(left[c], right[c]);
    } else {
      const int64_t left_step = a.cols > 1 ? 1 : 0;
      const int64_t right_step = b.cols > 1 ? 1 : 0;
      for (int64_t c = 0; c < result.cols; ++c) {
        out[c] = op(left[c * left_step], right[c * right_step]);
      }
    }
  }
}

/// result = op(row) for each row of `a`, given as first element and number of elements.
template <typename Op>
void for_each_row(const VectorOperand& a, VectorOperand& result, Op op) {
  for (int64_t r = 0; r < result.rows; ++r) *result.row(r) = op(a.row(r), a.cols);
}

float row_sum(const float* values, int64_t count) {
  float sum = 0;
  for (int64_t c = 0; c < count; ++c) sum += values[c];
  return sum;
}

float row_max(const float* values, int64_t count) {
  float largest = values[0];
  for (int64_t c = 1; c < count; ++c) largest = larger(largest, values[c]);
  return largest;
}

/// The first NaN counts as the largest.
float row_arg_max(const float* values, int64_t count) {
  int64_t best = 0;
  for (int64_t c = 1; c < count && values[best] == values[best]; ++c) {
    if (!(values[c] <= values[best])) best = c;
  }
  return static_cast<float>(best);
}

void mask(const VectorOperand& a, int64_t visible_to_first, const MaskRows& rows,
          VectorOperand& result) {
  for (int64_t r = 0; r < result.rows; ++r) {
    const int64_t visible = std::clamp<int64_t>(
        visible_to_first + (rows.first_row + r) / rows.rows_each, 0, result.cols);
    const float* in = a.row(r);
    float* out = result.row(r);
    if (a.cols == 1) {
      std::fill(out, out + visible, in[0]);
    } else {
      std::copy(in, in + visible, out);
    }
    std::fill(out + visible, out + result.cols, -std::numeric_limits<float>::infinity());
  }
}

}  // namespace

void apply_vector_op(VectorOp op, const VectorOperand& a, const VectorOperand& b, double scalar,
                     const MaskRows& mask_rows, VectorOperand& dst) {
  const auto number = static_cast<float>(scalar);
  dst.values.resize(static_cast<size_t>(dst.rows * dst.cols));
  switch (op) {
    case VectorOp::kAdd:
      return for_each(a, b, dst, [](float x, float y) { return x + y; });
    case VectorOp::kSub:
      return for_each(a, b, dst, [](float x, float y) { return x - y; });
    case VectorOp::kMul:
      return for_each(a, b, dst, [](float x, float y) { return x * y; });
    case VectorOp::kDiv:
      return for_each(a, b, dst, [](float x, float y) { return x / y; });
    case VectorOp::kMax:
      return for_each(a, b, dst, larger);
    case VectorOp::kMin:
      return for_each(a, b, dst, smaller);
    case VectorOp::kAdds:
      return for_each(a, dst, [=](float x) { return x + number; });
    case VectorOp::kMuls:
      return for_each(a, dst, [=](float x) { return x * number; });
    case VectorOp::kExp:
      return for_each(a, dst, [](float x) { return std::exp(x); });
    case VectorOp::kLn:
      return for_each(a, dst, [](float x) { return std::log(x); });
    case VectorOp::kSqrt:
      return for_each(a, dst, [](float x) { return std::sqrt(x); });
    case VectorOp::kRsqrt:
      return for_each(a, dst, [](float x) { return 1.0f / std::sqrt(x); });
    case VectorOp::kRowSum:
      return for_each_row(a, dst, row_sum);
    case VectorOp::kRowMax:
      return for_each_row(a, dst, row_max);
    case VectorOp::kRowArgMax:
      return for_each_row(a, dst, row_arg_max);
    case VectorOp::kDup:
      std::fill(dst.values.begin(), dst.values.end(), number);
      return;
    case VectorOp::kMask:
      return mask(a, static_cast<int64_t>(scalar), mask_rows, dst);
    case VectorOp::kConvert:
    case VectorOp::kCopy:
      return for_each(a, dst, [](float x) { return x; });
  }
}

}  // namespace tilewright
