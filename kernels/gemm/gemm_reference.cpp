#include "kernels/gemm/gemm_reference.h"

#include <algorithm>
#include <cmath>

#include "kernels/gemm/gemm_launch.h"
#include "kernels/gemm/gemm_shape.h"

namespace tilewright {

namespace {

using Activation = Epilogue::Activation;

/// Rounding to nearest of one f32 operation.
constexpr double kUnit = 0x1p-24;
/// exp() of more than this is infinite in f32; what it then divides is lost.
constexpr double kExpOverflow = 0x1p-127;

/// A value and how far from it the kernel's may be.
struct Approximate {
  double value = 0;
  double error = 0;
};

Approximate times(const Approximate& a, const Approximate& b) {
  const double value = a.value * b.value;
  return {value, std::abs(a.value) * b.error + std::abs(b.value) * a.error + a.error * b.error +
                     kUnit * std::abs(value)};
}

/// x / (1 + exp(-t)): the rounding of t moves exp by |t| units, and its slope is at most `slope`.
Approximate gated(const Approximate& x, double t, double slope) {
  const double value = x.value / (1 + std::exp(-t));
  const double units = 8 + 4 * std::abs(t);
  return {value,
          slope * x.error + units * kUnit * std::abs(value) + kExpOverflow * std::abs(x.value)};
}

Approximate gelu(const Approximate& x) {
  const double t = 1.5957691216057308 * (x.value + 0.044715 * x.value * x.value * x.value);
  return gated(x, t, 1.2);
}

Approximate silu(const Approximate& x) {
  return gated(x, x.value, 1.1);
}

/// The inputs as matrices, and how sums become elements of C.
class GemmReference {
 public:
  GemmReference(const Problem& problem, const Launch& launch, const GmImage& inputs)
      : shape_(gemm_shape(problem)),
        a_(read(launch, inputs, "a")),
        b_(read(launch, inputs, "b")),
        bias_(read(launch, inputs, "bias")),
        scales_(read(launch, inputs, "scales")),
        row_scales_(read(launch, inputs, "row_scales")),
        residual_(read(launch, inputs, "residual")) {
    // Parts of split-K are scaled before they are added.
    const int parts = find_tensor(launch, "parts");
    if (parts >= 0) {
      parts_ = launch.tensors[static_cast<size_t>(parts)].rows / launch.tensors[2].rows;
    }
  }

  ExpectedTensor expected() const {
    const auto elements = static_cast<size_t>(shape_.m * shape_.n);
    ExpectedTensor c{2, shape_.m, shape_.n, std::vector<double>(elements), 0, 0, {}};
    c.errors.resize(elements);
    int64_t row = 0;
    for (size_t expert = 0; expert < shape_.expert_rows.size(); ++expert) {
      for (int64_t r = 0; r < shape_.expert_rows[expert]; ++r, ++row) {
        add_row(row, static_cast<int64_t>(expert), c);
      }
    }
    c.absolute = shape_.out == DType::kI8 ? 0.5 : subnormal_error(shape_.out);
    c.relative = rounding_unit(shape_.out);
    return c;
  }

 private:
  static std::vector<float> read(const Launch& launch, const GmImage& inputs, const char* name) {
    const int tensor = find_tensor(launch, name);
    if (tensor < 0) return {};
    return read_tensor(launch.tensors[static_cast<size_t>(tensor)],
                       inputs[static_cast<size_t>(tensor)]);
  }

  void add_row(int64_t row, int64_t expert, ExpectedTensor& c) const {
    const int64_t width = shape_.sides() * shape_.stored_n();
    std::vector<double> sums(static_cast<size_t>(width));
    std::vector<double> magnitudes(sums.size());
    for (int64_t x = 0; x < shape_.k; ++x) {
      const double left = a_[static_cast<size_t>(row * shape_.k + x)];
      const float* right = b_.data() + (expert * shape_.stored_k() + x) * width;
      for (size_t j = 0; j < sums.size(); ++j) {
        const double product = left * static_cast<double>(right[j]);
        sums[j] += product;
        magnitudes[j] += std::abs(product);
      }
    }
    for (int64_t col = 0; col < shape_.n; ++col) {
      Approximate sides[2];
      for (int64_t side = 0; side < shape_.sides(); ++side) {
        const auto j = static_cast<size_t>(side * shape_.stored_n() + col);
        const int64_t channel = (expert * shape_.sides() + side) * shape_.n + col;
        sides[side] = scaled(sums[j], magnitudes[j], static_cast<size_t>(channel), row);
      }
      const auto at = static_cast<size_t>(row * shape_.n + col);
      const Approximate result = finished(sides[0], sides[1], at);
      c.values[at] =
          shape_.out == DType::kI8 ? std::clamp(result.value, -128.0, 127.0) : result.value;
      c.errors[at] = result.error * (1 + rounding_unit(shape_.out));
    }
  }

