#include "kernels/vector/quantize.h"

#include <algorithm>
#include <cmath>

#include "core/base/integers.h"
#include "kernels/vector/reduce.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

/// Largest |x|, which becomes the scale, and the factor 127 / max |x|. Of f16 that factor may be
/// beyond f16, so there it is a product of two halves.
enum Columns { kScale, kFactor, kFirst, kSecond };

constexpr double kMost = 127;

/// Takes the place of the maximum of a row of zeros: its factor is finite.
constexpr double kLeast = 0x1p-118;

/// The same where the factor's root must fit f16: the smallest positive half.
constexpr double kLeastHalf = 0x1p-24;

/// Less than any first factor, but not 0 for a row with an infinity.
constexpr double kLeastFirst = 0x1p-14;

/// A repeat holds twice as many halves, and i8 comes from halves: rows of f16 stay in it.
bool stays_half(DType type) {
  return type == DType::kF16;
}

/// The factor's root as a half, and as another one what is left of the factor.
void split_factor(const RowPiece& piece, std::vector<Instruction>& list) {
  const Tile& factor = piece.columns[kFactor];
  const Tile& root = piece.part;
  const Tile& least = piece.columns[kSecond];
  const Tile first = in_halves(piece.columns[kFirst]);
  const Tile second = in_halves(piece.columns[kSecond]);
  list.push_back(vector_op(VectorOp::kSqrt, root, factor));
  list.push_back(scalar_op(VectorOp::kDup, least, {}, kLeastFirst));
  list.push_back(vector_op(VectorOp::kMax, root, root, least));
  list.push_back(vector_op(VectorOp::kConvert, first, root));
  list.push_back(vector_op(VectorOp::kConvert, root, first));
  list.push_back(vector_op(VectorOp::kDiv, factor, factor, root));
  list.push_back(vector_op(VectorOp::kConvert, second, factor));
}

}  // namespace

double quantization_error(double y) {
  return 0.5 + rounding_unit(DType::kF16) * (std::abs(y) + 1) +
         8 * rounding_unit(DType::kF32) * std::abs(y);
}

std::string QuantizeKernel::summary() const {
  return "i8 by token: scale = max|x| / 127 of the row, y = round(x / scale)";
}

RowPassShape QuantizeKernel::shape(const Problem& problem) const {
  RowPassShape shape;
  shape.passes = 2;
  shape.stays_half = stays_half(problem.types[0]);
  shape.columns = shape.stays_half ? 4 : 2;
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
  if (pass == 1 && stays_half(piece.source.type)) {
    const Tile first = in_halves(piece.columns[kFirst]);
    const Tile second = in_halves(piece.columns[kSecond]);
    list.push_back(vector_op(VectorOp::kMul, piece.half, piece.source, first));
    list.push_back(vector_op(VectorOp::kMul, piece.half, piece.half, second));
    return;
  }
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
  const bool half = stays_half(piece.source.type);
  if (half) {
    list.push_back(scalar_op(VectorOp::kDup, piece.part, {}, kLeastHalf));
    list.push_back(vector_op(VectorOp::kMax, piece.part, piece.part, scale));
  }
  list.push_back(scalar_op(VectorOp::kDup, factor, {}, kMost));
  list.push_back(vector_op(VectorOp::kDiv, factor, factor, half ? piece.part : scale));
  if (half) split_factor(piece, list);
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
  const DType type = problem.types[0];
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
      // Halves round the second factor and the first product, too.
      const double halves =
          stays_half(type) ? 2 * rounding_unit(type) * (std::abs(quotient) + 1) : 0;
      y.errors.push_back(quantization_error(quotient) + halves);
    }
  }
  return {y, scale};
}

}  // namespace tilewright
