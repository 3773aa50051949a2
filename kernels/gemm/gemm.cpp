#include "kernels/gemm/gemm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/integers.h"
#include "core/base/random.h"
#include "core/base/text.h"
#include "kernels/gemm/gemm_launch.h"
#include "simulator/memory.h"

namespace tilewright {

namespace {

/// Values that are worth trying for a dimension: those below its size, and the first that covers
/// it.
std::vector<int64_t> useful(std::vector<int64_t> values, int64_t size) {
  const auto cover =
      std::find_if(values.begin(), values.end(), [&](int64_t v) { return v >= size; });
  if (cover != values.end()) values.erase(cover + 1, values.end());
  return values;
}

/// Which single parameter could be lowered so that `needed` comes down to `capacity`, and to what:
/// "tile_m=64 or tile_n=128", or that it takes more than one.
std::string what_would_fit(const std::vector<Parameter>& parameters,
                           std::span<const int64_t> values, int64_t capacity,
                           const std::function<int64_t(std::span<const int64_t>)>& needed) {
  std::vector<std::string> changes;
  std::vector<std::string> names;
  for (size_t i = 0; i < parameters.size(); ++i) {
    names.push_back(parameters[i].name);
    std::vector<int64_t> changed(values.begin(), values.end());
    for (auto value = parameters[i].values.rbegin(); value != parameters[i].values.rend();
         ++value) {
      changed[i] = *value;
      if (*value >= values[i] || needed(changed) > capacity) continue;
      changes.push_back(fmt::format("{}={}", names.back(), *value));
      break;
    }
  }
  if (changes.empty()) return fmt::format("smaller {} together would fit", join(names, ", "));
  return join(changes, " or ") + " would fit";
}

/// A rule that a buffer holds what the config puts there.
Constraint fits(std::string name, Memory space, int64_t capacity,
                const std::vector<Parameter>& parameters, const std::vector<std::string>& names,
                std::function<int64_t(std::span<const int64_t>)> needed) {
  std::vector<Parameter> used;
  for (const std::string& wanted : names) {
    used.push_back(*std::find_if(parameters.begin(), parameters.end(),
                                 [&](const Parameter& p) { return p.name == wanted; }));
  }
  return {std::move(name), names,
          [=](std::span<const int64_t> values) -> std::string {
            const int64_t bytes = needed(values);
            if (bytes <= capacity) return "";
            return fmt::format("needs {} of {}, the machine has {}: {} too many; {}",
                               format_bytes(static_cast<double>(bytes)), name_of(space),
                               format_bytes(static_cast<double>(capacity)),
                               format_bytes(static_cast<double>(bytes - capacity)),
                               what_would_fit(used, values, capacity, needed));
          },
          Resource{needed, capacity}};
}

}  // namespace

std::string GemmKernel::summary() const {
  return "C = A x B with virtual padding: any m, n, k, no padding in memory";
}

std::vector<SizeInfo> GemmKernel::sizes() const {
  return {{"m", "rows of A and C"}, {"n", "columns of B and C"}, {"k", "columns of A, rows of B"}};
}

Problem GemmKernel::problem(const ProblemRequest& request) const {
  Problem problem;
  problem.kernel = name();
  problem.sizes = read_sizes(*this, request);
  const DType type = parse_dtype(request.dtype.empty() ? "f16" : request.dtype);
  if (type == DType::kI32) {
    throw Error(ErrorKind::kUsage, "gemm multiplies f16, bf16, f32 or i8, not i32");
  }
  problem.types = {type, type, type == DType::kI8 ? DType::kI32 : type};
  if (!request.out_dtype.empty()) {
    const DType out = parse_dtype(request.out_dtype);
    if (out != problem.types[2] && (out != DType::kF32 || type == DType::kI8)) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("gemm of {} stores {} or f32, not {}", name_of(type),
                              name_of(problem.types[2]), name_of(out)));
    }
    problem.types[2] = out;
  }
  const std::string layout = request.layout.empty() ? "nd" : request.layout;
  if (layout != "nd" && layout != "nz") {
    throw Error(ErrorKind::kUsage,
                fmt::format("unknown layout '{}' of the weights; known are nd and nz", layout));
  }
  const int64_t c0 = 32 / bytes_of(type);
  if (layout == "nz" && (problem.size("k") % 16 != 0 || problem.size("n") % c0 != 0)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("layout nz needs k in multiples of 16 and n in multiples of {}, got "
                            "k={} n={}; use layout nd",
                            c0, problem.size("k"), problem.size("n")));
  }
  problem.layouts = {"nd", layout, "nd"};
  if (!request.epilogue.empty() && request.epilogue != "none") {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} has no epilogue '{}'; known is none", name(), request.epilogue));
  }
  return problem;
}

