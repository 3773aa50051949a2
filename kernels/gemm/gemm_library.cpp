#include "kernels/gemm/gemm_library.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/integers.h"

namespace tilewright {

namespace {

constexpr int64_t kBand = 3;

/// Depth of a chunk in L1; that of a step in L0 is a quarter.
int64_t chunk_of(DType type) {
  return bytes_of(type) == 1 ? 512 : 256;
}

/// 2 where two of `bytes` fit into `capacity`, else 1.
int64_t doubled(int64_t bytes, int64_t capacity) {
  return 2 * bytes <= capacity ? 2 : 1;
}

int64_t l1_bytes_of(const LibraryTile& tile, DType type) {
  return (tile.rows + tile.columns) * chunk_of(type) * bytes_of(type);
}

int64_t l0c_bytes_of(const LibraryTile& tile) {
  return tile.rows * tile.columns * 4;
}

bool fits(const LibraryTile& tile, DType type, const Machine& machine) {
  const int64_t step_bytes = chunk_of(type) / 4 * bytes_of(type);
  return l1_bytes_of(tile, type) <= machine.buffers.l1_bytes &&
         l0c_bytes_of(tile) <= machine.buffers.l0c_bytes &&
         2 * tile.rows * step_bytes <= machine.buffers.l0a_bytes &&
         2 * tile.columns * step_bytes <= machine.buffers.l0b_bytes;
}

}  // namespace

std::vector<LibraryTile> library_tiles(DType type, std::string_view layout) {
  const bool narrow = bytes_of(type) <= 2;
  std::vector<LibraryTile> tiles =
      narrow ? std::vector<LibraryTile>{{64, 256}, {128, 256}, {256, 128}, {128, 128}}
             : std::vector<LibraryTile>{{64, 128}, {128, 128}, {128, 64}, {64, 64}};
  const int64_t flat_columns = layout == "nz" ? 64 : narrow ? 256 : 128;
  tiles.insert(tiles.begin(), {32, flat_columns});
  return tiles;
}

LibraryTile library_tile(const Problem& problem, const Machine& machine) {
  const DType type = problem.types[0];
  const int64_t m = problem.size("m");
  const int64_t n = problem.size("n");
  const auto loads_of = [&](const LibraryTile& tile) {
    const int64_t tiles = ceil_div(m, tile.rows) * ceil_div(n, tile.columns);
    return ceil_div(tiles, machine.cores.aic) *
           (std::min(tile.rows, m) + std::min(tile.columns, n));
  };
  std::vector<LibraryTile> shipped = library_tiles(type, problem.layouts[1]);
  const LibraryTile smallest = shipped.front();
  std::erase_if(shipped, [&](const LibraryTile& tile) { return !fits(tile, type, machine); });
  if (shipped.empty()) {
    throw Error(ErrorKind::kInfeasible,
                fmt::format("no tile of gemm_library fits machine {}: the smallest is {} x {} of "
                            "{}; kernel gemm has smaller ones",
                            machine.name, smallest.rows, smallest.columns, name_of(type)));
  }
  return *std::ranges::min_element(shipped, {}, loads_of);
}

std::string GemmLibraryKernel::summary() const {
  return "baseline: the best of five fixed tiles by a static rule of shape";
}

Problem GemmLibraryKernel::problem(const ProblemRequest& request) const {
  Problem problem = GemmKernel::problem(request);
  if (problem.epilogue != "none") {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} has no epilogue '{}'; known is none", name(), problem.epilogue));
  }
  return problem;
}

Config GemmLibraryKernel::default_config(const Problem& problem, const Machine& machine) const {
  const DType type = problem.types[0];
  const LibraryTile tile = library_tile(problem, machine);
  Config config = GemmKernel::default_config(problem, machine);
  const auto set = [&](std::string_view name, int64_t value) {
    const auto at = std::ranges::find(config.values, name, &std::pair<std::string, int64_t>::first);
    at->second = value;
  };
  set("tile_m", tile.rows);
  set("tile_n", tile.columns);
  set("tile_k", chunk_of(type));
  set("tile_k0", chunk_of(type) / 4);
  set("l1_buffers", doubled(l1_bytes_of(tile, type), machine.buffers.l1_bytes));
  set("l0c_buffers", doubled(l0c_bytes_of(tile), machine.buffers.l0c_bytes));
  set("swizzle", problem.size("m") >= problem.size("n") ? kBand : -kBand);
  set("core_rows", 0);
  return config;
}

Space GemmLibraryKernel::space(const Problem& problem, const Machine& machine) const {
  std::vector<Parameter> parameters;
  for (const auto& [name, value] : default_config(problem, machine).values) {
    parameters.push_back({name, "fixed", {value}});
  }
  return {std::move(parameters), {}};
}

}  // namespace tilewright
