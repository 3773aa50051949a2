#include "kernels/padding_traffic.h"

#include <gtest/gtest.h>

namespace tilewright {
namespace {

std::optional<PaddingTraffic> traffic_of(std::string_view name, const ProblemRequest& request) {
  const Machine machine = load_machine("ascend-910b2");
  const Kernel& kernel = find_kernel(name);
  const Problem problem = kernel.problem(request);
  return padding_traffic(kernel, problem,
                         kernel.build(problem, kernel.default_config(problem, machine), machine));
}

TEST(PaddingTraffic, VirtualPaddingMovesNone) {
  for (const char* layout : {"nd", "nz"}) {
    for (const char* type : {"f16", "f32", "i8"}) {
      for (const char* epilogue : {"none", "silu_mul"}) {
        const bool is_i8 = type == std::string("i8");
        ProblemRequest request{{{"m", 101}, {"n", 333}, {"k", 777}}, type, layout};
        request.epilogue = is_i8 && epilogue != std::string("none") ? "dequant+silu_mul" : epilogue;
        const auto traffic = traffic_of("gemm", request);
        ASSERT_TRUE(traffic);
        EXPECT_EQ(traffic->read_bytes, 0) << layout << " " << type << " " << epilogue;
        EXPECT_EQ(traffic->write_bytes, 0) << layout << " " << type << " " << epilogue;
      }
    }
  }
  const auto grouped =
      traffic_of("grouped_gemm", {{{"m", 101}, {"n", 333}, {"k", 777}, {"experts", 5}}, "", "nz"});
  EXPECT_EQ(grouped->read_bytes + grouped->write_bytes, 0);
}

TEST(PaddingTraffic, PaddedRowsAreReadForEachTileOfColumnsAndWrittenOnce) {
  // 28 of 128 rows are zeros; the 4 tiles of 256 columns read A's k columns each.
  const auto traffic =
      traffic_of("gemm_padded", {{{"m", 100}, {"n", 1000}, {"k", 777}}, "f16", ""});
  ASSERT_TRUE(traffic);
  EXPECT_EQ(traffic->read_bytes, 4 * 28 * 777 * 2);
  EXPECT_EQ(traffic->write_bytes, 28 * 1000 * 2);
}

TEST(PaddingTraffic, WholeTilesHaveNone) {
  const auto traffic =
      traffic_of("gemm_padded", {{{"m", 256}, {"n", 1000}, {"k", 777}}, "f16", ""});
  EXPECT_EQ(traffic->read_bytes + traffic->write_bytes, 0);
}

TEST(PaddingTraffic, KernelsThatDoNotSayWhatIsRealHaveNoCount) {
  EXPECT_FALSE(traffic_of("rms_norm", {{{"rows", 8}, {"cols", 64}}, "", ""}));
}

}  // namespace
}  // namespace tilewright
