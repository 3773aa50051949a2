#pragma once

#include <cstdint>
#include <vector>

#include "simulator/isa.h"

namespace tilewright {

/// Row-major f32 values of a vector operand.
struct VectorOperand {
  int64_t rows = 0;
  int64_t cols = 0;
  std::vector<float> values;

  /// Broadcasting read: a single row or column stands for all.
  float at(int64_t row, int64_t col) const {
    return values[static_cast<size_t>((rows == 1 ? 0 : row) * cols + (cols == 1 ? 0 : col))];
  }
};

/// dst = op(a, b, scalar); dst has its size set and gets its values. Row reductions have
/// dst.cols 1.
void apply_vector_op(VectorOp op, const VectorOperand& a, const VectorOperand& b, double scalar,
                     int64_t divisor, VectorOperand& dst);

}  // namespace tilewright
