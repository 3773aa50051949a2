#pragma once

#include <cstdint>
#include <optional>
#include <span>
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

/// How far a start index that is known when the launch runs moves a window.
struct WindowStart {
  int64_t stride = 0;  ///< elements that one more moves it
  int64_t most = 0;    ///< the largest start
};

/// Where the elements of a slice, or of an operand that is copied to its place in a result, lie in
/// a larger array.
struct SliceWindow {
  int32_t memory_op = -1;             ///< the op whose result is the larger array
  std::vector<int64_t> strides = {};  ///< in elements, by dimension
  int64_t offset = 0;
  std::vector<WindowStart> starts = {};  ///< of a dynamic slice or update, by dimension
  int32_t dynamic_op = -1;               ///< the dynamic slice whose starts these are
};

/// The window that a slice or dynamic slice shows; none of other ops.
std::optional<SliceWindow> window_of(const Region& region, int32_t op);
/// The window that a slice of a kernel reads: past transposes, conversions and other slices of the
/// same kernel, as far as the elements lie at even distances there.
SliceWindow read_window(const Region& region, const FusedOps& ops, int32_t slice);
/// Where a piece of a concatenation, a dynamic-update-slice or a pad goes in its result: the
/// operand of that number; of a pad operand 0, then what fills each side of each dimension.
SliceWindow piece_of(const Region& region, int32_t op, size_t piece);
/// Its extents.
std::vector<int64_t> piece_extents(const Region& region, int32_t op, size_t piece);
/// The operands that are the start indices of a dynamic slice or update; none of other ops.
std::span<const int32_t> start_operands(const Op& op);
/// How they move its window.
std::vector<WindowStart> window_starts(const Region& region, int32_t op);

/// The op in whose memory a kernel updates a slice, since that lies there before; -1 where it
/// copies the operand first, and of other ops.
int32_t updated_in_memory(const Region& region, const FusedOps& ops, int32_t op);
/// Ops among `ops` (ascending) that read the input whose memory a result takes by
/// input_output_alias, other than element by element on the way to that result: code generation
/// has them done, and a barrier passed, before the result is written.
std::vector<int32_t> earlier_readers(const Region& region, const std::vector<int32_t>& ops,
                                     int32_t writer);
/// Whether one of those ops is needed, inside of them, for another one.
bool leads_to(const Region& region, const std::vector<int32_t>& ops, int32_t from, int32_t to);
/// Elements of an op's result that a kernel writes: of an update in place those of the update.
int64_t written_elements(const Region& region, int32_t op);

/// How a gather finds its elements in the array of `op`: dimensions of the operand before the
/// indexed one are walked with the result, the others are one row of a table.
struct GatherTable {
  int32_t op = -1;                      ///< past views and conversions
  int64_t rows = 1;                     ///< extent of the indexed dimension: indices end there
  int64_t row_elements = 1;             ///< of the dimensions behind it
  std::vector<int64_t> lead = {};       ///< extents of the dimensions before it
  std::vector<int64_t> lead_dims = {};  ///< where those are in the result
  std::vector<int64_t> row_dims = {};   ///< dimensions of the result that walk the others
};
/// The table of a gather of whole rows by one index each; none of other gathers.
std::optional<GatherTable> table_of(const Region& region, int32_t gather);

using FusedOperand = std::variant<KnownNumber, Source>;

/// Work on elements: an elementwise op, a reduce; a dot, which reads whole arrays; or, where a
/// broadcast, a transpose or a slice is itself an output, the copy that makes it; or the copy of an
/// operand to its place in a concatenation or to a window of an array (dynamic-update-slice).
struct FusedNode {
  int32_t op = -1;
  int piece = -1;  ///< which piece of the result it copies or fills (piece_of)
  std::vector<FusedOperand> operands = {};
};

/// The work of a launch, in an order in which it can be done; updates in place and what needs them
/// come last. Ops that only show other ops'
/// elements have vanished into the operands.
std::vector<FusedNode> fused_nodes(const Region& region, const FusedOps& ops);

}  // namespace tilewright
