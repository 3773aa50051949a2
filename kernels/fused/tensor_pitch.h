#pragma once

#include <cstdint>

#include "kernels/fused/fused_kernel.h"

namespace tilewright {

/// The length of the rows into which a tensor of the kernel's launch is cut, in elements, so that
/// the fewest instructions move all tiles of the op's result: no rectangle crosses the end of a
/// row. Matrices of products keep their own rows.
int64_t pitch_of(const Region& region, const FusedKernel& kernel, int32_t op);

/// Whether everything in a kernel walks a matrix of a product, the result of `op`, by the same
/// whole rows.
bool has_whole_rows(const Region& region, const FusedKernel& kernel, int32_t op);

}  // namespace tilewright