namespace {

/// 0, and the heights of core grids that are not much longer than wide (a grid of r x c cores reads
/// r + c rows and columns of tiles at a time).
std::vector<int64_t> core_grid_rows(int64_t cores) {
  constexpr int64_t kMostStretch = 3;
  std::vector<int64_t> rows = {0};
  for (int64_t r = 1; r <= cores; ++r) {
    const int64_t columns = cores / r;
    if (r * columns != cores || cores == 1) continue;
    if (r <= kMostStretch * columns && columns <= kMostStretch * r) rows.push_back(r);
  }
  return rows;
}

Space gemm_space(const Problem& problem, const Machine& machine) {
  const int64_t width = bytes_of(problem.types[0]);
  const auto& buffers = machine.buffers;
  // A row of fractals in L1 is 32 bytes wide: B's columns are padded to it.
  const int64_t column_unit = std::max<int64_t>(16, 32 / width);
  const int64_t depth_unit = machine.cube.fractal_k_bytes / width;
  const int64_t k = round_up(problem.size("k"), depth_unit);
  std::vector<int64_t> steps = {16, 32, 64, 128, 256};
  std::erase_if(steps, [&](int64_t step) { return step % depth_unit != 0; });
  std::vector<Parameter> parameters = {
      {"tile_m", "rows of a tile of C",
       useful({16, 32, 48, 64, 96, 128, 192, 256}, problem.size("m"))},
      {"tile_n", "columns of a tile of C",
       useful({16, 32, 64, 96, 128, 192, 256, 320, 384, 512}, problem.size("n"))},
      {"tile_k", "depth of a chunk in L1", useful({64, 128, 256, 512, 1024, 2048}, k)},
      {"tile_k0", "depth of a step in L0", useful(steps, k)},
      {"l1_buffers", "K chunks that L1 holds", {1, 2}},
      {"l0c_buffers", "tiles of sums that L0C holds", {1, 2}},
      {"swizzle",
       "rows of tiles in a band walked column by column, every other one backwards; 0: row by row",
       {0, 1, 2, 4, 8}},
      {"core_rows", "rows of a grid of cores with a rectangle of tiles each; 0: dealt in turn",
       core_grid_rows(machine.cores.aic)},
  };
  std::vector<Constraint> constraints;
  constraints.push_back(fits("L0C", Memory::kL0C, buffers.l0c_bytes, parameters,
                             {"tile_m", "tile_n", "l0c_buffers"}, [column_unit](auto v) {
                               return round_up(v[0], 16) * round_up(v[1], column_unit) * 4 * v[2];
                             }));
  constraints.push_back(fits("L0A", Memory::kL0A, buffers.l0a_bytes, parameters,
                             {"tile_m", "tile_k0"},
                             [width](auto v) { return 2 * round_up(v[0], 16) * v[1] * width; }));
  constraints.push_back(fits(
      "L0B", Memory::kL0B, buffers.l0b_bytes, parameters, {"tile_n", "tile_k0"},
      [width, column_unit](auto v) { return 2 * round_up(v[0], column_unit) * v[1] * width; }));
  constraints.push_back(
      fits("L1", Memory::kL1, buffers.l1_bytes, parameters,
           {"tile_m", "tile_n", "tile_k", "l1_buffers"}, [width, column_unit](auto v) {
             return (round_up(v[0], 16) + round_up(v[1], column_unit)) * v[2] * width * v[3];
           }));
  constraints.push_back({"depth", {"tile_k", "tile_k0"}, [](auto v) -> std::string {
                           if (v[0] % v[1] == 0) return "";
                           return fmt::format("tile_k={} is not a multiple of tile_k0={}", v[0],
                                              v[1]);
                         }});
  const int64_t m = problem.size("m");
  constraints.push_back({"band", {"tile_m", "swizzle"}, [m](auto v) -> std::string {
                           const int64_t rows = (m + v[0] - 1) / v[0];
                           if (v[1] <= 1 || v[1] < 2 * rows) return "";
                           return fmt::format(
                               "swizzle={} with only {} rows of tiles repeats a smaller "
                               "one; use swizzle=1",
                               v[1], rows);
                         }});
  const int64_t n = problem.size("n");
  const int64_t cores = machine.cores.aic;
  constraints.push_back(
      {"grid", {"tile_m", "tile_n", "swizzle", "core_rows"}, [m, n, cores](auto v) -> std::string {
         if (v[3] == 0) return "";
         if (v[2] != 1) {
           return fmt::format(
               "core_rows={} deals rectangles, which swizzle={} does not order; use "
               "swizzle=1 or core_rows=0",
               v[3], v[2]);
         }
         const int64_t rows = ceil_div(m, v[0]);
         const int64_t columns = ceil_div(n, v[1]);
         if (v[3] <= rows && cores / v[3] <= columns) return "";
         return fmt::format("core_rows={} makes {} x {} cores for {} x {} tiles; use core_rows=0",
                            v[3], v[3], cores / v[3], rows, columns);
       }});
  return {std::move(parameters), std::move(constraints)};
}

Config gemm_default(const Problem& problem, const Machine& machine) {
  // CATLASS's default block, shrunk to the problem where a dimension is smaller.
  const Space all = gemm_space(problem, machine);
  const auto at_most = [&](size_t parameter, int64_t wanted) {
    int64_t chosen = all.parameters()[parameter].values.front();
    for (int64_t value : all.parameters()[parameter].values) {
      if (value <= wanted) chosen = value;
    }
    return chosen;
  };
  const int64_t width = bytes_of(problem.types[0]);
  Config config;
  config.values = {{"tile_m", at_most(0, 128)},
                   {"tile_n", at_most(1, width == 4 ? 128 : 256)},
                   {"tile_k", at_most(2, 512 / width)},
                   {"tile_k0", at_most(3, 128 / width)},
                   {"l1_buffers", 2},
                   {"l0c_buffers", 1},
                   {"swizzle", 1},
                   {"core_rows", 0}};
  if (const std::string why = all.violation(config); !why.empty()) {
    // A machine with smaller buffers: the first legal config stands in.
    const std::vector<Config> legal = all.enumerate();
    if (legal.empty()) {
      throw Error(ErrorKind::kInfeasible, fmt::format("no tile of {} fits machine {}: {}",
                                                      problem.text(), machine.name, why));
    }
    return legal.front();
  }
  return config;
}

}  // namespace

