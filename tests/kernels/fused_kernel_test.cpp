#include "kernels/fused/fused_kernel.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/graph/hlo_reader.h"
#include "core/machine/machine.h"
#include "kernels/fused/fused_check.h"
#include "simulator/hazards.h"
#include "simulator/profile.h"
#include "simulator/timing.h"
#include "tests/hlo_module.h"

namespace tilewright {
namespace {

/// All ops of the entry that can be fused, and those that somebody else reads.
FusedOps everything(const Region& region) {
  FusedOps ops;
  for (int32_t op = 0; op < region.size(); ++op) {
    if (!why_not_fusible(region, op).empty() && !why_no_product(region, op).empty()) continue;
    ops.ops.push_back(op);
  }
  for (const int32_t op : ops.ops) {
    const auto leaves = [&](int32_t user) { return !std::ranges::binary_search(ops.ops, user); };
    if (region.is_result(op) || std::ranges::any_of(region.users(op), leaves)) {
      ops.outputs.push_back(op);
    }
  }
  return ops;
}

/// Fuses all ops of a module into one kernel, checks its numbers and its hazards.
FusedKernel check(const std::string& text, double relative = 1e-4) {
  const Machine machine = load_machine("ascend-910b2");
  const OpGraph graph = parse_hlo(text, "m.hlo");
  const Region region(graph, graph.entry);
  const FusedKernel kernel = plan_fused_kernel(region, everything(region), machine);
  const CheckResult result = check_fused_kernel(region, kernel, machine, 1, relative);
  EXPECT_TRUE(result.ok) << result.first_failure << "\n" << text;
  const FusedLaunch built = build_fused_launch(region, kernel, machine);
  validate(built.launch, machine);
  const std::vector<Hazard> hazards = find_hazards(built.launch, machine);
  EXPECT_TRUE(hazards.empty()) << hazards.front().message;
  return kernel;
}

TEST(FusedKernel, AddsTwoArrays) {
  const FusedKernel kernel =
      check(module_of("a = f32[100,300]{1,0} parameter(0)\n b = f32[100,300]{1,0} parameter(1)\n"
                      "ROOT c = f32[100,300]{1,0} add(a, b)"));
  EXPECT_EQ(kernel.levels, 1);
  EXPECT_EQ(kernel.read_bytes, 2 * 100 * 300 * 4);
  EXPECT_EQ(kernel.write_bytes, 100 * 300 * 4);
}

TEST(FusedKernel, KeepsSoftmaxInOneLevel) {
  const FusedKernel kernel =
      check(module_with_functions("x = f32[70,130]{1,0} parameter(0)\n"
                                  "e = f32[70,130]{1,0} exponential(x)\n"
                                  "zero = f32[] constant(0)\n"
                                  "s = f32[70]{0} reduce(e, zero), dimensions={1}, to_apply=sum\n"
                                  "t = f32[70,130]{1,0} broadcast(s), dimensions={0}\n"
                                  "ROOT y = f32[70,130]{1,0} divide(e, t)"));
  EXPECT_EQ(kernel.levels, 1);
}

TEST(FusedKernel, SumsColumns) {
  check(
      module_with_functions("x = f32[70,130]{1,0} parameter(0)\n"
                            "zero = f32[] constant(0)\n"
                            "ROOT s = f32[130]{0} reduce(x, zero), dimensions={0}, to_apply=sum"));
}

TEST(FusedKernel, SumsEverything) {
  check(
      module_with_functions("x = f32[7,13,50]{2,1,0} parameter(0)\n"
                            "zero = f32[] constant(3)\n"
                            "ROOT s = f32[] reduce(x, zero), dimensions={0,1,2}, to_apply=sum"));
}

TEST(FusedKernel, AddsAMatrixToItsTranspose) {
  const FusedKernel kernel =
      check(module_of("x = f32[40,40]{1,0} parameter(0)\n"
                      "e = f32[40,40]{1,0} exponential(x)\n"
                      "t = f32[40,40]{1,0} transpose(e), dimensions={1,0}\n"
                      "ROOT y = f32[40,40]{1,0} add(e, t)"));
  EXPECT_EQ(kernel.levels, 2);
  EXPECT_EQ(kernel.workspace.size(), 1u);
}

TEST(FusedKernel, NormalizesLayers) {
  check(R"(HloModule m
sum { a = f32[] parameter(0) b = f32[] parameter(1) ROOT r = f32[] add(a, b) }
ENTRY main.3 {
  x.1 = bf16[1,96,768]{2,1,0} parameter(0)
  convert_element_type.4 = f32[1,96,768]{2,1,0} convert(x.1)
  constant.5 = f32[] constant(0)
  reduce_sum.14 = f32[1,96]{1,0} reduce(convert_element_type.4, constant.5), dimensions={2}, to_apply=sum
  broadcast_in_dim.2 = f32[1,96,1]{2,1,0} reshape(reduce_sum.14)
  constant.4 = f32[] constant(768)
  broadcast.1 = f32[1,96,1]{2,1,0} broadcast(constant.4), dimensions={}
  div.6 = f32[1,96,1]{2,1,0} divide(broadcast_in_dim.2, broadcast.1)
  sub.13 = f32[1,96]{1,0} reshape(div.6)
  sub.14 = f32[1,96,768]{2,1,0} broadcast(sub.13), dimensions={0,1}
  sub.15 = f32[1,96,768]{2,1,0} subtract(convert_element_type.4, sub.14)
  ROOT out = bf16[1,96,768]{2,1,0} convert(sub.15)
})");
}

TEST(FusedKernel, SharesALongSumAmongTheCores) {
  const FusedKernel kernel =
      check(module_with_functions("x = f32[512,1024]{1,0} parameter(0)\n"
                                  "zero = f32[] constant(2)\n"
                                  "s = f32[] reduce(x, zero), dimensions={0,1}, to_apply=sum\n"
                                  "ROOT r = f32[] sqrt(s)"));
  EXPECT_EQ(kernel.levels, 2);
  EXPECT_EQ(kernel.workspace.size(), 1u);
  EXPECT_LE(kernel.workspace_bytes, 48 * 4);
}

TEST(FusedKernel, SharesLongColumnsAmongTheCores) {
  check(
      module_with_functions("x = f32[9600,40]{1,0} parameter(0)\n"
                            "y = f32[40]{0} parameter(1)\n"
                            "zero = f32[] constant(0)\n"
                            "s = f32[40]{0} reduce(x, zero), dimensions={0}, to_apply=sum\n"
                            "ROOT r = f32[40]{0} multiply(s, y)"));
}

TEST(FusedKernel, SpreadsOneNumberOverArraysOfOtherShapes) {
  const FusedKernel kernel =
      check(module_with_functions("p = f32[] parameter(0)\n"
                                  "x = f32[1000]{0} parameter(1)\n"
                                  "y = f32[60,40]{1,0} parameter(2)\n"
                                  "s = f32[] sqrt(p)\n"
                                  "a = f32[1000]{0} broadcast(s), dimensions={}\n"
                                  "b = f32[60,40]{1,0} broadcast(s), dimensions={}\n"
                                  "c = f32[1000]{0} multiply(x, a)\n"
                                  "d = f32[60,40]{1,0} multiply(y, b)\n"
                                  "ROOT t = (f32[1000]{0}, f32[60,40]{1,0}) tuple(c, d)"));
  EXPECT_EQ(kernel.levels, 1);
  EXPECT_EQ(kernel.nests.size(), 2u);
}

TEST(FusedKernel, ClipsByAGlobalNorm) {
  const FusedKernel kernel =
      check(module_with_functions("x = f32[1000]{0} parameter(0)\n"
                                  "y = f32[60,40]{1,0} parameter(1)\n"
                                  "zero = f32[] constant(0)\n"
                                  "xx = f32[1000]{0} multiply(x, x)\n"
                                  "yy = f32[60,40]{1,0} multiply(y, y)\n"
                                  "sx = f32[] reduce(xx, zero), dimensions={0}, to_apply=sum\n"
                                  "sy = f32[] reduce(yy, zero), dimensions={0,1}, to_apply=sum\n"
                                  "s = f32[] add(sx, sy)\n"
                                  "n = f32[] sqrt(s)\n"
                                  "a = f32[1000]{0} broadcast(n), dimensions={}\n"
                                  "b = f32[60,40]{1,0} broadcast(n), dimensions={}\n"
                                  "c = f32[1000]{0} divide(x, a)\n"
                                  "d = f32[60,40]{1,0} divide(y, b)\n"
                                  "ROOT t = (f32[1000]{0}, f32[60,40]{1,0}) tuple(c, d)"));
  EXPECT_GE(kernel.levels, 2);
}

TEST(FusedKernel, SelectsWhereTheOtherSideIsNoNumber) {
  check(
      module_of("x = f32[30,70]{1,0} parameter(0)\n"
                "zero = f32[] constant(0)\n"
                "z = f32[30,70]{1,0} broadcast(zero), dimensions={}\n"
                "p = pred[30,70]{1,0} compare(x, z), direction=GT\n"
                "l = f32[30,70]{1,0} log(x)\n"
                "ROOT y = f32[30,70]{1,0} select(p, l, z)"));
}

TEST(FusedKernel, RoundsNumbersOfAnySize) {
  for (const char* opcode : {"round-nearest-even", "floor", "ceil"}) {
    check(
        module_of("x = f32[40,50]{1,0} parameter(0)\n"
                  "huge = f32[] constant(1e12)\n"
                  "t = f32[40,50]{1,0} broadcast(huge), dimensions={}\n"
                  "y = f32[40,50]{1,0} multiply(x, t)\n"
                  "ROOT r = f32[40,50]{1,0} " +
                  std::string(opcode) + "(y)"));
    check(module_of("x = f32[40,50]{1,0} parameter(0)\nROOT r = f32[40,50]{1,0} " +
                    std::string(opcode) + "(x)"));
  }
}

/// Quantisation by row, whose rounding meets halves that f32 puts on the other side.
TEST(FusedKernel, QuantizesWithinASideOfAHalf) {
  check(
      module_with_functions("x = bf16[16,3000]{1,0} parameter(0)\n"
                            "w = f32[16,3000]{1,0} convert(x)\n"
                            "a = f32[16,3000]{1,0} abs(w)\n"
                            "zero = f32[] constant(0)\n"
                            "s = f32[16]{0} reduce(a, zero), dimensions={1}, to_apply=sum\n"
                            "t = f32[16,3000]{1,0} broadcast(s), dimensions={0}\n"
                            "d = f32[16,3000]{1,0} divide(w, t)\n"
                            "steps = f32[] constant(1e6)\n"
                            "e = f32[16,3000]{1,0} broadcast(steps), dimensions={}\n"
                            "f = f32[16,3000]{1,0} multiply(d, e)\n"
                            "ROOT r = f32[16,3000]{1,0} round-nearest-even(f)"));
}

/// A mean of squares less the square of a mean: where they almost cancel, f32 leaves few digits.
TEST(FusedKernel, DividesByWhatIsLeftWhenNumbersCancel) {
  check(
      module_of("a = f32[300,500]{1,0} parameter(0)\n"
                "b = f32[300,500]{1,0} parameter(1)\n"
                "s = f32[300,500]{1,0} multiply(b, b)\n"
                "d = f32[300,500]{1,0} subtract(a, s)\n"
                "ROOT r = f32[300,500]{1,0} divide(b, d)"));
}

TEST(FusedKernel, ConvertsToIntegers) {
  const std::string scaled =
      "x = f32[40,50]{1,0} parameter(0)\n"
      "c = f32[] constant(300)\n"
      "t = f32[40,50]{1,0} broadcast(c), dimensions={}\n"
      "y = f32[40,50]{1,0} multiply(x, t)\n";
  for (const char* type : {"s8", "s32"}) {
    const std::string to = std::string(type) + "[40,50]{1,0} ";
    check(module_of(scaled + "ROOT r = " + to + "convert(y)"));
    check(module_of(scaled + "w = f32[40,50]{1,0} round-nearest-even(y)\nROOT r = " + to +
                    "convert(w)"));
    // Read again in UB, where values are f32.
    check(module_of(scaled + "w = " + to + "convert(y)\nv = f32[40,50]{1,0} convert(w)\n" +
                    "ROOT r = f32[40,50]{1,0} multiply(v, x)"));
  }
  const FusedKernel huge = check(module_of(
      "x = f32[40,50]{1,0} parameter(0)\nc = f32[] constant(1e12)\n"
      "t = f32[40,50]{1,0} broadcast(c), dimensions={}\ny = f32[40,50]{1,0} multiply(x, t)\n"
      "w = f32[40,50]{1,0} round-nearest-even(y)\nROOT r = s32[40,50]{1,0} convert(w)"));
  EXPECT_EQ(huge.write_bytes, 40 * 50 * 4);
}

TEST(FusedKernel, TakesRemaindersOfWholeNumbers) {
  // Both signs on both sides, and divisors of 0.
  check(module_of("x = s32[1000]{0} parameter(0)\n"
                  "y = s32[1000]{0} parameter(1)\n"
                  "c = s32[] constant(3)\n"
                  "cs = s32[1000]{0} broadcast(c), dimensions={}\n"
                  "a = s32[1000]{0} subtract(x, cs)\n"
                  "b = s32[1000]{0} subtract(y, cs)\n"
                  "ROOT r = s32[1000]{0} remainder(a, b)"),
        0);
}

TEST(FusedKernel, RaisesANumberToPowers) {
  check(
      module_of("x = f32[1000]{0} parameter(0)\n"
                "c = f32[] constant(0.9)\n"
                "cs = f32[1000]{0} broadcast(c), dimensions={}\n"
                "ROOT r = f32[1000]{0} power(cs, x)"));
}

TEST(FusedKernel, GathersRowsOfATable) {
  const FusedKernel kernel = check(
      module_of("t = f32[37,8]{1,0} parameter(0)\n"
                "p = s32[501]{0} parameter(1)\n"
                "zero = s32[] constant(0)\n"
                "zeros = s32[501]{0} broadcast(zero), dimensions={}\n"
                "size = s32[] constant(37)\n"
                "sizes = s32[501]{0} broadcast(size), dimensions={}\n"
                "below = pred[501]{0} compare(p, zeros), direction=LT\n"
                "q = s32[501]{0} add(p, sizes)\n"
                "i = s32[501]{0} select(below, q, p)\n"
                "j = s32[501,1]{1,0} reshape(i)\n"
                "g = f32[501,8]{1,0} gather(t, j), offset_dims={1}, collapsed_slice_dims={0}, "
                "start_index_map={0}, index_vector_dim=1, slice_sizes={1,8}\n"
                "ROOT y = f32[501,8]{1,0} negate(g)"));
  EXPECT_EQ(kernel.levels, 1);
}

TEST(FusedKernel, GathersPlanesOfATableThatItHasMade) {
  const FusedKernel kernel =
      check(module_of("t = bf16[9,3,20]{2,1,0} parameter(0)\n"
                      "i = s32[4,50]{1,0} parameter(1)\n"
                      "e = bf16[9,3,20]{2,1,0} negate(t)\n"
                      "w = f32[9,3,20]{2,1,0} convert(e)\n"
                      "ROOT g = f32[4,3,20,50]{3,2,1,0} gather(w, i), offset_dims={1,2}, "
                      "collapsed_slice_dims={0}, start_index_map={0}, index_vector_dim=2, "
                      "slice_sizes={1,3,20}"));
  EXPECT_EQ(kernel.levels, 2);
}

TEST(FusedKernel, ChecksWhatIsMadeOfConstantsThatTheTextLeavesOut) {
  check(
      module_of("x = f32[300,36]{1,0} parameter(0)\n"
                "c = s32[300,36]{1,0} constant({...})\n"
                "one = s32[] constant(1)\n"
                "ones = s32[300,36]{1,0} broadcast(one), dimensions={}\n"
                "d = s32[300,36]{1,0} add(c, ones)\n"
                "f = f32[300,36]{1,0} convert(d)\n"
                "ROOT y = f32[300,36]{1,0} multiply(x, f)"));
}

TEST(FusedKernel, GathersColumns) {
  check(
      module_of("x = f32[300,36]{1,0} parameter(0)\n"
                "i = s32[15,1]{1,0} parameter(1)\n"
                "e = f32[300,36]{1,0} exponential(x)\n"
                "g = f32[300,15]{1,0} gather(e, i), offset_dims={0}, collapsed_slice_dims={1}, "
                "start_index_map={1}, index_vector_dim=1, slice_sizes={300,1}\n"
                "ROOT y = f32[300,15]{1,0} add(g, g)"));
}

TEST(FusedKernel, GathersFromTheMiddleByOneIndex) {
  check(
      module_of("x = s32[12,7,10]{2,1,0} parameter(0)\n"
                "i = s32[1]{0} parameter(1)\n"
                "ROOT g = s32[12,10]{1,0} gather(x, i), offset_dims={0,1}, "
                "collapsed_slice_dims={1}, start_index_map={1}, index_vector_dim=0, "
                "slice_sizes={12,1,10}"));
}

TEST(FusedKernel, SumsGatheredRows) {
  check(
      module_with_functions("t = f32[50,24]{1,0} parameter(0)\n"
                            "i = s32[4000]{0} parameter(1)\n"
                            "zero = f32[] constant(0)\n"
                            "g = f32[4000,24]{1,0} gather(t, i), offset_dims={1}, "
                            "collapsed_slice_dims={0}, start_index_map={0}, index_vector_dim=1, "
                            "slice_sizes={1,24}\n"
                            "r = f32[24]{0} reduce(g, zero), dimensions={0}, to_apply=sum\n"
                            "ROOT s = f32[4000]{0} reduce(g, zero), dimensions={1}, to_apply=sum"));
}

TEST(FusedKernel, LeavesOtherGathersToTheLibrary) {
  const auto why = [](const std::string& ops) {
    const OpGraph graph = parse_hlo(module_of(ops), "m.hlo");
    const Region region(graph, graph.entry);
    return why_not_fusible(region, region.computation().root);
  };
  EXPECT_EQ(why("t = f32[40000,8]{1,0} parameter(0)\ni = s32[5]{0} parameter(1)\n"
                "ROOT g = f32[5,8]{1,0} gather(t, i), offset_dims={1}, collapsed_slice_dims={0}, "
                "start_index_map={0}, index_vector_dim=1, slice_sizes={1,8}"),
            "its table does not fit UB");
  EXPECT_EQ(why("t = f32[40,8]{1,0} parameter(0)\ni = s32[5,2]{1,0} parameter(1)\n"
                "ROOT g = f32[5]{0} gather(t, i), offset_dims={}, collapsed_slice_dims={0,1}, "
                "start_index_map={0,1}, index_vector_dim=1, slice_sizes={1,1}"),
            "it gathers other parts than whole rows by one index each");
}

TEST(FusedKernel, ReadsSlicesWhereTheyLie) {
  const FusedKernel kernel =
      check(module_of("x = f32[40,100]{1,0} parameter(0)\n"
                      "i = s32[] parameter(1)\n"
                      "zero = s32[] constant(0)\n"
                      "a = f32[12,50]{1,0} slice(x), slice={[3:39:3], [50:100]}\n"
                      "b = f32[12,50]{1,0} dynamic-slice(x, i, zero), dynamic_slice_sizes={12,50}\n"
                      "ROOT y = f32[12,50]{1,0} multiply(a, b)"));
  EXPECT_EQ(kernel.read_bytes, 2 * 12 * 50 * 4);
  EXPECT_EQ(kernel.levels, 1);
}

TEST(FusedKernel, SlicesWhatItHasMade) {
  const FusedKernel kernel =
      check(module_of("x = f32[40,100]{1,0} parameter(0)\n"
                      "e = f32[40,100]{1,0} exponential(x)\n"
                      "a = f32[40,50]{1,0} slice(e), slice={[0:40], [0:50]}\n"
                      "b = f32[40,50]{1,0} slice(e), slice={[0:40], [50:100]}\n"
                      "ROOT y = f32[40,50]{1,0} add(a, b)"));
  EXPECT_EQ(kernel.levels, 2);
}

/// Halves of heads, turned against each other, as in rotary embeddings.
TEST(FusedKernel, SlicesWhatItHasTransposed) {
  const std::string halves =
      "s = f32[3,18,8,16]{3,2,1,0} slice(y), slice={[0:3], [0:18], [0:8], [0:16]}\n"
      "u = f32[3,18,8,16]{3,2,1,0} slice(y), slice={[0:3], [0:18], [0:8], [16:32]}\n"
      "n = f32[3,18,8,16]{3,2,1,0} negate(u)\n"
      "ROOT r = f32[3,18,8,32]{3,2,1,0} concatenate(n, s), dimensions={3}";
  const FusedKernel seen =
      check(module_of("x = bf16[3,8,18,1,32]{4,3,2,1,0} parameter(0)\n"
                      "t = bf16[3,18,8,1,32]{4,3,2,1,0} transpose(x), dimensions={0,2,1,3,4}\n"
                      "v = bf16[3,18,8,32]{3,2,1,0} reshape(t)\n"
                      "y = f32[3,18,8,32]{3,2,1,0} convert(v)\n" +
                      halves));
  EXPECT_EQ(seen.levels, 1);
  EXPECT_EQ(seen.read_bytes, 3 * 18 * 8 * 32 * 2);
  // A reshape that cuts rows elsewhere: the transpose goes through memory.
  const FusedKernel copied =
      check(module_of("x = f32[24,16,36]{2,1,0} parameter(0)\n"
                      "t = f32[16,24,36]{2,1,0} transpose(x), dimensions={1,0,2}\n"
                      "y = f32[3,18,8,32]{3,2,1,0} reshape(t)\n" +
                      halves));
  EXPECT_EQ(copied.levels, 2);
}

TEST(FusedKernel, SlicesASliceAtAPlaceThatIsKnownLate) {
  const FusedKernel kernel = check(module_of(
      "x = f32[5,30,64]{2,1,0} parameter(0)\n"
      "i = s32[] parameter(1)\n"
      "zero = s32[] constant(0)\n"
      "d = f32[1,30,64]{2,1,0} dynamic-slice(x, i, zero, zero), dynamic_slice_sizes={1,30,64}\n"
      "y = f32[30,64]{1,0} reshape(d)\n"
      "s = f32[30,20]{1,0} slice(y), slice={[0:30], [0:20]}\n"
      "u = f32[30,20]{1,0} slice(y), slice={[0:30], [40:60]}\n"
      "ROOT r = f32[30,20]{1,0} add(s, u)"));
  EXPECT_EQ(kernel.levels, 1);
  EXPECT_EQ(kernel.read_bytes, 2 * 30 * 20 * 4);
  // A window that is no block of the array.
  check(
      module_of("x = f32[50,64]{1,0} parameter(0)\n"
                "i = s32[] parameter(1)\n"
                "d = f32[30,40]{1,0} dynamic-slice(x, i, i), dynamic_slice_sizes={30,40}\n"
                "s = f32[30,20]{1,0} slice(d), slice={[0:30], [10:30]}\n"
                "ROOT r = f32[30,20]{1,0} negate(s)"));
  check(
      module_of("x = f32[50,64]{1,0} parameter(0)\n"
                "d = f32[30,40]{1,0} slice(x), slice={[3:33], [7:47]}\n"
                "s = f32[15,20]{1,0} slice(d), slice={[0:30:2], [10:30]}\n"
                "ROOT r = f32[15,20]{1,0} negate(s)"));
}

TEST(FusedKernel, PutsOperandsOfAConcatenationInTheirPlaces) {
  const FusedKernel kernel =
      check(module_of("x = f32[8,32,64]{2,1,0} parameter(0)\n"
                      "a = f32[8,32,1]{2,1,0} slice(x), slice={[0:8], [0:32], [63:64]}\n"
                      "b = f32[8,32,63]{2,1,0} slice(x), slice={[0:8], [0:32], [0:63]}\n"
                      "n = f32[8,32,1]{2,1,0} negate(a)\n"
                      "c = f32[8,32,64]{2,1,0} concatenate(n, b), dimensions={2}\n"
                      "ROOT y = f32[8,32,64]{2,1,0} multiply(c, x)"));
  EXPECT_EQ(kernel.levels, 2);
}

TEST(FusedKernel, ComputesTheIndexOfASlice) {
  const FusedKernel kernel =
      check(module_of("x = f32[40]{0} parameter(0)\n"
                      "i = s32[] parameter(1)\n"
                      "zero = s32[] constant(0)\n"
                      "forty = s32[] constant(40)\n"
                      "p = pred[] compare(i, zero), direction=LT\n"
                      "k = s32[] add(i, forty)\n"
                      "j = s32[] select(p, k, i)\n"
                      "b = f32[12]{0} dynamic-slice(x, j), dynamic_slice_sizes={12}\n"
                      "ROOT y = f32[12]{0} negate(b)"));
  EXPECT_EQ(kernel.levels, 1);
}

TEST(FusedKernel, DoesNotComputeThePlaceOfASliceFromAnArray) {
  const OpGraph graph = parse_hlo(
      "HloModule m\n"
      "most { a = s32[] parameter(0) b = s32[] parameter(1) ROOT r = s32[] maximum(a, b) }\n"
      "ENTRY e { x = f32[40]{0} parameter(0)\n"
      "i = s32[9]{0} parameter(1)\n"
      "least = s32[] constant(0)\n"
      "j = s32[] reduce(i, least), dimensions={0}, to_apply=most\n"
      "ROOT b = f32[12]{0} dynamic-slice(x, j), dynamic_slice_sizes={12} }",
      "m.hlo");
  const Region region(graph, graph.entry);
  EXPECT_THROW(plan_fused_kernel(region, everything(region), load_machine("ascend-910b2")), Error);
}

TEST(FusedKernel, PadsWhatItHasMade) {
  const FusedKernel kernel =
      check(module_of("x = bf16[6,50,30]{2,1,0} parameter(0)\n"
                      "two = bf16[] constant(2)\n"
                      "e = bf16[6,50,30]{2,1,0} negate(x)\n"
                      "ROOT p = bf16[6,54,33]{2,1,0} pad(e, two), padding=0_0x3_1x1_2"));
  EXPECT_EQ(kernel.levels, 1);
}

/// At the second level, work that loads nothing comes before work that does, on the same core:
/// whose turn it is, is no other pipe's to take.
TEST(FusedKernel, TakesTurnsWithWorkThatLoadsNothing) {
  const OpGraph graph =
      parse_hlo(module_of("a = f32[64,100]{1,0} parameter(0)\n"
                          "b = f32[64,100]{1,0} parameter(1)\n"
                          "x = f32[2,100]{1,0} parameter(2)\n"
                          "i = s32[] parameter(3)\n"
                          "z = s32[] constant(0)\n"
                          "v = f32[] constant(5)\n"
                          "f = f32[2,100]{1,0} broadcast(v), dimensions={}\n"
                          "c = f32[64,100]{1,0} dynamic-update-slice(a, f, i, z)\n"
                          "d = f32[64,100]{1,0} dynamic-update-slice(b, x, i, z)\n"
                          "ROOT r = (f32[64,100]{1,0}, f32[64,100]{1,0}) tuple(c, d)"),
                "m.hlo");
  const Region region(graph, graph.entry);
  for (const int64_t cores : {1, 2, 24}) {
    Machine machine = load_machine("ascend-910b2");
    machine.cores.aic = static_cast<decltype(machine.cores.aic)>(cores);
    machine.cores.aiv_per_aic = 1;
    const FusedKernel kernel = plan_fused_kernel(region, everything(region), machine);
    EXPECT_EQ(kernel.levels, 2);
    const FusedLaunch built = build_fused_launch(region, kernel, machine);
    EXPECT_GT(time_launch(built.launch, machine, Fidelity::kAuto).ticks, 0);
    EXPECT_TRUE(find_hazards(built.launch, machine).empty());
  }
}

TEST(FusedKernel, ReadsWhatItHasPadded) {
  check(
      module_of("x = f32[40]{0} parameter(0)\n"
                "y = f32[1040]{0} parameter(1)\n"
                "zero = f32[] constant(0)\n"
                "p = f32[1040]{0} pad(x, zero), padding=0_1000\n"
                "ROOT r = f32[1040]{0} add(p, y)"));
}

TEST(FusedKernel, LeavesOtherPadsToTheLibrary) {
  for (const char* padding : {"-1_0", "0_-1", "0_0_1"}) {
    const std::string size = std::string(padding) == "0_0_1" ? "79" : "39";
    const OpGraph graph =
        parse_hlo(module_of("x = f32[40]{0} parameter(0)\nzero = f32[] constant(0)\n"
                            "ROOT p = f32[" +
                            size + "]{0} pad(x, zero), padding=" + padding),
                  "m.hlo");
    const Region region(graph, graph.entry);
    EXPECT_EQ(why_not_fusible(region, region.computation().root),
              "it cuts edges or pads between elements");
  }
}

TEST(FusedKernel, UpdatesASliceOfACopy) {
  const FusedKernel kernel =
      check(module_of("x = f32[40,100]{1,0} parameter(0)\n"
                      "u = f32[3,50]{1,0} parameter(1)\n"
                      "i = s32[] parameter(2)\n"
                      "j = s32[] parameter(3)\n"
                      "e = f32[3,50]{1,0} exponential(u)\n"
                      "d = f32[40,100]{1,0} dynamic-update-slice(x, e, i, j)\n"
                      "ROOT y = f32[40,100]{1,0} multiply(d, d)"));
  EXPECT_EQ(kernel.levels, 3);
  EXPECT_EQ(kernel.workspace.size(), 1u);
}

TEST(FusedKernel, UpdatesWhatItHasMade) {
  const FusedKernel kernel =
      check(module_of("x = bf16[40,96]{1,0} parameter(0)\n"
                      "u = bf16[1,96]{1,0} parameter(1)\n"
                      "i = s32[] parameter(2)\n"
                      "zero = s32[] constant(0)\n"
                      "e = bf16[40,96]{1,0} negate(x)\n"
                      "ROOT d = bf16[40,96]{1,0} dynamic-update-slice(e, u, i, zero)"));
  EXPECT_EQ(kernel.levels, 2);
}

TEST(FusedKernel, FillsAroundAndInsideAnUpdate) {
  check(
      module_of("i = s32[] parameter(0)\n"
                "zero = s32[] constant(0)\n"
                "one = f32[] constant(1)\n"
                "two = f32[] constant(2)\n"
                "ones = f32[5000,24]{1,0} broadcast(one), dimensions={}\n"
                "twos = f32[9,24]{1,0} broadcast(two), dimensions={}\n"
                "ROOT d = f32[5000,24]{1,0} dynamic-update-slice(ones, twos, i, zero)"));
}

/// A module whose entry updates its first parameter, with the alias that lets it do so in place.
std::string updating_module(const std::string& ops) {
  return "HloModule m, input_output_alias={ {0}: (0, {}, may-alias) }\n\nENTRY e {\n" + ops +
         "\n}\n";
}

TEST(FusedKernel, UpdatesItsInputInPlace) {
  const FusedKernel kernel =
      check(updating_module("x = s32[64,8,33]{2,1,0} parameter(0)\n"
                            "u = s32[1,8,33]{2,1,0} parameter(1)\n"
                            "i = s32[] parameter(2)\n"
                            "zero = s32[] constant(0)\n"
                            "one = s32[] constant(1)\n"
                            "j = s32[] add(i, one)\n"
                            "n = s32[1,8,33]{2,1,0} negate(u)\n"
                            "d = s32[64,8,33]{2,1,0} dynamic-update-slice(x, n, j, zero, zero)\n"
                            "ROOT t = (s32[64,8,33]{2,1,0}) tuple(d)"));
  EXPECT_EQ(kernel.levels, 1);
  EXPECT_EQ(kernel.write_bytes, 4 * 8 * 33);
  EXPECT_TRUE(kernel.workspace.empty());
}

TEST(FusedKernel, ReadsAllBeforeItUpdatesInPlace) {
  const FusedKernel kernel = check(updating_module(
      "x = f32[64,100]{1,0} parameter(0)\n"
      "i = s32[] parameter(1)\n"
      "zero = s32[] constant(0)\n"
      "s = f32[2,100]{1,0} dynamic-slice(x, i, zero), dynamic_slice_sizes={2,100}\n"
      "n = f32[2,100]{1,0} negate(s)\n"
      "d = f32[64,100]{1,0} dynamic-update-slice(x, n, zero, zero)\n"
      "r = f32[2,100]{1,0} dynamic-slice(d, i, zero), dynamic_slice_sizes={2,100}\n"
      "e = f32[64,100]{1,0} exponential(x)\n"
      "ROOT t = (f32[64,100]{1,0}, f32[2,100]{1,0}, f32[64,100]{1,0}) tuple(d, r, e)"));
  EXPECT_EQ(kernel.levels, 3);
}

TEST(FusedKernel, TakesRowsTooLongForUbThroughMemory) {
  const FusedKernel kernel =
      check(module_with_functions("x = f32[3,60000]{1,0} parameter(0)\n"
                                  "zero = f32[] constant(0)\n"
                                  "e = f32[3,60000]{1,0} exponential(x)\n"
                                  "s = f32[3]{0} reduce(e, zero), dimensions={1}, to_apply=sum\n"
                                  "t = f32[3,60000]{1,0} broadcast(s), dimensions={0}\n"
                                  "ROOT y = f32[3,60000]{1,0} divide(e, t)"));
  EXPECT_GE(kernel.levels, 2);
}

/// Columns with a scale of their own that takes several ops to compute.
std::string scaled(const std::string& result, int64_t rows, int64_t columns) {
  const std::string row = fmt::format("f32[{}]{{0}}", columns);
  const std::string all = fmt::format("f32[{},{}]{{1,0}}", rows, columns);
  const std::string& n = result;
  return fmt::format(
      "r{0} = {1} rsqrt(v{0})\ns{0} = {1} multiply(r{0}, g{0})\n"
      "t{0} = {2} broadcast(s{0}), dimensions={{1}}\nb{0} = {2} broadcast(g{0}), dimensions={{1}}\n"
      "m{0} = {2} multiply(x{0}, t{0})\ny{0} = {2} add(m{0}, b{0})\n",
      n, row, all);
}

TEST(FusedKernel, ComputesOnceWhatAllTilesRead) {
  const FusedKernel kernel =
      check(module_of("x = f32[20000,96]{1,0} parameter(0)\nv = f32[96]{0} parameter(1)\n"
                      "g = f32[96]{0} parameter(2)\n" +
                      scaled("", 20000, 96) + "ROOT z = f32[20000,96]{1,0} negate(y)"));
  ASSERT_EQ(kernel.nests.size(), 1u);
  const VecProgram& program = kernel.nests[0].program;
  EXPECT_TRUE(kernel.nests[0].tiles.hoists);
  EXPECT_EQ(program.once.loads.size(), 2u);
  EXPECT_GE(program.once.steps.size(), 2u);
  EXPECT_EQ(program.body.loads.size(), 1u);
}

TEST(FusedKernel, TakesTurnsWithWhatIsDoneOnce) {
  const FusedKernel kernel = check(module_of(
      "x1 = f32[9000,96]{1,0} parameter(0)\nv1 = f32[96]{0} parameter(1)\n"
      "g1 = f32[96]{0} parameter(2)\nx2 = f32[7000,160]{1,0} parameter(3)\n"
      "v2 = f32[160]{0} parameter(4)\ng2 = f32[160]{0} parameter(5)\n" +
      scaled("1", 9000, 96) + scaled("2", 7000, 160) +
      "ROOT t = (f32[9000,96]{1,0}, f32[7000,160]{1,0}) tuple(y1, y2)"));
  EXPECT_EQ(kernel.levels, 1);
  ASSERT_EQ(kernel.nests.size(), 2u);
  for (const PlannedNest& nest : kernel.nests) EXPECT_TRUE(nest.tiles.hoists);
}

TEST(FusedKernel, SumsAlongAnAxisInStepsWithWhatIsDoneOnce) {
  check(module_with_functions(
      "x = f32[6000,3000]{1,0} parameter(0)\nv = f32[3000]{0} parameter(1)\n"
      "w = f32[3000]{0} exponential(v)\nb = f32[6000,3000]{1,0} broadcast(w), dimensions={1}\n"
      "m = f32[6000,3000]{1,0} multiply(x, b)\nzero = f32[] constant(0)\n"
      "ROOT s = f32[3000]{0} reduce(m, zero), dimensions={0}, to_apply=sum"));
}

TEST(FusedKernel, KeepsOperandsInDifferentBanks) {
  const Machine machine = load_machine("ascend-910b2");
  const OpGraph graph = parse_hlo(
      module_with_functions("x = f32[9600,768]{1,0} parameter(0)\nzero = f32[] constant(0)\n"
                            "q = f32[9600,768]{1,0} multiply(x, x)\n"
                            "s = f32[9600]{0} reduce(q, zero), dimensions={1}, to_apply=sum\n"
                            "t = f32[9600,768]{1,0} broadcast(s), dimensions={0}\n"
                            "ROOT y = f32[9600,768]{1,0} divide(x, t)"),
      "m.hlo");
  const Region region(graph, graph.entry);
  const FusedKernel kernel = plan_fused_kernel(region, everything(region), machine);
  const FusedLaunch built = build_fused_launch(region, kernel, machine);
  const LaunchProfile profile = profile_launch(built.launch, machine);
  int64_t busy = 0, conflict = 0;
  for (const PipeProfile& pipe : profile.pipes) {
    if (pipe.pipe == Pipe::kVec) busy += pipe.busy_ticks;
  }
  for (const WaitProfile& wait : profile.waits) {
    if (wait.pipe == Pipe::kVec && wait.on == "conflict") conflict += wait.ticks;
  }
  EXPECT_GT(busy, 0);
  EXPECT_LT(static_cast<double>(conflict), 0.03 * static_cast<double>(busy));
}

TEST(FusedKernel, IsEstimatedNearTheSimulator) {
  const std::string row_sum =
      "zero = f32[] constant(0)\n"
      "s = f32[6272]{0} reduce(x, zero), dimensions={1}, to_apply=sum\n"
      "t = f32[6272,768]{1,0} broadcast(s), dimensions={0}\n"
      "ROOT y = f32[6272,768]{1,0} divide(x, t)";
  const std::vector<std::string> modules = {
      // Bound by HBM, by work, by latency.
      "x = f32[6272,768]{1,0} parameter(0)\nROOT y = f32[6272,768]{1,0} negate(x)",
      "x = f32[6272,768]{1,0} parameter(0)\n" + row_sum,
      "x = f32[400,300]{1,0} parameter(0)\na = f32[400,300]{1,0} tanh(x)\n"
      "b = f32[400,300]{1,0} sine(a)\nROOT y = f32[400,300]{1,0} tanh(b)",
      "x = f32[] parameter(0)\nROOT y = f32[] negate(x)",
      // Read again by other tiles, from L2.
      "x = f32[64,196,768]{2,1,0} parameter(0)\np = f32[196,768]{1,0} parameter(1)\n"
      "q = f32[64,196,768]{2,1,0} broadcast(p), dimensions={1,2}\n"
      "ROOT y = f32[64,196,768]{2,1,0} add(x, q)",
      // More than L2 holds.
      "x = f32[24000000]{0} parameter(0)\nROOT y = f32[24000000]{0} negate(x)",
      // A short axis, and nests side by side.
      "x = bf16[8,1984,4]{2,1,0} parameter(0)\ny = f32[3616,8]{1,0} parameter(1)\n"
      "a = bf16[8,1984,4]{2,1,0} negate(x)\nb = f32[3616,8]{1,0} exponential(y)\n"
      "ROOT t = (bf16[8,1984,4]{2,1,0}, f32[3616,8]{1,0}) tuple(a, b)"};
  Machine machine = load_machine("ascend-910b2");
  machine.launch.launch_us = 0;
  for (const std::string& ops : modules) {
    const OpGraph graph = parse_hlo(module_with_functions(ops), "m.hlo");
    const Region region(graph, graph.entry);
    const FusedKernel kernel = plan_fused_kernel(region, everything(region), machine);
    const FusedLaunch built = build_fused_launch(region, kernel, machine);
    const auto simulated =
        static_cast<double>(time_launch(built.launch, machine, Fidelity::kAuto).ticks) -
        machine.launch.dispatch_cycles * static_cast<double>(kTicksPerCycle);
    EXPECT_NEAR(kernel.estimated_ticks / simulated, 1, 0.3) << ops;
  }
}

}  // namespace
}  // namespace tilewright
