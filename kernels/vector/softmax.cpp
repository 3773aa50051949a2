#include "kernels/vector/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/vector/reduce.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

/// The running maximum, the running sum, and what the last maximum was (then its correction).
enum Columns { kMaximum, kSum, kBefore };

/// Takes the place of a maximum of -inf, so that x - maximum is -inf and not NaN.
const double kLowest = -largest_finite(DType::kF32);

/// Takes the place of a sum of zeros; any other sum is as large at least.
constexpr double kLeastSum = 1;

/// Rows that are cut compute the exponentials again: exp(x - (max + ln sum)) saves the quotient.
/// Maxima of f16 are small enough that max + ln sum keeps enough of the logarithm.
bool divides_in_exponent(const RowPiece& piece) {
  return !piece.whole && piece.source.type == DType::kF16;
}

/// Whole rows of f16 take the quotient as halves, of which a repeat holds twice as many: terms are
/// at most 1, and a row that fits UB has too few for their sum to be beyond f16.
bool scales_halves(const RowPiece& piece) {
  return piece.whole && piece.source.type == DType::kF16;
}

}  // namespace

std::string SoftmaxKernel::summary() const {
  return "y = exp(x - max) / sum, row by row; rows that are all -inf give zeros";
}

RowPassShape SoftmaxKernel::shape(const Problem& problem) const {
  RowPassShape shape;
  shape.passes = 2;
  shape.columns = 3;
  shape.out = problem.types[0];
  shape.half_vectors = problem.types[0] == DType::kF16;
  return shape;
}

void SoftmaxKernel::begin(const RowPiece& piece, std::vector<Instruction>& list) const {
  list.push_back(scalar_op(VectorOp::kDup, piece.columns[kMaximum], {}, kLowest));
  list.push_back(scalar_op(VectorOp::kDup, piece.columns[kSum], {}, 0));
}

void SoftmaxKernel::add_pass(int pass, const RowPiece& piece, const Machine& machine,
                             std::vector<Instruction>& list) const {
  const Tile& maximum = piece.columns[kMaximum];
  const Tile& sum = piece.columns[kSum];
  const Tile& before = piece.columns[kBefore];
  const Tile& values = piece.values;
  if (pass == 1) {
    if (!piece.whole) {
      list.push_back(vector_op(VectorOp::kSub, values, values, maximum));
      list.push_back(vector_op(VectorOp::kExp, values, values));
    }
    if (divides_in_exponent(piece)) {
      list.push_back(vector_op(VectorOp::kConvert, piece.out, values));
    } else if (scales_halves(piece)) {
      const Tile factor = in_halves(before);
      list.push_back(vector_op(VectorOp::kConvert, factor, sum));
      list.push_back(vector_op(VectorOp::kConvert, piece.out, values));
      list.push_back(vector_op(VectorOp::kMul, piece.out, piece.out, factor));
    } else {
      list.push_back(vector_op(VectorOp::kMul, values, values, sum));
    }
    return;
  }
  // Maxima of f16 are found among halves, of which a repeat holds twice as many.
  const Tile& searched = piece.source.type == DType::kF16 ? piece.source : values;
  const Tile& terms = piece.whole ? values : piece.scratch;
  reduce_rows(list, VectorOp::kRowMax, searched, piece.cols, piece.part, piece.reduced, machine);
  if (!piece.whole) list.push_back(vector_op(VectorOp::kCopy, before, maximum));
  list.push_back(vector_op(VectorOp::kMax, maximum, maximum, piece.part));
  if (!piece.whole) {
    list.push_back(vector_op(VectorOp::kSub, before, before, maximum));
    list.push_back(vector_op(VectorOp::kExp, before, before));
    list.push_back(vector_op(VectorOp::kMul, sum, sum, before));
  }
  list.push_back(vector_op(VectorOp::kSub, terms, values, maximum));
  list.push_back(vector_op(VectorOp::kExp, terms, terms));
  reduce_rows(list, VectorOp::kRowSum, terms, piece.cols, piece.part, piece.reduced, machine);
  list.push_back(vector_op(VectorOp::kAdd, sum, sum, piece.part));
}

void SoftmaxKernel::finish(int pass, const RowPiece& piece, int64_t,
                           std::vector<Instruction>& list) const {
  if (pass == 1) return;
  const Tile& sum = piece.columns[kSum];
  list.push_back(scalar_op(VectorOp::kDup, piece.part, {}, kLeastSum));
  list.push_back(vector_op(VectorOp::kMax, sum, sum, piece.part));
  if (divides_in_exponent(piece)) {
    const Tile& maximum = piece.columns[kMaximum];
    list.push_back(vector_op(VectorOp::kLn, sum, sum));
    list.push_back(vector_op(VectorOp::kAdd, maximum, maximum, sum));
    return;
  }
  list.push_back(vector_op(VectorOp::kDiv, sum, piece.part, sum));
}

void SoftmaxKernel::fill_inputs(const Problem&, const Launch& launch, const InputValues& values,
                                GmImage& image) const {
  fill_tensor(launch, 0, -8, 8, values, image);
}

std::vector<ExpectedTensor> SoftmaxKernel::reference(const Problem& problem, const Launch& launch,
                                                     const GmImage& inputs) const {
  const int64_t rows = problem.size("rows");
  const int64_t cols = problem.size("cols");
  const std::vector<float> x = read_tensor(launch.tensors[0], inputs[0]);
  const DType type = problem.types[0];
  const double unit = rounding_unit(DType::kF32);
  ExpectedTensor y{1,
                   rows,
                   cols,
                   std::vector<double>(x.size()),
                   subnormal_error(type) + 4 * subnormal_error(DType::kF32),
                   rounding_unit(type)};
  y.errors.resize(x.size());
  // Whole rows of f16 round a term and the factor, too.
  const double halves = type == DType::kF16 ? 2 * rounding_unit(type) : 0;
  if (type == DType::kF16) y.absolute += 2 * subnormal_error(type);
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = x.data() + r * cols;
    const double most = std::max(kLowest, static_cast<double>(*std::max_element(row, row + cols)));
    double sum = 0, moved = 0;
    // A difference rounds once, which its exponential multiplies by; the sum's terms err alike.
    const auto error_of = [&](int64_t c, double term) {
      const double apart = most - static_cast<double>(row[c]);
      return term > 0 ? term * (apart + 4) * unit : 0.0;
    };
    const auto term_of = [&](int64_t c) { return std::exp(static_cast<double>(row[c]) - most); };
    for (int64_t c = 0; c < cols; ++c) {
      sum += term_of(c);
      moved += error_of(c, term_of(c));
    }
    if (sum == 0) continue;
    // Where the sum is taken in the exponent: the logarithm's rounding, its sum with the maximum.
    const double logarithm = type == DType::kF16 ? 4 * (std::abs(most) + std::log(sum) + 1) : 0;
    const double sum_moved = moved / sum + sum_error(128 + cols / 256) + (8 + logarithm) * unit;
    for (int64_t c = 0; c < cols; ++c) {
      const auto element = static_cast<size_t>(r * cols + c);
      const double term = term_of(c);
      y.values[element] = term / sum;
      y.errors[element] = (error_of(c, term) + term * (sum_moved + halves)) / sum;
    }
  }
  return {y};
}

}  // namespace tilewright
