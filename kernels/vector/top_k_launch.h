#pragma once

#include "kernels/vector/vector_kernel.h"
#include "simulator/launch.h"

namespace tilewright {

/// Tensors of the launches of `top_k` (the first three) and `sample`.
enum TopKTensor { kTopLogits, kTopValue, kTopId, kTopParams, kTopToken };

/// Values of a row of `sample`, a block of 32 bytes each: 1 / temperature, p, the random number in
/// [0, 1), and k of this row.
enum SampleParam { kInverseTemperature, kNucleus, kUniformNumber, kRowK, kSampleParams };

/// f32 values from one parameter of a row to the next.
constexpr int64_t kParamStride = 8;

/// Bytes of UB of a launch that finds the k largest of each row.
int64_t top_k_ub_bytes(const Problem& problem, const VectorTile& tile, const Machine& machine);

/// The launch; `draws`: with a token drawn from each row's k largest.
///
/// A core takes a row at a time, twice. The first time it reduces blocks of 32 bytes to their
/// maxima, level upon level until at most 1024 are left. Sorted, those tell k blocks that hold the
/// k largest elements: of blocks in order of their maxima, then of their place, no block behind the
/// k-th can hold one. So it descends, sorting k times a block's elements at each level. The second
/// time, from L2, each piece of the row gives up the candidates that lie in it, while the next row
/// is read from HBM.
Launch build_top_k_launch(const Problem& problem, const VectorTile& tile, const Machine& machine,
                          bool draws);

}  // namespace tilewright