  /// Sums with bias and scales.
  Approximate scaled(double sum, double magnitude, size_t channel, int64_t row) const {
    const bool whole = shape_.type == DType::kI8;
    if (!bias_.empty()) {
      sum += static_cast<double>(bias_[channel]);
      magnitude += std::abs(static_cast<double>(bias_[channel]));
    }
    // Sums that f32 itself cannot hold exactly where they are tiny: half a subnormal a product.
    const double subnormal = static_cast<double>(shape_.k + 1) * subnormal_error(DType::kF32);
    Approximate x{sum, whole ? 0 : sum_error(shape_.k + 1) * magnitude + subnormal};
    if (!scales_.empty()) {
      x = times(x, {static_cast<double>(scales_[2 * channel]), 0});
      // Whole numbers become f32 before they are scaled; with parts, each of them.
      x.error += (parts_ > 1 ? sum_error(parts_ + 2) * magnitude : kUnit * std::abs(sum)) *
                     static_cast<double>(scales_[2 * channel]) +
                 subnormal;
    }
    if (!row_scales_.empty()) {
      x = times(x, {static_cast<double>(row_scales_[static_cast<size_t>(row)]), 0});
    }
    return x;
  }

  Approximate finished(const Approximate& x, const Approximate& up, size_t element) const {
    Approximate y = x;
    switch (shape_.epilogue.activation) {
      case Activation::kNone:
        break;
      case Activation::kRelu:
        y.value = std::max(x.value, 0.0);
        break;
      case Activation::kGelu:
        y = gelu(x);
        break;
      case Activation::kSiluMul:
        y = times(silu(x), up);
        break;
    }
    if (!residual_.empty()) {
      y.value += static_cast<double>(residual_[element]);
      y.error += kUnit * std::abs(y.value);
    }
    return y;
  }

  GemmShape shape_;
  std::vector<float> a_, b_, bias_, scales_, row_scales_, residual_;
  int64_t parts_ = 1;
};

/// Values of B with zeros where a matrix is padded.
std::vector<float> weights(const GemmShape& shape, const Tensor& tensor, double low,
                           const InputValues& values) {
  std::vector<float> filled =
      input_values(tensor.type, tensor.rows, tensor.cols, low, 1, values, 1);
  for (int64_t r = 0; r < tensor.rows; ++r) {
    for (int64_t c = 0; c < tensor.cols; ++c) {
      const bool real = r % shape.stored_k() < shape.k && c % shape.stored_n() < shape.n;
      if (!real) filled[static_cast<size_t>(r * tensor.cols + c)] = 0;
    }
  }
  return filled;
}

}  // namespace

void fill_gemm_inputs(const Problem& problem, const Launch& launch, const InputValues& values,
                      GmImage& image) {
  const GemmShape shape = gemm_shape(problem);
  const bool infinite = values.pattern == InputPattern::kMinusInf;
  InputValues finite = values;
  if (infinite) finite.pattern = InputPattern::kUniform;
  for (size_t t = 0; t < launch.tensors.size(); ++t) {
    const Tensor& tensor = launch.tensors[t];
    if (t == 2 || tensor.workspace) continue;
    std::vector<float> filled;
    if (t == 1) {
      filled = weights(shape, tensor, infinite ? 0.25 : -1, finite);
    } else if (tensor.name == "scales" || tensor.name == "row_scales") {
      // Sums of i8 products become numbers of the order of one.
      const double most = tensor.name == "scales" ? 0x1p-14 : 1;
      filled = input_values(tensor.type, tensor.rows, tensor.cols, most / 4, most, finite, t);
    } else if (tensor.type == DType::kI32) {
      filled = input_values(DType::kI8, tensor.rows, tensor.cols, -1, 1, finite, t);
    } else {
      const int64_t rows = t == 0 ? problem.size("m") : tensor.rows;
      filled = input_values(tensor.type, rows, tensor.cols, -1, 1, values, t);
      filled.resize(static_cast<size_t>(tensor.rows * tensor.cols));
    }
    image[t] = write_tensor(tensor, filled);
  }
}

ExpectedTensor gemm_reference(const Problem& problem, const Launch& launch, const GmImage& inputs) {
  return GemmReference(problem, launch, inputs).expected();
}

}  // namespace tilewright
