#include "kernels/vector/vector_kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <span>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/integers.h"
#include "core/base/random.h"

namespace tilewright {

namespace {

/// Values below the size, and the first that covers it.
std::vector<int64_t> useful(std::vector<int64_t> values, int64_t size) {
  const auto cover =
      std::find_if(values.begin(), values.end(), [&](int64_t value) { return value >= size; });
  if (cover != values.end()) values.erase(cover + 1, values.end());
  return values;
}

/// Columns of a tile when `wanted` is an upper bound: rows are cut evenly, at multiples of 16
/// elements, which keep every type on 32-byte boundaries.
int64_t even_columns(int64_t cols, int64_t wanted) {
  if (wanted >= cols) return cols;
  const int64_t even = ceil_div(cols, ceil_div(cols, wanted));
  return std::min(wanted, ceil_div(even, 16) * 16);
}

VectorTile tile_from(std::span<const int64_t> values, int64_t columns, bool cuts) {
  if (cuts) return {values[0], even_columns(columns, values[1]), values[2], 0};
  return {values[0], columns, values[1], 0};
}

/// Which single smaller value would make the tile fit: "tile_rows=4 would fit".
std::string what_fits(std::span<const int64_t> values, const std::vector<Parameter>& parameters,
                      const std::function<bool(std::span<const int64_t>)>& fits) {
  for (size_t p = 0; p < values.size(); ++p) {
    std::vector<int64_t> changed(values.begin(), values.end());
    for (auto value = parameters[p].values.rbegin(); value != parameters[p].values.rend();
         ++value) {
      changed[p] = *value;
      if (*value < values[p] && fits(changed)) {
        return fmt::format("{}={} would fit", parameters[p].name, *value);
      }
    }
  }
  return "a smaller tile with fewer buffers would fit, or none does";
}

}  // namespace

Problem VectorKernel::problem(const ProblemRequest& request) const {
  Problem problem;
  problem.kernel = name();
  problem.sizes = read_sizes(*this, request);
  const DType type = parse_dtype(request.dtype.empty() ? "f16" : request.dtype);
  if (type != DType::kF16 && type != DType::kBF16 && type != DType::kF32) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} works on f16, bf16 or f32, not {}", name(), name_of(type)));
  }
  if (!request.layout.empty() && request.layout != "nd") {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} has no layout '{}'; known is nd", name(), request.layout));
  }
  if (!request.epilogue.empty() && request.epilogue != "none") {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} has no epilogue '{}'; known is none", name(), request.epilogue));
  }
  problem.types = tensor_types(type);
  problem.layouts.assign(problem.types.size(), "nd");
  for (const auto& [size, value] : problem.sizes) {
    if (value > kMaxVectorSize) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("size {}={} of {} is above {}", size, value, name(), kMaxVectorSize));
    }
  }
  check_sizes(problem);
  return problem;
}

void VectorKernel::check_sizes(const Problem&) const {}

Space VectorKernel::space(const Problem& problem, const Machine& machine) const {
  const int64_t columns = column_count(problem);
  const int64_t aivs = machine.cores.aic * machine.cores.aiv_per_aic;
  std::vector<Parameter> parameters = {
      {"tile_rows", "rows of a tile",
       useful({1, 2, 4, 8, 16, 32, 64, 128, 256}, std::min(problem.size("rows"), most_rows()))}};
  std::vector<std::string> sized = {"tile_rows"};
  const bool cuts = cuts_columns();
  if (cuts) {
    parameters.push_back({"tile_cols", "columns of a tile, at most",
                          useful({1024, 2048, 4096, 6144, 8192, 16384}, columns)});
    sized.emplace_back("tile_cols");
  }
  parameters.push_back({"buffers", "tiles that UB holds at once", {1, 2, 3, 4}});
  sized.emplace_back("buffers");
  std::vector<int64_t> cores = {std::max<int64_t>(1, aivs / 4), std::max<int64_t>(1, aivs / 2),
                                aivs};
  cores.erase(std::unique(cores.begin(), cores.end()), cores.end());
  parameters.push_back({"cores", "vector cores used, at most", std::move(cores)});

  const int64_t capacity = machine.buffers.ub_bytes;
  const auto needed = [=, this](std::span<const int64_t> values) {
    return ub_bytes(problem, tile_from(values, columns, cuts), machine);
  };
  const Constraint fits = {
      "UB", std::move(sized),
      [=](std::span<const int64_t> values) -> std::string {
        const int64_t bytes = needed(values);
        if (bytes <= capacity) return "";
        const auto would_fit = [&](std::span<const int64_t> v) { return needed(v) <= capacity; };
        return fmt::format("the tiles need {} of UB, which has {}: {} ({} B) too many; {}",
                           format_bytes(static_cast<double>(bytes)),
                           format_bytes(static_cast<double>(capacity)),
                           format_bytes(static_cast<double>(bytes - capacity)), bytes - capacity,
                           what_fits(values, parameters, would_fit));
      },
      Resource{needed, capacity}};
  return {parameters, {fits}};
}

