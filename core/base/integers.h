#pragma once

#include <cstdint>

namespace tilewright {

/// a / b rounded up, for a >= 0 and b > 0, whatever their size.
constexpr int64_t ceil_div(int64_t a, int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

/// The least multiple of `multiple` (> 0) that is not below `value` (>= 0).
constexpr int64_t round_up(int64_t value, int64_t multiple) {
  return ceil_div(value, multiple) * multiple;
}

}  // namespace tilewright
