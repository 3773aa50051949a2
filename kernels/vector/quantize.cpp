#include "kernels/vector/quantize.h"

#include <algorithm>
#include <cmath>

#include "core/base/integers.h"
#include "kernels/vector/reduce.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

/// Largest |x|, which becomes the scale, and the factor 127 / max |x|.
enum Columns { kScale, kFactor };

constexpr double kMost = 127;

/// Takes the place of the maximum of a row of zeros: its factor is finite.
constexpr double kLeast = 0x1p-118;

}  // namespace

double quantization_error(double y) {
  return 0.5 + rounding_unit(DType::kF16) * (std::abs(y) + 1) +
         8 * rounding_unit(DType::kF32) * std::abs(y);
}

std::string QuantizeKernel::summary() const {
  return "i8 by token: scale = max|x| / 127 of the row, y = round(x / scale)";
}

RowPassShape QuantizeKernel::shape(const Problem&) const {
  RowPassShape shape;
  shape.passes = 2;
  shape.columns = 2;
  shape.stored_column = kScale;
  shape.out = DType::kI8;
  return shape;
}

void QuantizeKernel::begin(const RowPiece& piece, std::vector<Instruction>& list) const {
  list.push_back(scalar_op(VectorOp::kDup, piece.columns[kScale], {}, kLeast));
}

void QuantizeKernel::add_pass(int pass, const RowPiece& piece, const Machine& machine,
                              std::vector<Instruction>& list) const {
  const Tile& values = piece.values;
  if (pass == 1) {
    list.push_back(vector_op(VectorOp::kMul, values, values, piece.columns[kFactor]));
    return;
  }
  // Extremes of f16 are found among halves, of which a repeat holds twice as many. One block
  // reduction each way leaves an eighth or less of the row.
  const Tile& searched = piece.source.type == DType::kF16 ? piece.source : values;
  const DType type = searched.type;
  const int64_t block = machine.buffers.ub_align / bytes_of(type);
  const int64_t count = ceil_div(piece.cols, block);
  const int64_t stride = UbPlan(machine).stride(count, type);
  Tile most = piece.scratch;
  most.type = type;
  most.cols = count;
  most.stride = stride;
  Tile least = most;
  least.offset = most.offset + (piece.rows_bound * stride * bytes_of(type));
  list.push_back(block_op(VectorOp::kBlockMax, most, searched, machine));
  list.push_back(block_op(VectorOp::kBlockMin, least, searched, machine));
  list.push_back(scalar_op(VectorOp::kMuls, least, least, -1));
  list.push_back(vector_op(VectorOp::kMax, most, most, least));
  reduce_rows(list, VectorOp::kRowMax, most, count, piece.part, piece.reduced, machine);
  const Tile& scale = piece.columns[kScale];
  list.push_back(vector_op(VectorOp::kMax, scale, scale, piece.part));
}

void QuantizeKernel::finish(int pass, const RowPiece& piece, int64_t,
                            std::vector<Instruction>& list) const {
  if (pass == 1) return;
  const Tile& scale = piece.columns[kScale];
  const Tile& factor = piece.columns[kFactor];
  list.push_back(scalar_op(VectorOp::kDup, factor, {}, kMost));
  list.push_back(vector_op(VectorOp::kDiv, factor, factor, scale));
  list.push_back(scalar_op(VectorOp::kMuls, scale, scale, 1 / kMost));
}

void QuantizeKernel::fill_inputs(const Problem&, const Launch& launch, const InputValues& values,
                                 GmImage& image) const {
  fill_tensor(launch, 0, -4, 4, values, image);
}

std::vector<ExpectedTensor> QuantizeKernel::reference(const Problem& problem, const Launch& launch,
                                                      const GmImage& inputs) const {
  const int64_t rows = problem.size("rows");
  const int64_t cols = problem.size("cols");
  const std::vector<float> x = read_tensor(launch.tensors[0], inputs[0]);
  ExpectedTensor y{1, rows, cols, {}, 0, 0};
  ExpectedTensor scale{
      2, rows, 1, {}, subnormal_error(DType::kF32), 4 * rounding_unit(DType::kF32)};
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = x.data() + r * cols;
    double most = kLeast;
    for (int64_t c = 0; c < cols; ++c) most = std::max(most, std::abs(static_cast<double>(row[c])));
    scale.values.push_back(most / kMost);
    for (int64_t c = 0; c < cols; ++c) {
      const double quotient = static_cast<double>(row[c]) * kMost / most;
      y.values.push_back(quotient);
      y.errors.push_back(quantization_error(quotient));
    }
  }
  return {y, scale};
}

}  // namespace tilewright
