#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/kernel.h"

namespace tilewright {

/// Largest rows and columns of a vector kernel: column numbers stay exact in f32.
constexpr int64_t kMaxVectorSize = int64_t{1} << 24;

/// What a config of a vector kernel says, in elements of the problem's own type.
struct VectorTile {
  int64_t rows = 0;     ///< rows of a tile
  int64_t cols = 0;     ///< columns of a tile, at most the problem's
  int64_t buffers = 0;  ///< tiles that UB holds at once
  int64_t cores = 0;    ///< AIVs used, at most
};

/// A rectangle of the problem: what one core does between a load and a store.
struct Piece {
  int64_t row = 0;
  int64_t col = 0;
  int64_t rows = 0;
  int64_t cols = 0;
};

/// Kernels that run on the vector cores alone: each core streams its share of the rows through UB,
/// tile by tile, load, compute and store overlapping in a ring of buffers. This class holds what
/// they have in common: f16, bf16 or f32 tensors in ND, the space and its UB rule, the default.
///
/// Space: tile_rows, tile_cols (kernels that cut rows), buffers, cores. A tile narrower than the
/// rows is narrowed further, so that a row is cut into equal pieces.
class VectorKernel : public Kernel {
 public:
  int revision() const override { return 1; }
  Problem problem(const ProblemRequest& request) const override;
  Space space(const Problem& problem, const Machine& machine) const override;
  Config default_config(const Problem& problem, const Machine& machine) const override;

  /// Bytes of UB that a tile needs.
  virtual int64_t ub_bytes(const Problem& problem, const VectorTile& tile,
                           const Machine& machine) const = 0;

 protected:
  /// Types of the kernel's tensors when the data are of `type`.
  virtual std::vector<DType> tensor_types(DType type) const = 0;
  /// Refuses sizes that do not go together; Error (usage).
  virtual void check_sizes(const Problem& problem) const;
  /// Columns that tiles may cut.
  virtual int64_t column_count(const Problem& problem) const { return problem.size("cols"); }
  virtual bool cuts_columns() const { return true; }
  /// Rows of a tile, at most.
  virtual int64_t most_rows() const { return kMaxVectorSize; }
  /// Whether a tile of whole rows saves a second pass.
  virtual bool prefers_whole_rows() const { return false; }
  /// Whether a tile of whole rows is one contiguous transfer.
  virtual bool loads_whole_tiles() const { return true; }
  /// Columns of a tile that the default does not go beyond where it can help it.
  virtual int64_t good_columns() const { return kMaxVectorSize; }
  /// Whether the vector unit is the busiest, so that it should begin early where a core has little
  /// work: with tiles of a quarter of it, and not half.
  virtual bool needs_small_tiles(const Problem&) const { return false; }
  /// Whether of equally large tiles that with more rows is better, since half of them come first.
  virtual bool prefers_tall_tiles() const { return false; }
  /// Bytes of a good transfer: 16 KiB reach full bandwidth (Ascend C guide).
  virtual int64_t transfer_bytes() const { return 16384; }

  VectorTile tile_of(const Problem& problem, const Config& config) const;
};

/// Rows that share an L2 sector and always stay together: at least 512 bytes where the tile has
/// them.
int64_t sector_rows(const VectorTile& tile, DType type);

/// Deals rows x cols elements to at most `tile.cores` cores: rows are cut into pieces of tile.cols
/// columns; each core gets an equal run of those (column by column of pieces), in pieces of at most
/// tile.rows rows. Every core that is listed has work. `granule`: rows that stay together.
/// `starts_small`: a core's first piece has half as many rows, so that its work begins while a
/// whole piece is under way behind it.
std::vector<std::vector<Piece>> deal_pieces(int64_t rows, int64_t cols, const VectorTile& tile,
                                            int64_t granule, bool starts_small = false);

}  // namespace tilewright
