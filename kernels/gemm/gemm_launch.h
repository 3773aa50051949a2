#pragma once

#include <cstdint>
#include <string_view>

#include "core/machine/machine.h"
#include "core/space/problem.h"
#include "core/space/space.h"
#include "simulator/launch.h"

namespace tilewright {

/// The launch of a GEMM for a config of GemmKernel; parameters that a config leaves out
/// (l0_buffers, core_rows, split_k, cores) take their plain value. Tensors 0, 1, 2 are A, B, C; A
/// and C have `rows` rows (m, or more when m is padded in memory). Behind them stand, where the
/// epilogue has them, "bias", "scales", "row_scales" and "residual", and last the workspace: "sums"
/// of tiles on their way to the vector cores, or the "parts" of split-K.
Launch build_gemm_launch(const Problem& problem, const Config& config, const Machine& machine,
                         int64_t rows);

/// The number of the tensor of that name; -1: the launch has none.
int find_tensor(const Launch& launch, std::string_view name);

}  // namespace tilewright
