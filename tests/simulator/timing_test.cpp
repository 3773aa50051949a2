#include "simulator/timing.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/error.h"
#include "simulator/cost.h"
#include "tests/simulator/toy.h"

namespace tilewright {
namespace {

int64_t ticks_of(const Breakdown& breakdown, Cause cause) {
  return breakdown.ticks[cause.id()];
}

TEST(DetailedTiming, ChainsLoadComputeStore) {
  // load 1024 / 32 = 32, compute 1024 / 256 = 4, store 1024 / 16 = 64.
  const TimingResult result = time_detailed(copy_launch(1, 1), toy_machine());
  EXPECT_EQ(cycles(result.ticks), 100);
  EXPECT_EQ(cycles(ticks_of(result.critical_path, Cause::busy(Pipe::kMte2))), 32);
  EXPECT_EQ(cycles(ticks_of(result.critical_path, Cause::busy(Pipe::kVec))), 4);
  EXPECT_EQ(cycles(ticks_of(result.critical_path, Cause::busy(Pipe::kMte3))), 64);
}

TEST(DetailedTiming, OneBufferSerialises) {
  // Each tile waits until the one before has left the only slot.
  EXPECT_EQ(cycles(time_detailed(copy_launch(3, 1), toy_machine()).ticks), 300);
}

TEST(DetailedTiming, TwoBuffersOverlapLoadAndStore) {
  // Loads end at 32, 64, then wait for slots freed at 100, 164: 132, 196, ... Stores run back to
  // back from 36: 100, 164, 228, 292.
  const TimingResult result = time_detailed(copy_launch(4, 2), toy_machine());
  EXPECT_EQ(cycles(result.ticks), 36 + 4 * 64);
  EXPECT_EQ(cycles(ticks_of(result.critical_path, Cause::busy(Pipe::kMte3))), 4 * 64);
}

TEST(DetailedTiming, EngineViewNamesEveryCycleOfTheVectorPipe) {
  // vec runs 32-36, 64-68, 132-136, 196-200; its last store ends at 292.
  const TimingResult result = time_detailed(copy_launch(4, 2), toy_machine());
  const Breakdown& engine = result.engine;
  EXPECT_EQ(cycles(ticks_of(engine, Cause::fill())), 32);
  EXPECT_EQ(cycles(ticks_of(engine, Cause::busy(Pipe::kVec))), 16);
  EXPECT_EQ(cycles(ticks_of(engine, Cause::wait_data(Pipe::kMte2))), 28 + 64 + 60);
  EXPECT_EQ(cycles(ticks_of(engine, Cause::drain())), 92);
  EXPECT_EQ(engine.total(), result.ticks);
}

TEST(DetailedTiming, SingleMissPaysHbmTimeAndLatency) {
  Machine machine = toy_machine();
  machine.hbm.gb_per_s = 16;  // 16 B/cycle: 64 cycles for 1024 B
  machine.hbm.read_latency_cycles = 500;
  const TimingResult result = time_detailed(copy_launch(1, 1, 1, false), machine);
  EXPECT_EQ(cycles(result.ticks), 64 + 500 + 4 + 64);
  EXPECT_EQ(cycles(ticks_of(result.critical_path, Cause::hbm())), 564 - 32);
  EXPECT_EQ(result.memory.hbm_read_bytes, 1024);
  EXPECT_EQ(result.memory.l2_hit_bytes, 0);
}

TEST(DetailedTiming, CoresShareHbmFairly) {
  Machine machine = toy_machine();
  machine.hbm.gb_per_s = 16;
  const TimingResult alone = time_detailed(copy_launch(1, 1, 1, false), machine);
  const TimingResult four = time_detailed(copy_launch(1, 1, 4, false), machine);
  // Four flows of 64 cycles each through one HBM end together at 256.
  EXPECT_EQ(cycles(alone.ticks), 64 + 68);
  EXPECT_EQ(cycles(four.ticks), 256 + 68);
}

TEST(DetailedTiming, CoresShareTheL2Port) {
  Machine machine = toy_machine();
  machine.l2.read_bytes_per_cycle = 64;  // two cores at full speed
  const TimingResult result = time_detailed(copy_launch(1, 1, 4), machine);
  EXPECT_EQ(cycles(result.ticks), 64 + 68);
  EXPECT_EQ(cycles(ticks_of(result.critical_path, Cause::l2())), 32);
}

TEST(DetailedTiming, ASectorInFlightIsFetchedOnce) {
  Machine machine = toy_machine();
  machine.hbm.read_latency_cycles = 500;
  Launch launch = copy_launch(1, 1, 2, false);
  launch.tensors[0].rows = 1;
  launch.cores[1].bindings[0] = 0;  // both read row 0 and write it
  const TimingResult result = time_detailed(launch, machine);
  EXPECT_EQ(result.memory.hbm_read_bytes, 1024);
  EXPECT_EQ(result.memory.l2_hit_bytes, 1024);
  EXPECT_EQ(result.cores[0].end_ticks, result.cores[1].end_ticks);
}

TEST(DetailedTiming, LeastRecentlyUsedSectorsLeaveAFullL2) {
  Machine machine = toy_machine();
  machine.l2.capacity_bytes = 4096;  // four tiles, in and out together
  const TimingResult result = time_detailed(copy_launch(8, 2, 1, false), machine);
  EXPECT_EQ(result.memory.hbm_read_bytes, 8 * 1024);
  // The first stores have been pushed out, dirty; at most four sectors are still inside.
  EXPECT_GE(result.memory.hbm_write_bytes, 4 * 1024);
  EXPECT_LE(result.memory.hbm_write_bytes, 8 * 1024);
}

TEST(DetailedTiming, ScalarUnitIssuesInProgramOrder) {
  Machine machine = toy_machine();
  machine.scalar.issue_cycles = 50;
  // load issued at 50, ends 82; vector issued at 100, ends 104; store issued at 150.
  EXPECT_EQ(cycles(time_detailed(copy_launch(1, 1), machine).ticks), 150 + 64);
}

TEST(DetailedTiming, FullQueueHoldsTheScalarUnitBack) {
  Machine machine = toy_machine();
  machine.scalar.queue_depth = 1;
  machine.sync.flag_cycles = 0;
  const int64_t deep = time_detailed(copy_launch(6, 2), toy_machine()).ticks;
  const int64_t shallow = time_detailed(copy_launch(6, 2), machine).ticks;
  EXPECT_GE(shallow, deep);
}

TEST(DetailedTiming, LaunchAndDispatchComeFirst) {
  Machine machine = toy_machine();
  machine.launch.launch_us = 2;
  machine.launch.dispatch_cycles = 300;
  const TimingResult result = time_detailed(copy_launch(1, 1), machine);
  EXPECT_EQ(cycles(result.ticks), 2300 + 100);
  EXPECT_EQ(cycles(ticks_of(result.critical_path, Cause::launch())), 2300);
}

TEST(DetailedTiming, VectorHeadIsPaidByAnIdlePipeAndTailByTheReader) {
  Machine machine = toy_machine();
  machine.vector.half_cost.fill({10, 1, 7});
  EXPECT_EQ(cycles(time_detailed(copy_launch(1, 1), machine).ticks), 32 + 10 + 4 + 7 + 64);
}

TEST(DetailedTiming, EveryByteIsConserved) {
  const TimingResult result = time_detailed(copy_launch(5, 2, 3, false), toy_machine());
  EXPECT_EQ(result.memory.l2_read_bytes, 15 * 1024);
  EXPECT_EQ(result.memory.l2_write_bytes, 15 * 1024);
  EXPECT_EQ(result.memory.hbm_read_bytes + result.memory.l2_hit_bytes, 15 * 1024);
  int64_t loaded = 0;
  for (const CoreCounters& core : result.cores) loaded += core.load_bytes;
  EXPECT_EQ(loaded, 15 * 1024);
}

TEST(DetailedTiming, TimelineHoldsEveryInstructionWithoutOverlapOnALane) {
  Timeline timeline;
  const Launch launch = copy_launch(5, 2, 2, false);
  const TimingResult result = time_detailed(launch, toy_machine(), &timeline);
  EXPECT_EQ(static_cast<int64_t>(timeline.events.size()), launch.instruction_count());
  std::map<std::pair<int, Pipe>, int64_t> free_at;
  for (const TimelineEvent& event : timeline.events) {
    EXPECT_LE(event.end, result.ticks);
    EXPECT_GE(event.start, (free_at[{event.core, event.pipe}]));
    free_at[{event.core, event.pipe}] = event.end;
  }
}

TEST(DetailedTiming, ReportsADeadlockWithCoreInstructionAndFlag) {
  Launch launch = copy_launch(2, 1);
  launch.templates[0].body[2].sets = {};  // the slot is never released
  try {
    time_detailed(launch, toy_machine());
    FAIL() << "a deadlock went unnoticed";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("deadlock: core 0"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("copy[body 0] load"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("flag free"), std::string::npos) << error.message();
  }
}

TEST(DetailedTiming, RefusesATransferOutsideItsTensor) {
  Launch launch = copy_launch(2, 1);
  launch.tensors[0].rows = 1;
  EXPECT_THROW(time_detailed(launch, toy_machine()), Error);
}

TEST(DetailedTiming, RefusesMalformedLaunches) {
  Launch unknown_flag = copy_launch(1, 1);
  unknown_flag.templates[0].body[0].waits = {FlagUse{17}};
  EXPECT_THROW(time_detailed(unknown_flag, toy_machine()), Error);
  Launch wrong_core = copy_launch(1, 1);
  wrong_core.templates[0].kind = CoreKind::kAic;
  EXPECT_THROW(time_detailed(wrong_core, toy_machine()), Error);
  Launch too_many = copy_launch(1, 1);
  for (int i = 0; i < 3; ++i) too_many.cores.push_back(too_many.cores[0]);
  EXPECT_THROW(time_detailed(too_many, toy_machine()), Error);
}

TEST(DetailedTiming, FlagsCountAtMostSixteenAhead) {
  // 20 slots for 20 tiles: the flag would start with more sets than a counter holds.
  Launch launch = copy_launch(40, 2);
  launch.templates[0].body[1].waits = {};
  launch.templates[0].body[2].waits = {};
  EXPECT_THROW(time_detailed(launch, toy_machine()), Error);
}

/// One group: the cube core drains a tile to GM, its vector core loads it.
Launch hand_over_launch() {
  Launch launch;
  launch.name = "hand_over";
  launch.add_tensor({"w", DType::kF32, Layout::kNd, 16, 16, 16, 16});
  const int ready =
      launch.add_flag({"ready", FlagScope::kGroup, FlagMeaning::kData, Memory::kGm, 0});
  Instruction drain;
  drain.opcode = Opcode::kFixpipe;
  drain.a = {
      .space = Memory::kL0C, .rows = 16, .cols = 16, .type = DType::kF32, .layout = Layout::kZn};
  drain.dst = {.space = Memory::kGm, .tensor = 0, .rows = 16, .cols = 16, .type = DType::kF32};
  drain.sets = {FlagUse{ready}};
  Instruction load;
  load.opcode = Opcode::kLoad;
  load.a = {.space = Memory::kGm, .tensor = 0, .rows = 16, .cols = 16, .type = DType::kF32};
  load.dst = {.space = Memory::kUb, .rows = 16, .cols = 16, .type = DType::kF32};
  load.waits = {FlagUse{ready}};
  launch.add_template({"cube", CoreKind::kAic, 0, 0, {drain}, {}, {}});
  launch.add_template({"vector", CoreKind::kAiv, 0, 0, {load}, {}, {}});
  launch.cores.resize(2);
  launch.cores[0].add(0, {});
  launch.cores[1].kind = CoreKind::kAiv;
  launch.cores[1].add(1, {});
  return launch;
}

TEST(DetailedTiming, HandingOverBetweenCubeAndVectorCoresTakesItsTime) {
  Machine machine = toy_machine();
  machine.sync.handover_cycles = 1000;
  machine.fixpipe.head_cycles = 100;
  machine.fixpipe.row_cycles = 10;  // 16 rows of 64 B: 160 cycles
  const TimingResult result = time_detailed(hand_over_launch(), machine);
  // 260 to drain, 1000 to cross, 1024 / 32 to load.
  EXPECT_EQ(cycles(result.ticks), 260 + 1000 + 32);
  EXPECT_EQ(cycles(ticks_of(result.critical_path, Cause::handover())), 1000);
}

Instruction mmad(DType type) {
  Instruction instruction;
  instruction.opcode = Opcode::kMmad;
  instruction.a.type = type;
  return instruction;
}

TEST(LocalCost, MatrixInstructionCountsFractals) {
  const Machine machine = load_machine("ascend-910b2");
  // 21 + ceil(m/16) ceil(k bytes/32) ceil(n/16), twice the steps for f32.
  const OperandSizes tile{128, 64, 64, 256, 128, 256};
  EXPECT_EQ(cycles(local_cost(machine, mmad(DType::kF16), tile).busy), 8 * 4 * 16);
  EXPECT_EQ(cycles(local_cost(machine, mmad(DType::kF16), tile).head), 21);
  EXPECT_EQ(cycles(local_cost(machine, mmad(DType::kI8), tile).busy), 8 * 2 * 16);
  EXPECT_EQ(cycles(local_cost(machine, mmad(DType::kF32), tile).busy), 2 * 8 * 8 * 16);
  const OperandSizes ragged{17, 1, 1, 1, 17, 1};
  EXPECT_EQ(cycles(local_cost(machine, mmad(DType::kF16), ragged).busy), 2);
}

TEST(LocalCost, FixpipeFollowsTheDrainFormula) {
  const Machine machine = load_machine("ascend-910b2:datasheet");
  Instruction drain;
  drain.opcode = Opcode::kFixpipe;
  drain.dst.type = DType::kF32;
  // 164 + m max(4.45, 4 n / 118) with n = 256: 32 groups of 8 columns, odd part 1.
  const OperandSizes wide{128, 256, 0, 0, 128, 256};
  EXPECT_NEAR(static_cast<double>(local_cost(machine, drain, wide).busy) / kTicksPerCycle,
              164 + 128 * (1024 / 118.0), 0.01);
  // n = 96: 12 groups, odd part 3: 2.6 * 2 more a row.
  const OperandSizes odd{16, 96, 0, 0, 16, 96};
  EXPECT_NEAR(static_cast<double>(local_cost(machine, drain, odd).busy) / kTicksPerCycle,
              164 + 16 * (4.45 + 5.2), 0.01);
}

TEST(LocalCost, RowOperationsStartARepeatForEachRow) {
  const Machine machine = toy_machine();
  Instruction vector;
  vector.opcode = Opcode::kVector;
  vector.dst.space = vector.a.space = Memory::kUb;
  vector.dst.type = vector.a.type = DType::kF32;
  vector.vector_op = VectorOp::kExp;
  // 8 rows of 16 floats are 512 contiguous bytes: 2 repeats. A row sum needs one a row.
  EXPECT_EQ(cycles(local_cost(machine, vector, {8, 16, 0, 0, 8, 16}).busy), 2);
  vector.vector_op = VectorOp::kRowSum;
  EXPECT_EQ(cycles(local_cost(machine, vector, {8, 16, 0, 0, 8, 1}).busy), 8);
}

}  // namespace
}  // namespace tilewright
