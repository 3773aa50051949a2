#pragma once

#include <string>

#include "core/machine/machine.h"
#include "simulator/launch.h"

namespace tilewright {

/// A machine with round numbers for schedules computed by hand: 1 GHz, no overheads, 32 B/cycle
/// from L2 to UB, 16 B/cycle back, one cycle a vector repeat, everything else out of the way.
inline Machine toy_machine() {
  Machine machine = load_machine("ascend-910b2:datasheet");
  machine.cores.clock_mhz = 1000;
  machine.launch.launch_us = 0;
  machine.launch.dispatch_cycles = 0;
  machine.scalar.issue_cycles = 0;
  machine.sync.flag_cycles = 0;
  machine.mte2.ub_bytes_per_cycle = 32;
  machine.mte2.l1_bytes_per_cycle = 64;
  machine.mte2.fixed_cycles = 0;
  machine.mte2.lookahead_burst_bytes = 1 << 30;
  machine.mte2.outstanding_bytes = 1 << 30;
  machine.mte3.bytes_per_cycle = 16;
  machine.mte3.fixed_cycles = 0;
  machine.l2.read_bytes_per_cycle = 4096;
  machine.l2.write_bytes_per_cycle = 4096;
  machine.l2.piece_bytes = 1;
  machine.l2.misaligned_rate = 1;
  machine.l2.same_address_cycles = 0;
  machine.hbm.gb_per_s = 100;  // 100 B/cycle
  machine.hbm.read_latency_cycles = 0;
  machine.hbm.burst_overhead_bytes = 0;
  machine.vector.bank_conflict_cycles = 0;
  machine.vector.cost.fill({0, 1, 0});
  machine.vector.half_cost = machine.vector.cost;
  return machine;
}

/// Copies tiles of 1 x 512 f16 (1024 B) from tensor "in" to tensor "out" through UB with `slots`
/// buffers: load 32 cycles, one vector operation of 4 repeats, store 64 cycles on the toy machine.
inline Launch copy_launch(int tiles, int slots, int cores = 1, bool warm = true) {
  constexpr int kCols = 512;
  Launch launch;
  launch.name = "copy";
  const int rows = tiles * cores;
  launch.add_tensor({"in", DType::kF16, Layout::kNd, rows, kCols, 1, kCols, warm});
  launch.add_tensor({"out", DType::kF16, Layout::kNd, rows, kCols, 1, kCols});
  const int full = launch.add_flag({"full", FlagScope::kCore, FlagMeaning::kData, Memory::kUb, 0});
  const int done = launch.add_flag({"done", FlagScope::kCore, FlagMeaning::kData, Memory::kUb, 0});
  const int free =
      launch.add_flag({"free", FlagScope::kCore, FlagMeaning::kSpace, Memory::kUb, slots});
  const Expr offset = Expr::ring(Expr::index(), slots) * (kCols * 2);
  const Tile ub = {.space = Memory::kUb, .offset = offset, .rows = 1, .cols = kCols};
  const auto in_gm = [&](int tensor) {
    return Tile{.space = Memory::kGm,
                .tensor = tensor,
                .row = Expr::binding(0) + Expr::index(),
                .col = 0,
                .rows = 1,
                .cols = kCols};
  };
  Instruction load;
  load.opcode = Opcode::kLoad;
  load.a = in_gm(0);
  load.dst = ub;
  load.waits = {FlagUse{free}};
  load.sets = {FlagUse{full}};
  Instruction scale;
  scale.opcode = Opcode::kVector;
  scale.vector_op = VectorOp::kMuls;
  scale.scalar = 2;
  scale.a = ub;
  scale.dst = ub;
  scale.waits = {FlagUse{full}};
  scale.sets = {FlagUse{done}};
  Instruction store;
  store.opcode = Opcode::kStore;
  store.a = ub;
  store.dst = in_gm(1);
  store.waits = {FlagUse{done}};
  store.sets = {FlagUse{free}};
  Template body;
  body.name = "copy";
  body.kind = CoreKind::kAiv;
  body.bindings = 1;
  body.count = tiles;
  body.body = {load, scale, store};
  launch.add_template(body);
  for (int core = 0; core < cores; ++core) {
    CoreProgram program;
    program.kind = CoreKind::kAiv;
    program.group = core;
    program.add(0, {core * tiles});
    launch.cores.push_back(program);
  }
  return launch;
}

inline int64_t cycles(int64_t ticks) {
  return ticks / kTicksPerCycle;
}

}  // namespace tilewright
