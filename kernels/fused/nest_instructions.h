#pragma once

#include <cstdint>
#include <vector>

#include "kernels/fused/fused_kernel.h"
#include "simulator/launch.h"

namespace tilewright {

/// Bindings of a nest's templates: where its rings are, in bytes from their first place, then row
/// and column of each transfer in its tensor.
enum NestBinding { kInPlace, kOutPlace, kFirstTransfer };

/// A tensor of the launch, cut into rows of `pitch` elements.
struct TensorView {
  int tensor = -1;
  int64_t pitch = 1;
};

/// How a transfer's tile of those extents is divided among instructions; distances in memory come
/// first, those in UB second. Rows of a piece are `pitch` apart in memory.
PieceShape transfer_shape(const PlannedNest& nest, const VecTransfer& transfer,
                          const std::vector<int64_t>& tile, int64_t pitch);

/// The instructions of a transfer, the `number`-th of its template, for a tile of those extents.
void add_transfer(const PlannedNest& nest, const VecTransfer& transfer, size_t number,
                  const std::vector<int64_t>& extents, bool is_load, const TensorView& view,
                  std::vector<Instruction>& list);

/// The instructions of a step on a tile of those extents.
void add_step(const PlannedNest& nest, const VecStep& step, const std::vector<int64_t>& extents,
              const Machine& machine, std::vector<Instruction>& list);

}  // namespace tilewright
