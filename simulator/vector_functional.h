#pragma once

#include <cstdint>
#include <vector>

#include "simulator/isa.h"

namespace tilewright {

/// Row-major values of a vector operand.
template <typename Number>
struct VectorValues {
  int64_t rows = 0;
  int64_t cols = 0;
  std::vector<Number> values;

  /// First element of a row; a single row stands for all.
  const Number* row(int64_t r) const { return values.data() + (rows == 1 ? 0 : r * cols); }
  Number* row(int64_t r) { return values.data() + r * cols; }
};
using VectorOperand = VectorValues<float>;
using WholeOperand = VectorValues<int32_t>;

/// What a vector operation takes beside its operands: fields of the instruction.
struct VectorScalars {
  double scalar = 0;
  int64_t divisor = 1;    ///< above 0
  int64_t first_row = 0;  ///< of kMask: row r has position (first_row + r) / divisor
};

/// dst = op(a, b) as IEEE 754 says for f32; a NaN operand gives a NaN, in maxima too. `dst`
/// has its size set and gets its values; of kSelect it has values already. Operands have dst's rows and columns, or a single one that
/// stands for all; row reductions have dst.cols 1 and a.rows = dst.rows. Operands of
/// block reductions, kGather, kSort and kMerge have the sizes that fits_vector_op() demands.
void apply_vector_op(VectorOp op, const VectorOperand& a, const VectorOperand& b,
                     const VectorScalars& with, VectorOperand& dst);

/// The same on 32-bit whole numbers, which wrap around: kAdd, kSub, kMul, kAnd, kOr, kShiftLefts,
/// kShiftRights, kDup and kCopy.
void apply_whole_op(VectorOp op, const WholeOperand& a, const WholeOperand& b, double scalar,
                    WholeOperand& dst);
/// kSelect between whole numbers, and kLess, kLessEqual and kEqual of two; truths are f32.
void select_wholes(const VectorOperand& truth, const WholeOperand& b, WholeOperand& dst);
void compare_wholes(VectorOp op, const WholeOperand& a, const WholeOperand& b, VectorOperand& dst);

/// Whether an operand of rows x cols goes with a result of dst_rows x dst_cols; `second` says that
/// it is b.
bool fits_vector_op(VectorOp op, bool second, int64_t rows, int64_t cols, int64_t dst_rows,
                    int64_t dst_cols, int64_t divisor);

}  // namespace tilewright