Config VectorKernel::default_config(const Problem& problem, const Machine& machine) const {
  const std::vector<Config> legal = space(problem, machine).enumerate();
  if (legal.empty()) {
    throw Error(
        ErrorKind::kInfeasible,
        fmt::format("no tile of {} fits the UB of machine {}, {}", problem.text(), machine.name,
                    format_bytes(static_cast<double>(machine.buffers.ub_bytes))));
  }
  // Large transfers reach full bandwidth, and bursts that MTE2 looks ahead for hide the latency of
  // GM; a core with little work takes smaller tiles, so that its first and last still overlap.
  const int64_t width = bytes_of(problem.types[0]);
  const int64_t rows = problem.size("rows");
  const int64_t columns = column_count(problem);
  const int64_t aivs = machine.cores.aic * machine.cores.aiv_per_aic;
  const int64_t share = rows * columns * width / aivs;
  const bool fits = !prefers_whole_rows() || columns * width <= transfer_bytes();
  const bool overlaps = fits && needs_small_tiles(problem);
  const int64_t part =
      overlaps ? static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(share / 4))) : share / 2;
  const int64_t target = std::clamp<int64_t>(part, overlaps ? 8192 : 4096, transfer_bytes());
  // Where tiles must be small, those beyond the target are as far from it as smaller ones.
  const auto suits = [&](int64_t bytes) {
    const bool beyond = overlaps && bytes > target && target < transfer_bytes();
    return beyond ? target * target / bytes : std::min(bytes, target);
  };
  const auto merit = [&](const Config& config) {
    const VectorTile tile = tile_of(problem, config);
    // Rows that a core has at most: the pieces of cut rows go to several cores, or stay together.
    const int64_t pieces = prefers_whole_rows() ? 1 : ceil_div(columns, tile.cols);
    const int64_t bytes = std::min(tile.rows, ceil_div(rows * pieces, aivs)) * tile.cols * width;
    const int64_t burst = loads_whole_tiles() && tile.cols == columns ? bytes : tile.cols * width;
    return std::array<int64_t, 8>{tile.cores,
                                  -std::max(tile.cols, good_columns()),
                                  std::min<int64_t>(tile.buffers, 2),
                                  prefers_whole_rows() && tile.cols == columns ? 1 : 0,
                                  std::min(burst, machine.mte2.lookahead_burst_bytes),
                                  suits(bytes) * tile.buffers,
                                  -tile.rows * tile.cols,
                                  prefers_tall_tiles() ? tile.rows : 0};
  };
  return *std::max_element(legal.begin(), legal.end(),
                           [&](const Config& a, const Config& b) { return merit(a) < merit(b); });
}

VectorTile VectorKernel::tile_of(const Problem& problem, const Config& config) const {
  const int64_t columns = column_count(problem);
  return {config.at("tile_rows"),
          cuts_columns() ? even_columns(columns, config.at("tile_cols")) : columns,
          config.at("buffers"), config.at("cores")};
}

int64_t sector_rows(const VectorTile& tile, DType type) {
  int64_t rows = 1;
  while (rows < tile.rows && rows * tile.cols * bytes_of(type) < 512) rows *= 2;
  return rows;
}

std::vector<std::vector<Piece>> deal_pieces(int64_t rows, int64_t cols, const VectorTile& tile,
                                            int64_t granule, bool starts_small) {
  TW_CHECK(tile.rows % granule == 0, "tiles hold whole granules");
  const int64_t column_pieces = ceil_div(cols, tile.cols);
  const int64_t blocks = ceil_div(rows, granule);
  const int64_t units = column_pieces * blocks;
  const int64_t cores = std::min(units, tile.cores);
  std::vector<std::vector<Piece>> dealt(static_cast<size_t>(cores));
  for (int64_t core = 0; core < cores; ++core) {
    const int64_t end = units * (core + 1) / cores;
    for (int64_t unit = units * core / cores; unit < end;) {
      const int64_t column = unit / blocks;
      const int64_t block = unit % blocks;
      const bool first = dealt[static_cast<size_t>(core)].empty();
      const int64_t most = tile.rows / granule / (first && starts_small ? 2 : 1);
      const int64_t count = std::min({end - unit, blocks - block, std::max<int64_t>(1, most)});
      const int64_t row = block * granule;
      const int64_t col = column * tile.cols;
      dealt[static_cast<size_t>(core)].push_back(
          {row, col, std::min(rows - row, count * granule), std::min(cols - col, tile.cols)});
      unit += count;
    }
  }
  return dealt;
}

}  // namespace tilewright
