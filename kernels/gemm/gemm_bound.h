#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/machine/machine.h"
#include "core/space/problem.h"

namespace tilewright {

/// What of a machine limits a GEMM.
enum class GemmLimit : uint8_t { kCompute, kGmToL1, kL1ToL0, kFixpipe, kHbm };
constexpr int kGemmLimitCount = 5;
/// "compute", "gm_to_l1", "l1_to_l0", "fixpipe", "hbm".
std::string_view name_of(GemmLimit limit);

/// The least time that a machine lets a GEMM take, whatever its config.
struct GemmBound {
  /// By each limit alone, with the start of the launch; us.
  std::array<double, kGemmLimitCount> limit_us{};
  /// The least time over all tiles of the longest of the limits that hold for that tile, so it is
  /// no less than any of limit_us.
  double bound_us = 0;
  GemmLimit limit = GemmLimit::kCompute;  ///< the longest, of the tile with the least time
  int64_t tile_m = 0;                     ///< that tile
  int64_t tile_n = 0;
};

/// Lower bound for every launch of kernel `gemm` that computes C tile by tile, each tile from
/// panels of A and B that come from GM for it, with at most `parts` cores on a tile (split K).
/// Formulas in docs/model.md, "Bounds of a GEMM".
GemmBound gemm_bound(const Problem& problem, const Machine& machine, int64_t parts = 1);

}  // namespace tilewright
