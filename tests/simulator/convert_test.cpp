#include "simulator/convert.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace tilewright {
namespace {

constexpr uint32_t kF32Nan = 0x7f800000u;

uint32_t bits_of(float value) {
  return std::bit_cast<uint32_t>(value);
}

/// A 16-bit format: sign, exponent, fraction.
struct Format {
  DType type;
  int exponent_bits;
  int fraction_bits;

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  uint32_t exponent(uint16_t bits) const {
    return static_cast<uint32_t>(bits >> fraction_bits) & ((1u << exponent_bits) - 1);
  }
  uint32_t fraction(uint16_t bits) const { return bits & ((1u << fraction_bits) - 1); }
  bool is_nan(uint16_t bits) const {
    return exponent(bits) == (1u << exponent_bits) - 1 && fraction(bits) != 0;
  }
  uint16_t infinity() const {
    return static_cast<uint16_t>(((1u << exponent_bits) - 1) << fraction_bits);
  }

  /// The bits of the f32 that the element stands for, by the definition of the format.
  uint32_t as_f32(uint16_t bits) const {
    const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
    if (is_nan(bits)) {
      return sign | kF32Nan | 0x400000u | (fraction(bits) << (23 - fraction_bits));
    }
    if (exponent(bits) == (1u << exponent_bits) - 1) return sign | kF32Nan;
    const bool subnormal = exponent(bits) == 0;
    const double significand = fraction(bits) + (subnormal ? 0.0 : std::ldexp(1.0, fraction_bits));
    const int power = static_cast<int>(subnormal ? 1 : exponent(bits)) - bias() - fraction_bits;
    return sign | bits_of(static_cast<float>(std::ldexp(significand, power)));
  }

  /// The element nearest to a number that is not NaN, to even when two are as near: the number in
  /// units of the last place, rounded.
  uint16_t nearest(float value) const {
    const auto sign = static_cast<uint16_t>(std::signbit(value) ? 0x8000 : 0);
    const double magnitude = std::abs(static_cast<double>(value));
    if (magnitude == 0) return sign;
    if (std::isinf(magnitude)) return sign | infinity();
    const int power = std::max(std::ilogb(magnitude), 1 - bias()) - fraction_bits;
    const auto units = static_cast<uint32_t>(std::nearbyint(std::ldexp(magnitude, -power)));
    // Units count up from the exponent's first number through the fraction into the exponent.
    const auto steps = static_cast<uint32_t>(power + fraction_bits - (1 - bias()));
    const uint32_t bits = (steps << fraction_bits) + units;
    return static_cast<uint16_t>(sign | std::min<uint32_t>(bits, infinity()));
  }
};

constexpr Format kFormats[] = {{DType::kF16, 5, 10}, {DType::kBF16, 8, 7}};

float widen_one(const Format& format, uint16_t bits) {
  return format.type == DType::kF16 ? f16_to_f32(bits) : bf16_to_f32(bits);
}

uint16_t narrow_one(const Format& format, float value) {
  return format.type == DType::kF16 ? f32_to_f16(value) : f32_to_bf16(value);
}

std::vector<uint16_t> narrow_all(const Format& format, const std::vector<float>& values) {
  std::vector<uint16_t> elements(values.size());
  narrow(values.data(), static_cast<int64_t>(values.size()), format.type,
         reinterpret_cast<uint8_t*>(elements.data()));
  return elements;
}

std::vector<uint16_t> all_elements() {
  std::vector<uint16_t> elements(65536);
  for (size_t i = 0; i < elements.size(); ++i) elements[i] = static_cast<uint16_t>(i);
  return elements;
}

TEST(Widen, GivesTheF32OfEveryElement) {
  const std::vector<uint16_t> elements = all_elements();
  for (const Format& format : kFormats) {
    std::vector<float> values(elements.size());
    widen(format.type, reinterpret_cast<const uint8_t*>(elements.data()), 65536, values.data());
    for (uint16_t element : elements) {
      ASSERT_EQ(bits_of(values[element]), format.as_f32(element)) << element;
      ASSERT_EQ(bits_of(widen_one(format, element)), format.as_f32(element)) << element;
    }
  }
}

TEST(Narrow, GivesBackEveryElement) {
  const std::vector<uint16_t> elements = all_elements();
  for (const Format& format : kFormats) {
    std::vector<float> values;
    for (uint16_t element : elements)
      values.push_back(std::bit_cast<float>(format.as_f32(element)));
    const std::vector<uint16_t> back = narrow_all(format, values);
    for (uint16_t element : elements) {
      const auto quiet = static_cast<uint16_t>(1u << (format.fraction_bits - 1));
      const uint16_t expected = format.is_nan(element) ? element | quiet : element;
      ASSERT_EQ(back[element], expected);
      ASSERT_EQ(narrow_one(format, values[element]), expected);
    }
  }
}

TEST(Narrow, RoundsToNearestEvenAroundEveryMiddle) {
  for (const Format& format : kFormats) {
    std::vector<float> values;
    for (uint16_t low = 0; low < format.infinity(); ++low) {
      // The next element, or what it would be if the exponents went on.
      const double from = std::bit_cast<float>(format.as_f32(low));
      const double below = low == 0 ? 0 : std::bit_cast<float>(format.as_f32(low - 1));
      const double to = low + 1 == format.infinity() ? 2 * from - below
                                                     : std::bit_cast<float>(format.as_f32(low + 1));
      const auto middle = static_cast<float>((from + to) / 2);
      for (float value : {middle, std::nextafter(middle, 0.0f),
                          std::nextafter(middle, std::numeric_limits<float>::infinity())}) {
        values.push_back(value);
        values.push_back(-value);
      }
    }
    const std::vector<uint16_t> elements = narrow_all(format, values);
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(elements[i], format.nearest(values[i])) << std::hexfloat << values[i];
      ASSERT_EQ(narrow_one(format, values[i]), format.nearest(values[i]));
    }
  }
}

