#pragma once

#include <cstdint>

namespace tilewright {

/// Size of a product of tiles as the cube unit sees it. Operands are already f32 or i32 but lie in
/// the fractals of L0, padded, with c0 = 8, 16 or 32 steps of depth in a fractal:
///   left   rows x depth, zZ with fractals of 16 x c0;
///   right  depth x cols, zZ with fractals of c0 x 16 (nZ, each fractal transposed);
///   sums   rows x cols, zN with fractals of 16 x 16, `sum_rows` rows from one column of fractals
///          to the next.
struct TileProduct {
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t depth = 0;
  int64_t c0 = 0;
  int64_t sum_rows = 0;
  bool add = false;  ///< to what is in `sums`; else to zero
};

/// sums (+)= left x right. Each sum is the chain of fused multiply-adds in order of depth, so it
/// depends neither on the machine that simulates nor on how a K loop is cut into steps. i32 wraps.
/// Writes the real rows and whole fractal columns.
void multiply_tiles(const TileProduct& product, const float* left, const float* right, float* sums);
void multiply_tiles(const TileProduct& product, const int32_t* left, const int32_t* right,
                    int32_t* sums);

}  // namespace tilewright
