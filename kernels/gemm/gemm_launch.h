#pragma once

#include "core/machine/machine.h"
#include "core/space/problem.h"
#include "core/space/space.h"
#include "simulator/launch.h"

namespace tilewright {

/// The launch of a GEMM for a config of GemmKernel. Tensors 0, 1, 2 are A, B, C; A and C have
/// `rows` rows (m, or more when m is padded in memory).
Launch build_gemm_launch(const Problem& problem, const Config& config, const Machine& machine,
                         int64_t rows);

/// The tiles (row, column) of each core when the cores form a grid of core_rows x core_columns and
/// each owns a contiguous rectangle of the rows x columns tiles, walked row by row. Cores without a
/// tile are left out.
std::vector<std::vector<std::pair<int64_t, int64_t>>> grid_tiles(int64_t rows, int64_t columns,
                                                                 int64_t core_rows,
                                                                 int64_t core_columns);

/// The order in which tiles (row, column) of a rows x columns grid are dealt to the cores: bands of
/// `band` rows, walked column by column, every other band backwards, so that neighbours in time
/// share operands in L2 (XY-Serve, linear Task-Table). With a band of 0 rows: row by row, none
/// backwards.
std::vector<std::pair<int64_t, int64_t>> tile_order(int64_t rows, int64_t columns, int64_t band);

}  // namespace tilewright
