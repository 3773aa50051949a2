#include <gtest/gtest.h>

#include "core/graph/hlo_reader.h"
#include "core/machine/machine.h"
#include "kernels/fused/reduced_check.h"
#include "tests/hlo_module.h"

namespace tilewright {
namespace {

constexpr double kOperations = 4e6;

/// A module whose ops are one kernel.
struct Whole {
  explicit Whole(const std::string& text)
      : graph(parse_hlo(text, "m.hlo")), region(graph, graph.entry) {
    FusedOps ops;
    for (int32_t op = 0; op < region.size(); ++op) {
      if (why_not_fusible(region, op).empty()) ops.ops.push_back(op);
    }
    for (const int32_t op : ops.ops) {
      if (region.is_result(op)) ops.outputs.push_back(op);
    }
    kernel = plan_fused_kernel(region, ops, machine);
  }
  Machine machine = load_machine("ascend-910b2");
  OpGraph graph;
  Region region;
  FusedKernel kernel = {};
};

const std::string kSoftmax =
    "x = bf16[4096,512]{1,0} parameter(0)\n"
    "w = f32[4096,512]{1,0} convert(x)\n"
    "e = f32[4096,512]{1,0} exponential(w)\n"
    "zero = f32[] constant(0)\n"
    "s = f32[4096]{0} reduce(e, zero), dimensions={1}, to_apply=sum\n"
    "t = f32[4096,512]{1,0} broadcast(s), dimensions={0}\n"
    "ROOT y = f32[4096,512]{1,0} divide(e, t)";

TEST(ReducedKernel, HasTheSameNestsInSeveralTilesAndAShorterOne) {
  const Whole whole(module_with_functions(kSoftmax));
  const std::optional<ReducedKernel> reduced =
      reduced_kernel(whole.region, whole.kernel, whole.machine, kOperations);
  ASSERT_TRUE(reduced.has_value());
  ASSERT_EQ(reduced->kernel.nests.size(), whole.kernel.nests.size());
  const PlannedNest& nest = reduced->kernel.nests.front();
  EXPECT_EQ(nest.tiles.slots, whole.kernel.nests.front().tiles.slots);
  EXPECT_EQ(nest.program.is_whole, whole.kernel.nests.front().program.is_whole);
  EXPECT_GE(tile_count(nest.program, nest.tiles, 0), 3);
  EXPECT_NE(nest.program.extents[0] % nest.tiles.tile[0], 0);
  EXPECT_LE(check_operations(*reduced->region, reduced->kernel.ops), kOperations);
  EXPECT_GT(check_operations(whole.region, whole.kernel.ops), kOperations);
}

TEST(ReducedKernel, EqualsTheInterpreter) {
  for (const std::string& text :
       {kSoftmax,
        // A sum that cores share, and one too long for UB.
        std::string("x = f32[64,1048576]{1,0} parameter(0)\nzero = f32[] constant(0)\n"
                    "e = f32[64,1048576]{1,0} exponential(x)\n"
                    "s = f32[64]{0} reduce(e, zero), dimensions={1}, to_apply=sum\n"
                    "t = f32[64,1048576]{1,0} broadcast(s), dimensions={0}\n"
                    "ROOT y = f32[64,1048576]{1,0} divide(e, t)"),
        std::string("x = f32[4,8388608]{1,0} parameter(0)\nzero = f32[] constant(0)\n"
                    "ROOT s = f32[4]{0} reduce(x, zero), dimensions={1}, to_apply=sum"),
        // A transpose in between, and heads.
        std::string("x = bf16[512,4096]{1,0} parameter(0)\n"
                    "h = bf16[512,32,128]{2,1,0} reshape(x)\n"
                    "n = bf16[512,32,128]{2,1,0} negate(h)\n"
                    "t = bf16[32,512,128]{2,1,0} transpose(n), dimensions={1,0,2}\n"
                    "ROOT y = bf16[32,512,128]{2,1,0} exponential(t)")}) {
    const Whole whole(module_with_functions(text));
    const std::optional<CheckResult> result =
        check_reduced_kernel(whole.region, whole.kernel, whole.machine, kOperations, 1);
    ASSERT_TRUE(result.has_value()) << text;
    EXPECT_TRUE(result->ok) << result->first_failure << "\n" << text;
    EXPECT_GT(result->elements, 0);
  }
}

TEST(ReducedKernel, UpdatesInPlaceWhereTheWholeDoes) {
  const Whole whole(
      "HloModule m, input_output_alias={ {}: (0, {}, may-alias) }\nENTRY e {\n"
      "a = f32[4096,4096]{1,0} parameter(0)\n b = f32[4096,1]{1,0} parameter(1)\n"
      "i = s32[] parameter(2)\n z = s32[] constant(0)\n n = f32[4096,1]{1,0} negate(b)\n"
      "ROOT r = f32[4096,4096]{1,0} dynamic-update-slice(a, n, z, i)\n}\n");
  ASSERT_EQ(whole.kernel.write_bytes, 4096 * 4);
  const std::optional<ReducedKernel> reduced =
      reduced_kernel(whole.region, whole.kernel, whole.machine, kOperations);
  ASSERT_TRUE(reduced.has_value());
  EXPECT_LT(reduced->kernel.write_bytes, 4096 * 4);
  EXPECT_EQ(reduced->kernel.levels, whole.kernel.levels);
  const std::optional<CheckResult> result =
      check_reduced_kernel(whole.region, whole.kernel, whole.machine, kOperations, 1);
  EXPECT_TRUE(result && result->ok);
}

TEST(ReducedKernel, IsNoneWhereNothingCanShrink) {
  // Slices state all extents.
  const Whole whole(
      module_of("x = f32[4000,4001]{1,0} parameter(0)\n"
                "s = f32[3999,4000]{1,0} slice(x), slice={[1:4000], [1:4001]}\n"
                "ROOT y = f32[3999,4000]{1,0} negate(s)"));
  EXPECT_FALSE(reduced_kernel(whole.region, whole.kernel, whole.machine, kOperations).has_value());
}

}  // namespace
}  // namespace tilewright
