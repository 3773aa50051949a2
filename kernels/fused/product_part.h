#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "core/machine/machine.h"
#include "kernels/fused/fused_kernel.h"
#include "simulator/launch.h"

namespace tilewright {

/// Most dots of a kernel: what comes before, between and behind two products is one kernel, as in
/// attention. A third would need more flags than an instruction has.
constexpr int kMostProducts = 2;

/// What products of one launch share.
struct ProductTurns {
  /// Of several products: a flag of each cube core, set when it is through with one. -1: there is
  /// one product.
  int turn = -1;
  /// The (group, flag) that cube cores have waited for: once is enough, as their loads run in
  /// order.
  std::set<std::pair<int, int>> waited = {};
};

/// A product inside a launch: which flag of the launch says how far it is.
struct ProductPart {
  /// Ends of parts of C's rows, ascending; the last is m.
  std::vector<int64_t> row_ends = {};
  /// By part: set when all rows up to its end are there.
  std::vector<int> flags = {};

  /// The part whose end is behind a row.
  size_t part_of(int64_t row) const;
};

/// Adds a product to a launch, on cube cores of their own: those of earlier products, and new ones
/// behind all cores. `tensors`: A, B and C in the launch. Its first loads wait for the flags
/// `after`. Where its tiles take the cores more than one turn and `row_parts` allows it, tiles go
/// row by row, and vector cores can begin with what is there (the cube-vector pipeline through L2).
ProductPart add_product(const PlannedProduct& product, const Machine& machine,
                        const std::vector<int>& tensors, std::span<const int> after, bool row_parts,
                        ProductTurns& turns, Launch& launch);

}  // namespace tilewright
