#pragma once

#include <string_view>
#include <vector>

#include "kernels/gemm/gemm.h"

namespace tilewright {

/// A tile that a library ships a compiled kernel of.
struct LibraryTile {
  int64_t rows = 0;     ///< of a tile of C
  int64_t columns = 0;  ///< of a tile of C
};

/// The five tiles of the library, the flat one first: CATLASS's default block (128 x 256, of f32
/// 128 x 128), its transpose or half, the square below it, one of half its rows, and one for few
/// rows. Of weights in fractals ("nz") that one is narrow, so that its tiles spread over all cores;
/// row-major ones ("nd") come in bursts of a tile's row, so there it is as wide as the others.
std::vector<LibraryTile> library_tiles(DType type, std::string_view layout);

/// The tile that the library takes for a problem: the one whose slowest core loads the fewest
/// bytes a unit of depth, waves x (rows + columns) of a tile's real part. Loads from GM bound tiles
/// of these sizes (docs/xyserve.md), so a rule made of them knows what waves and ragged edges cost
/// without the rates of the machine, and without a measurement of the shape. Of equal tiles the
/// first of the list wins. Error (infeasible) where none of them fits into the machine's buffers.
LibraryTile library_tile(const Problem& problem, const Machine& machine);

/// What a vendor's library does without tuning for the shape, the baseline of every figure that
/// SmoothGEMM is compared with: one of five fixed tiles by library_tile(), K chunks of 256
/// (i8: 512) in L1 and a quarter of that in L0, everything double-buffered that fits, tiles dealt
/// in turn in bands of three (CATLASS's defaults, swizzle <3,0> where m >= n, else <3,1>). Rows and
/// columns past the matrix are neither loaded nor stored; no epilogue. It goes through SmoothGEMM's own builder.
class GemmLibraryKernel : public GemmKernel {
 public:
  std::string name() const override { return "gemm_library"; }
  std::string summary() const override;
  Problem problem(const ProblemRequest& request) const override;
  Space space(const Problem& problem, const Machine& machine) const override;
  Config default_config(const Problem& problem, const Machine& machine) const override;
};

}  // namespace tilewright
