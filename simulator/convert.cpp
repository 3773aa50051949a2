#include "simulator/convert.h"

#include <Eigen/Core>
#include <algorithm>
#include <cstring>

#include "core/base/error.h"

namespace tilewright {

namespace {

/// f16 goes through Eigen, which uses the processor's conversions, in pieces of this size.
constexpr int kPiece = 512;
using Halves = Eigen::Array<Eigen::half, Eigen::Dynamic, 1, Eigen::ColMajor, kPiece, 1>;

void widen_f16(const uint8_t* elements, int64_t count, float* values) {
  Halves halves(kPiece);
  for (int64_t i = 0; i < count; i += kPiece) {
    const int64_t piece = std::min<int64_t>(kPiece, count - i);
    std::memcpy(halves.data(), elements + i * 2, static_cast<size_t>(piece) * 2);
    Eigen::Map<Eigen::ArrayXf>(values + i, piece) = halves.head(piece).cast<float>();
  }
}

void narrow_f16(const float* values, int64_t count, uint8_t* elements) {
  Halves halves(kPiece);
  for (int64_t i = 0; i < count; i += kPiece) {
    const int64_t piece = std::min<int64_t>(kPiece, count - i);
    halves.head(piece) = Eigen::Map<const Eigen::ArrayXf>(values + i, piece).cast<Eigen::half>();
    std::memcpy(elements + i * 2, halves.data(), static_cast<size_t>(piece) * 2);
  }
}

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
