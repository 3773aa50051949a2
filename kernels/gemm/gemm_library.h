#pragma once

#include <vector>

#include "kernels/gemm/gemm.h"

namespace tilewright {

/// A tile that a library ships a compiled kernel of.
struct LibraryTile {
  int64_t rows = 0;     ///< of a tile of C
  int64_t columns = 0;  ///< of a tile of C
};

/// The five tiles of the library, flat ones first: CATLASS's default block (128 x 256, of f32
/// 128 x 128), its transpose or halves, the square below it, one of half its rows, and a small one
/// that spreads a few rows over all cores.
const std::vector<LibraryTile>& library_tiles(DType type);

/// The tile that the library takes for m x n sums: the one whose slowest core loads the fewest
/// bytes a unit of depth, waves x (rows + columns) of a tile's real part. Loads from GM bound tiles
/// of these sizes (docs/xyserve.md), so a rule made of them knows what waves and ragged edges cost
/// without the rates of the machine, and without a measurement of the shape. Of equal tiles the
/// first of the list wins.
/// Error (infeasible) where none of them fits into the machine's buffers.
LibraryTile library_tile(int64_t m, int64_t n, DType type, const Machine& machine);

/// What a vendor's library does without tuning for the shape, the baseline of every figure that
/// SmoothGEMM is compared with: one of five fixed tiles by library_tile(), K chunks of 256
/// (i8: 512) in L1 and a quarter of that in L0, everything double-buffered that fits, tiles dealt
/// in turn in bands of three (CATLASS's defaults, swizzle <3,0> where m >= n, else <3,1>). Rows and
/// columns past the matrix are neither loaded nor stored. It goes through SmoothGEMM's own builder.
class GemmLibraryKernel : public GemmKernel {
 public:
  std::string name() const override { return "gemm_library"; }
  std::string summary() const override;
  Space space(const Problem& problem, const Machine& machine) const override;
  Config default_config(const Problem& problem, const Machine& machine) const override;
};

}  // namespace tilewright
