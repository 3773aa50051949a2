// Kernels that random graphs have broken before.

#include <gtest/gtest.h>

#include "core/graph/hlo_reader.h"
#include "core/machine/machine.h"
#include "kernels/fused/fused_check.h"
#include "kernels/fused/fused_ops.h"
#include "simulator/hazards.h"
#include "tests/hlo_module.h"

namespace tilewright {
namespace {

/// All ops of a module that can be fused as one kernel with the root as its output.
void check(const std::string& text) {
  const Machine machine = load_machine("ascend-910b2");
  const OpGraph graph = parse_hlo(text, "m.hlo");
  const Region region(graph, graph.entry);
  FusedOps fused;
  for (int32_t op = 0; op < region.size(); ++op) {
    if (why_not_fusible(region, op).empty()) fused.ops.push_back(op);
  }
  fused.outputs = {region.base(graph.entry_computation().root)};
  const FusedKernel kernel = plan_fused_kernel(region, fused, machine);
  const CheckResult result = check_fused_kernel(region, kernel, machine, 1, 1e-4);
  EXPECT_TRUE(result.ok) << result.first_failure << "\n" << text;
  EXPECT_TRUE(find_hazards(build_fused_launch(region, kernel, machine).launch, machine).empty());
}

TEST(FusedCases, SumsWhatIsSpreadAsOftenAsItIs) {
  for (const char* dims : {"{1}", "{0}", "{0,1}"}) {
    const std::string shape = std::string(dims) == "{0,1}" ? "f32[]"
                              : std::string(dims) == "{1}" ? "f32[20]"
                                                           : "f32[31]";
    check(module_with_functions("z = f32[] constant(0)\np = f32[20] parameter(0)\n"
                                "b = f32[20,31] broadcast(p), dimensions={0}\nROOT r = " +
                                shape + " reduce(b, z), dimensions=" + dims +
                                ", to_apply=sum"));
    check(module_with_functions("z = f32[] constant(0)\np = bf16[] parameter(0)\n"
                                "b = bf16[20,31] broadcast(p), dimensions={}\n"
                                "c = f32[20,31] convert(b)\nROOT r = " +
                                shape + " reduce(c, z), dimensions=" + dims +
                                ", to_apply=sum"));
  }
}

TEST(FusedCases, ComparesWithNaN) {
  for (const char* direction : {"EQ", "NE", "LT", "LE", "GT", "GE"}) {
    check(module_of("p = f32[20,31] parameter(0)\nx = f32[20,31] log(p)\n"  // NaN below 0
                    "t = pred[20,31] compare(x, x), direction=" +
                    std::string(direction) +
                    "\nz = f32[] constant(7)\nzz = f32[20,31] broadcast(z), dimensions={}\n"
                    "o = f32[] constant(3)\noo = f32[20,31] broadcast(o), dimensions={}\n"
                    "ROOT y = f32[20,31] select(t, zz, oo)"));
  }
}

TEST(FusedCases, LeavesTheRangeOfItsTypeWhereTheTypeDoes) {
  check(module_of("p = f32[20,31] parameter(0)\nc = f32[] constant(200)\n"
                  "cc = f32[20,31] broadcast(c), dimensions={}\nm = f32[20,31] multiply(p, cc)\n"
                  "ROOT e = f32[20,31] exponential(m)"));
}

TEST(FusedCases, LeavesDynamicSlicesOfIotasAlone) {
  const OpGraph graph =
      parse_hlo(module_of("x = f32[8,128] iota(), iota_dimension=0\ni = s32[] parameter(0)\n"
                          "z = s32[] constant(0)\n"
                          "ROOT s = f32[1,128] dynamic-slice(x, i, z), dynamic_slice_sizes={1,128}"),
                "m.hlo");
  const Region region(graph, graph.entry);
  EXPECT_NE(why_not_fusible(region, graph.entry_computation().root), "");
}

TEST(FusedCases, ReadsNoTypeThatTheVectorUnitLacksInAnotherForm) {
  const OpGraph graph = parse_hlo(
      module_of("t = s64[12,5] parameter(0)\nf = f32[12,5] convert(t)\np = s32[3] parameter(1)\n"
                "ROOT v = f32[3,5] gather(f, p), offset_dims={1}, collapsed_slice_dims={0}, "
                "start_index_map={0}, index_vector_dim=1, slice_sizes={1,5}"),
      "m.hlo");
  const Region region(graph, graph.entry);
  const int32_t gather = graph.entry_computation().root;
  ASSERT_EQ(why_not_fusible(region, gather), "");
  EXPECT_NO_THROW(
      plan_fused_kernel(region, {{gather}, {gather}}, load_machine("ascend-910b2")));
}

}  // namespace
}  // namespace tilewright
