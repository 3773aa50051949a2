#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "core/machine/machine.h"
#include "kernels/gemm/gemm_cube.h"
#include "kernels/gemm/gemm_shape.h"
#include "simulator/launch.h"

namespace tilewright {

/// Where a vector core keeps what in UB while it finishes pieces of at most `rows` rows of tiles of
/// tile_n columns: offsets in a slot of a ring of two, and of what there is once. What meets in one
/// instruction begins in different halves of the bank groups.
struct FinishUb {
  FinishUb(const GemmShape& shape, int64_t tile_n, int64_t rows, bool splits,
           const Machine& machine);

  int64_t value = 0, up = 0, residual = 0, row_scales = 0, out = 0, slot_bytes = 0;
  int64_t slots = 0;                  ///< the ring
  int64_t scratch = 0;                ///< f32
  int64_t parts = 0, part_bytes = 0;  ///< a ring of two for further parts of split-K
  int64_t zero = 0, skipped = 0;
  int64_t stride = 0, out_stride = 0;  ///< elements from row to row, in f32 and in C's type
  int64_t bytes = 0;
};

/// Bytes of UB without which a vector core could not even finish single rows.
int64_t finish_ub_bytes(const GemmShape& shape, int64_t tile_n, bool splits,
                        const Machine& machine);

/// The vector side of a GEMM's launch: what the fixpipe cannot do. Each piece of rows of C comes
/// from the workspace in f32, is finished and stored in C's type.
///
/// With the whole depth in one task the vector cores of a group share the rows of each tile, one
/// tile behind the cube. With split-K they wait until every cube core is through; then pieces of C
/// are dealt to all of them, each adding its parts in their order.
class GemmVectors {
 public:
  GemmVectors(const GemmShape& shape, const GemmTiles& tiles, const GemmLinks& links,
              const Machine& machine, Launch& launch);

  /// Shares the rows of a tile among the vector cores of a group, one `half` after the other;
  /// `slot_row`: its first in the workspace; `before`: pieces that each of them has done.
  void add_tile(const GemmCube::Work& work, int64_t slot_row, std::span<CoreProgram> group,
                std::span<int64_t> before);
  /// The cores that add the parts of split-K.
  void add_reduction();

 private:
  struct Piece {
    int64_t row = 0;
    int64_t rows = 0;
    int64_t col = 0;
    int64_t cols = 0;
    int64_t sums_row = 0;
    int64_t before = 0;  // pieces of its core
  };
  struct Variant {
    int half = 0;
    bool is_first = false;  // of its tile; with split-K of its core
    bool is_last = false;   // of its tile
    bool skips = false;     // the tile has no rows for this half, which only takes its flags
    auto operator<=>(const Variant&) const = default;
  };

  void add_piece(const Piece& piece, const Variant& variant, CoreProgram& core);
  int template_of(const Variant& variant);
  void add_work(Template& body, const Variant& variant) const;
  void add_loads(std::vector<Instruction>& list, const Variant& variant) const;
  void add_parts(Template& body) const;
  std::vector<Instruction> finishing() const;
  Tile in_slot(int64_t offset, DType type) const;
  Tile scratch() const;

  const GemmShape& shape_;
  const GemmTiles& tiles_;
  const GemmLinks& links_;
  const Machine& machine_;
  Launch& launch_;
  int64_t most_rows_;  // of a piece
  FinishUb ub_;
  std::map<Variant, int> templates_;
  int in_full_ = -1, in_done_ = -1, in_free_ = -1, part_full_ = -1, part_free_ = -1;
};

}  // namespace tilewright
