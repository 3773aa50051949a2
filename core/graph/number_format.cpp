#include "core/graph/number_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "core/base/dtype.h"
#include "core/base/error.h"

namespace tilewright {
namespace {

enum class Overflow : uint8_t { kInfinity, kNan, kSaturate };

/// A binary float: mantissa bits without the hidden one, exponent of the smallest normal number.
struct Format {
  int mantissa_bits;
  int least_exponent;
  double largest;
  Overflow overflow;
  bool negative_zero = true;
};

Format format_of(ElementType type) {
  switch (type) {
    case ElementType::kF4E2M1FN:
      return {1, 0, 6, Overflow::kSaturate};
    case ElementType::kF8E3M4:
      return {4, -2, 15.5, Overflow::kInfinity};
    case ElementType::kF8E4M3:
      return {3, -6, 240, Overflow::kInfinity};
    case ElementType::kF8E4M3B11FNUZ:
      return {3, -10, 30, Overflow::kNan, false};
    case ElementType::kF8E4M3FN:
      return {3, -6, 448, Overflow::kNan};
    case ElementType::kF8E4M3FNUZ:
      return {3, -7, 240, Overflow::kNan, false};
    case ElementType::kF8E5M2:
      return {2, -14, 57344, Overflow::kInfinity};
    case ElementType::kF8E5M2FNUZ:
      return {2, -15, 57344, Overflow::kNan, false};
    case ElementType::kF16:
      return {10, -14, 65504, Overflow::kInfinity};
    case ElementType::kBF16:
      return {7, -126, 0x1.fep127, Overflow::kInfinity};
    case ElementType::kF32:
      return {23, -126, 0x1.fffffep127, Overflow::kInfinity};
    default:
      throw Error(ErrorKind::kUsage,
                  fmt::format("numbers of type {} cannot be rounded to", name_of(type)));
  }
}

/// Rounds to a multiple of two to the power (exponent of value, at least `least`) - mantissa_bits.
double round_mantissa(double value, int mantissa_bits, int least) {
  const int exponent = std::max(std::ilogb(value), least);
  // Scaling by powers of two is exact here: the formats are far narrower than f64.
  return std::ldexp(std::nearbyint(std::ldexp(value, mantissa_bits - exponent)),
                    exponent - mantissa_bits);
}

double overflowed(const Format& format, double value) {
  if (format.overflow == Overflow::kNan) return std::numeric_limits<double>::quiet_NaN();
  const bool saturates = format.overflow == Overflow::kSaturate;
  return std::copysign(saturates ? format.largest : std::numeric_limits<double>::infinity(), value);
}

double round_to_format(const Format& format, double value) {
  if (std::isnan(value)) return value;
  if (std::isinf(value)) return overflowed(format, value);
  if (value == 0) return format.negative_zero ? value : 0.0;
  const double rounded = round_mantissa(value, format.mantissa_bits, format.least_exponent);
  if (std::abs(rounded) > format.largest) return overflowed(format, value);
  return rounded == 0 && !format.negative_zero ? 0.0 : rounded;
}

[[noreturn]] void no_bits(ElementType type) {
  throw Error(ErrorKind::kUsage,
              fmt::format("the bits of {} are not known to the interpreter", name_of(type)));
}

}  // namespace

double round_to(ElementType type, double value) {
  if (type == ElementType::kF64) return value;
  if (type == ElementType::kF32) return static_cast<double>(static_cast<float>(value));
  return round_to_format(format_of(type), value);
}

double reduce_precision(ElementType type, double value, int64_t exponent_bits,
                        int64_t mantissa_bits) {
  if (exponent_bits < 1 || mantissa_bits < 0) {
    throw Error(ErrorKind::kUsage, fmt::format("no float has {} exponent and {} mantissa bits",
                                               exponent_bits, mantissa_bits));
  }
  if (!std::isfinite(value) || value == 0) return value;
  const bool f64 = type == ElementType::kF64;
  const Format own =
      f64 ? Format{52, -1022, std::numeric_limits<double>::max(), Overflow::kInfinity}
          : format_of(type);
  double rounded = value;
  if (mantissa_bits < own.mantissa_bits) {
    rounded = round_mantissa(value, static_cast<int>(mantissa_bits), own.least_exponent);
  }
  // An exponent of e bits reaches from 2 - 2^(e-1) to 2^(e-1) - 1; both ends only ever narrow.
  if (exponent_bits < 11) {
    const int top = (1 << (exponent_bits - 1)) - 1;
    const int own_top = std::ilogb(own.largest);
    if (top < own_top) {
      if (std::ilogb(rounded) > top) return overflowed(own, value);
      if (rounded == 0 || std::ilogb(rounded) < 1 - top) return std::copysign(0.0, value);
    }
  }
  return std::isfinite(rounded) && std::abs(rounded) <= own.largest ? rounded
                                                                    : overflowed(own, value);
}

int width_of(ElementType type) {
  switch (type) {
    case ElementType::kPred:
    case ElementType::kS1:
    case ElementType::kU1:
      return 1;
    case ElementType::kS2:
    case ElementType::kU2:
      return 2;
    case ElementType::kS4:
    case ElementType::kU4:
    case ElementType::kF4E2M1FN:
      return 4;
    default:
      return static_cast<int>(bytes_of(type)) * 8;
  }
}

int64_t wrap_to(ElementType type, int64_t value) {
  if (type == ElementType::kPred) return value != 0 ? 1 : 0;
  const int unused = 64 - width_of(type);
  const auto shifted = static_cast<uint64_t>(value) << unused;
  if (is_signed_integer(type)) return static_cast<int64_t>(shifted) >> unused;
  return static_cast<int64_t>(shifted >> unused);
}

int64_t largest_integer(ElementType type) {
  const int value_bits = width_of(type) - (is_signed_integer(type) ? 1 : 0);
  if (value_bits >= 63) return std::numeric_limits<int64_t>::max();
  return (int64_t{1} << value_bits) - 1;
}

int64_t saturate_to(ElementType type, double value) {
  if (std::isnan(value)) return 0;
  if (type == ElementType::kU64) {
    if (value <= 0) return 0;
    if (value >= 0x1p64) return -1;
    return static_cast<int64_t>(static_cast<uint64_t>(value));
  }
  const int64_t largest = largest_integer(type);
  const int64_t least = is_signed_integer(type) ? -largest - 1 : 0;
  if (value <= static_cast<double>(least)) return least;
  // The largest s64 is no f64: the comparison is with two to the 63 there.
  if (value >= static_cast<double>(largest)) return largest;
  return static_cast<int64_t>(value);
}

uint64_t bits_of_float(ElementType type, double value) {
  switch (type) {
    case ElementType::kF64:
      return std::bit_cast<uint64_t>(value);
    case ElementType::kF32:
      return std::bit_cast<uint32_t>(static_cast<float>(value));
    case ElementType::kF16:
      return f32_to_f16(static_cast<float>(round_to(type, value)));
    case ElementType::kBF16:
      return f32_to_bf16(static_cast<float>(round_to(type, value)));
    default:
      no_bits(type);
  }
}

double float_of_bits(ElementType type, uint64_t bits) {
  switch (type) {
    case ElementType::kF64:
      return std::bit_cast<double>(bits);
    case ElementType::kF32:
      return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    case ElementType::kF16:
      return static_cast<double>(f16_to_f32(static_cast<uint16_t>(bits)));
    case ElementType::kBF16:
      return static_cast<double>(bf16_to_f32(static_cast<uint16_t>(bits)));
    default:
      no_bits(type);
  }
}

}  // namespace tilewright
