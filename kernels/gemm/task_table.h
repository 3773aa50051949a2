#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace tilewright {

/// Tile (row, column) of a grid of tiles.
using TilePosition = std::pair<int64_t, int64_t>;

/// The order in which the tiles of a rows x columns grid are dealt to the cores, so that neighbours
/// in time share operands in L2 (XY-Serve, linear Task-Table; CATLASS's block swizzle).
///   swizzle > 0: bands of `swizzle` rows, walked column by column, every other band backwards;
///   swizzle < 0: bands of -`swizzle` columns, walked row by row, every other band backwards;
///   swizzle = 0: row by row, none backwards.
std::vector<TilePosition> tile_order(int64_t rows, int64_t columns, int64_t swizzle);

/// The tiles of each core when the cores form a grid of core_rows x core_columns and each owns a
/// contiguous rectangle of the rows x columns tiles, walked row by row. Cores without a tile are
/// left out.
std::vector<std::vector<TilePosition>> grid_tiles(int64_t rows, int64_t columns, int64_t core_rows,
                                                  int64_t core_columns);

/// One task of a GEMM: a tile of C, or one part of its depth.
struct GemmTask {
  int64_t expert = 0;  ///< whose rows and weights; 0 in a plain GEMM
  int64_t row = 0;     ///< of tiles, within the expert
  int64_t column = 0;
  int64_t part = 0;  ///< of the depth

  friend bool operator==(const GemmTask&, const GemmTask&) = default;
};

/// What a Task-Table follows from.
struct TaskGrid {
  std::vector<int64_t> rows;  ///< of tiles, by expert; one entry in a plain GEMM
  int64_t columns = 1;        ///< of tiles
  int64_t parts = 1;          ///< of the depth (split-K)

  /// Tiles of all experts.
  int64_t tiles() const;
  int64_t tasks() const { return tiles() * parts; }
};

/// The tasks of each core, in order (XY-Serve, linear Task-Table). Cores without a task are left
/// out.
struct TaskTable {
  std::vector<std::vector<GemmTask>> cores;
};

/// Deals the tiles of one expert after the other to `cores` cores in turn, in tile_order() of
/// `swizzle`, the parts of a tile one after another. With core_rows > 0 (one expert, one part):
/// rectangles of grid_tiles(), cores / core_rows to a row.
TaskTable make_task_table(const TaskGrid& grid, int64_t swizzle, int64_t core_rows, int64_t cores);

}  // namespace tilewright
