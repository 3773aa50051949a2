#include "kernels/vector/cast.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/text.h"
#include "kernels/vector/quantize.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

/// Before the type that an epilogue names.
constexpr std::string_view kTo = "to_";

}  // namespace

std::string CastKernel::summary() const {
  return "y = x in another type: f32 to f16, halves to f32, or --epilogue to_f16, to_bf16, to_f32";
}

std::vector<DType> CastKernel::tensor_types(DType type) const {
  return {type, type == DType::kF32 ? DType::kF16 : DType::kF32};
}

Problem CastKernel::problem(const ProblemRequest& request) const {
  ProblemRequest plain = request;
  plain.out_dtype.clear();
  plain.epilogue.clear();
  Problem problem = VectorKernel::problem(plain);
  std::string to = request.out_dtype;
  if (request.epilogue.starts_with(kTo)) {
    to = request.epilogue.substr(kTo.size());
  } else if (!request.epilogue.empty() && request.epilogue != "none") {
    throw Error(ErrorKind::kUsage, fmt::format("cast has no epilogue '{}'; known are none, to_f16, "
                                               "to_bf16, to_f32",
                                               printable(request.epilogue)));
  }
  if (to.empty()) return problem;
  const DType type = parse_dtype(to);
  if (type != DType::kF16 && type != DType::kBF16 && type != DType::kF32) {
    throw Error(ErrorKind::kUsage,
                fmt::format("cast makes f16, bf16 or f32, not {}; quantize makes i8", to));
  }
  if (type == problem.types[0]) {
    throw Error(ErrorKind::kUsage, fmt::format("cast from {0} to {0} changes nothing", to));
  }
  if (type != problem.types[1]) problem.epilogue = fmt::format("{}{}", kTo, name_of(type));
  problem.types[1] = type;
  return problem;
}

std::vector<MapTensor> CastKernel::tensors(const Problem& problem) const {
  return {{"x", problem.types[0], false, false}, {"y", problem.types[1], true, false}};
}

int CastKernel::work_tiles(const Problem& problem) const {
  // Halves of one kind become those of the other by way of f32.
  return problem.types[0] != DType::kF32 && problem.types[1] != DType::kF32 ? 1 : 0;
}

void CastKernel::compute(const std::vector<Tile>& tensors, const std::vector<Tile>& work,
                         std::vector<Instruction>& list) const {
  if (!work.empty()) list.push_back(vector_op(VectorOp::kConvert, work[0], tensors[0]));
  list.push_back(vector_op(VectorOp::kConvert, tensors[1], work.empty() ? tensors[0] : work[0]));
}

void CastKernel::fill_inputs(const Problem&, const Launch& launch, const InputValues& values,
                             GmImage& image) const {
  fill_tensor(launch, 0, -4, 4, values, image);
}

std::vector<ExpectedTensor> CastKernel::reference(const Problem& problem, const Launch& launch,
                                                  const GmImage& inputs) const {
  const std::vector<float> x = read_tensor(launch.tensors[0], inputs[0]);
  const DType to = problem.types[1];
  return {{1,
           problem.size("rows"),
           problem.size("cols"),
           {x.begin(), x.end()},
           subnormal_error(to),
           rounding_unit(to)}};
}

std::string QuantizeChannelsKernel::summary() const {
  return "i8 by channel: y = round(x * factor), factors of each column given";
}

std::vector<MapTensor> QuantizeChannelsKernel::tensors(const Problem& problem) const {
  return {{"x", problem.types[0], false, false},
          {"factor", DType::kF32, false, true},
          {"y", DType::kI8, true, false}};
}

int QuantizeChannelsKernel::work_tiles(const Problem& problem) const {
  return problem.types[0] == DType::kF32 ? 1 : 2;
}

void QuantizeChannelsKernel::compute(const std::vector<Tile>& tensors,
                                     const std::vector<Tile>& work,
                                     std::vector<Instruction>& list) const {
  const bool half = tensors[0].type != DType::kF32;
  const Tile& x = half ? work[1] : tensors[0];
  if (half) list.push_back(vector_op(VectorOp::kConvert, x, tensors[0]));
  list.push_back(vector_op(VectorOp::kMul, x, x, tensors[1]));
  // The vector unit converts to i8 from f16 only.
  Tile rounded = work[0];
  rounded.type = DType::kF16;
  rounded.stride *= 2;
  list.push_back(vector_op(VectorOp::kConvert, rounded, x));
  list.push_back(vector_op(VectorOp::kConvert, tensors[2], rounded));
}

void QuantizeChannelsKernel::fill_inputs(const Problem&, const Launch& launch,
                                         const InputValues& values, GmImage& image) const {
  fill_tensor(launch, 0, -4, 4, values, image);
  // Factors for channels of different spread: a few products are beyond 127.
  fill_tensor(launch, 1, 8, 40, {values.seed, InputPattern::kUniform}, image);
}

std::vector<ExpectedTensor> QuantizeChannelsKernel::reference(const Problem& problem,
                                                              const Launch& launch,
                                                              const GmImage& inputs) const {
  const int64_t rows = problem.size("rows");
  const int64_t cols = problem.size("cols");
  const std::vector<float> x = read_tensor(launch.tensors[0], inputs[0]);
  const std::vector<float> factor = read_tensor(launch.tensors[1], inputs[1]);
  ExpectedTensor y{2, rows, cols, {}, 0, 0};
  for (size_t i = 0; i < x.size(); ++i) {
    const double product =
        static_cast<double>(x[i]) * static_cast<double>(factor[i % static_cast<size_t>(cols)]);
    const double value = std::clamp(product, -128.0, 127.0);
    y.values.push_back(value);
    y.errors.push_back(quantization_error(value));
  }
  return {y};
}

}  // namespace tilewright
