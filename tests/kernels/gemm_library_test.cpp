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
    for (const LibraryTile& tile : library_tiles(parse_dtype(dtype))) {
      const Problem problem = library(2 * tile.rows + 1, 3 * tile.columns + 1, 700, dtype);
      const auto hazards = find_hazards(launch_of(problem), machine());
      EXPECT_TRUE(hazards.empty()) << problem.text();
    }
  }
}

TEST(GemmLibrary, TakesATileByTheShapeAlone) {
  using Tile = std::pair<int64_t, int64_t>;
  const auto tile = [](int64_t m, int64_t n, const char* dtype = "f16") {
    const LibraryTile taken = library_tile(library(m, n, 1024, dtype), machine());
    return Tile(taken.rows, taken.columns);
  };
  EXPECT_EQ(tile(4096, 4096), Tile(128, 256));
  EXPECT_EQ(tile(1, 4096), Tile(16, 256));
  EXPECT_EQ(tile(17, 1280), Tile(32, 256));
  EXPECT_EQ(tile(64, 129), Tile(64, 256));
  EXPECT_EQ(tile(65, 4096), Tile(128, 256));
  EXPECT_EQ(tile(4096, 128), Tile(128, 128));
  EXPECT_EQ(tile(4096, 4096, "f32"), Tile(128, 128));
  EXPECT_EQ(tile(4096, 64, "f32"), Tile(128, 64));
  // With 20 cores, 24 tiles of 128 x 256 are two waves and 20 of 256 x 128 would be one.
  Machine smaller = machine();
  smaller.cores.aic = 20;
  const LibraryTile two_waves = library_tile(library(1024, 576, 6144), smaller);
  EXPECT_EQ(Tile(two_waves.rows, two_waves.columns), Tile(128, 256));
}

TEST(GemmLibrary, TakesALowerTileWhereBuffersAreSmall) {
  Machine small = machine();
  small.buffers.l0c_bytes /= 2;
  const LibraryTile taken = library_tile(library(4096, 4096, 1024), small);
  EXPECT_EQ(taken.rows, 64);
  EXPECT_EQ(taken.columns, 256);
}

TEST(GemmLibrary, IsNearTunedKernelsWhereItsTilesFillTheCores) {
  // 9 waves of 24 tiles, near what GM to L1 allows: another tile can gain a few percent.
  const Problem problem = library(3072, 2304, 4096);
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
    EXPECT_NE(std::string(error.what()).find("16 x 256"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tilewright
