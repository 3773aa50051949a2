#include "kernels/numerics.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <string>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

double scale_of(InputPattern pattern, DType type) {
  const bool narrow = type == DType::kF16;
  if (pattern == InputPattern::kLarge) return narrow ? 0x1p7 : 0x1p30;
  if (pattern == InputPattern::kTiny) return narrow ? 0x1p-20 : 0x1p-100;
  return 1;
}

float whole_value(InputPattern pattern, double uniform) {
  switch (pattern) {
    case InputPattern::kLarge:
      return uniform < 0.5 ? -127.0F : 127.0F;
    case InputPattern::kTiny:
      return static_cast<float>(std::floor(uniform * 3)) - 1;
    case InputPattern::kEqual:
      return 3;
    case InputPattern::kUniform:
    case InputPattern::kMinusInf:
      break;
  }
  return static_cast<float>(std::floor(uniform * 255)) - 127;
}

}  // namespace

std::string_view name_of(InputPattern pattern) {
  switch (pattern) {
    case InputPattern::kUniform:
      return "uniform";
    case InputPattern::kLarge:
      return "large";
    case InputPattern::kTiny:
      return "tiny";
    case InputPattern::kEqual:
      return "equal";
    case InputPattern::kMinusInf:
      return "minus_inf";
  }
  return "";
}

InputPattern parse_input_pattern(std::string_view name) {
  std::vector<std::string> names;
  for (const InputPattern pattern : kInputPatterns) {
    if (name_of(pattern) == name) return pattern;
    names.emplace_back(name_of(pattern));
  }
  throw Error(ErrorKind::kUsage, fmt::format("unknown values '{}'{} (known: {})", printable(name),
                                             did_you_mean(name, names), join(names, ", ")));
}

std::vector<float> input_values(DType type, int64_t rows, int64_t cols, double low, double high,
                                const InputValues& values, uint64_t stream) {
  Random random(mix_bits(values.seed, stream));
  std::vector<float> filled(static_cast<size_t>(rows * cols));
  const double scale = scale_of(values.pattern, type);
  const auto equal = static_cast<float>((low + 3 * high) / 4);
  const float minus_inf = -std::numeric_limits<float>::infinity();
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) {
      float& value = filled[static_cast<size_t>(r * cols + c)];
      const double uniform = random.uniform();
      if (type == DType::kI8) {
        value = whole_value(values.pattern, uniform);
        continue;
      }
      value = static_cast<float>((low + (high - low) * uniform) * scale);
      if (values.pattern == InputPattern::kEqual) value = equal;
      if (values.pattern == InputPattern::kMinusInf) {
        const bool hides = r % 4 == 1 || (r % 4 == 2 && random.below(2) == 0);
        if (hides) value = minus_inf;
      }
    }
  }
  return filled;
}

void fill_tensor(const Launch& launch, int tensor, double low, double high,
                 const InputValues& values, GmImage& image) {
  const Tensor& filled = launch.tensors[static_cast<size_t>(tensor)];
  image[static_cast<size_t>(tensor)] =
      write_tensor(filled, input_values(filled.type, filled.rows, filled.cols, low, high, values,
                                        static_cast<uint64_t>(tensor)));
}

double rounding_unit(DType type) {
  switch (type) {
    case DType::kF16:
      return 0x1p-11;
    case DType::kBF16:
      return 0x1p-8;
    case DType::kF32:
      return 0x1p-24;
    case DType::kI8:
    case DType::kI32:
      break;
  }
  return 0;
}

double subnormal_error(DType type) {
  switch (type) {
    case DType::kF16:
      return 0x1p-25;
    case DType::kBF16:
      return 0x1p-134;
    case DType::kF32:
      return 0x1p-150;
    case DType::kI8:
    case DType::kI32:
      break;
  }
  return 0;
}

double sum_error(int64_t k) {
  const double units = static_cast<double>(k) * 0x1p-24;
  return units / (1 - units);
}

double largest_finite(DType type) {
  switch (type) {
    case DType::kF16:
      return 65504;
    case DType::kBF16:
      return 0x1.fep127;
    case DType::kF32:
      return 0x1.fffffep127;
    case DType::kI8:
      return 127;
    case DType::kI32:
      return 0x1.fffffffcp30;
  }
  return 0;
}

}  // namespace tilewright
