#include "kernels/gemm/gemm_bound.h"

#include <algorithm>
#include <limits>

#include "core/base/integers.h"
#include "simulator/cost.h"
#include "simulator/memory.h"

namespace tilewright {

namespace {

constexpr int64_t kFractal = 16;  // the least step of tiles

/// Sizes and rates of a GEMM as the formulas need them: elements, bytes, cycles.
class Limits {
 public:
  Limits(const Problem& problem, const Machine& machine, int64_t parts)
      : machine_(machine),
        width_(static_cast<double>(bytes_of(problem.types[0]))),
        out_width_(static_cast<double>(bytes_of(problem.types[2]))),
        m_(problem.size("m")),
        n_(problem.size("n")),
        k_(problem.size("k")),
        parts_(parts),
        has_rows_in_gm_(problem.layouts[1] == "nd"),
        f32_factor_(problem.types[0] == DType::kF32 ? machine.cube.f32_factor : 1.0) {}

  /// Cycles after the start of the launch by each limit, for tiles of tile_m x tile_n.
  std::array<double, kGemmLimitCount> of_tile(int64_t tile_m, int64_t tile_n) const {
    const double rows = tiles_of(m_, tile_m);
    const double columns = tiles_of(n_, tile_n);
    const double cores = std::min(static_cast<double>(machine_.cores.aic),
                                  rows * columns * static_cast<double>(parts_));
    const double first = machine_.mte2.fixed_cycles + machine_.hbm.read_latency_cycles;
    const double last = machine_.fixpipe.head_cycles;
    return {first + compute() / cores + last, loads(rows, columns, cores) + last,
            first + moves(rows, columns) / cores + last, first + drains(rows, columns) / cores,
            hbm(tile_n) + last};
  }

 private:
  static double tiles_of(int64_t size, int64_t tile) {
    return static_cast<double>(ceil_div(size, tile));
  }

  /// Matrix instructions at the rate of whole fractals, without heads.
  double compute() const {
    const int64_t depth = machine_.cube.fractal_k_bytes;
    const int64_t steps = ceil_div(m_, machine_.cube.fractal_m) *
                          ceil_div(n_, machine_.cube.fractal_n) *
                          ceil_div(k_ * static_cast<int64_t>(width_), depth);
    return static_cast<double>(steps) * machine_.cube.cycles_per_fractal * f32_factor_;
  }

  /// Every tile loads its rows of A and its columns of B.
  double loads(double rows, double columns, double cores) const {
    const double bytes = width_ * static_cast<double>(k_) *
                         (static_cast<double>(m_) * columns + static_cast<double>(n_) * rows);
    return bytes / std::min(cores * machine_.mte2.l1_bytes_per_cycle,
                            machine_.l2.read_bytes_per_cycle) +
           machine_.mte2.fixed_cycles;
  }

  /// The same bytes from L1 to L0.
  double moves(double rows, double columns) const {
    return width_ * static_cast<double>(k_) *
           (static_cast<double>(m_) * columns / machine_.mte1.l0a_bytes_per_cycle +
            static_cast<double>(n_) * rows / machine_.mte1.l0b_bytes_per_cycle);
  }

  /// Every row of every tile at no less than its least cost, every byte at the fixpipe's rate.
  double drains(double rows, double columns) const {
    const double row =
        std::max(columns * machine_.fixpipe.row_cycles,
                 static_cast<double>(n_) * out_width_ / machine_.fixpipe.bytes_per_cycle);
    return static_cast<double>(m_) * row + rows * columns * machine_.fixpipe.head_cycles;
  }

  /// Both operands once. Of row-major weights every row of a tile is a burst.
  double hbm(int64_t tile_n) const {
    const bool in_bursts = has_rows_in_gm_ && tile_n < n_;
    const double burst = static_cast<double>(tile_n) * width_;
    const double overhead = in_bursts ? 1 + machine_.hbm.burst_overhead_bytes / burst : 1;
    const double bytes = width_ * static_cast<double>(k_) *
                         (static_cast<double>(m_) + overhead * static_cast<double>(n_));
    return bytes / hbm_bytes_per_cycle(machine_) + machine_.hbm.read_latency_cycles +
           machine_.mte2.fixed_cycles;
  }

  const Machine& machine_;
  double width_, out_width_;
  int64_t m_, n_, k_, parts_;
  bool has_rows_in_gm_;
  double f32_factor_;
};

}  // namespace

std::string_view name_of(GemmLimit limit) {
  constexpr std::string_view kNames[] = {"compute", "gm_to_l1", "l1_to_l0", "fixpipe", "hbm"};
  return kNames[static_cast<size_t>(limit)];
}

GemmBound gemm_bound(const Problem& problem, const Machine& machine, int64_t parts) {
  const Limits limits(problem, machine, parts);
  const int64_t sums = machine.buffers.l0c_bytes / 4;
  const double start = static_cast<double>(launch_ticks_of(machine)) / kTicksPerCycle;
  const auto us_of = [&](double cycles) { return (start + cycles) / machine.cores.clock_mhz; };
  GemmBound bound;
  bound.bound_us = std::numeric_limits<double>::infinity();
  bound.limit_us.fill(bound.bound_us);
  const int64_t most_rows = round_up(problem.size("m"), kFractal);
  const int64_t most_columns = round_up(problem.size("n"), kFractal);
  for (int64_t m = kFractal; m <= most_rows && m * kFractal <= sums; m += kFractal) {
    for (int64_t n = kFractal; n <= most_columns && m * n <= sums; n += kFractal) {
      const auto cycles = limits.of_tile(m, n);
      for (size_t i = 0; i < cycles.size(); ++i) {
        bound.limit_us[i] = std::min(bound.limit_us[i], us_of(cycles[i]));
      }
      const auto longest = std::ranges::max_element(cycles);
      if (us_of(*longest) >= bound.bound_us) continue;
      bound.bound_us = us_of(*longest);
      bound.limit = static_cast<GemmLimit>(longest - cycles.begin());
      bound.tile_m = m;
      bound.tile_n = n;
    }
  }
  return bound;
}

}  // namespace tilewright
