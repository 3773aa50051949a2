#include "kernels/gemm/gemm_library.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "simulator/hazards.h"
#include "simulator/timing.h"

namespace tilewright {
namespace {

const Machine& machine() {
  static const Machine loaded = load_machine("ascend-910b2");
  return loaded;
}

Problem library(int64_t m, int64_t n, int64_t k, const std::string& dtype = "f16",
                const std::string& layout = "nd") {
  ProblemRequest request;
  request.sizes = {{"m", m}, {"n", n}, {"k", k}};
  request.dtype = dtype;
  request.layout = layout;
  return find_kernel("gemm_library").problem(request);
}

Launch launch_of(const Problem& problem, const Machine& on = machine()) {
  const Kernel& kernel = find_kernel("gemm_library");
  return kernel.build(problem, kernel.default_config(problem, on), on);
}

TEST(GemmLibrary, IsRightAroundTileEdgesInEveryType) {
  for (const char* dtype : {"f16", "bf16", "f32", "i8"}) {
    for (int64_t m : {1, 31, 32, 33, 127, 129}) {
      const Problem problem = library(m, 40 + m, 65 + m, dtype);
      const Config config = find_kernel("gemm_library").default_config(problem, machine());
      const CheckResult result =
          check_kernel(find_kernel("gemm_library"), problem, config, machine(), {3});
      EXPECT_TRUE(result.ok) << problem.text() << ": " << result.first_failure;
    }
  }
}

TEST(GemmLibrary, HasNoHazardsWithAnyOfItsTiles) {
  for (const char* dtype : {"f16", "f32", "i8"}) {
    for (const LibraryTile& tile : library_tiles(parse_dtype(dtype), "nd")) {
      const Problem problem = library(2 * tile.rows + 1, 3 * tile.columns + 1, 700, dtype);
      const auto hazards = find_hazards(launch_of(problem), machine());
      EXPECT_TRUE(hazards.empty()) << problem.text();
    }
  }
}

TEST(GemmLibrary, TakesTheTileWhoseSlowestCoreLoadsLeast) {
  const auto tile = [](int64_t m, int64_t n) {
    const LibraryTile taken = library_tile(library(m, n, 1024, "f16", "nz"), machine());
    return std::pair(taken.rows, taken.columns);
  };
  using Tile = std::pair<int64_t, int64_t>;
  // 512 tiles of 128 x 256 are 22 waves of 384; 1024 of 128 x 128 are 43 of 256.
  EXPECT_EQ(tile(4096, 4096), Tile(128, 256));
  // 20 tiles of 32 x 64 on 24 cores load 16 + 64 each, one of 64 x 256 would load 16 + 256.
  EXPECT_EQ(tile(16, 1280), Tile(32, 64));
  // With 20 cores, 24 tiles of 128 x 256 are two waves and 20 of 256 x 128 one: CATLASS measures
  // 72.5 and 48.6 us.
  Machine smaller = machine();
  smaller.cores.aic = 20;
  const LibraryTile one_wave = library_tile(library(1024, 576, 6144), smaller);
  EXPECT_EQ(Tile(one_wave.rows, one_wave.columns), Tile(256, 128));
}

TEST(GemmLibrary, IsNearTunedKernelsWhereItsTilesFit) {
  // Waves of equal tiles: the best config that a search over the whole space of kernel gemm finds
  // is 4 % faster.
  const Problem problem = library(1536, 4096, 4096);
  Config config = find_kernel("gemm").default_config(problem, machine());
  for (auto& [name, value] : config.values) {
    if (name == "tile_m") value = 256;
    if (name == "tile_n") value = 128;
    if (name == "swizzle") value = 4;
  }
  const Launch tuned = find_kernel("gemm").build(problem, config, machine());
  EXPECT_LT(static_cast<double>(time_detailed(launch_of(problem), machine()).ticks),
            1.1 * static_cast<double>(time_detailed(tuned, machine()).ticks));
}

TEST(GemmLibrary, SaysWhenNoTileFits) {
  Machine tiny = machine();
  tiny.buffers.l0c_bytes = 4096;
  try {
    library_tile(library(64, 64, 64, "f16", "nz"), tiny);
    FAIL() << "a tile fitted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInfeasible);
    EXPECT_NE(std::string(error.what()).find("32 x 64"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tilewright
