#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace tilewright {

/// Element types of tensors and on-chip tiles. i8 products accumulate in i32, the others in f32.
enum class DType : uint8_t { kF32, kF16, kBF16, kI8, kI32 };

constexpr int bytes_of(DType type) {
  switch (type) {
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kF16:
    case DType::kBF16:
      return 2;
    case DType::kI8:
      return 1;
  }
  return 0;
}

/// "f32", "f16", "bf16", "i8", "i32": the names of command line, database and plans.
std::string_view name_of(DType type);

/// The type of that name; throws Error (usage) that lists the known names.
DType parse_dtype(std::string_view name);

/// Type of the sums of products of `type` in the cube unit.
constexpr DType accumulator_of(DType type) {
  return type == DType::kI8 ? DType::kI32 : DType::kF32;
}

/// IEEE 754 conversions, round to nearest even, with subnormals and infinities. NaN becomes a quiet
/// NaN of the same sign with as much of its payload as fits.
uint16_t f32_to_f16(float value);
float f16_to_f32(uint16_t bits);

inline uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  const uint32_t quiet = bits | 0x400000u;
  return static_cast<uint16_t>(((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded) >> 16);
}

inline float bf16_to_f32(uint16_t element) {
  const uint32_t bits = static_cast<uint32_t>(element) << 16;
  return std::bit_cast<float>((bits & 0x7fffffffu) > 0x7f800000u ? bits | 0x400000u : bits);
}

}  // namespace tilewright
