#include "kernels/gemm/task_table.h"

#include <algorithm>
#include <cstdlib>

#include "core/base/error.h"

namespace tilewright {

std::vector<TilePosition> tile_order(int64_t rows, int64_t columns, int64_t swizzle) {
  const bool by_columns = swizzle < 0;
  // In the terms of bands of rows: `length` is across the bands, `width` along them.
  const int64_t length = by_columns ? columns : rows;
  const int64_t width = by_columns ? rows : columns;
  const int64_t band = std::max<int64_t>(1, std::abs(swizzle));
  std::vector<TilePosition> order;
  order.reserve(static_cast<size_t>(rows * columns));
  for (int64_t top = 0; top < length; top += band) {
    const bool backwards = swizzle != 0 && top / band % 2 == 1;
    for (int64_t i = 0; i < width; ++i) {
      const int64_t along = backwards ? width - 1 - i : i;
      for (int64_t across = top; across < std::min(length, top + band); ++across) {
        order.push_back(by_columns ? TilePosition(along, across) : TilePosition(across, along));
      }
    }
  }
  return order;
}

std::vector<std::vector<TilePosition>> grid_tiles(int64_t rows, int64_t columns, int64_t core_rows,
                                                  int64_t core_columns) {
  std::vector<std::vector<TilePosition>> dealt;
  for (int64_t r = 0; r < core_rows; ++r) {
    for (int64_t c = 0; c < core_columns; ++c) {
      std::vector<TilePosition> tiles;
      for (int64_t row = rows * r / core_rows; row < rows * (r + 1) / core_rows; ++row) {
        for (int64_t col = columns * c / core_columns; col < columns * (c + 1) / core_columns;
             ++col)
          tiles.emplace_back(row, col);
      }
      if (!tiles.empty()) dealt.push_back(std::move(tiles));
    }
  }
  return dealt;
}

int64_t TaskGrid::tiles() const {
  int64_t tiles = 0;
  for (const int64_t expert_rows : rows) tiles += expert_rows * columns;
  return tiles;
}

TaskTable make_task_table(const TaskGrid& grid, int64_t swizzle, int64_t core_rows, int64_t cores) {
  TaskTable table;
  if (core_rows > 0) {
    TW_CHECK(grid.rows.size() == 1 && grid.parts == 1, "rectangles are of whole tiles of one GEMM");
    for (const auto& tiles : grid_tiles(grid.rows[0], grid.columns, core_rows, cores / core_rows)) {
      std::vector<GemmTask>& tasks = table.cores.emplace_back();
      for (const auto& [row, column] : tiles) tasks.push_back({0, row, column, 0});
    }
    return table;
  }
  table.cores.resize(static_cast<size_t>(std::min(cores, grid.tasks())));
  size_t next = 0;
  for (size_t expert = 0; expert < grid.rows.size(); ++expert) {
    for (const auto& [row, column] : tile_order(grid.rows[expert], grid.columns, swizzle)) {
      for (int64_t part = 0; part < grid.parts; ++part) {
        table.cores[next++ % table.cores.size()].push_back(
            {static_cast<int64_t>(expert), row, column, part});
      }
    }
  }
  return table;
}

}  // namespace tilewright
