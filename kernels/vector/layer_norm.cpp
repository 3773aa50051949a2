#include "kernels/vector/layer_norm.h"

#include <cmath>

#include "kernels/vector/norm.h"
#include "kernels/vector/reduce.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

enum Columns { kMean, kScale };

/// Roundings on the way of a sum: blocks of 8, levels of them, a repeat at the end, pieces.
double sum_roundings(int64_t cols) {
  return sum_error(128 + cols / 1024);
}

/// A row's result and the error of each element, in f64.
struct NormRow {
  std::vector<double> values;
  std::vector<double> errors;
};

NormRow normalise(const float* x, const float* w, const float* b, int64_t cols, double epsilon,
                  DType type) {
  const auto length = static_cast<double>(cols);
  double sum = 0, size = 0, squares = 0, spread = 0;
  for (int64_t c = 0; c < cols; ++c) {
    sum += static_cast<double>(x[c]);
    size += std::abs(static_cast<double>(x[c]));
  }
  const double mean = sum / length;
  for (int64_t c = 0; c < cols; ++c) {
    const double apart = static_cast<double>(x[c]) - mean;
    squares += apart * apart;
    spread += std::abs(apart);
  }
  const double variance = squares / length + epsilon;
  const double scale = 1 / std::sqrt(variance);
  const double unit = rounding_unit(DType::kF32);
  const double roundings = sum_roundings(cols);
  // The mean errs by its sum's error and one rounding of each difference; that moves the variance
  // by twice its product with the mean difference, and by its square.
  const double shift = roundings * size / length + unit * std::abs(mean);
  const double moved =
      2 * shift * spread / length + shift * shift + (roundings + 2 * unit) * variance;
  const double scale_error = scale * (moved / variance + 4 * unit);
  NormRow row;
  for (int64_t c = 0; c < cols; ++c) {
    const double apart = static_cast<double>(x[c]) - mean;
    const auto weight = static_cast<double>(w[c]);
    const auto offset = static_cast<double>(b[c]);
    const double error = shift + unit * std::abs(apart);
    // Halves round the normalised value and its product with the weight, too.
    const double halves =
        type == DType::kF16
            ? std::abs(weight) *
                      (2 * rounding_unit(type) * scale * std::abs(apart) + subnormal_error(type)) +
                  subnormal_error(type)
            : 0;
    row.values.push_back(apart * scale * weight + offset);
    row.errors.push_back(halves +
                         std::abs(weight) * (error * (scale + scale_error) +
                                             std::abs(apart) * (scale_error + 3 * unit * scale)) +
                         unit * std::abs(offset));
  }
  return row;
}

}  // namespace

std::string LayerNormKernel::summary() const {
  return "y = (x - mean) / sqrt(var + eps) * w + b, row by row";
}

std::string AddLayerNormKernel::summary() const {
  return "sum = x + r and y = layer_norm(sum), row by row";
}

RowPassShape LayerNormKernel::shape(const Problem& problem) const {
  RowPassShape shape;
  shape.passes = 3;
  shape.adds = adds_residual();
  shape.vectors = 2;
  shape.columns = 2;
  shape.out = problem.types[0];
  shape.half_vectors = problem.types[0] == DType::kF16;
  return shape;
}

void LayerNormKernel::begin(const RowPiece& piece, std::vector<Instruction>& list) const {
  if (piece.whole) return;
  for (const Tile& column : piece.columns) list.push_back(scalar_op(VectorOp::kDup, column, {}, 0));
}

void LayerNormKernel::add_pass(int pass, const RowPiece& piece, const Machine& machine,
                               std::vector<Instruction>& list) const {
  const Tile& values = piece.values;
  const Tile& mean = piece.columns[kMean];
  const Tile& scale = piece.columns[kScale];
  if (pass == 2) {
    if (!piece.whole) list.push_back(vector_op(VectorOp::kSub, values, values, mean));
    list.push_back(vector_op(VectorOp::kMul, values, values, scale));
    const bool half = piece.vectors[0].type == DType::kF16;
    const Tile& result = half ? piece.out : values;
    // Normalised values fit f16: none is larger than the root of their number.
    if (half) list.push_back(vector_op(VectorOp::kConvert, result, values));
    list.push_back(vector_op(VectorOp::kMul, result, result, piece.vectors[0]));
    list.push_back(vector_op(VectorOp::kAdd, result, result, piece.vectors[1]));
    return;
  }
  const Tile& column = pass == 0 ? mean : scale;
  const Tile& sum = piece.whole ? column : piece.part;
  Tile summed = values;
  if (pass == 1) {
    summed = piece.scratch;
    const Tile& apart = piece.whole ? values : summed;
    list.push_back(vector_op(VectorOp::kSub, apart, values, mean));
    list.push_back(vector_op(VectorOp::kMul, summed, apart, apart));
  }
  reduce_rows(list, VectorOp::kRowSum, summed, piece.cols, sum, piece.reduced, machine);
  if (!piece.whole) list.push_back(vector_op(VectorOp::kAdd, column, column, sum));
}

void LayerNormKernel::finish(int pass, const RowPiece& piece, int64_t cols,
                             std::vector<Instruction>& list) const {
  if (pass == 2) return;
  const Tile& column = piece.columns[static_cast<size_t>(pass)];
  list.push_back(scalar_op(VectorOp::kMuls, column, column, 1.0 / static_cast<double>(cols)));
  if (pass == 0) return;
  list.push_back(scalar_op(VectorOp::kAdds, column, column, kEpsilon));
  list.push_back(vector_op(VectorOp::kRsqrt, column, column));
}

void LayerNormKernel::fill_inputs(const Problem&, const Launch& launch, const InputValues& values,
                                  GmImage& image) const {
  const int inputs = adds_residual() ? 4 : 3;
  for (int tensor = 0; tensor < inputs; ++tensor) {
    fill_tensor(launch, tensor, -2, 2, values, image);
  }
}

std::vector<ExpectedTensor> LayerNormKernel::reference(const Problem& problem, const Launch& launch,
                                                       const GmImage& inputs) const {
  const int64_t rows = problem.size("rows");
  const int64_t cols = problem.size("cols");
  const DType type = problem.types[0];
  const size_t weight = adds_residual() ? 2 : 1;
  std::vector<float> x = read_tensor(launch.tensors[0], inputs[0]);
  const std::vector<float> w = read_tensor(launch.tensors[weight], inputs[weight]);
  const std::vector<float> b = read_tensor(launch.tensors[weight + 1], inputs[weight + 1]);
  std::vector<ExpectedTensor> expected;
  if (adds_residual()) {
    expected.push_back(added_rows(launch, inputs, 4, rows, cols));
    x = rounded_rows(launch.tensors[0], expected[0].values);
  }
  ExpectedTensor y{adds_residual() ? 5 : 3, rows, cols, {}, subnormal_error(type),
                   rounding_unit(type)};
  for (int64_t r = 0; r < rows; ++r) {
    const NormRow row = normalise(x.data() + r * cols, w.data(), b.data(), cols, kEpsilon, type);
    y.values.insert(y.values.end(), row.values.begin(), row.values.end());
    y.errors.insert(y.errors.end(), row.errors.begin(), row.errors.end());
  }
  expected.push_back(std::move(y));
  return expected;
}

}  // namespace tilewright
