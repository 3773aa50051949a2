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

/// The five tiles of the library: CATLASS's default block (128 x 256, of f32 128 x 128), the same
/// columns with 16, 32 and 64 rows, and one with half the columns. Fewest rows first, the narrow
/// one last.
std::vector<LibraryTile> library_tiles(DType type);

/// The tile that the library takes for a problem, by its shape alone: the narrow one where that has
/// all columns, else the lowest that has all rows, or 128 rows. It asks neither how many waves the
/// tiles make nor how many cores they leave idle: the defaults that were measured do not either
/// (documents of CATLASS: two waves of 128 x 256 in 72.5 us where one of 256 x 128 takes 48.6;
/// 19.38 us where the best config takes 12.74; 24 tiles on 20 cores in 181.4 us where 20 take
/// 139.6). docs/xyserve.md sets the simulated defaults beside these. Where the buffers of a machine
/// do not hold that tile, the next lower one that they hold; Error (infeasible) where there is
/// none.
LibraryTile library_tile(const Problem& problem, const Machine& machine);

/// What a vendor's library does without tuning for the shape, the baseline of every figure that
/// SmoothGEMM is compared with: one of five fixed tiles by library_tile(), K chunks of 256
/// (i8: 512) in L1 and a quarter of that in L0, everything double-buffered that fits, tiles dealt
/// in turn in bands of three (CATLASS's defaults, swizzle <3,0> where m >= n, else <3,1>). Rows and
/// columns past the matrix are neither loaded nor stored; no epilogue. It goes through SmoothGEMM's
/// own builder.
class GemmLibraryKernel : public GemmKernel {
 public:
  std::string name() const override { return "gemm_library"; }
  std::string summary() const override;
  int revision() const override { return 4; }
  Problem problem(const ProblemRequest& request) const override;
  Space space(const Problem& problem, const Machine& machine) const override;
  Config default_config(const Problem& problem, const Machine& machine) const override;
};

}  // namespace tilewright
