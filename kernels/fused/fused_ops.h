#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/dtype.h"
#include "core/graph/region.h"

namespace tilewright {

/// What one launch shall compute: ops of a region, each with all of its elements, and which of
/// their results it leaves in memory. Everything else that they read is in memory before.
struct FusedOps {
  std::vector<int32_t> ops = {};      ///< ascending
  std::vector<int32_t> outputs = {};  ///< ascending, of `ops`
  bool operator==(const FusedOps&) const = default;
};

/// How the reductions of a kernel combine two values.
enum class Monoid : uint8_t { kSum, kMax, kMin };

/// The monoid of a reduce, where it is one that the vector unit has: a sum, or the maximum or
/// minimum, which on truth values are "or" and "and".
std::optional<Monoid> monoid_of(const OpGraph& graph, const Op& op);

/// The type in which an array lies in the NPU's memory: truth values take a byte. None where the
/// NPU has no such type.
std::optional<DType> memory_type_of(ElementType type);

/// Why ops that can each be fused cannot be one kernel; empty when they can.
std::string why_not_together(const Region& region, const std::vector<int32_t>& ops);

/// Why an op cannot be part of a fused kernel; empty when it can. What cannot runs as a library
/// kernel of its own.
std::string why_not_fusible(const Region& region, int32_t op);

/// A dot as a product of matrices that lie in memory row by row: C[m,n] = A[m,k] x B[k,n].
struct MatrixProduct {
  int32_t a = -1;  ///< the op whose result A is, past views
  int32_t b = -1;
  int64_t m = 1;
  int64_t n = 1;
  int64_t k = 1;
};

/// Why the cube cores cannot compute a dot as part of a fused kernel; empty when they can. It needs
/// to be one product of two matrices, without batches, each as it lies in memory.
std::string why_no_product(const Region& region, int32_t op);
/// The product that such a dot is.
MatrixProduct product_of(const Region& region, int32_t op);
inline bool is_dot(const Region& region, int32_t op) {
  return region.computation().op(op).opcode == HloOpcode::kDot;
}

/// The value itself, where an operand is a known number everywhere.
struct KnownNumber {
  double value = 0;
};

/// A source: the op whose array holds the elements, and the ops through which they are seen
/// (views, broadcasts, transposes), the nearest to the reader first. A slice is a source, too, that
/// is always read from memory, at the places of the array that it cuts from.
struct Source {
  int32_t op = -1;
  std::vector<int32_t> through = {};
};

/// Where the elements of a slice, or of an operand of a concatenation, lie in a larger array.
struct SliceWindow {
  int32_t memory_op = -1;             ///< the op whose result is the larger array
  std::vector<int64_t> strides = {};  ///< in elements, by dimension
  int64_t offset = 0;
  /// Of a dynamic slice: for each dimension how far one more start index moves it (its starts are
  /// operands 1, 2, ..), and the largest start.
  struct Start {
    int64_t stride = 0;
    int64_t most = 0;
  };
  std::vector<Start> starts = {};
};

/// The window that a slice or dynamic slice shows; none of other ops.
std::optional<SliceWindow> window_of(const Region& region, int32_t op);
/// Where an operand of a concatenation goes in its result.
SliceWindow piece_of(const Region& region, int32_t concatenate, size_t operand);

using FusedOperand = std::variant<KnownNumber, Source>;

/// Work on elements: an elementwise op, a reduce; a dot, which reads whole arrays; or, where a
/// broadcast, a transpose or a slice is itself an output, the copy that makes it; or the copy of an
/// operand to its place in a concatenation.
struct FusedNode {
  int32_t op = -1;
  int piece = -1;  ///< of a concatenation: the operand
  std::vector<FusedOperand> operands = {};
};

/// The work of a launch, in an order in which it can be done. Ops that only show other ops'
/// elements have vanished into the operands.
std::vector<FusedNode> fused_nodes(const Region& region, const FusedOps& ops);

}  // namespace tilewright
