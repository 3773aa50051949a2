#include "kernels/fused/fused_kernel.h"
#include "tests/tuner/fusion_fixture.h"

namespace tilewright {
namespace {

/// Each row divided by its sum, or the sums alone.
std::string rows_module(int64_t rows, int64_t columns, bool sums_only) {
  const std::string row = "f32[" + std::to_string(rows) + "]{0}";
  const std::string full = "f32[" + std::to_string(rows) + "," + std::to_string(columns) + "]{1,0}";
  const std::string sum = row + " reduce(x, zero), dimensions={1}, to_apply=sum";
  return module_with_functions("x = " + full + " parameter(0)\nzero = f32[] constant(0)\n" +
                               (sums_only ? "ROOT s = " + sum
                                          : "s = " + sum + "\nb = " + full +
                                                " broadcast(s), dimensions={0}\nROOT y = " + full +
                                                " divide(x, b)"));
}

/// The one kernel of all of a module's ops on a machine with that much UB.
FusedKernel mapped(const std::string& text, std::optional<int64_t> ub_bytes = std::nullopt) {
  const FusionFixture at(text);
  Machine machine = load_machine("ascend-910b2");
  machine.buffers.ub_bytes = ub_bytes.value_or(machine.buffers.ub_bytes);
  return plan_fused_kernel(at.region, kernel_of(at.graph, at.graph.nodes()), machine);
}

int64_t tasks_of(const PlannedNest& nest) {
  int64_t tasks = 1;
  for (size_t axis = 0; axis < nest.program.extents.size(); ++axis) {
    if (!nest.program.is_sequential[axis]) tasks *= tile_count(nest.program, nest.tiles, axis);
  }
  return tasks;
}

// AStitch packs many short rows into a block, <750000,32>: here a tile has many whole rows, and
// there are tiles for all cores many times over.
TEST(FusionMapping, PacksManyShortRowsIntoATile) {
  const Machine machine = load_machine("ascend-910b2");
  for (const bool sums_only : {true, false}) {
    const FusedKernel kernel = mapped(rows_module(750000, 32, sums_only));
    ASSERT_EQ(kernel.levels, 1);
    ASSERT_EQ(kernel.nests.size(), 1U);
    const PlannedNest& nest = kernel.nests[0];
    ASSERT_EQ(nest.tiles.tile.size(), 2U);
    EXPECT_GE(nest.tiles.tile[0], 64);
    EXPECT_EQ(nest.tiles.tile[1], 32);
    EXPECT_GE(tasks_of(nest), 10 * machine.cores.aic * machine.cores.aiv_per_aic);
    EXPECT_EQ(kernel.workspace_bytes, 0);
  }
}

// <64,30000>: rows that do not fit UB. Each core takes whole rows, sums go on from part to part of
// a row, and where the sum is spread again it comes back from memory behind a barrier.
TEST(FusionMapping, TakesLongRowsInParts) {
  const FusedKernel sums = mapped(rows_module(64, 30000, true));
  ASSERT_EQ(sums.nests.size(), 1U);
  const PlannedNest& nest = sums.nests[0];
  EXPECT_TRUE(nest.program.is_sequential[1]);
  EXPECT_GT(tile_count(nest.program, nest.tiles, 1), 1);
  EXPECT_LE(nest.tiles.tile[0], 2);
  EXPECT_GE(tasks_of(nest), 32);

  const FusedKernel spread = mapped(rows_module(64, 30000, false));
  EXPECT_EQ(spread.levels, 2);
  EXPECT_EQ(spread.workspace_bytes, 64 * 4);
  // The second level has no row to hold together: all cores have work.
  const Machine machine = load_machine("ascend-910b2");
  EXPECT_GE(tasks_of(spread.nests[1]), machine.cores.aic * machine.cores.aiv_per_aic);
}

// Fewer rows than cores, and long: AStitch's third case gives several blocks to a row.
TEST(FusionMapping, SplitsFewVeryLongRowsAmongCores) {
  const FusedKernel kernel = mapped(rows_module(2, 3000000, true));
  ASSERT_EQ(kernel.levels, 2);
  EXPECT_GE(tasks_of(kernel.nests[0]), 24);
  EXPECT_GT(kernel.workspace_bytes, 0);
}

// What gives way as UB shrinks: places of the rings, then the rows of a tile, and at last the sum
// goes through memory. No kernel takes more than there is, and less UB is never faster.
TEST(FusionMapping, GivesWayInOrderAsUbShrinks) {
  const std::string text = rows_module(96, 8000, false);
  int level_before = 1;
  int64_t slots_before = 4;
  double ticks_before = 0;
  for (const int64_t kib : {256, 192, 128, 64, 32, 16, 8, 4, 2, 1}) {
    const FusedKernel kernel = mapped(text, kib * 1024);
    EXPECT_LE(kernel.peak_ub_bytes, kib * 1024) << kib;
    EXPECT_GE(kernel.estimated_ticks, ticks_before) << kib;
    EXPECT_GE(kernel.levels, level_before) << kib;
    if (kernel.levels == 1) {
      EXPECT_LE(kernel.nests[0].tiles.slots, slots_before) << kib;
      slots_before = kernel.nests[0].tiles.slots;
    } else {
      // Rings are at their least before anything goes through memory.
      EXPECT_EQ(slots_before, 2) << kib;
      EXPECT_EQ(kernel.workspace_bytes, 96 * 4) << kib;
    }
    level_before = kernel.levels;
    ticks_before = kernel.estimated_ticks;
  }
  EXPECT_EQ(level_before, 2);
  // Short rows are kept whole, fewer of them at a time.
  int64_t rows_before = 1 << 20;
  for (const int64_t kib : {192, 64, 32, 16, 8, 4, 2, 1}) {
    const FusedKernel kernel = mapped(rows_module(750000, 32, false), kib * 1024);
    EXPECT_EQ(kernel.levels, 1) << kib;
    EXPECT_LE(kernel.nests[0].tiles.tile[0], rows_before) << kib;
    rows_before = kernel.nests[0].tiles.tile[0];
  }
  EXPECT_EQ(rows_before, 1);
}

}  // namespace
}  // namespace tilewright
