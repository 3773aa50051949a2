#pragma once

#include <cstdint>

#include "core/base/dtype.h"

namespace tilewright {

/// `count` consecutive elements of f16, bf16 or f32 as f32, and back with rounding to nearest even:
/// the conversions of core/base/dtype.h, many at a time. Neither side needs to be aligned.
void widen(DType type, const uint8_t* elements, int64_t count, float* values);
void narrow(const float* values, int64_t count, DType type, uint8_t* elements);

/// The same for i8 and i32 as i32; i8 saturates.
void widen(DType type, const uint8_t* elements, int64_t count, int32_t* values);
void narrow(const int32_t* values, int64_t count, DType type, uint8_t* elements);

}  // namespace tilewright
