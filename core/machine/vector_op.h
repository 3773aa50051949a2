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
  kLess,       ///< dst = a < b ? 1 : 0 (a comparison and a selection)
  kBlockSum,   ///< dst[r][c] = sum over a[r]'s block c of 32 bytes, `divisor` elements
  kBlockMax,   ///< dst[r][c] = max over a[r]'s block c of 32 bytes, `divisor` elements
  kBlockMin,   ///< dst[r][c] = min over a[r]'s block c of 32 bytes, `divisor` elements
  kIndex,      ///< dst[r][c] = scalar + c
  kGather,     ///< dst[r][c] = a[r][b[r][c]]; b holds whole numbers; NaN beyond a's columns
  kSort,       ///< dst[r] = records (a[r][c], b[r][c]), each 32 of them sorted
  kMerge,      ///< dst[r] = a[r]'s records, each four sorted runs of `divisor` merged into one
  kSelect,     ///< dst = a != 0 ? b : dst; costs what kMask costs, a selection too
  kLessEqual,  ///< dst = a <= b ? 1 : 0; costs what kLess costs
  kEqual,      ///< dst = a == b ? 1 : 0; the same
  // Of 32-bit whole numbers; each costs what kAdd costs.
  kAnd,          ///< dst = a & b
  kOr,           ///< dst = a | b
  kShiftLefts,   ///< dst = a << scalar
  kShiftRights,  ///< dst = a >> scalar, zeros from above
};

// Records of kSort and kMerge are pairs of neighbouring columns, key and payload. Sorted means keys
// descending, equal keys in the order that they came in, a NaN before everything.
constexpr int kSortRun = 32;  ///< records that one kSort sorts

/// Operations that a machine file gives a cost: all up to kMerge.
constexpr int kVectorOpCount = static_cast<int>(VectorOp::kMerge) + 1;

/// Whether it reduces blocks of 32 bytes.
constexpr bool reduces_blocks(VectorOp op) {
  return op == VectorOp::kBlockSum || op == VectorOp::kBlockMax || op == VectorOp::kBlockMin;
}

/// The name in machine files and timelines: "add", "row_sum", ...
std::string_view name_of(VectorOp op);

}  // namespace tilewright
