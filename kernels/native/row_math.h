#pragma once

#include <cstdint>

namespace tilewright {

/// Functions of one row of f32, vectorised so that an element's bits depend on its place in the row
/// alone, not on where the row lies in memory.

/// out[i] = x[i] / sqrt(mean(x^2) + eps) * weight[i] (Zhang and Sennrich 2019); the mean in f64.
/// out may be x.
void rms_norm_row(const float* x, const float* weight, double eps, int64_t count, float* out);

/// row = softmax(row), in place. Up to 15 floats behind the row are overwritten.
void softmax_row(float* row, int64_t count);

/// out[i] = gate[i] / (1 + exp(-gate[i])) * up[i]; count is a multiple of 32.
void silu_mul_row(const float* gate, const float* up, int64_t count, float* out);

/// Rotates one head of `width` elements: element i with element i + width / 2.
void rotate_head(float* head, const float* cosines, const float* sines, int64_t width);

}  // namespace tilewright