Space GemmKernel::space(const Problem& problem, const Machine& machine) const {
  return gemm_space(problem, machine);
}

Config GemmKernel::default_config(const Problem& problem, const Machine& machine) const {
  return gemm_default(problem, machine);
}

Launch GemmKernel::build(const Problem& problem, const Config& config,
                         const Machine& machine) const {
  return build_gemm_launch(problem, config, machine, problem.size("m"));
}

void GemmKernel::fill_inputs(const Problem& problem, const Launch& launch,
                             const InputValues& values, GmImage& image) const {
  for (size_t t : {size_t{0}, size_t{1}}) {
    const Tensor& tensor = launch.tensors[t];
    // Pad rows in memory (gemm_padded) hold zeros, as a padded tensor would.
    const int64_t rows = t == 0 ? problem.size("m") : tensor.rows;
    std::vector<float> filled = input_values(tensor.type, rows, tensor.cols, -1, 1, values, t);
    filled.resize(static_cast<size_t>(tensor.rows * tensor.cols));
    image[t] = write_tensor(tensor, filled);
  }
}

std::vector<ExpectedTensor> GemmKernel::reference(const Problem& problem, const Launch& launch,
                                                  const GmImage& inputs) const {
  const int64_t m = problem.size("m");
  const int64_t n = problem.size("n");
  const int64_t k = problem.size("k");
  const std::vector<float> a = read_tensor(launch.tensors[0], inputs[0]);
  const std::vector<float> b = read_tensor(launch.tensors[1], inputs[1]);
  ExpectedTensor expected{2, m, n, std::vector<double>(static_cast<size_t>(m * n)), 0, 0};
  std::vector<double>& magnitudes = expected.errors;
  magnitudes.resize(expected.values.size());
  for (int64_t i = 0; i < m; ++i) {
    double* row = expected.values.data() + i * n;
    for (int64_t x = 0; x < k; ++x) {
      const double left = a[static_cast<size_t>(i * k + x)];
      const float* right = b.data() + x * n;
      double* magnitude = magnitudes.data() + i * n;
      for (int64_t j = 0; j < n; ++j) {
        const double product = left * static_cast<double>(right[j]);
        row[j] += product;
        magnitude[j] += std::abs(product);
      }
    }
  }
  const double per_magnitude = problem.types[0] == DType::kI8 ? 0 : sum_error(k);
  // Sums that f32 itself cannot hold exactly where they are tiny: half a subnormal a product.
  const double subnormal = static_cast<double>(k) * subnormal_error(DType::kF32);
  for (double& error : magnitudes) error = error * per_magnitude + subnormal;
  expected.absolute = subnormal_error(problem.types[2]);
  expected.relative = rounding_unit(problem.types[2]);
  return {expected};
}

