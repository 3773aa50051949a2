#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/vector/ub_plan.h"
#include "kernels/vector/vector_kernel.h"
#include "simulator/launch.h"

namespace tilewright {

/// Flags of a ring of UB slots that are filled by MTE2, worked on in place by VEC and emptied by
/// MTE3 (or by VEC, when nothing is stored from them).
struct UbRing {
  int full = -1;
  int done = -1;
  int free = -1;
};
UbRing add_ring(Launch& launch, const std::string& name, int64_t buffers);

/// Tiles: a rectangle of a tensor; rows of UB that are `stride` elements apart.
Tile gm_tile(int tensor, const Expr& row, const Expr& col, const Expr& rows, const Expr& cols);
Tile ub_tile(const Expr& offset, const Expr& rows, const Expr& cols, int64_t stride, DType type);

/// The same rows of a UB tile, `cols` columns further right from column `col`.
Tile columns_of(const Tile& tile, int64_t col, int64_t cols);

/// A column of f16 in the place of a wider one.
Tile in_halves(Tile column);

Instruction load_tile(const Tile& from, const Tile& to);
Instruction store_tile(const Tile& from, const Tile& to);
Instruction vector_op(VectorOp op, const Tile& dst, const Tile& a);
Instruction vector_op(VectorOp op, const Tile& dst, const Tile& a, const Tile& b);
/// dst = a, rounded where dst is narrower; a copy where both have one type.
Instruction round_op(const Tile& dst, const Tile& a);
Instruction scalar_op(VectorOp op, const Tile& dst, const Tile& a, double scalar);

/// The instruction with one more flag to wait for or to set.
Instruction waiting(Instruction instruction, int flag, When when = When::kAlways);
Instruction setting(Instruction instruction, int flag, When when = When::kAlways);
/// The instruction with one more flag to set on another chip.
Instruction setting_peer(Instruction instruction, int flag, int chip);

/// Gives the launch one AIV program a dealt core, spread over the groups first.
void add_vector_cores(Launch& launch, const Machine& machine, size_t count);

/// Two templates that share their bindings: one loads a tile into a slot of a ring, one computes
/// and stores what is there.
struct TileTemplates {
  int load = -1;
  int work = -1;
  int first_work = -1;  ///< of a core's first tile, where it is another than `work`
};

/// Gives a core its tiles, one set of bindings each. Each load stands `buffers` - 1 tiles before
/// its tile's work: the scalar unit issues in order, and would hold a load back behind the vector
/// instructions of the tiles before it, of which a queue takes `scalar.queue_depth`. The first
/// `loaded` tiles have their loads already.
void add_tiles(CoreProgram& core, const TileTemplates& templates,
               const std::vector<std::vector<int64_t>>& tiles, int64_t buffers, size_t loaded = 0);

}  // namespace tilewright