TEST(Narrow, KnowsTheEndsOfTheFormats) {
  using Limits = std::numeric_limits<float>;
  EXPECT_EQ(f32_to_f16(65504.0f), 0x7bff);
  EXPECT_EQ(f32_to_f16(65519.996f), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
  EXPECT_EQ(f32_to_f16(Limits::max()), 0x7c00);
  EXPECT_EQ(f32_to_f16(0x1p-25f), 0x0000);                        // half the least subnormal
  EXPECT_EQ(f32_to_f16(std::nextafter(0x1p-25f, 1.0f)), 0x0001);  // just above
  EXPECT_EQ(f32_to_f16(-Limits::denorm_min()), 0x8000);
  EXPECT_EQ(f32_to_bf16(Limits::max()), 0x7f80);
  EXPECT_EQ(f32_to_bf16(0x1.fep127f), 0x7f7f);
  EXPECT_EQ(f32_to_bf16(Limits::denorm_min()), 0x0000);
  EXPECT_EQ(f32_to_bf16(0x1p-133f), 0x0001);
}

TEST(Narrow, QuietsNanAndKeepsSignAndPayload) {
  const std::vector<float> values = {
      std::bit_cast<float>(0x7f800001u), std::bit_cast<float>(0xff800001u),
      std::bit_cast<float>(0x7fc00000u), std::bit_cast<float>(0xffabc000u)};
  EXPECT_EQ(narrow_all(kFormats[0], values),
            (std::vector<uint16_t>{0x7e00, 0xfe00, 0x7e00, 0xff5e}));
  EXPECT_EQ(narrow_all(kFormats[1], values),
            (std::vector<uint16_t>{0x7fc0, 0xffc0, 0x7fc0, 0xffeb}));
  for (const Format& format : kFormats) {
    for (float value : values) {
      EXPECT_EQ(narrow_one(format, value), narrow_all(format, {value}).front());
    }
  }
}

TEST(Narrow, DoesNotDependOnPlaceOrNumber) {
  // Vector and scalar code, aligned or not.
  for (const Format& format : kFormats) {
    for (int64_t count : {1, 7, 8, 15, 33, 511, 513, 1100}) {
      std::vector<float> values;
      for (int64_t i = 0; i < count; ++i) {
        values.push_back(std::ldexp(1.0f + static_cast<float>(i * 37 % 8191) * 0x1p-13f,
                                    static_cast<int>(i % 45) - 28));
      }
      std::vector<uint8_t> bytes(static_cast<size_t>(count) * 2 + 1);
      narrow(values.data(), count, format.type, bytes.data() + 1);
      std::vector<float> back(values.size());
      widen(format.type, bytes.data() + 1, count, back.data());
      for (size_t i = 0; i < values.size(); ++i) {
        uint16_t element;
        std::memcpy(&element, bytes.data() + 1 + 2 * i, 2);
        ASSERT_EQ(element, format.nearest(values[i]));
        ASSERT_EQ(bits_of(back[i]), format.as_f32(element));
      }
    }
  }
}

TEST(Narrow, SaturatesWholeNumbers) {
  const int32_t values[] = {-1000, -129, -128, -1, 0, 127, 128, 1 << 30};
  uint8_t bytes[8];
  narrow(values, 8, DType::kI8, bytes);
  int32_t back[8];
  widen(DType::kI8, bytes, 8, back);
  const int32_t expected[] = {-128, -128, -128, -1, 0, 127, 127, 127};
  for (int i = 0; i < 8; ++i) EXPECT_EQ(back[i], expected[i]);
}

}  // namespace
}  // namespace tilewright
