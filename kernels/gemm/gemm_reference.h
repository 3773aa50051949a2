#pragma once

#include <vector>

#include "core/space/problem.h"
#include "kernels/kernel.h"
#include "kernels/numerics.h"
#include "simulator/functional.h"

namespace tilewright {

/// Fills the inputs of a GEMM's launch. Pad rows and columns in memory hold zeros, as a padded
/// tensor would. Scales are positive. With the pattern kMinusInf, A has the infinities and B is
/// positive, so that sums are numbers or minus infinity.
void fill_gemm_inputs(const Problem& problem, const Launch& launch, const InputValues& values,
                      GmImage& image);

/// C in f64, with the error that each element may have (kernels/numerics.h).
ExpectedTensor gemm_reference(const Problem& problem, const Launch& launch, const GmImage& inputs);

}  // namespace tilewright
