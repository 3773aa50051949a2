#include "tuner/calibrate/linear_solve.h"

#include <cmath>
#include <utility>

namespace tilewright {

SmallMatrix inverse_of(SmallMatrix matrix) {
  const size_t n = matrix.size();
  SmallMatrix inverse(n, std::vector<double>(n, 0.0));
  for (size_t i = 0; i < n; ++i) inverse[i][i] = 1;
  for (size_t column = 0; column < n; ++column) {
    size_t pivot = column;
    for (size_t row = column + 1; row < n; ++row) {
      if (std::abs(matrix[row][column]) > std::abs(matrix[pivot][column])) pivot = row;
    }
    if (std::abs(matrix[pivot][column]) < 1e-14) return {};
    std::swap(matrix[pivot], matrix[column]);
    std::swap(inverse[pivot], inverse[column]);
    const double scale = 1 / matrix[column][column];
    for (size_t k = 0; k < n; ++k) {
      matrix[column][k] *= scale;
      inverse[column][k] *= scale;
    }
    for (size_t row = 0; row < n; ++row) {
      if (row == column) continue;
      const double factor = matrix[row][column];
      for (size_t k = 0; k < n; ++k) {
        matrix[row][k] -= factor * matrix[column][k];
        inverse[row][k] -= factor * inverse[column][k];
      }
    }
  }
  return inverse;
}

}  // namespace tilewright
