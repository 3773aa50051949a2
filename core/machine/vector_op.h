#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tilewright {

/// Operations of the vector unit on tiles in UB. A machine file gives each its cost.
enum class VectorOp : uint8_t {
  kAdd,        ///< dst = a + b
  kSub,        ///< dst = a - b
  kMul,        ///< dst = a * b
  kMax,        ///< dst = max(a, b)
  kMin,        ///< dst = min(a, b)
  kDiv,        ///< dst = a / b
  kAdds,       ///< dst = a + scalar
  kMuls,       ///< dst = a * scalar
  kExp,        ///< dst = exp(a)
  kLn,         ///< dst = ln(a)
  kSqrt,       ///< dst = sqrt(a)
  kRsqrt,      ///< dst = 1 / sqrt(a)
  kConvert,    ///< dst = a in dst's type, round to nearest even
  kCopy,       ///< dst = a
  kDup,        ///< dst = scalar
  kRowSum,     ///< dst[r] = sum over columns of a[r][*]
  kRowMax,     ///< dst[r] = max over columns of a[r][*]
  kRowArgMax,  ///< dst[r] = column of the first maximum of a[r][*], as i32
  kMask,       ///< dst[r][c] = c < scalar + (first + r) / divisor ? a[r][c] : -inf (causal mask)
};

constexpr int kVectorOpCount = static_cast<int>(VectorOp::kMask) + 1;

/// The name in machine files and timelines: "add", "row_sum", ...
std::string_view name_of(VectorOp op);

}  // namespace tilewright