std::string GemmPaddedKernel::summary() const {
  return "baseline: one fixed tile, m padded in memory to whole tiles";
}

Config GemmPaddedKernel::default_config(const Problem& problem, const Machine& machine) const {
  // The tile of a large problem, whatever the size of this one.
  Problem large = problem;
  for (auto& [name, value] : large.sizes) value = std::max<int64_t>(value, 256);
  return gemm_default(large, machine);
}

Space GemmPaddedKernel::space(const Problem& problem, const Machine& machine) const {
  std::vector<Parameter> parameters;
  for (const auto& [name, value] : default_config(problem, machine).values) {
    parameters.push_back({name, "fixed", {value}});
  }
  return {std::move(parameters), {}};
}

Launch GemmPaddedKernel::build(const Problem& problem, const Config& config,
                               const Machine& machine) const {
  const int64_t tile = config.at("tile_m");
  return build_gemm_launch(problem, config, machine, round_up(problem.size("m"), tile));
}

namespace {

/// What the order of tiles means for the estimate: tiles that a core does one after another, the
/// share of loads of A and B that miss in L2, and how many cores wait for the same missing bytes.
struct Dealing {
  double waves = 0;
  double a_misses = 0, b_misses = 0;
  double a_sharers = 0, b_sharers = 0;
};

Dealing dealing_of(const Config& config, int64_t tile_rows, int64_t tile_columns, int64_t aics,
                   bool l2_holds_b) {
  if (const int64_t core_rows = config.at("core_rows"); core_rows > 0) {
    // A core walks its rectangle row by row: A misses on the first tile of a row, B on the first
    // row; a row of cores shares A, a column of cores B.
    const int64_t core_columns = aics / core_rows;
    const auto rows = static_cast<double>(ceil_div(tile_rows, core_rows));
    const auto columns = static_cast<double>(ceil_div(tile_columns, core_columns));
    return {rows * columns, 1 / columns, 1 / rows, static_cast<double>(core_columns),
            static_cast<double>(core_rows)};
  }
  // The first band of tiles misses on B, the first wave of each band on A. A wave's cores share the
  // HBM, and what tiles of one row or column have in common comes only once.
  const int64_t tiles = tile_rows * tile_columns;
  const int64_t swizzle = config.at("swizzle");
  const int64_t band = std::clamp<int64_t>(swizzle, 1, tile_rows);
  const auto waves = static_cast<double>(ceil_div(tiles, aics));
  const auto bands = static_cast<double>(ceil_div(tile_rows, band));
  const auto sharers = static_cast<double>(band);
  const auto cores = static_cast<double>(std::min(tiles, aics));
  // Walked always forwards, a B that L2 does not hold misses in every row.
  const double b_misses = swizzle == 0 && !l2_holds_b ? 1 : 1 / bands;
  return {waves, std::min(1.0, bands / waves), b_misses, std::max(1.0, cores / sharers), sharers};
}

}  // namespace

