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

std::vector<LibraryTile> library_tiles(DType type) {
  const int64_t columns = bytes_of(type) <= 2 ? 256 : 128;
  std::vector<LibraryTile> tiles;
  for (const int64_t rows : {16, 32, 64, 128}) tiles.push_back({rows, columns});
  tiles.push_back({128, columns / 2});
  return tiles;
}

LibraryTile library_tile(const Problem& problem, const Machine& machine) {
  const DType type = problem.types[0];
  const std::vector<LibraryTile> tiles = library_tiles(type);
  const LibraryTile& narrow = tiles.back();
  size_t taken = tiles.size() - 1;
  if (problem.size("n") > narrow.columns || !fits(narrow, type, machine)) {
    taken = 0;
    while (taken + 2 < tiles.size() && tiles[taken].rows < problem.size("m")) ++taken;
    while (taken > 0 && !fits(tiles[taken], type, machine)) --taken;
  }
  if (!fits(tiles[taken], type, machine)) {
    throw Error(ErrorKind::kInfeasible,
                fmt::format("no tile of gemm_library fits machine {}: the smallest is {} x {} of "
                            "{}; kernel gemm has smaller ones",
                            machine.name, tiles[taken].rows, tiles[taken].columns, name_of(type)));
  }
  return tiles[taken];
}

std::string GemmLibraryKernel::summary() const {
  return "baseline: one of five fixed tiles by a static rule of shape";
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
