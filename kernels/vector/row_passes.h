#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/vector/vector_kernel.h"
#include "simulator/launch.h"

namespace tilewright {

/// What differs between the kernels that go over a row several times.
struct RowPassShape {
  int passes = 1;             ///< over a row that is cut; whole rows stay in UB
  bool adds = false;          ///< x + r, stored as `sum`, takes the place of x
  int vectors = 0;            ///< rows of 1 x cols that the last pass needs: w, b
  int columns = 0;            ///< f32 values that a row carries from pass to pass
  int stored_column = -1;     ///< of those, one that is an output: rows x 1
  DType out = DType::kF16;    ///< type of the result
  bool half_vectors = false;  ///< vectors stay in f16, and the last pass leaves its result in `out`
  bool stays_half = false;    ///< there are no f32 `values`; the result is left in `half`
};

/// Tiles that a pass works on, `cols` columns of some rows.
struct RowPiece {
  Tile source;                ///< x in its own type; when there is an addend, the sum
  Tile values;                ///< the same in f32; what the last pass leaves there is the result
  Tile out;                   ///< of the result's type
  Tile scratch;               ///< f32
  Tile half;                  ///< f16, in the place of `scratch`
  std::vector<Tile> vectors;  ///< f32 or f16 (half_vectors), 1 x cols; in the last pass
  std::vector<Tile> columns;  ///< f32, one value a row
  Tile part;                  ///< f32, one value a row, of no pass
  int64_t reduced = 0;        ///< place of `scratch`, for reduce_rows()
  int64_t cols = 0;
  int64_t rows_bound = 0;  ///< rows of a tile, at most
  bool whole = false;      ///< the piece is the row: `values` stays from pass to pass
};

/// Norms, softmax and quantisation by row. Whole rows stay in UB where they fit; longer rows are
/// read once a pass in pieces of tile_cols, from L2 after the first. Tensors: x, r (with addend),
/// the vectors, sum (with addend), y, and the stored column.
class RowPassKernel : public VectorKernel {
 public:
  std::vector<SizeInfo> sizes() const override;
  Launch build(const Problem& problem, const Config& config, const Machine& machine) const override;
  int64_t ub_bytes(const Problem& problem, const VectorTile& tile,
                   const Machine& machine) const override;

  virtual RowPassShape shape(const Problem& problem) const = 0;
  /// Instructions that set the columns before a row's first piece.
  virtual void begin(const RowPiece& piece, std::vector<Instruction>& list) const = 0;
  /// Instructions of a pass for a piece. Those before the last pass may change `values` only where
  /// the piece is whole.
  virtual void add_pass(int pass, const RowPiece& piece, const Machine& machine,
                        std::vector<Instruction>& list) const = 0;
  /// Instructions after a pass's last piece; the row has `cols` columns.
  virtual void finish(int pass, const RowPiece& piece, int64_t cols,
                      std::vector<Instruction>& list) const = 0;

 protected:
  bool prefers_whole_rows() const override { return true; }
};

}  // namespace tilewright