double gemm_estimate_us(const Problem& problem, const Config& config, const Machine& machine) {
  const auto width = static_cast<double>(bytes_of(problem.types[0]));
  const auto out_width = static_cast<double>(bytes_of(problem.types[2]));
  const int64_t m = problem.size("m");
  const int64_t n = problem.size("n");
  const auto k = static_cast<double>(problem.size("k"));
  const int64_t tile_m = config.at("tile_m");
  const int64_t tile_n = config.at("tile_n");
  const int64_t tile_rows = (m + tile_m - 1) / tile_m;
  const int64_t tiles = tile_rows * ceil_div(n, tile_n);
  const Dealing dealing = dealing_of(
      config, tile_rows, ceil_div(n, tile_n), machine.cores.aic,
      k * width * static_cast<double>(n) < static_cast<double>(machine.l2.capacity_bytes));
  const auto rows = static_cast<double>(std::min(tile_m, round_up(m, 16)));
  const auto cols = static_cast<double>(std::min(tile_n, round_up(n, 16)));
  const auto cores = static_cast<double>(std::min(tiles, machine.cores.aic));

  const double fractals = std::ceil(rows / 16) * std::ceil(cols / 16) *
                          std::ceil(k * width / static_cast<double>(machine.cube.fractal_k_bytes));
  const double cube = fractals * machine.cube.cycles_per_fractal *
                      (problem.types[0] == DType::kF32 ? machine.cube.f32_factor : 1.0);
  const double moves =
      k * width *
      (rows / machine.mte1.l0a_bytes_per_cycle + cols / machine.mte1.l0b_bytes_per_cycle);

  const double share =
      std::min(machine.mte2.l1_bytes_per_cycle, machine.l2.read_bytes_per_cycle / cores);
  const double hbm_share = hbm_bytes_per_cycle(machine) / cores;
  const auto cycles_of = [&](double bytes, double missing, double sharers) {
    return bytes * (1 - missing) / share + bytes * missing / std::min(share, hbm_share * sharers);
  };
  const double chunks = std::ceil(k / static_cast<double>(config.at("tile_k")));
  const double loads =
      cycles_of(k * width * cols, dealing.b_misses, dealing.b_sharers) +
      cycles_of(k * width * rows, dealing.a_misses, dealing.a_sharers) +
      chunks * (2 * machine.mte2.fixed_cycles +
                (dealing.a_misses + dealing.b_misses) * machine.hbm.read_latency_cycles);

  const double drain = machine.fixpipe.head_cycles +
                       rows * std::max(machine.fixpipe.row_cycles,
                                       cols * out_width / machine.fixpipe.bytes_per_cycle);
  const bool double_buffered = config.at("l1_buffers") > 1;
  const double inner =
      double_buffered ? std::max({cube, moves, loads}) : loads + std::max(cube, moves);
  const double per_tile = config.at("l0c_buffers") > 1 ? std::max(inner, drain) : inner + drain;
  const double start =
      machine.launch.dispatch_cycles + machine.launch.launch_us * machine.cores.clock_mhz;
  return (start + dealing.waves * per_tile + drain) / machine.cores.clock_mhz;
}

}  // namespace tilewright
