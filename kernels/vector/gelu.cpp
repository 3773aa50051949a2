#include "kernels/vector/gelu.h"

#include <cmath>
#include <numbers>

#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

constexpr double kCubic = 0.044715;
const double kLinear = -2 * std::sqrt(2 / std::numbers::pi);

/// power = x (c1 + c2 x^2): gelu(x) = x / (1 + exp(that)).
void add_exponent(const Tile& x, const Tile& power, std::vector<Instruction>& list) {
  list.push_back(vector_op(VectorOp::kMul, power, x, x));
  list.push_back(scalar_op(VectorOp::kMuls, power, power, kLinear * kCubic));
  list.push_back(scalar_op(VectorOp::kAdds, power, power, kLinear));
  list.push_back(vector_op(VectorOp::kMul, power, power, x));
}

/// Of f16 a repeat holds twice as many, so the exponent is computed in it. What overflows there is
/// so large that the result is 0 or x. The exponential and its sum need the range of f32; their
/// inverse root fits f16 again, and x takes it twice: cheaper than a quotient.
void add_half_gelu(const std::vector<Tile>& tensors, const std::vector<Tile>& work,
                   std::vector<Instruction>& list) {
  const Tile& x = tensors[0];
  const Tile& y = tensors[1];
  const Tile& wide = work[1];
  Tile half = work[0];
  half.type = DType::kF16;
  half.stride = 2 * half.stride;
  add_exponent(x, half, list);
  list.push_back(vector_op(VectorOp::kConvert, wide, half));
  list.push_back(vector_op(VectorOp::kExp, wide, wide));
  list.push_back(scalar_op(VectorOp::kAdds, wide, wide, 1));
  list.push_back(vector_op(VectorOp::kRsqrt, wide, wide));
  list.push_back(vector_op(VectorOp::kConvert, half, wide));
  list.push_back(vector_op(VectorOp::kMul, y, x, half));
  list.push_back(vector_op(VectorOp::kMul, y, y, half));
}

/// Relative error of the result with exponent `exponent`, beyond its own rounding.
double relative_error(double exponent, DType type) {
  const double single = rounding_unit(DType::kF32);
  // Five roundings of the exponent, which has both its terms' sign; exp, sum and quotient.
  if (type != DType::kF16) return std::expm1((5 * std::abs(exponent) + 8) * single);
  // Four roundings of the exponent, of which the sum takes its exponential's part; the inverse
  // root's, which x takes twice, and of the first of these products.
  const double half = rounding_unit(type);
  const double part = 1 / (1 + std::exp(-exponent));
  return part * std::expm1((4 * half + 2 * single) * std::abs(exponent)) + 3 * half + 8 * single;
}

}  // namespace

std::string GeluKernel::summary() const {
  return "y = gelu(x), tanh form: the activation of an MLP without gate";
}

std::vector<MapTensor> GeluKernel::tensors(const Problem& problem) const {
  const DType type = problem.types[0];
  return {{"x", type, false, false}, {"y", type, true, false}};
}

int GeluKernel::work_tiles(const Problem& problem) const {
  return problem.types[0] == DType::kF32 ? 1 : 2;
}

void GeluKernel::compute(const std::vector<Tile>& tensors, const std::vector<Tile>& work,
                         std::vector<Instruction>& list) const {
  if (tensors[0].type == DType::kF16) {
    add_half_gelu(tensors, work, list);
    return;
  }
  const bool half = tensors[0].type != DType::kF32;
  const Tile& x = half ? work[1] : tensors[0];
  const Tile& power = work[0];
  if (half) list.push_back(vector_op(VectorOp::kConvert, x, tensors[0]));
  add_exponent(x, power, list);
  list.push_back(vector_op(VectorOp::kExp, power, power));
  list.push_back(scalar_op(VectorOp::kAdds, power, power, 1));
  list.push_back(vector_op(VectorOp::kDiv, half ? x : tensors[1], x, power));
  if (half) list.push_back(vector_op(VectorOp::kConvert, tensors[1], x));
}

void GeluKernel::fill_inputs(const Problem&, const Launch& launch, const InputValues& values,
                             GmImage& image) const {
  fill_tensor(launch, 0, -6, 6, values, image);
}

std::vector<ExpectedTensor> GeluKernel::reference(const Problem& problem, const Launch& launch,
                                                  const GmImage& inputs) const {
  const int64_t rows = problem.size("rows");
  const int64_t cols = problem.size("cols");
  const std::vector<float> in = read_tensor(launch.tensors[0], inputs[0]);
  const DType type = problem.types[0];
  // In f16 both factors of the result may be subnormal.
  const double subnormal = (type == DType::kF16 ? 3 : 1) * subnormal_error(type);
  ExpectedTensor y{1, rows, cols, {}, subnormal, rounding_unit(type)};
  for (const float element : in) {
    const auto x = static_cast<double>(element);
    const double exponent = kLinear * (x + kCubic * x * x * x);
    const double value = x / (1 + std::exp(exponent));
    // Where exp overflows f32 the result is 0: smaller than its error here.
    const bool overflows = exponent > std::log(largest_finite(DType::kF32)) - 1;
    y.values.push_back(value);
    y.errors.push_back(std::abs(value) * (overflows ? 1 : relative_error(exponent, type)));
  }
  return {y};
}

}  // namespace tilewright
