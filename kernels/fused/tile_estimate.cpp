#include "kernels/fused/tile_estimate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <numeric>

#include "core/base/integers.h"
#include "simulator/cost.h"
#include "simulator/memory.h"

namespace tilewright {

namespace {

/// Share of instructions that find the vector unit idle.
constexpr double kBusyHead = 0.25;

/// Part of the latency that HBM stands still for a load: two are under way for each core, and cores
/// that began together stay half in step.
constexpr double kLatencyInStep = 0.25;

double tick(double cycles) {
  return static_cast<double>(to_ticks(cycles));
}

/// Where an array begins in UB at a tile's first turn.
int64_t begin_of(const TilePlan& plan, int array) {
  return array < 0 ? -1 : plan.places[static_cast<size_t>(array)].offset;
}

/// An instruction as the simulator's cost model sees it, with the banks that its operands share.
double instruction_ticks(const Machine& machine, const VecProgram& program, const VecStep& step,
                         int64_t rows, int64_t cols, bool broadcasts,
                         const std::array<int64_t, 3>& places) {
  Instruction instruction;
  instruction.opcode = Opcode::kVector;
  instruction.vector_op = step.op;
  instruction.dst.type = program.arrays[static_cast<size_t>(step.dst)].type;
  instruction.dst.space = Memory::kUb;
  OperandSizes sizes;
  sizes.dst_rows = rows;
  sizes.dst_cols = cols;
  if (step.a >= 0) {
    instruction.a.space = Memory::kUb;
    instruction.a.type = program.arrays[static_cast<size_t>(step.a)].type;
    sizes.a_rows = rows;
    sizes.a_cols = cols;
  }
  if (step.b >= 0) {
    instruction.b.space = Memory::kUb;
    instruction.b.type = program.arrays[static_cast<size_t>(step.b)].type;
    sizes.b_rows = rows;
    sizes.b_cols = broadcasts ? 1 : cols;
  }
  const LocalCost cost = local_cost(machine, instruction, sizes);
  const int64_t conflicts = bank_conflict_cost(machine, instruction, sizes, places);
  return static_cast<double>(cost.busy + conflicts) + static_cast<double>(cost.head) * kBusyHead;
}

/// Ticks of a reduction along the axis whose elements lie side by side: blocks of 32 bytes first,
/// rows when they fit a repeat (kernels/vector/reduce.h).
double row_reduction_ticks(const Machine& machine, VectorOp op, double rows, int64_t cols) {
  const int64_t width = bytes_of(DType::kF32);
  const int64_t block = machine.buffers.ub_align / width;
  const VectorCost& by_block = machine.vector.cost_of(
      op == VectorOp::kRowSum ? VectorOp::kBlockSum : VectorOp::kBlockMax, false);
  const VectorCost& by_row = machine.vector.cost_of(op, false);
  const auto repeats = [&](int64_t columns) {
    return rows * static_cast<double>(ceil_div(columns * width, machine.vector.repeat_bytes));
  };
  double cycles = 0;
  for (; cols * width > machine.vector.repeat_bytes; cols = ceil_div(cols, block)) {
    cycles += by_block.slope * repeats(cols) + by_block.head * kBusyHead;
  }
  return tick(cycles + by_row.slope * repeats(cols) + by_row.head * kBusyHead);
}

/// Along another axis: half of its places to the other half, again and again.
double tree_ticks(const VecProgram& program, const TilePlan& plan, const Machine& machine,
                  const VecStep& step, size_t axis, double elements) {
  const auto places = static_cast<double>(plan.tile[axis]);
  const double inner = elements / std::max(1.0, places);
  const VectorOp op = step.op == VectorOp::kRowSum ? VectorOp::kAdd : VectorOp::kMax;
  const int64_t half = plan.tile[axis] / 2;
  const int64_t distance = half * strides_on(program, plan, step.a)[axis] * bytes_of(DType::kF32);
  double ticks = 0;
  for (int64_t left = plan.tile[axis]; left > 1; left /= 2) {
    const auto length = static_cast<int64_t>(inner * static_cast<double>(left / 2));
    ticks += instruction_ticks(
        machine, program, {op, step.scratch, step.a, step.a}, 1, length, false,
        {begin_of(plan, step.a), begin_of(plan, step.a) + distance, begin_of(plan, step.scratch)});
    if (left > 2 && left % 2 == 1) {
      ticks += instruction_ticks(machine, program, {op, step.scratch, step.a, step.a}, 1,
                                 static_cast<int64_t>(inner), false, {-1, -1, -1});
    }
  }
  return ticks;
}

/// Ticks of the vector unit for a step on a whole tile; none where it cannot be divided.
std::optional<double> step_ticks(const VecProgram& program, const TilePlan& plan,
                                 const Machine& machine, const VecStep& step) {
  const bool reduces = step.scratch >= 0;
  std::vector<int64_t> extents(program.extents.size(), 1);
  const std::vector<int>& axes =
      program.arrays[static_cast<size_t>(reduces ? step.a : step.dst)].axes;
  for (const int axis : axes) {
    extents[static_cast<size_t>(axis)] = plan.tile[static_cast<size_t>(axis)];
  }
  if (reduces) {
    double elements = 1;
    for (const int64_t extent : extents) elements *= static_cast<double>(extent);
    const std::vector<int>& kept = program.arrays[static_cast<size_t>(step.dst)].axes;
    for (const int axis : axes) {
      if (std::ranges::find(kept, axis) != kept.end()) continue;
      const auto gone = static_cast<size_t>(axis);
      if (axis != axes.back()) return tree_ticks(program, plan, machine, step, gone, elements);
      return row_reduction_ticks(machine, step.op, elements / static_cast<double>(extents[gone]),
                                 extents[gone]);
    }
    return 0;
  }
  std::vector<std::vector<int64_t>> strides;
  std::vector<int64_t> aligned;
  for (const int array : {step.dst, step.a, step.b}) {
    if (array < 0) continue;
    strides.push_back(strides_on(program, plan, array));
    aligned.push_back(machine.buffers.ub_align /
                      bytes_of(program.arrays[static_cast<size_t>(array)].type));
  }
  const std::optional<PieceShape> shape = pieces_of(extents, strides, aligned);
  if (!shape) return std::nullopt;
  const bool broadcasts = step.b >= 0 &&
                          (shape->row_strides.back() == 0 || shape->col_strides.back() == 0) &&
                          shape->rows * shape->cols > 1;
  return static_cast<double>(shape->count()) *
         instruction_ticks(
             machine, program, step, shape->rows, shape->cols, broadcasts,
             {begin_of(plan, step.a), begin_of(plan, step.b), begin_of(plan, step.dst)});
}

std::optional<double> part_ticks(const VecProgram& program, const TilePlan& plan,
                                 const Machine& machine, const VecPart& part) {
  double ticks = 0;
  for (const VecStep& step : part.steps) {
    const std::optional<double> one = step_ticks(program, plan, machine, step);
    if (!one) return std::nullopt;
    ticks += *one;
  }
  return ticks;
}

/// About the largest of several times that overlap: they get in each other's way where they are
/// alike.
double overlapped(std::initializer_list<double> times) {
  double sum = 0;
  for (const double time : times) sum += time * time * time * time;
  return std::sqrt(std::sqrt(sum));
}

/// How a tile of a transfer lies in memory.
struct TransferTile {
  double bytes = 0;
  double run = 0;           ///< bytes that follow each other in memory
  double instructions = 0;  ///< each a rectangle whose rows are runs and lie equally far apart
  double stream = 0;        ///< bytes at the full rate that take as long
};

/// The largest power of two that divides a distance; of 0 the largest of all.
int64_t alignment_of(int64_t bytes) {
  constexpr int64_t kMost = int64_t{1} << 30;
  return bytes == 0 ? kMost : std::min(kMost, bytes & -bytes);
}

/// Share of the rate at which rectangles stream that begin, and whose rows lie, at multiples of
/// that (docs/model.md, "L2 and HBM").
double aligned_rate(const Machine& machine, int64_t alignment) {
  constexpr int64_t kLeast = 32;
  const int64_t most = machine.l2.align_bytes;
  if (alignment >= most || most <= kLeast) return 1;
  double doublings = 0, all = 0;
  for (int64_t bytes = 2 * kLeast; bytes <= most; bytes *= 2) {
    ++all;
    if (alignment >= bytes) ++doublings;
  }
  return machine.l2.misaligned_rate + (1 - machine.l2.misaligned_rate) * doublings / all;
}

TransferTile tile_of(const VecProgram& program, const TilePlan& plan, const Machine& machine,
                     const VecTransfer& transfer) {
  const VecArray& array = program.arrays[static_cast<size_t>(transfer.array)];
  const auto width = static_cast<double>(bytes_of(array.type));
  TransferTile tile{width, width, 1, 0};
  double rows = 1;
  const std::vector<int64_t>& in_ub = plan.strides[static_cast<size_t>(transfer.array)];
  int64_t align = alignment_of(transfer.offset * bytes_of(array.type));
  // Where the next element would be, in memory and in UB, if it followed the others.
  int64_t next = 1, next_in_memory = 1;
  bool goes_on = true, goes_on_in_memory = true;
  for (size_t i = array.axes.size(); i-- > 0;) {
    const int64_t extent = plan.tile[static_cast<size_t>(array.axes[i])];
    tile.bytes *= static_cast<double>(extent);
    const int64_t step = transfer.strides[i] * bytes_of(array.type);
    if (extent < program.extents[static_cast<size_t>(array.axes[i])]) {
      align = std::min(align, alignment_of(step * extent));
    }
    if (extent == 1) continue;
    goes_on = goes_on && transfer.strides[i] == next && in_ub[i] == next;
    // Rows that lie apart in UB may follow each other in memory; single elements never do.
    goes_on_in_memory = goes_on_in_memory && transfer.strides[i] == next_in_memory &&
                        (goes_on || transfer.strides[i] > 1);
    if (goes_on_in_memory) {
      tile.run *= static_cast<double>(extent);
      next_in_memory *= extent;
    }
    if (goes_on) {
      next *= extent;
    } else {
      align = std::min(align, alignment_of(step));
      tile.instructions *= static_cast<double>(extent);
      // Rows of a rectangle lie as far apart as those of the array in memory.
      if (transfer.strides[i] > 1) rows = std::max(rows, static_cast<double>(extent));
    }
  }
  tile.instructions /= rows;
  tile.run = std::min(tile.run, tile.bytes / tile.instructions);
  const auto piece = static_cast<double>(machine.l2.piece_bytes);
  tile.stream = tile.bytes * std::max(1.0, piece / tile.run) / aligned_rate(machine, align);
  return tile;
}

/// How many of a core's tiles wait for an array's bytes to come from HBM, and how many tiles read
/// each of its bytes. A core's tiles follow each other, the minor axes first, and the other cores
/// do theirs at the same time: where the array lacks major axes, they begin at several places of
/// it, and each waits until all of them together have been everywhere.
struct Sharing {
  double waits = 1;    ///< share of the tiles
  double readers = 1;  ///< tiles
};
Sharing sharing_of(const VecProgram& program, const TilePlan& plan, int array, double tiles,
                   double cores) {
  const std::vector<int>& own = program.arrays[static_cast<size_t>(array)].axes;
  double in_turn = 1, boxes = 1, readers = 1;
  for (size_t axis = program.extents.size(); axis-- > 0;) {
    const auto count = static_cast<double>(tile_count(program, plan, axis));
    const bool is_own = std::ranges::find(own, static_cast<int>(axis)) != own.end();
    if (is_own) {
      boxes *= count;
    } else {
      readers *= count;
      if (boxes == 1) in_turn *= count;
    }
  }
  double waits = std::min(std::ceil(tiles / in_turn), boxes);
  if (readers > in_turn && boxes > 1) {
    const auto apart = static_cast<double>(
        std::gcd(static_cast<int64_t>(std::ceil(tiles / in_turn)), static_cast<int64_t>(boxes)));
    waits = std::min(waits, std::max(apart, std::ceil(boxes / cores)));
  }
  return {waits / tiles, readers};
}

double task_count(const VecProgram& program, const TilePlan& plan) {
  double tasks = 1;
  for (size_t axis = 0; axis < program.extents.size(); ++axis) {
    if (!program.is_sequential[axis]) {
      tasks *= static_cast<double>(tile_count(program, plan, axis));
    }
  }
  return tasks;
}

/// A load of a tile, in cycles.
struct LoadTime {
  bool is_ahead = false;  ///< requested while the ones before run
  double latency = 0;     ///< of its instructions one after another
  double cold = 0;        ///< the same where all comes from HBM
  double wait = 0;        ///< latency of HBM alone
  double stream = 0;      ///< over the core's own port
  double flow = 0;        ///< from HBM, shared with the other cores
  double busy = 0;        ///< that the pipe stands still for it
};

/// Times of the loads of a core's tiles.
struct LoadTimes {
  std::vector<LoadTime> loads = {};
  double bytes = 0;    ///< over the L2's port
  double flow = 0;     ///< of all loads
  double in_step = 0;  ///< latency that HBM stands still
};

/// `share`: tiles of all cores for each of a core with the most.
LoadTimes load_times(const VecProgram& program, const TilePlan& plan, const Machine& machine,
                     const std::vector<bool>& in_l2, const std::vector<VecTransfer>& loads,
                     double tiles, double share) {
  LoadTimes times;
  times.loads.reserve(loads.size());
  const auto cores = static_cast<double>(machine.cores.aic * machine.cores.aiv_per_aic);
  for (const VecTransfer& load : loads) {
    const TransferTile tile = tile_of(program, plan, machine, load);
    const Sharing sharing = sharing_of(program, plan, load.array, tiles, cores);
    const bool is_there = in_l2[static_cast<size_t>(load.array)];
    const double hbm = is_there ? 0 : machine.hbm.read_latency_cycles;
    LoadTime time;
    time.is_ahead = tile.run >= static_cast<double>(machine.mte2.lookahead_burst_bytes);
    const double count = time.is_ahead ? 1 : tile.instructions;
    time.wait = sharing.waits * hbm;
    time.latency = (time.wait + machine.mte2.fixed_cycles) * count;
    time.cold = (hbm + machine.mte2.fixed_cycles) * count;
    time.stream = tile.stream / machine.mte2.ub_bytes_per_cycle;
    times.bytes += tile.stream;
    if (!is_there) {
      const double bursts = tile.bytes / tile.run;
      time.flow = (tile.bytes + bursts * machine.hbm.burst_overhead_bytes) / sharing.readers *
                  share / hbm_bytes_per_cycle(machine);
    }
    times.flow += time.flow;
    if (time.is_ahead) times.in_step = std::max(times.in_step, kLatencyInStep * time.wait);
    times.loads.push_back(time);
  }
  return times;
}

/// Cycles that the pipe of loads is busy with those of a tile, all tiles alike; of the first one
/// where `is_first`. A load that runs ahead has been requested since the one before it began, or
/// where that is none, since the one before that.
double pipe_cycles(LoadTimes& times, bool is_first) {
  std::vector<LoadTime>& loads = times.loads;
  const bool any_ahead = std::ranges::any_of(loads, &LoadTime::is_ahead);
  const int turns = is_first || !any_ahead ? 1 : 6;
  double all = 0;
  for (int turn = 0; turn < turns; ++turn) {
    all = 0;
    for (size_t i = 0; i < loads.size(); ++i) {
      LoadTime& load = loads[i];
      const double whole =
          is_first ? load.cold + std::max(load.stream, load.flow) : load.latency + load.stream;
      if (!load.is_ahead || (turn == 0 && i == 0)) {
        load.busy = whole;
      } else {
        const size_t last = (i + loads.size() - 1) % loads.size();
        double since = loads[last].busy;
        if (!loads[last].is_ahead) since += loads[(last + loads.size() - 1) % loads.size()].busy;
        // Half way to what this one would take: then it settles.
        const double before = turn == 0 ? whole : load.busy;
        load.busy = std::max(load.stream, (before + whole - since) / 2);
      }
      all += load.busy;
    }
  }
  return all;
}

}  // namespace

double unsuited_ticks(const VecProgram& program, const TilePlan& plan, const Machine& machine,
                      const VecTransfer& transfer, bool is_load, double instructions) {
  const double more = instructions - tile_of(program, plan, machine, transfer).instructions;
  if (more <= 0) return 0;
  double tiles = 1;
  for (size_t axis = 0; axis < program.extents.size(); ++axis) {
    tiles *= static_cast<double>(tile_count(program, plan, axis));
  }
  const auto cores = static_cast<double>(machine.cores.aic * machine.cores.aiv_per_aic);
  // Single elements lie beside others that are there already.
  const double each = is_load ? machine.mte2.fixed_cycles : machine.mte3.fixed_cycles;
  return tick(more * each * std::ceil(tiles / cores));
}

double TileTimes::ticks(int64_t slots) const {
  const double steady = overlapped({load, store, work, turn / static_cast<double>(slots)});
  return rest + others * steady;
}

std::optional<TileTimes> tile_times(const VecProgram& program, const Machine& machine,
                                    const std::vector<bool>& in_l2, const TilePlan& plan) {
  const std::optional<double> body = part_ticks(program, plan, machine, program.body);
  const std::optional<double> begin = part_ticks(program, plan, machine, program.begin);
  const std::optional<double> end = part_ticks(program, plan, machine, program.end);
  const std::optional<double> once = part_ticks(program, plan, machine, program.once);
  if (!body || !begin || !end || !once) return std::nullopt;
  const double ticks = *body;
  const double tasks = task_count(program, plan);
  double rounds = 1;
  for (size_t axis = 0; axis < program.extents.size(); ++axis) {
    if (program.is_sequential[axis]) rounds *= static_cast<double>(tile_count(program, plan, axis));
  }
  const double cores =
      std::min(static_cast<double>(machine.cores.aic * machine.cores.aiv_per_aic), tasks);
  const double per_core = std::ceil(tasks / cores);
  const double tiles = per_core * rounds;
  // What cores need together, as the share of a tile of the core that has the most of them: it
  // does not grow where the last round leaves cores idle.
  const double share = tasks * rounds / tiles;
  LoadTimes load = load_times(program, plan, machine, in_l2, program.body.loads, tiles, share);
  double stores = 0, store_count = 0, written = 0;
  for (const VecTransfer& transfer : program.body.stores) {
    const TransferTile tile = tile_of(program, plan, machine, transfer);
    stores += tile.stream;
    written += tile.bytes;
    store_count += tile.instructions;
  }
  // What is written stays in L2 as far as it fits.
  const double hbm_rate = hbm_bytes_per_cycle(machine);
  const double footprint = tiles * (load.flow * hbm_rate + written * share);
  const auto capacity = static_cast<double>(machine.l2.capacity_bytes);
  const double spilled = footprint > capacity ? written * (1 - capacity / footprint) : 0;
  const double flow = load.flow + spilled * share / hbm_rate;
  const double over_port = load.bytes * share / machine.l2.read_bytes_per_cycle;
  const double pipe = pipe_cycles(load, false);
  const double loading = tick(overlapped({flow > 0 ? flow + load.in_step : 0, over_port, pipe}));
  const double store = tick(std::max(stores / machine.mte3.bytes_per_cycle,
                                     stores * share / machine.l2.write_bytes_per_cycle) +
                            machine.mte3.fixed_cycles * store_count);
  // A place of the ring is free for the next load when the work on its tile is done.
  double path = 0;
  for (const LoadTime& one : load.loads) path += one.latency + one.stream;
  const double turn =
      program.body.loads.empty() ? 0 : std::max(tick(path), loading) + ticks;
  // The first tile alone, then the others one behind the other, and the last one's way out.
  double late_loads = 0;
  if (!program.end.loads.empty()) {
    LoadTimes times =
        load_times(program, plan, machine, in_l2, program.end.loads, per_core, tasks / per_core);
    late_loads = pipe_cycles(times, true);
  }
  const double late = *begin + *end + tick(late_loads);
  double late_store = 0;
  for (const VecTransfer& transfer : program.end.stores) {
    const TransferTile tile = tile_of(program, plan, machine, transfer);
    late_store +=
        tile.stream / machine.mte3.bytes_per_cycle + machine.mte3.fixed_cycles * tile.instructions;
  }
  // What is loaded once comes before the first tile.
  LoadTimes first = load_times(program, plan, machine, in_l2, program.once.loads, 1, cores);
  first.loads.insert(first.loads.end(), load.loads.begin(), load.loads.end());
  const double first_load = tick(pipe_cycles(first, true));
  const double rest = first_load + *once + ticks + store + per_core * late + tick(late_store);
  return TileTimes{ticks, loading, store, turn, tiles - 1, rest};
}

}  // namespace tilewright
