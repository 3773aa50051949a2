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

/// The order in which tiles (row, column) of a rows x columns grid are dealt to the cores: bands of
/// `band` rows, walked column by column, every other band backwards, so that neighbours in time
/// share operands in L2 (XY-Serve, linear Task-Table).
std::vector<std::pair<int64_t, int64_t>> tile_order(int64_t rows, int64_t columns, int64_t band);

}  // namespace tilewright
