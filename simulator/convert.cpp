#include "simulator/convert.h"

#include <algorithm>
#include <cstring>

#include "core/base/error.h"

#ifdef __F16C__
#include <immintrin.h>
#endif

namespace tilewright {

namespace {

template <typename Element>
Element element_at(const uint8_t* elements, int64_t i) {
  Element element;
  std::memcpy(&element, elements + i * static_cast<int64_t>(sizeof element), sizeof element);
  return element;
}

template <typename Element>
void put_element(uint8_t* elements, int64_t i, Element element) {
  std::memcpy(elements + i * static_cast<int64_t>(sizeof element), &element, sizeof element);
}

#ifdef __F16C__
/// f16 takes the processor's conversions: Eigen 3.4 uses them with clang only.
constexpr int64_t kAtOnce = 8;

void widen_8(const uint8_t* elements, float* values) {
  _mm256_storeu_ps(values,
                   _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(elements))));
}

void narrow_8(const float* values, uint8_t* elements) {
  _mm_storeu_si128(
      reinterpret_cast<__m128i*>(elements),
      _mm256_cvtps_ph(_mm256_loadu_ps(values), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
#endif

void widen_f16(const uint8_t* elements, int64_t count, float* values) {
  int64_t i = 0;
#ifdef __F16C__
  for (; i + kAtOnce <= count; i += kAtOnce) widen_8(elements + 2 * i, values + i);
#endif
  for (; i < count; ++i) values[i] = f16_to_f32(element_at<uint16_t>(elements, i));
}

void narrow_f16(const float* values, int64_t count, uint8_t* elements) {
  int64_t i = 0;
#ifdef __F16C__
  for (; i + kAtOnce <= count; i += kAtOnce) narrow_8(values + i, elements + 2 * i);
#endif
  for (; i < count; ++i) put_element(elements, i, f32_to_f16(values[i]));
}

}  // namespace

void widen(DType type, const uint8_t* elements, int64_t count, float* values) {
  switch (type) {
    case DType::kF32:
      std::memcpy(values, elements, static_cast<size_t>(count) * sizeof(float));
      return;
    case DType::kF16:
      widen_f16(elements, count, values);
      return;
    case DType::kBF16:
      for (int64_t i = 0; i < count; ++i)
        values[i] = bf16_to_f32(element_at<uint16_t>(elements, i));
      return;
    case DType::kI8:
    case DType::kI32:
      break;
  }
  TW_CHECK(false, "whole numbers are not read as f32");
}

void narrow(const float* values, int64_t count, DType type, uint8_t* elements) {
  switch (type) {
    case DType::kF32:
      std::memcpy(elements, values, static_cast<size_t>(count) * sizeof(float));
      return;
    case DType::kF16:
      narrow_f16(values, count, elements);
      return;
    case DType::kBF16:
      for (int64_t i = 0; i < count; ++i) put_element(elements, i, f32_to_bf16(values[i]));
      return;
    case DType::kI8:
    case DType::kI32:
      break;
  }
  TW_CHECK(false, "f32 is not written as whole numbers");
}

void widen(DType type, const uint8_t* elements, int64_t count, int32_t* values) {
  if (type == DType::kI32) {
    std::memcpy(values, elements, static_cast<size_t>(count) * sizeof(int32_t));
    return;
  }
  TW_CHECK(type == DType::kI8, "floating-point numbers are not read as i32");
  for (int64_t i = 0; i < count; ++i) values[i] = element_at<int8_t>(elements, i);
}

void narrow(const int32_t* values, int64_t count, DType type, uint8_t* elements) {
  if (type == DType::kI32) {
    std::memcpy(elements, values, static_cast<size_t>(count) * sizeof(int32_t));
    return;
  }
  TW_CHECK(type == DType::kI8, "i32 is not written as floating-point numbers");
  for (int64_t i = 0; i < count; ++i) {
    put_element(elements, i, static_cast<int8_t>(std::clamp(values[i], -128, 127)));
  }
}

}  // namespace tilewright
