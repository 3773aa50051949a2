#include "kernels/vector/norm.h"

#include <cmath>

#include "kernels/vector/norm_launch.h"

namespace tilewright {

std::string RmsNormKernel::summary() const {
  return "y = x / sqrt(mean(x^2) + eps) * w, row by row";
}

std::string AddRmsNormKernel::summary() const {
  return "sum = x + r and y = rms_norm(sum) * w, row by row";
}

std::vector<SizeInfo> RmsNormKernel::sizes() const {
  return {{"rows", "rows (tokens)"}, {"cols", "columns (hidden size)"}};
}

int64_t RmsNormKernel::ub_bytes(const Problem& problem, const VectorTile& tile,
                                const Machine& machine) const {
  return norm_ub_bytes(problem, tile, machine, adds_residual());
}

Launch RmsNormKernel::build(const Problem& problem, const Config& config,
                            const Machine& machine) const {
  return build(problem, config, machine, kEpsilon);
}

Launch RmsNormKernel::build(const Problem& problem, const Config& config, const Machine& machine,
                            double epsilon) const {
  return build_norm_launch(problem, tile_of(problem, config), machine, adds_residual(), epsilon);
}

void RmsNormKernel::fill_inputs(const Problem&, const Launch& launch, const InputValues& values,
                                GmImage& image) const {
  const int inputs = adds_residual() ? 3 : 2;
  for (int tensor = 0; tensor < inputs; ++tensor) {
    fill_tensor(launch, tensor, -2, 2, values, image);
  }
}

std::vector<ExpectedTensor> RmsNormKernel::reference(const Problem& problem, const Launch& launch,
                                                     const GmImage& inputs) const {
  const int64_t rows = problem.size("rows");
  const int64_t cols = problem.size("cols");
  const DType type = problem.types[0];
  const bool adds = adds_residual();
  const int weight = adds ? 2 : 1;
  std::vector<float> x = read_tensor(launch.tensors[0], inputs[0]);
  const std::vector<float> w =
      read_tensor(launch.tensors[static_cast<size_t>(weight)], inputs[static_cast<size_t>(weight)]);
  const double unit = rounding_unit(type);
  const double subnormal = subnormal_error(type);
  std::vector<ExpectedTensor> expected;
  if (adds) {
    expected.push_back(added_rows(launch, inputs, 3, rows, cols));
    x = rounded_rows(launch.tensors[0], expected[0].values);
  }
  ExpectedTensor y{adds ? 4 : 2, rows, cols, std::vector<double>(x.size()), subnormal, unit};
  // Rows of f16 round their scale and its product, too. All squares are positive: a sum of 64 in a
  // row, of up to log2(cols) folded halves and of pieces of at least 1024 columns errs by at most
  // one f32 rounding each; scaling adds a few more.
  const auto length = static_cast<double>(cols);
  y.relative +=
      (type == DType::kF16 ? 2 * unit : 0) + (72 + std::log2(length) + length / 1024) * 0x1p-24;
  for (int64_t row = 0; row < rows; ++row) {
    const float* values = x.data() + row * cols;
    double sum = 0;
    for (int64_t c = 0; c < cols; ++c) {
      sum += static_cast<double>(values[c]) * static_cast<double>(values[c]);
    }
    const double scale = 1 / std::sqrt(sum / length + kEpsilon);
    for (int64_t c = 0; c < cols; ++c) {
      y.values[static_cast<size_t>(row * cols + c)] =
          static_cast<double>(values[c]) * scale * static_cast<double>(w[static_cast<size_t>(c)]);
      if (type != DType::kF16) continue;
      const double factor = std::abs(static_cast<double>(w[static_cast<size_t>(c)]));
      y.errors.push_back(subnormal * factor * (std::abs(static_cast<double>(values[c])) + 1));
    }
  }
  expected.push_back(std::move(y));
  return expected;
}

ExpectedTensor added_rows(const Launch& launch, const GmImage& inputs, int sum, int64_t rows,
                          int64_t cols) {
  const std::vector<float> x = read_tensor(launch.tensors[0], inputs[0]);
  const std::vector<float> r = read_tensor(launch.tensors[1], inputs[1]);
  const DType type = launch.tensors[0].type;
  ExpectedTensor added{sum,
                       rows,
                       cols,
                       std::vector<double>(x.size()),
                       subnormal_error(type),
                       rounding_unit(type) + 0x1p-23};
  for (size_t i = 0; i < x.size(); ++i) {
    added.values[i] = static_cast<double>(x[i]) + static_cast<double>(r[i]);
  }
  return added;
}

std::vector<float> rounded_rows(const Tensor& tensor, const std::vector<double>& values) {
  // The vector unit adds in f32 and rounds to the type of the data.
  return read_tensor(tensor,
                     write_tensor(tensor, std::vector<float>(values.begin(), values.end())));
}

}  // namespace tilewright
