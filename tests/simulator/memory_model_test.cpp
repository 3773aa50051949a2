#include <gtest/gtest.h>

#include "simulator/cost.h"
#include "simulator/timing.h"
#include "tests/simulator/toy.h"

// What memory loses on small, misaligned and contended transfers, by hand on the toy machine: a
// copy of one tile takes 32 cycles to load, 4 to compute and 64 to store.

namespace tilewright {
namespace {

int64_t ticks_of(const Breakdown& breakdown, Cause cause) {
  return breakdown.ticks[cause.id()];
}

TEST(MemoryModel, OutstandingBytesOverLatencyBoundACoresShareOfHbm) {
  Machine machine = toy_machine();
  machine.hbm.read_latency_cycles = 100;
  machine.mte2.outstanding_bytes = 800;  // 8 B/cycle of the 100 that HBM has
  const TimingResult result = time_detailed(copy_launch(1, 1, 1, false), machine);
  EXPECT_EQ(cycles(result.ticks), 1024 / 8 + 100 + 68);
  // Four cores have four times as many requests under way.
  const TimingResult four = time_detailed(copy_launch(1, 1, 4, false), machine);
  EXPECT_EQ(four.ticks, result.ticks);
}

TEST(MemoryModel, RowsShorterThanAPieceCostAWholePiece) {
  Machine machine = toy_machine();
  machine.l2.piece_bytes = 2048;  // a row of the copy has 1024
  EXPECT_EQ(cycles(time_detailed(copy_launch(1, 1), machine).ticks), 64 + 4 + 128);
}

TEST(MemoryModel, MisalignedRowsReachTheStatedShareOfTheRate) {
  Machine machine = toy_machine();
  machine.l2.align_bytes = 512;
  machine.l2.misaligned_rate = 0.5;
  EXPECT_EQ(cycles(time_detailed(copy_launch(1, 1), machine).ticks), 100);
  Launch launch = copy_launch(1, 1);
  launch.tensors[0].cols += 16;  // column 16 begins at byte 32
  launch.templates[0].body[0].a.col = 16;
  EXPECT_EQ(cycles(time_detailed(launch, machine).ticks), 64 + 4 + 64);
  // Aligned to 128 B, half of the doublings from 32 to 512, it loses half as much.
  launch.tensors[0].cols = 512 + 64;
  launch.templates[0].body[0].a.col = 64;
  EXPECT_NEAR(static_cast<double>(cycles(time_detailed(launch, machine).ticks)), 32 / 0.75 + 68, 1);
}

TEST(MemoryModel, CoresThatReadOneSectorTogetherQueueForIt) {
  Machine machine = toy_machine();
  machine.l2.same_address_cycles = 10;
  Launch launch = copy_launch(1, 1, 3);
  for (CoreProgram& core : launch.cores) core.bindings[0] = 0;  // all read row 0
  const TimingResult result = time_detailed(launch, machine);
  // The third reader finds two before it.
  EXPECT_EQ(cycles(result.ticks), 100 + 20);
  EXPECT_EQ(cycles(ticks_of(result.critical_path, Cause::conflict())), 20);
}

TEST(MemoryModel, DirtySectorsAreWrittenBackWhenTheyLeaveL2) {
  Machine machine = toy_machine();
  machine.l2.capacity_bytes = 2048;
  const TimingResult result = time_detailed(copy_launch(4, 2, 1, false), machine);
  // Eight sectors of 1024 B went through two places; the outputs among those pushed out were dirty.
  EXPECT_EQ(result.memory.hbm_read_bytes, 4 * 1024);
  EXPECT_GE(result.memory.hbm_write_bytes, 2 * 1024);
}

TEST(MemoryModel, EveryByteComesFromHbmOnceHoweverSectorsAreCut) {
  const Machine machine = toy_machine();
  Launch launch = copy_launch(4, 2, 1, false);
  // Sectors of three rows: the second tile finds a sector of which only the first row is there.
  launch.tensors[0].sector_rows = 3;
  EXPECT_EQ(time_detailed(launch, machine).memory.hbm_read_bytes, 4 * 1024);
  // Read twice, it comes once.
  CoreProgram& core = launch.cores[0];
  core.add(0, {0});
  EXPECT_EQ(time_detailed(launch, machine).memory.hbm_read_bytes, 4 * 1024);
  EXPECT_EQ(time_detailed(launch, machine).memory.l2_hit_bytes, 4 * 1024);
}

TEST(MemoryModel, OperandsInTheSameBanksCostACycleARepeat) {
  Machine machine = load_machine("ascend-910b2");
  machine.vector.bank_conflict_cycles = 1;
  Instruction add;
  add.opcode = Opcode::kVector;
  add.vector_op = VectorOp::kAdd;
  const auto tile = [](int64_t offset) {
    return Tile{.space = Memory::kUb, .offset = offset, .rows = 1, .cols = 1024};
  };
  add.a = tile(0);
  add.b = tile(0);
  add.dst = tile(0);
  OperandSizes sizes;
  sizes.a_rows = sizes.b_rows = sizes.dst_rows = 1;
  sizes.a_cols = sizes.b_cols = sizes.dst_cols = 1024;  // 2048 B: 8 repeats
  const auto lost = [&](int64_t a, int64_t b, int64_t dst) {
    return cycles(bank_conflict_cost(machine, add, sizes, {a, b, dst}));
  };
  EXPECT_EQ(lost(0, 2048, 4096), 8 * 3);          // all three in bank 0 of the same groups
  EXPECT_EQ(lost(0, 2048 + 256, 2048 * 3), 8);    // b eight rows further: only a meets dst
  EXPECT_EQ(lost(0, 65536, 2 * 65536 + 256), 8);  // other banks, but reads meet in their groups
  EXPECT_EQ(lost(0, 256, 0), 0);                  // in place beside an operand in other groups
  EXPECT_EQ(lost(0, -1, 256), 0);
}

TEST(MemoryModel, CostsOfTwoByteTypesCanBeStatedApart) {
  Machine machine = toy_machine();
  machine.vector.half_cost[static_cast<size_t>(VectorOp::kMuls)].slope = 3;
  EXPECT_EQ(cycles(time_detailed(copy_launch(1, 1), machine).ticks), 32 + 12 + 64);
}

}  // namespace
}  // namespace tilewright
