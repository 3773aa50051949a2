#pragma once

#include <vector>

#include "kernels/vector/sort.h"
#include "kernels/vector/vector_kernel.h"

namespace tilewright {

/// Where the k largest of a row are found in UB.
struct TopKPlan {
  TopKPlan(const Problem& problem, const VectorTile& tile, const Machine& machine);

  UbPlan plan;
  SortRoom room;
  DType compared = DType::kF32;  ///< the vector unit compares f16 and f32; bf16 is widened
  int64_t k = 0;
  int64_t kept = 0;        ///< k rounded up to a block of records
  int64_t block = 0;       ///< compared elements of 32 bytes
  int64_t candidates = 0;  ///< elements of the `kept` blocks of a level
  int64_t piece = 0;       ///< elements of a whole piece
  /// Maxima of level 1, 2, ...: real ones, places for children of padded blocks, and where they
  /// are.
  std::vector<int64_t> level_sizes, level_places, levels;
  int64_t gap = 0;  ///< bytes of -inf before and behind the data of a slot
  int64_t slots = 0, slot_bytes = 0, wide = 0;
  int64_t numbers = 0;  ///< 0, 1, 2, ... f32
  int64_t keys = 0, gathered = 0, found = 0, children = 0, local = 0, places = 0;
  int64_t chosen = 0, negated = 0, columns = 0;
  int64_t one = 0;  ///< the f32 constants below, a block each
  int64_t values = 0, ids = 0, params = 0, shares = 0, sums = 0, flags = 0, scalars = 0;
  int64_t results = 0, result_bytes = 0, result_row = 0;
};

/// Constants of a block each, from TopKPlan::one on.
enum TopKConstant { kMinusOne, kPieceEnd, kColumnEnd, kLowestNumber, kTopKConstants };

/// Results in flight.
constexpr int64_t kResultBuffers = 2;

}  // namespace tilewright
