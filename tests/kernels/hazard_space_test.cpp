#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>

#include "core/base/thread_pool.h"
#include "kernels/kernel.h"
#include "simulator/hazards.h"

namespace tilewright {
namespace {

using Sizes = std::map<std::string, int64_t>;

struct Case {
  const char* kernel;
  const char* dtype;
  Sizes sizes;
  const char* layout = "";
  const char* epilogue = "";
  const char* mask = "";
};

/// Without it a test's description is its bytes, pointers among them.
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.kernel;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return std::string(info.param.kernel) + "_" + std::to_string(info.index);
}

class SlowHazardSpace : public testing::TestWithParam<Case> {};

/// Every legal config of a kernel for a small ragged problem is free of hazards.
TEST_P(SlowHazardSpace, HasNone) {
  const Case& c = GetParam();
  const Machine machine = load_machine("ascend-910b2");
  const Kernel& kernel = find_kernel(c.kernel);
  const Problem problem = kernel.problem({.sizes = c.sizes,
                                          .dtype = c.dtype,
                                          .layout = c.layout,
                                          .epilogue = c.epilogue,
                                          .mask = c.mask});
  const std::vector<Config> space = kernel.space(problem, machine).enumerate();
  ASSERT_FALSE(space.empty());
  std::vector<std::string> alarms(space.size());
  const auto check = [&](size_t i) {
    const auto hazards = find_hazards(kernel.build(problem, space[i], machine), machine);
    if (!hazards.empty()) alarms[i] = hazards.front().kind + ": " + hazards.front().message;
  };
  const auto look = [&](size_t i) { EXPECT_EQ(alarms[i], "") << space[i].text(); };
  parallel_in_order(space.size(), processor_count(), check, look, [] { return HasFailure(); });
}

// Several tiles in every direction, the last ones ragged; for the core grids of gemm at least 8 x 8
// of the smallest tiles.
INSTANTIATE_TEST_SUITE_P(
    Kernels, SlowHazardSpace,
    testing::Values(
        Case{"gemm", "f16", {{"m", 125}, {"n", 121}, {"k", 150}}},
        Case{"gemm", "bf16", {{"m", 125}, {"n", 129}, {"k", 150}}, "nz"},
        Case{"gemm", "f32", {{"m", 125}, {"n", 121}, {"k", 150}}},
        Case{"gemm", "i8", {{"m", 140}, {"n", 170}, {"k", 350}}},
        Case{"gemm", "f16", {{"m", 65}, {"n", 121}, {"k", 140}}, "nd", "bias+silu_mul+residual"},
        Case{"gemm", "bf16", {{"m", 65}, {"n", 121}, {"k", 140}}, "nz", "bias+gelu"},
        Case{
            "gemm", "i8", {{"m", 65}, {"n", 121}, {"k", 150}}, "nd", "bias+dequant_token+residual"},
        Case{"gemm", "i8", {{"m", 65}, {"n", 121}, {"k", 150}}, "nz", "bias+dequant+relu"},
        Case{"grouped_gemm",
             "f16",
             {{"experts", 5}, {"m", 65}, {"n", 90}, {"k", 140}, {"skew", 150}},
             "nz",
             "silu_mul"},
        Case{"gemm_padded", "f16", {{"m", 450}, {"n", 670}, {"k", 590}}},
        Case{"gemm_padded", "i8", {{"m", 450}, {"n", 670}, {"k", 590}}},
        Case{"attention",
             "bf16",
             {{"sequences", 2},
              {"tokens", 19},
              {"context", 150},
              {"heads", 6},
              {"kv_heads", 2},
              {"dim", 48},
              {"block", 16}}},
        Case{"attention",
             "f32",
             {{"sequences", 2},
              {"tokens", 19},
              {"context", 150},
              {"heads", 6},
              {"kv_heads", 2},
              {"dim", 48},
              {"block", 16}}},
        Case{"attention",
             "f16",
             {{"tokens", 50},
              {"context", 30},
              {"decodes", 1},
              {"decode_context", 130},
              {"verifies", 1},
              {"drafts", 9},
              {"verify_context", 60},
              {"heads", 2},
              {"kv_heads", 1},
              {"dim", 32},
              {"block", 32}},
             "",
             "",
             "tree"},
        Case{"rms_norm", "f16", {{"rows", 60}, {"cols", 700}}},
        Case{"rms_norm", "f32", {{"rows", 9}, {"cols", 20011}}},
        Case{"add_rms_norm", "bf16", {{"rows", 60}, {"cols", 700}}},
        Case{"add_rms_norm", "f32", {{"rows", 9}, {"cols", 20011}}},
        Case{"silu_mul", "f16", {{"rows", 60}, {"cols", 1300}}},
        Case{"silu_mul", "f32", {{"rows", 60}, {"cols", 1300}}},
        Case{"rope", "bf16", {{"rows", 70}, {"heads", 37}, {"kv_heads", 3}, {"dim", 48}}},
        Case{"rope", "f32", {{"rows", 70}, {"heads", 37}, {"kv_heads", 3}, {"dim", 48}}},
        Case{"gather", "f16", {{"rows", 60}, {"cols", 1300}, {"vocab", 9}}},
        Case{"argmax", "f16", {{"rows", 50}, {"cols", 2500}}},
        Case{"argmax", "bf16", {{"rows", 50}, {"cols", 2500}}},
        Case{"layer_norm", "f16", {{"rows", 60}, {"cols", 700}}},
        Case{"layer_norm", "f32", {{"rows", 9}, {"cols", 20011}}},
        Case{"add_layer_norm", "bf16", {{"rows", 60}, {"cols", 700}}},
        Case{"add_layer_norm", "f32", {{"rows", 9}, {"cols", 20011}}},
        Case{"gelu", "bf16", {{"rows", 60}, {"cols", 1300}}},
        Case{"softmax", "f16", {{"rows", 60}, {"cols", 700}}},
        Case{"softmax", "f32", {{"rows", 9}, {"cols", 20011}}},
        Case{"cast", "f32", {{"rows", 60}, {"cols", 1300}}},
        Case{"quantize", "f16", {{"rows", 60}, {"cols", 700}}},
        Case{"quantize", "f32", {{"rows", 9}, {"cols", 20011}}},
        Case{"quantize_channels", "f16", {{"rows", 60}, {"cols", 1300}}},
        Case{"kv_write", "f16", {{"rows", 60}, {"kv_heads", 9}, {"dim", 128}}},
        Case{"unpermute", "f16", {{"rows", 60}, {"cols", 1300}, {"k", 3}}},
        Case{"moe_route", "f32", {{"rows", 100}, {"experts", 65}, {"k", 6}}},
        Case{"top_k", "f16", {{"rows", 50}, {"cols", 2500}, {"k", 9}}},
        Case{"sample", "f32", {{"rows", 50}, {"cols", 2500}, {"k", 9}}},
        Case{"elementwise", "f16", {{"rows", 60}, {"cols", 1300}, {"reads", 3}, {"writes", 2}}}),
    name_of);

}  // namespace
}  // namespace tilewright
