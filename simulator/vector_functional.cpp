#include "simulator/vector_functional.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tilewright {

namespace {

float unary(VectorOp op, float a, float scalar) {
  switch (op) {
    case VectorOp::kAdds:
      return a + scalar;
    case VectorOp::kMuls:
      return a * scalar;
    case VectorOp::kExp:
      return std::exp(a);
    case VectorOp::kLn:
      return std::log(a);
    case VectorOp::kSqrt:
      return std::sqrt(a);
    case VectorOp::kRsqrt:
      return 1.0f / std::sqrt(a);
    default:
      return a;
  }
}

float binary(VectorOp op, float a, float b) {
  switch (op) {
    case VectorOp::kAdd:
      return a + b;
    case VectorOp::kSub:
      return a - b;
    case VectorOp::kMul:
      return a * b;
    case VectorOp::kMax:
      return std::max(a, b);
    case VectorOp::kMin:
      return std::min(a, b);
    default:
      return a / b;
  }
}

float reduce_row(VectorOp op, const VectorOperand& a, int64_t row) {
  const float* values = a.values.data() + row * a.cols;
  if (op == VectorOp::kRowSum) {
    float sum = 0;
    for (int64_t c = 0; c < a.cols; ++c) sum += values[c];
    return sum;
  }
  const float* largest = std::max_element(values, values + a.cols);
  return op == VectorOp::kRowMax ? *largest : static_cast<float>(largest - values);
}

}  // namespace

void apply_vector_op(VectorOp op, const VectorOperand& a, const VectorOperand& b, double scalar,
                     int64_t divisor, VectorOperand& dst) {
  const auto number = static_cast<float>(scalar);
  dst.values.resize(static_cast<size_t>(dst.rows * dst.cols));
  for (int64_t r = 0; r < dst.rows; ++r) {
    float* out = dst.values.data() + r * dst.cols;
    switch (op) {
      case VectorOp::kRowSum:
      case VectorOp::kRowMax:
      case VectorOp::kRowArgMax:
        out[0] = reduce_row(op, a, r);
        break;
      case VectorOp::kDup:
        std::fill(out, out + dst.cols, number);
        break;
      case VectorOp::kMask: {
        const int64_t visible = static_cast<int64_t>(scalar) + r / divisor;
        for (int64_t c = 0; c < dst.cols; ++c) {
          out[c] = c < visible ? a.at(r, c) : -std::numeric_limits<float>::infinity();
        }
        break;
      }
      case VectorOp::kAdd:
      case VectorOp::kSub:
      case VectorOp::kMul:
      case VectorOp::kMax:
      case VectorOp::kMin:
      case VectorOp::kDiv:
        for (int64_t c = 0; c < dst.cols; ++c) out[c] = binary(op, a.at(r, c), b.at(r, c));
        break;
      default:
        for (int64_t c = 0; c < dst.cols; ++c) out[c] = unary(op, a.at(r, c), number);
    }
  }
}

}  // namespace tilewright
