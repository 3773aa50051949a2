// The hazard checker on shipped kernels whose buffers shrink under them.

#include <gtest/gtest.h>

#include "kernels/kernel.h"
#include "simulator/hazards.h"

namespace tilewright {
namespace {

const Machine& machine() {
  static const Machine kMachine = load_machine("ascend-910b2");
  return kMachine;
}

TEST(HazardsOfKernels, AShrunkBufferIsOutgrown) {
  struct Case {
    const char* kernel;
    std::map<std::string, int64_t> sizes;
    std::vector<std::string> buffers;
    const char* dtype = "";
    const char* epilogue = "";
  };
  const Case cases[] = {
      {"gemm",
       {{"m", 256}, {"n", 512}, {"k", 512}},
       {"buffers.l1_bytes", "buffers.l0a_bytes", "buffers.l0b_bytes", "buffers.l0c_bytes"}},
      {"gemm",
       {{"m", 256}, {"n", 512}, {"k", 512}},
       {"buffers.bt_bytes", "buffers.fb_scale_bytes"},
       "i8",
       "bias+dequant"},
      {"silu_mul", {{"rows", 9}, {"cols", 9000}}, {"buffers.ub_bytes"}},
  };
  for (const Case& each : cases) {
    const Kernel& kernel = find_kernel(each.kernel);
    const Problem problem = kernel.problem({each.sizes, each.dtype, "", each.epilogue});
    const Launch launch =
        kernel.build(problem, kernel.default_config(problem, machine()), machine());
    ASSERT_TRUE(find_hazards(launch, machine()).empty());
    for (const std::string& buffer : each.buffers) {
      Machine shrunk = machine();
      set_field(shrunk, buffer, 512);
      const auto hazards = find_hazards(launch, shrunk);
      ASSERT_FALSE(hazards.empty()) << buffer;
      EXPECT_EQ(hazards.front().kind, "outgrown") << buffer << ": " << hazards.front().message;
    }
  }
}

}  // namespace
}  // namespace tilewright
