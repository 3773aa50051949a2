#pragma once

#include "kernels/vector/vector_kernel.h"

namespace tilewright {

/// Bytes of UB of a norm's tile.
int64_t norm_ub_bytes(const Problem& problem, const VectorTile& tile, const Machine& machine,
                      bool residual);

/// The launch of rms_norm, or of add_rms_norm when `residual`.
Launch build_norm_launch(const Problem& problem, const VectorTile& tile, const Machine& machine,
                         bool residual, double epsilon);

}  // namespace tilewright
