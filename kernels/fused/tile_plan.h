#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/machine/machine.h"
#include "kernels/fused/vec_program.h"

namespace tilewright {

/// Where an array of a program is in UB. Arrays that are loaded or stored have a slot in each place
/// of a ring, so that the next tile's bytes move while this one's are worked on.
struct UbPlace {
  /// kOnce: loaded before a core's first tile, and there until its last.
  enum class Ring : uint8_t { kNone, kOnce, kIn, kOut, kLateIn, kLateOut };
  Ring ring = Ring::kNone;
  int64_t offset = 0;  ///< bytes; of the ring's first place
};

/// Sizes of a program's tiles, and what is where in UB.
struct TilePlan {
  std::vector<int64_t> tile = {};  ///< extents, by axis
  std::vector<UbPlace> places = {};
  /// Elements from one index to the next, by array and its axes. Rows of an array with several axes
  /// begin at blocks of the machine's alignment.
  std::vector<std::vector<int64_t>> strides = {};
  bool hoists = false;         ///< what is the same for all tiles is done once (hoist.h)
  int64_t slots = 1;           ///< of the rings kIn and kOut
  int64_t in_bytes = 0;        ///< from place to place of the ring kIn
  int64_t out_bytes = 0;       ///< the same of kOut
  int64_t ub_bytes = 0;        ///< used in all
  double vector_ticks = 0;     ///< of one tile's steps
  double estimated_ticks = 0;  ///< of the whole nest with all cores, by bytes and repeats
};

/// One instruction's share of a step, or one transfer: up to two dimensions, the others done one
/// after another. Distances are in elements, one for each operand, in the order that the piece was
/// asked for.
struct PieceShape {
  int64_t rows = 1;
  int64_t cols = 1;
  std::vector<int64_t> row_strides = {};
  std::vector<int64_t> col_strides = {};
  /// What is left: extent and strides of each loop around it.
  struct Loop {
    int64_t extent = 1;
    std::vector<int64_t> strides = {};
  };
  std::vector<Loop> loops = {};
  int64_t count() const;  ///< instructions
};

/// By axis whether tiles hold it whole.
std::vector<bool> full_axes(const VecProgram& program, const std::vector<int64_t>& tile);

/// Divides work on a box of those extents among instructions. strides[operand][axis]: 0 where the
/// operand lacks the axis; the first operand is the result, which has them all. None where an
/// operand would begin between blocks of `aligned` elements of its own.
std::optional<PieceShape> pieces_of(const std::vector<int64_t>& extents,
                                    const std::vector<std::vector<int64_t>>& strides,
                                    const std::vector<int64_t>& aligned);

/// The plan with the least estimated time among some that fit UB; none where none fits. One that
/// `hoists` is of hoisted(program, full_axes(program, its tile)).
std::optional<TilePlan> plan_tiles(const VecProgram& program, const Machine& machine);

/// The plan of a program that is `like`'s at other extents (hoisted as that is), in its way: axes that its tiles hold
/// whole stay whole, others are cut into several tiles and a shorter one, and the rings have as
/// many places. None where no such tile fits or can be divided among instructions.
std::optional<TilePlan> plan_tiles_like(const VecProgram& program, const Machine& machine,
                                        const VecProgram& like, const TilePlan& tiles);

/// Elements in UB from one index of each of the program's axes to the next; 0 where an array lacks
/// the axis.
std::vector<int64_t> strides_on(const VecProgram& program, const TilePlan& plan, int array);

/// Tiles along an axis.
int64_t tile_count(const VecProgram& program, const TilePlan& plan, size_t axis);

}  // namespace tilewright
