#pragma once

#include <cstdint>
#include <vector>

#include "core/graph/region.h"
#include "kernels/fused/fused_ops.h"

namespace tilewright {

/// An array that ops of a nest read from memory or make.
struct NestArray {
  int32_t op = -1;             ///< of the region: whose elements these are
  std::vector<int> axes = {};  ///< of the nest, in the array's own order, major to minor
  /// In memory: element (i, j, ..) of `axes` is `offset` + sum of index * stride elements behind
  /// the first of op's result.
  std::vector<int64_t> strides = {};
  int64_t offset = 0;
  int32_t dynamic_op = -1;  ///< the dynamic slice or update whose start indices move it
  bool is_loaded = false;   ///< made by another launch, or by an earlier level of this one
  bool is_stored = false;   ///< read by another launch, or by a later level of this one
};

/// What a nest's op reads: an array of the nest or a number.
struct NestOperand {
  int array = -1;
  double value = 0;
};

/// An elementwise op, a reduce or a copy (of a broadcast or transpose), on every element; or a dot,
/// which is a nest of its own: axes m, n and k, arrays A[m,k], B[k,n] and C[m,n].
struct NestStep {
  /// Of a reduce that is done in two: the sums of the parts, and the sum of those.
  enum class Part : uint8_t { kWhole, kFirst, kLast };
  int32_t op = -1;
  Part part = Part::kWhole;
  int result = -1;
  std::vector<NestOperand> operands = {};
  /// Of a gather: the axis of the table's elements, and those that walk a row of it, major to
  /// minor.
  int table_axis = -1;
  std::vector<int> row_axes = {};
};

/// Ops that are done together in one pass over the same axes, tile by tile, without going through
/// memory: the local and regional schemes of AStitch (section 4). Axes are numbered from major to
/// minor.
struct LoopNest {
  int level = 0;
  std::vector<int64_t> extents = {};
  std::vector<NestArray> arrays = {};
  std::vector<NestStep> steps = {};  ///< in order
};

/// What a stitched kernel does: nests of one level run side by side, levels one after another with
/// a barrier of all cores between them, across which arrays go through memory that stays in L2 (the
/// global scheme). Ops without a level between them are nests of their own (independent packing).
struct NestPlan {
  std::vector<LoopNest> nests = {};     ///< by level
  std::vector<int32_t> workspace = {};  ///< ops whose results only later levels read, ascending
  int levels = 0;
};

/// How nests are formed beyond what must be.
struct NestOptions {
  /// Reduces whose result goes through memory to whoever reads it at its full length again, since
  /// the length does not fit the tiles; ascending.
  std::vector<int32_t> staged = {};
};

/// Puts the ops of a kernel in as few levels and nests as their shapes let it. A result goes
/// through memory where its reader walks it by other axes (a transpose of what is added to itself),
/// where it is an operand of a staged reduce's reader, or where one path from op to op needs it and
/// another one has passed a level; cheap ops that read memory alone are rather done again.
NestPlan form_nests(const Region& region, const FusedOps& ops, const NestOptions& options = {});

}  // namespace tilewright
