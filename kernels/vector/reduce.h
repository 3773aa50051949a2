#pragma once

#include <vector>

#include "kernels/vector/ub_plan.h"
#include "simulator/launch.h"

namespace tilewright {

/// Bytes of scratch that reduce_rows() needs for a tile.
int64_t reduce_bytes(const Machine& machine, int64_t rows, int64_t cols, DType type);

/// column[r] = sum or maximum (`op`: kRowSum, kRowMax) of the rows of `source`, `cols` wide. Blocks
/// of 32 bytes are reduced first, at 1 cycle a repeat where a row reduction costs 7, until a row
/// fits one repeat. `scratch`: place of reduce_bytes() in UB: the source's own, if it need not be
/// kept (its blocks are read before their results are written), or one in the other bank half.
void reduce_rows(std::vector<Instruction>& list, VectorOp op, const Tile& source, int64_t cols,
                 const Tile& column, int64_t scratch, const Machine& machine);

/// The sums or maxima (`op`: kBlockSum, kBlockMax) of blocks of `source`, `cols` wide, in `to`.
Instruction block_op(VectorOp op, const Tile& to, const Tile& source, const Machine& machine);

}  // namespace tilewright
