#include <algorithm>
#include <cmath>

#include "core/base/integers.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/gemm_cube.h"
#include "kernels/gemm/gemm_shape.h"
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
/// share the HBM, and what tiles of one row or column have in common comes only once.
Dealing bands(int64_t tile_rows, int64_t tasks, int64_t tiles, int64_t swizzle, int64_t cores,
              bool l2_holds_b) {
  const int64_t band = std::clamp<int64_t>(swizzle, 1, tile_rows);
  const auto waves = static_cast<double>(ceil_div(tasks, cores));
  const auto bands = static_cast<double>(ceil_div(tile_rows, band));
  const auto sharers = static_cast<double>(band);
  const auto working = static_cast<double>(std::min(tiles, cores));
  // Walked always forwards, a B that L2 does not hold misses in every row.
  const double b_misses = swizzle == 0 && !l2_holds_b ? 1 : 1 / bands;
  return {waves, std::min(1.0, bands / waves), b_misses, std::max(1.0, working / sharers), sharers};
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
    return bands(rows, grid.tasks(), grid.tiles(), tiles.swizzle, tiles.cores, weights < l2);
  }
  const Dealing turned =
      bands(grid.columns, grid.tasks(), grid.tiles(), -tiles.swizzle, tiles.cores, true);
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

/// What a core does with one task, in cycles.
struct TaskCost {
  double cube = 0, moves = 0, loads = 0, drain = 0, finish = 0;
};

TaskCost task_cost(const GemmShape& shape, const GemmTiles& tiles, const Dealing& dealing,
                   double cores, const Machine& machine) {
  const double width = bytes_of(shape.type);
  const auto most_rows = *std::max_element(shape.expert_rows.begin(), shape.expert_rows.end());
  const auto rows = static_cast<double>(std::min(tiles.tile_m, round_up(most_rows, 16)));
  const auto cols =
      static_cast<double>(shape.sides() * std::min(tiles.tile_n, round_up(shape.n, 16)));
  const double k = static_cast<double>(shape.k) / static_cast<double>(tiles.parts);
  TaskCost cost;
  const double fractals = std::ceil(rows / 16) * std::ceil(cols / 16) *
                          std::ceil(k * width / static_cast<double>(machine.cube.fractal_k_bytes));
  cost.cube = fractals * machine.cube.cycles_per_fractal *
              (shape.type == DType::kF32 ? machine.cube.f32_factor : 1.0);
  cost.moves = k * width *
               (rows / machine.mte1.l0a_bytes_per_cycle + cols / machine.mte1.l0b_bytes_per_cycle);
  const double share =
      std::min(machine.mte2.l1_bytes_per_cycle, machine.l2.read_bytes_per_cycle / cores);
  const double hbm_share = hbm_bytes_per_cycle(machine) / cores;
  const auto cycles_of = [&](double bytes, double missing, double sharers) {
    return bytes * (1 - missing) / share + bytes * missing / std::min(share, hbm_share * sharers);
  };
  const double chunks = std::ceil(k / static_cast<double>(tiles.chunk));
  cost.loads = cycles_of(k * width * cols, dealing.b_misses, dealing.b_sharers) +
               cycles_of(k * width * rows, dealing.a_misses, dealing.a_sharers) +
               chunks * (2 * machine.mte2.fixed_cycles +
                         (dealing.a_misses + dealing.b_misses) * machine.hbm.read_latency_cycles);
  const bool has_vectors = tiles.parts > 1 || shape.epilogue.needs_vectors();
  const double out_width = has_vectors ? 4 : bytes_of(shape.out);
  cost.drain = machine.fixpipe.head_cycles +
               rows * std::max(machine.fixpipe.row_cycles,
                               cols * out_width / machine.fixpipe.bytes_per_cycle);
  if (has_vectors) {
    cost.finish =
        vector_cycles(shape, machine, rows * cols / static_cast<double>(shape.sides()), 1);
  }
  return cost;
}

}  // namespace

double gemm_estimate_us(const Problem& problem, const Config& config, const Machine& machine) {
  const GemmShape shape = gemm_shape(problem);
  const GemmTiles tiles(shape, config, machine);
  const TaskGrid grid = shape.grid(config.at("tile_m"), config.at("tile_n"), tiles.parts);
  const Dealing dealing = dealing_of(shape, tiles, grid, machine);
  const auto cores = static_cast<double>(std::min(grid.tasks(), tiles.cores));
  const TaskCost cost = task_cost(shape, tiles, dealing, cores, machine);

  const double products =
      tiles.l0_buffers > 1 ? std::max(cost.cube, cost.moves) : cost.cube + cost.moves;
  // The first chunk has nothing to hide behind.
  const double chunks = std::ceil(static_cast<double>(shape.k) / static_cast<double>(tiles.parts) /
                                  static_cast<double>(tiles.chunk));
  const double hidden = std::min(products, cost.loads) * (1 - 1 / (dealing.waves * chunks));
  const double inner = cost.loads + products - (tiles.l1_buffers > 1 ? hidden : 0);
  double per_task = tiles.l0c_buffers > 1 ? std::max(inner, cost.drain) : inner + cost.drain;
  double end = tiles.l0c_buffers > 1 ? cost.drain : 0;
  if (tiles.parts > 1) {
    // Then all vector cores add the parts.
    const double elements = static_cast<double>(shape.m * shape.n);
    end += machine.sync.barrier_cycles +
           vector_cycles(shape, machine, elements, static_cast<double>(tiles.parts)) /
               static_cast<double>(machine.cores.aic);
  } else if (cost.finish > 0) {
    per_task = std::max(per_task, cost.finish);
    end += machine.sync.handover_cycles + cost.finish;
  }
  const double start =
      machine.launch.dispatch_cycles + machine.launch.launch_us * machine.cores.clock_mhz;
  return (start + dealing.waves * per_task + end) / machine.cores.clock_mhz;
}

}  // namespace tilewright
