// Fused kernels on 32-bit whole numbers without a sign: hashes, and the random numbers of dropout.

#include <gtest/gtest.h>

#include <algorithm>

#include "core/graph/hlo_reader.h"
#include "core/machine/machine.h"
#include "kernels/fused/fused_check.h"
#include "kernels/fused/fused_ops.h"
#include "simulator/hazards.h"
#include "tests/hlo_module.h"

namespace tilewright {
namespace {

/// All ops that can be fused as one kernel with the root as its output, compared with the
/// interpreter; how many ops they are.
size_t check(const std::string& ops) {
  const Machine machine = load_machine("ascend-910b2");
  const OpGraph graph = parse_hlo(module_of(ops), "m.hlo");
  const Region region(graph, graph.entry);
  FusedOps fused;
  for (int32_t op = 0; op < region.size(); ++op) {
    const OpRole role = region.role(op);
    if (role == OpRole::kBoundary || role == OpRole::kConstant) continue;
    EXPECT_EQ(why_not_fusible(region, op), "") << region.computation().op(op).name;
    fused.ops.push_back(op);
  }
  fused.outputs = {graph.entry_computation().root};
  const FusedKernel kernel = plan_fused_kernel(region, fused, machine);
  const CheckResult result = check_fused_kernel(region, kernel, machine, 1, 1e-4);
  EXPECT_TRUE(result.ok) << result.first_failure << "\n" << ops;
  EXPECT_TRUE(find_hazards(build_fused_launch(region, kernel, machine).launch, machine).empty());
  return fused.ops.size();
}

/// name = u32[..] of one number everywhere.
std::string known(const std::string& name, const std::string& number) {
  return "c" + name + " = u32[] constant(" + number + ")\n" + name + " = u32[50,70] broadcast(c" +
         name + "), dimensions={}\n";
}

TEST(FusedBits, HashesNumbers) {
  // A round of threefry2x32, with its constants.
  check("x = u32[50,70] parameter(0)\ny = u32[50,70] parameter(1)\n" + known("k", "466688986") +
        known("big", "4026531839") + known("l", "13") + known("r", "19") +
        "a = u32[50,70] add(x, k)\nb = u32[50,70] multiply(y, big)\n"
        "s = u32[50,70] add(a, b)\nleft = u32[50,70] shift-left(b, l)\n"
        "right = u32[50,70] shift-right-logical(b, r)\nturned = u32[50,70] or(left, right)\n"
        "h = u32[50,70] xor(s, turned)\nn = u32[50,70] not(h)\nm = u32[50,70] and(n, big)\n"
        "ROOT z = u32[50,70] subtract(m, x)");
}

TEST(FusedBits, MakesRandomNumbersBetweenNoughtAndOne) {
  check("bits = u32[50,70] parameter(0)\nx = f32[50,70] parameter(1)\n" +
        known("big", "3735928559") + known("nine", "9") + known("one", "1065353216") +
        "h = u32[50,70] multiply(bits, big)\ns = u32[50,70] shift-right-logical(h, nine)\n"
        "o = u32[50,70] or(s, one)\nf = f32[50,70] bitcast-convert(o)\n"
        "c = f32[] constant(1)\ncc = f32[50,70] broadcast(c), dimensions={}\n"
        "u = f32[50,70] subtract(f, cc)\np = f32[] constant(0.9)\n"
        "pp = f32[50,70] broadcast(p), dimensions={}\n"
        "keep = pred[50,70] compare(u, pp), direction=LT\nz = f32[] constant(0)\n"
        "zz = f32[50,70] broadcast(z), dimensions={}\n"
        "ROOT y = f32[50,70] select(keep, x, zz)");
}

TEST(FusedBits, ComparesWithoutASign) {
  for (const char* direction : {"LT", "LE", "GT", "GE", "EQ", "NE"}) {
    check("x = u32[50,70] parameter(0)\n" + known("big", "3000000000") + known("two", "2") +
          "m = u32[50,70] multiply(x, big)\nn = u32[50,70] and(m, big)\n"
          "p = pred[50,70] compare(m, big), direction=" +
          direction + "\nROOT r = u32[50,70] select(p, n, two)");
  }
}

TEST(FusedBits, ConvertsAndMoves) {
  check("x = s32[50,70] parameter(0)\nu = u32[50,70] convert(x)\n" + known("big", "2654435769") +
        "m = u32[50,70] multiply(u, big)\nt = u32[70,50] transpose(m), dimensions={1,0}\n"
        "s = u32[70,20] slice(t), slice={[0:70], [3:23]}\n"
        "ROOT f = f32[70,20] convert(s)");
  check("p = pred[50,70] parameter(0)\nu = u32[50,70] convert(p)\n" + known("one", "1") +
        "a = u32[50,70] add(u, one)\nb = u32[50,70] shift-left(a, one)\n"
        "q = pred[50,70] convert(u)\ns = s32[50,70] convert(b)\nz = s32[] constant(0)\n"
        "zz = s32[50,70] broadcast(z), dimensions={}\n"
        "ROOT r = s32[50,70] select(q, s, zz)");
}

TEST(FusedBits, LeavesTheRestToTheLibrary) {
  const OpGraph graph = parse_hlo(
      module_with_functions("x = u32[50,70] parameter(0)\ny = u32[50,70] parameter(1)\n"
                            "d = u32[50,70] divide(x, y)\nm = u32[50,70] maximum(x, y)\n"
                            "s = u32[50,70] shift-left(x, y)\nf = f32[50,70] parameter(2)\n"
                            "c = u32[50,70] convert(f)\nb = u32[50,70] bitcast-convert(f)\n"
                            "p = u32[50,70] popcnt(x)\n"
                            "ROOT t = (u32[50,70], u32[50,70], u32[50,70], u32[50,70], "
                            "u32[50,70], u32[50,70]) tuple(d, m, s, c, b, p)"),
      "m.hlo");
  const Region region(graph, graph.entry);
  for (int32_t op = 0; op < region.size(); ++op) {
    const Op& made = region.computation().op(op);
    if (region.role(op) == OpRole::kBoundary) continue;
    EXPECT_NE(why_not_fusible(region, op), "") << made.name;
  }
}

}  // namespace
}  // namespace tilewright
