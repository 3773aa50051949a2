#include "kernels/gemm/task_table.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tilewright {
namespace {

/// The tiles of a table's cores, counted from 1 as the paper does.
std::vector<std::vector<TilePosition>> from_one(const TaskTable& table) {
  std::vector<std::vector<TilePosition>> cores;
  for (const std::vector<GemmTask>& tasks : table.cores) {
    std::vector<TilePosition>& tiles = cores.emplace_back();
    for (const GemmTask& task : tasks) tiles.emplace_back(task.row + 1, task.column + 1);
  }
  return cores;
}

TEST(TaskTable, IsThatOfThePublishedExample) {
  // XY-Serve, linear Task-Table: a 4 x 4 grid of tiles on 4 cores. Bands of two columns, walked row
  // by row, every other one backwards.
  const TaskTable table = make_task_table({{4}, 4, 1}, -2, 0, 4);
  const std::vector<std::vector<TilePosition>> published = {{{1, 1}, {3, 1}, {4, 3}, {2, 3}},
                                                            {{1, 2}, {3, 2}, {4, 4}, {2, 4}},
                                                            {{2, 1}, {4, 1}, {3, 3}, {1, 3}},
                                                            {{2, 2}, {4, 2}, {3, 4}, {1, 4}}};
  EXPECT_EQ(from_one(table), published);
}

TEST(TaskTable, HasEveryTaskOnce) {
  for (const int64_t swizzle : {-8, -3, -1, 0, 1, 2, 8}) {
    for (const int64_t parts : {1, 3}) {
      const TaskGrid grid{{5, 0, 2}, 7, parts};
      const TaskTable table = make_task_table(grid, swizzle, 0, 6);
      std::vector<std::array<int64_t, 4>> tasks;
      for (const auto& core : table.cores) {
        for (const GemmTask& task : core) {
          tasks.push_back({task.expert, task.row, task.column, task.part});
        }
      }
      EXPECT_EQ(static_cast<int64_t>(tasks.size()), grid.tasks());
      std::sort(tasks.begin(), tasks.end());
      EXPECT_EQ(std::adjacent_find(tasks.begin(), tasks.end()), tasks.end());
    }
  }
}

TEST(TaskTable, PutsThePartsOfATileOnNeighbouringCores) {
  const TaskTable table = make_task_table({{2}, 1, 3}, 1, 0, 8);
  ASSERT_EQ(table.cores.size(), 6u) << "cores without a task are left out";
  for (size_t core = 0; core < 6; ++core) {
    const auto c = static_cast<int64_t>(core);
    EXPECT_EQ(table.cores[core], (std::vector<GemmTask>{{0, c / 3, 0, c % 3}}));
  }
}

TEST(TaskTable, WalksColumnsAsItWalksRows) {
  for (const int64_t band : {1, 2, 3}) {
    std::vector<TilePosition> turned = tile_order(5, 4, -band);
    for (TilePosition& tile : turned) std::swap(tile.first, tile.second);
    EXPECT_EQ(turned, tile_order(4, 5, band));
  }
}

}  // namespace
}  // namespace tilewright
