#pragma once

#include <vector>

namespace tilewright {

/// A small dense symmetric matrix, row by row.
using SmallMatrix = std::vector<std::vector<double>>;

/// Inverse of a symmetric positive definite matrix by Gauss and Jordan with pivoting; empty when it
/// is singular to working precision.
SmallMatrix inverse_of(SmallMatrix matrix);

}  // namespace tilewright
