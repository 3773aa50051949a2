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

  /// First element of a row; a single row stands for all.
  const float* row(int64_t r) const { return values.data() + (rows == 1 ? 0 : r * cols); }
  float* row(int64_t r) { return values.data() + r * cols; }
};

/// Which positions the rows of a mask have: row r has position (first_row + r) / rows_each.
struct MaskRows {
  int64_t first_row = 0;
  int64_t rows_each = 1;
};

/// dst = op(a, b, scalar) as IEEE 754 says for f32; a NaN operand gives a NaN, in maxima too. `dst`
/// has its size set and gets its values. Operands have dst's rows and columns, or a single one that
/// stands for all; row reductions have dst.cols 1 and a.rows = dst.rows.
void apply_vector_op(VectorOp op, const VectorOperand& a, const VectorOperand& b, double scalar,
                     const MaskRows& mask_rows, VectorOperand& dst);

}  // namespace tilewright
