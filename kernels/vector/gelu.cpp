#include "kernels/vector/gelu.h"

#include <cmath>
#include <numbers>

#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

constexpr double kCubic = 0.044715;
const double kLinear = -2 * std::sqrt(2 / std::numbers::pi);

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
  const bool half = tensors[0].type != DType::kF32;
  const Tile& x = half ? work[1] : tensors[0];
  const Tile& power = work[0];
  if (half) list.push_back(vector_op(VectorOp::kConvert, x, tensors[0]));
  // exp(x (c1 + c2 x^2)), then x / (1 + that).
  list.push_back(vector_op(VectorOp::kMul, power, x, x));
  list.push_back(scalar_op(VectorOp::kMuls, power, power, kLinear * kCubic));
  list.push_back(scalar_op(VectorOp::kAdds, power, power, kLinear));
  list.push_back(vector_op(VectorOp::kMul, power, power, x));
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
  const double unit = rounding_unit(DType::kF32);
  ExpectedTensor y{1, rows, cols, {}, subnormal_error(type), rounding_unit(type)};
  for (const float element : in) {
    const auto x = static_cast<double>(element);
    const double exponent = kLinear * (x + kCubic * x * x * x);
    const double value = x / (1 + std::exp(exponent));
    // Five roundings of the exponent, which has both its terms' sign; exp, sum and quotient. Where
    // exp overflows f32 the quotient is 0: smaller than its error here.
    const double relative = (5 * std::abs(exponent) + 8) * unit;
    const bool overflows = exponent > std::log(largest_finite(DType::kF32)) - 1;
    y.values.push_back(value);
    y.errors.push_back(std::abs(value) * (overflows ? 1 : std::expm1(relative)));
  }
  return {y};
}

}  // namespace tilewright
