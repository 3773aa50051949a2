#include <algorithm>
#include <cmath>

#include "core/base/integers.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/gemm_cube.h"
#include "kernels/gemm/gemm_shape.h"
#include "simulator/cost.h"
#include "simulator/memory.h"

namespace tilewright {

namespace {

/// What the order of tiles means for the estimate: tasks that a core does one after another, the
/// share of loads of A and B that miss in L2, and how many cores wait for the same missing bytes.
struct Dealing {
  double waves = 0;
  double a_misses = 0, b_misses = 0;
  double a_sharers = 0, b_sharers = 0;
};

/// Of rectangles of tiles: a core walks its own row by row. A misses on the first tile of a row, B
/// on the first row; a row of cores shares A, a column of cores B.
Dealing rectangles(int64_t tile_rows, int64_t tile_columns, int64_t core_rows, int64_t aics) {
  const int64_t core_columns = aics / core_rows;
  const auto rows = static_cast<double>(ceil_div(tile_rows, core_rows));
  const auto columns = static_cast<double>(ceil_div(tile_columns, core_columns));
  return {rows * columns, 1 / columns, 1 / rows, static_cast<double>(core_columns),
          static_cast<double>(core_rows)};
}

/// Of bands of rows: the first band misses on B, the first wave of each band on A. A wave's cores
/// share the HBM, and what tiles of one row or column have in common comes only once. A wave that
/// is longer than a band is in several at once.
Dealing bands(int64_t tile_rows, int64_t tile_columns, int64_t tasks, int64_t swizzle,
              int64_t cores, bool l2_holds_b) {
  const int64_t band = std::clamp<int64_t>(swizzle, 1, tile_rows);
  const auto waves = static_cast<double>(ceil_div(tasks, cores));
  const int64_t bands = ceil_div(tile_rows, band);
  const int64_t working = std::min(tile_rows * tile_columns, cores);
  const int64_t at_once = std::min(bands, ceil_div(working, band * tile_columns));
  const double columns = std::clamp(static_cast<double>(working) / static_cast<double>(band), 1.0,
                                    static_cast<double>(tile_columns));
  // Walked always forwards, a B that L2 does not hold misses in every row.
  const double b_misses =
      swizzle == 0 && !l2_holds_b ? 1 : static_cast<double>(at_once) / static_cast<double>(bands);
  return {waves, std::min(1.0, static_cast<double>(bands) / waves), b_misses, columns,
          static_cast<double>(working) / columns};
}

Dealing dealing_of(const GemmShape& shape, const GemmTiles& tiles, const TaskGrid& grid,
                   const Machine& machine) {
  int64_t rows = 0;
  for (const int64_t expert_rows : grid.rows) rows += expert_rows;
  const double width = bytes_of(shape.type);
  const auto l2 = static_cast<double>(machine.l2.capacity_bytes);
  const auto weights = static_cast<double>(shape.k * shape.sides() * shape.n) * width;
  if (tiles.core_rows > 0) {
    return rectangles(rows, grid.columns, tiles.core_rows, machine.cores.aic);
  }
  if (tiles.swizzle >= 0) {
    return bands(rows, grid.columns, grid.tasks(), tiles.swizzle, tiles.cores, weights < l2);
  }
  const Dealing turned = bands(grid.columns, rows, grid.tasks(), -tiles.swizzle, tiles.cores, true);
  return {turned.waves, turned.b_misses, turned.a_misses, turned.b_sharers, turned.a_sharers};
}

/// Cycles that the vector cores of a group need for `elements` sums of a side, `loads` times read.
double vector_cycles(const GemmShape& shape, const Machine& machine, double elements,
                     double loads) {
  const Epilogue& epilogue = shape.epilogue;
  const auto sides = static_cast<double>(shape.sides());
  double operations = sides * (loads - 1) + (shape.out == DType::kF32 ? 0 : 1);
  if (epilogue.row_scales) operations += sides;
  if (epilogue.residual) operations += 2;
  if (epilogue.activation == Epilogue::Activation::kGelu) operations += 7;
  if (epilogue.activation == Epilogue::Activation::kSiluMul) operations += 5;
  const double cores = static_cast<double>(std::max<int64_t>(1, machine.cores.aiv_per_aic));
  const double bytes = elements * 4;
  const double repeats = bytes / static_cast<double>(machine.vector.repeat_bytes);
  const double work = operations * repeats * machine.vector.cost_of(VectorOp::kMul, false).slope;
  const double read = bytes * sides * loads / machine.mte2.ub_bytes_per_cycle;
  return std::max(work, read) / cores;
}

/// Of what a chunk's products take, the share in which the next chunk is already on its way. The
/// scalar unit issues in program order: while the moves of a chunk wait for its loads, no more of
/// them than MTE1's queue holds may stand before the next chunk's loads.
double requested_before(const GemmShape& shape, const GemmTiles& tiles, const Machine& machine) {
  if (tiles.l1_buffers == 1) return 0;
  const int64_t depth = std::min(tiles.chunk, shape.k);
  const int64_t moves = ceil_div(depth, tiles.step) * (1 + shape.sides());
  return std::min(1.0,
                  static_cast<double>(machine.scalar.queue_depth) / static_cast<double>(moves));
}

/// Cycles from one chunk of A and B in L1 to the next where nothing but their loads takes time, and
/// how much longer the first takes, before which nothing was requested.
struct ChunkCost {
  double period = 0, first = 0;
};

/// Of `rows` of A and `cols` of B (all sides), `depth` deep. A load ends when it has streamed from
/// L2 and, where it misses, when its bytes have come from HBM, of which each core has its share,
/// and the latency is over (docs/model.md, "Memory").
ChunkCost chunk_cost(const GemmShape& shape, const GemmTiles& tiles, const Dealing& dealing,
                     double cores, double rows, double cols, double depth, const Machine& machine) {
  const double width = bytes_of(shape.type);
  const double stream_share =
      std::min(machine.mte2.l1_bytes_per_cycle, machine.l2.read_bytes_per_cycle / cores);
  const double hbm_share = hbm_bytes_per_cycle(machine) / cores;
  const double latency = machine.hbm.read_latency_cycles;
  const double fixed = machine.mte2.fixed_cycles;
  const double a_bytes = rows * depth * width;
  const double b_bytes = cols * depth * width;
  const double a_burst = depth * width;
  const double b_burst =
      shape.fractal ? depth * 32 : cols * width / static_cast<double>(shape.sides());
  const auto flow_of = [&](double bytes, double burst, double sharers) {
    return bytes * (1 + machine.hbm.burst_overhead_bytes / burst) / (hbm_share * sharers);
  };
  const double a_flow = flow_of(a_bytes, a_burst, dealing.a_sharers);
  const double b_flow = flow_of(b_bytes, b_burst, dealing.b_sharers);
  const double b_stream = b_bytes / stream_share;
  const auto a_load = [&](bool misses) {
    return std::max(a_bytes / stream_share, misses ? a_flow + latency : 0) + fixed;
  };
  // B is requested while the load before runs, or the one before that if it has been issued.
  const bool ahead = b_burst >= static_cast<double>(machine.mte2.lookahead_burst_bytes);
  const bool prefetched = requested_before(shape, tiles, machine) == 1;
  const auto from_start = [&](double a, double a_arrival) {
    return std::max(a + b_stream, a_arrival + b_flow + latency) + fixed;
  };
  const auto period_of = [&](bool a_misses, bool b_misses) {
    const double a = a_load(a_misses);
    const double from_l2 = a + b_stream + fixed;
    if (!b_misses) return from_l2;
    const double from_hbm = b_flow + (a_misses ? a_flow : 0);
    if (ahead && !prefetched) return from_start(a, a_misses ? a_flow : 0);
    if (ahead) return std::max({from_l2, from_hbm, (a + b_flow + latency + fixed) / 2});
    // Cores in step ask for bytes at one moment and wait at the next; those that are not have HBM
    // busy all the time. They are neither: half way.
    const double in_step = a + std::max(b_stream, b_flow + latency) + fixed;
    return (in_step + std::min(in_step, std::max(from_l2 + latency, from_hbm))) / 2;
  };
  ChunkCost cost;
  for (const bool a_misses : {false, true}) {
    for (const bool b_misses : {false, true}) {
      cost.period += (a_misses ? dealing.a_misses : 1 - dealing.a_misses) *
                     (b_misses ? dealing.b_misses : 1 - dealing.b_misses) *
                     period_of(a_misses, b_misses);
    }
  }
  cost.first = std::max(0.0, from_start(a_load(true), a_flow) - period_of(true, true));
  return cost;
}

/// What a core does with one task, in cycles.
struct TaskCost {
  double cube = 0, moves = 0, loads = 0, drain = 0, finish = 0;
  double first_load = 0;  ///< more for its first task
};

TaskCost task_cost(const GemmShape& shape, const GemmTiles& tiles, const Dealing& dealing,
                   double cores, const Machine& machine) {
  const double width = bytes_of(shape.type);
  const auto sides = static_cast<double>(shape.sides());
  const auto most_rows = *std::max_element(shape.expert_rows.begin(), shape.expert_rows.end());
  const auto rows = static_cast<double>(std::min(tiles.tile_m, round_up(most_rows, 16)));
  const int64_t side_cols = std::min(tiles.tile_n, round_up(shape.n, 16));
  const double cols = sides * static_cast<double>(side_cols);
  const double k = static_cast<double>(shape.k) / static_cast<double>(tiles.parts);
  TaskCost cost;
  const double fractals = std::ceil(rows / 16) * std::ceil(cols / 16) *
                          std::ceil(k * width / static_cast<double>(machine.cube.fractal_k_bytes));
  cost.cube = fractals * machine.cube.cycles_per_fractal *
              (shape.type == DType::kF32 ? machine.cube.f32_factor : 1.0);
  const double steps = std::ceil(k / static_cast<double>(tiles.step));
  cost.moves =
      k * width *
          (rows / machine.mte1.l0a_bytes_per_cycle + cols / machine.mte1.l0b_bytes_per_cycle) +
      steps * (1 + sides) * machine.mte1.fixed_cycles;
  const double chunks = std::ceil(k / static_cast<double>(tiles.chunk));
  const ChunkCost chunk = chunk_cost(shape, tiles, dealing, cores, rows, cols, k / chunks, machine);
  cost.loads = chunks * chunk.period;
  cost.first_load = chunk.first;
  const bool has_vectors = tiles.parts > 1 || shape.epilogue.needs_vectors();
  const int64_t out_width = has_vectors ? 4 : bytes_of(shape.out);
  cost.drain = sides * (machine.fixpipe.head_cycles +
                        rows * drain_row_cycles(machine, side_cols, side_cols * out_width));
  if (has_vectors) {
    cost.finish = vector_cycles(shape, machine, rows * static_cast<double>(side_cols), 1);
  }
  return cost;
}

/// Cycles of one task among those before and behind it on its core.
double task_cycles(const GemmShape& shape, const GemmTiles& tiles, const TaskCost& cost,
                   double waves, const Machine& machine) {
  const double products =
      tiles.l0_buffers > 1 ? std::max(cost.cube, cost.moves) : cost.cube + cost.moves;
  // The first chunk has nothing to hide behind.
  const double chunks = std::ceil(static_cast<double>(shape.k) / static_cast<double>(tiles.parts) /
                                  static_cast<double>(tiles.chunk));
  const double hidden = std::min(products, cost.loads) * (1 - 1 / (waves * chunks));
  const double inner = cost.loads + products - requested_before(shape, tiles, machine) * hidden;
  const double drained = tiles.l0c_buffers > 1 ? std::max(inner, cost.drain) : inner + cost.drain;
  return tiles.parts == 1 ? std::max(drained, cost.finish) : drained;
}

}  // namespace

double gemm_estimate_us(const Problem& problem, const Config& config, const Machine& machine) {
  const GemmShape shape = gemm_shape(problem);
  const GemmTiles tiles(shape, config, machine);
  const TaskGrid grid = shape.grid(config.at("tile_m"), config.at("tile_n"), tiles.parts);
  const Dealing dealing = dealing_of(shape, tiles, grid, machine);
  const int64_t cores = std::min(grid.tasks(), tiles.cores);
  const auto cost_among = [&](int64_t working) {
    return task_cost(shape, tiles, dealing, static_cast<double>(working), machine);
  };
  const auto cycles_of = [&](const TaskCost& cost) {
    return task_cycles(shape, tiles, cost, dealing.waves, machine);
  };
  const TaskCost cost = cost_among(cores);
  double work = dealing.waves * cycles_of(cost);
  // A last wave of few tasks has the memories for itself.
  const int64_t last = grid.tasks() % tiles.cores;
  if (tiles.core_rows == 0 && last > 0 && dealing.waves > 1) {
    work += cycles_of(cost_among(last)) - cycles_of(cost);
  }
  double end = tiles.l0c_buffers > 1 ? cost.drain : 0;
  if (tiles.parts > 1) {
    // Then all vector cores add the parts.
    const double elements = static_cast<double>(shape.m * shape.n);
    end += machine.sync.barrier_cycles +
           vector_cycles(shape, machine, elements, static_cast<double>(tiles.parts)) /
               static_cast<double>(machine.cores.aic);
  } else if (cost.finish > 0) {
    end += machine.sync.handover_cycles + cost.finish;
  }
  const double start =
      machine.launch.dispatch_cycles + machine.launch.launch_us * machine.cores.clock_mhz;
  return (start + cost.first_load + work + end) / machine.cores.clock_mhz;
}

}  // namespace tilewright
