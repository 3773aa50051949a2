#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/base/dtype.h"
#include "core/machine/vector_op.h"

namespace tilewright {

/// A loop nest as the vector unit runs it: arrays, loads, instructions and stores, each for one
/// tile of the nest's axes. Axes are numbered from major to minor. How large the tile is, what
/// becomes of ranges that it does not divide, UB and flags are decided later (tile_plan.h).

/// An array in UB: the tile's part of the axes that it varies along.
struct VecArray {
  std::vector<int> axes = {};  ///< ascending
  DType type = DType::kF32;
};

/// One operation on whole tiles. Operands may lack axes of the result: their elements serve all its
/// places. A reduction's result lacks one axis of `a`, a gather's the last axis of its table `a`.
struct VecStep {
  VectorOp op = VectorOp::kCopy;  ///< of reductions kRowSum or kRowMax, along whatever axis
  int dst = -1;
  int a = -1;
  int b = -1;
  int scratch = -1;  ///< of reductions: as large as `a`
  double scalar = 0;
  bool takes_bits = false;  ///< `a`'s bits as the type of `dst`, which is as wide
};

/// Part of an array in memory: element (i, j, ..) of the UB array's axes is `offset` +
/// i * strides[0] + j * strides[1] + .. elements behind the tensor's first.
struct VecTransfer {
  int array = -1;
  int32_t op = -1;  ///< of the region: whose result the tensor is
  int64_t offset = 0;
  std::vector<int64_t> strides = {};  ///< of the array's axes
  int32_t dynamic_op = -1;            ///< the dynamic slice or update whose starts move it
};

/// What happens at one point of the loops over tiles.
struct VecPart {
  std::vector<VecTransfer> loads = {};
  std::vector<VecStep> steps = {};
  std::vector<VecTransfer> stores = {};
};

struct VecProgram {
  std::vector<int64_t> extents = {};  ///< of the axes
  /// Axes along which a core goes through all tiles in one task, since sums run along them.
  std::vector<bool> is_sequential = {};
  /// Axes that every tile holds from begin to end.
  std::vector<bool> is_whole = {};
  std::vector<VecArray> arrays = {};
  VecPart once = {};   ///< before a core's first tile: loads and steps
  VecPart begin = {};  ///< before the first tile along the sequential axes: steps only
  VecPart body = {};   ///< for every tile
  VecPart end = {};    ///< after the last tile along the sequential axes

  std::array<const VecPart*, 4> parts() const { return {&once, &begin, &body, &end}; }
  bool loads_nothing() const { return once.loads.empty() && body.loads.empty(); }
  bool has_sequential() const {
    for (const bool sequential : is_sequential) {
      if (sequential) return true;
    }
    return false;
  }
};

}  // namespace tilewright
