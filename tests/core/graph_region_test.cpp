#include <gtest/gtest.h>

#include "core/graph/fold_transposes.h"
#include "core/graph/hlo_reader.h"
#include "core/graph/interpreter.h"
#include "core/graph/merge_equal_ops.h"
#include "core/graph/region.h"
#include "tests/hlo_module.h"

namespace tilewright {
namespace {

int32_t find(const OpGraph& graph, const std::string& name) {
  const Computation& entry = graph.entry_computation();
  for (size_t i = 0; i < entry.ops.size(); ++i) {
    if (entry.ops[i].name == name) return static_cast<int32_t>(i);
  }
  return -1;
}

std::vector<std::string> names(const OpGraph& graph, std::span<const int32_t> ops) {
  std::vector<std::string> list;
  for (const int32_t op : ops) list.push_back(graph.entry_computation().op(op).name);
  return list;
}

TEST(Region, LooksPastViewsAndLeavesConstantsOut) {
  const OpGraph graph = parse_hlo(module_of("x = f32[6,4] parameter(0)\n"
                                            "c = f32[] constant(2)\n"
                                            "two = f32[24] broadcast(c), dimensions={}\n"
                                            "e = f32[6,4] exponential(x)\n"
                                            "v = f32[24] reshape(e)\n"
                                            "m = f32[24] multiply(v, two)\n"
                                            "w = f32[4,6] reshape(m)\n"
                                            "ROOT t = (f32[4,6]) tuple(w)"),
                                  "m.hlo");
  const Region region(graph, graph.entry);
  EXPECT_EQ(region.role(find(graph, "v")), OpRole::kView);
  EXPECT_EQ(region.base(find(graph, "v")), find(graph, "e"));
  EXPECT_EQ(names(graph, region.inputs(find(graph, "m"))), (std::vector<std::string>{"e"}));
  EXPECT_EQ(names(graph, region.users(find(graph, "e"))), (std::vector<std::string>{"m"}));
  EXPECT_EQ(region.splat(find(graph, "two")), 2.0);
  EXPECT_TRUE(region.is_result(find(graph, "m")));
  EXPECT_FALSE(region.is_result(find(graph, "e")));
  EXPECT_EQ(region.bytes(find(graph, "m")), 96);
}

TEST(Region, WhatIsMadeOfConstantsIsNoWork) {
  const OpGraph graph = parse_hlo(module_of("i = s32[8,8] iota(), iota_dimension=0\n"
                                            "j = s32[8,8] iota(), iota_dimension=1\n"
                                            "mask = pred[8,8] compare(i, j), direction=GE\n"
                                            "x = f32[8,8] parameter(0)\n"
                                            "z = f32[] constant(0)\n"
                                            "zeros = f32[8,8] broadcast(z), dimensions={}\n"
                                            "ROOT y = f32[8,8] select(mask, x, zeros)"),
                                  "m.hlo");
  const Region region(graph, graph.entry);
  EXPECT_EQ(region.role(find(graph, "mask")), OpRole::kConstant);
  EXPECT_EQ(region.role(find(graph, "y")), OpRole::kLight);
}

/// Both graphs give the same from the same inputs.
void expect_equal_results(const OpGraph& a, const OpGraph& b) {
  const std::vector<Value> inputs = make_inputs(a, 7);
  const Value x = interpret(a, inputs);
  const Value y = interpret(b, inputs);
  ASSERT_EQ(x.size(), y.size());
  for (int64_t i = 0; i < x.size(); ++i) EXPECT_EQ(x.number(i), y.number(i));
}

TEST(FoldTransposes, ADotReadsTheUntransposedArray) {
  const OpGraph graph = parse_hlo(
      module_of("q = f32[2,3,5,4] parameter(0)\n"
                "k = f32[2,7,5,4] parameter(1)\n"
                "a = f32[2,5,3,4] transpose(q), dimensions={0,2,1,3}\n"
                "b = f32[2,5,4,7] transpose(k), dimensions={0,2,3,1}\n"
                "ROOT s = f32[2,5,3,7] dot(a, b), lhs_batch_dims={0,1}, rhs_batch_dims={0,1}, "
                "lhs_contracting_dims={3}, rhs_contracting_dims={2}"),
      "m.hlo");
  const OpGraph folded = fold_transposes(graph);
  EXPECT_EQ(find(folded, "a"), -1);
  EXPECT_EQ(find(folded, "b"), -1);
  expect_equal_results(graph, folded);
}

TEST(FoldTransposes, ATransposeThatOrdersTheResultStays) {
  const OpGraph graph =
      parse_hlo(module_of("x = f32[3,5,4] parameter(0)\n"
                          "y = f32[4,2] parameter(1)\n"
                          "a = f32[5,3,4] transpose(x), dimensions={1,0,2}\n"
                          "ROOT s = f32[5,3,2] dot(a, y), lhs_contracting_dims={2}, "
                          "rhs_contracting_dims={0}"),
                "m.hlo");
  const OpGraph folded = fold_transposes(graph);
  EXPECT_NE(find(folded, "a"), -1);
  expect_equal_results(graph, folded);
}

TEST(MergeEqualOps, OneOpStaysOfTwoThatComputeTheSame) {
  const OpGraph graph = parse_hlo(R"(HloModule m
one { a = f32[] parameter(0) b = f32[] parameter(1) ROOT r = f32[] add(a, b) }
two { p = f32[] parameter(0) q = f32[] parameter(1) ROOT s = f32[] add(p, q) }
ENTRY e {
  x = f32[4,6] parameter(0)
  z = f32[] constant(0)
  zz = f32[] constant(0)
  u = f32[4] reduce(x, z), dimensions={1}, to_apply=one
  v = f32[4] reduce(x, zz), dimensions={1}, to_apply=two
  n = f32[4] negate(v)
  ROOT w = f32[4] multiply(u, n)
})",
                                  "m.hlo");
  const OpGraph merged = merge_equal_ops(graph);
  EXPECT_EQ(find(merged, "v"), -1);
  EXPECT_EQ(merged.entry_computation().ops.size(), 5u);
  expect_equal_results(graph, merged);
}

TEST(MergeEqualOps, RandomNumbersStayApart) {
  const OpGraph graph = parse_hlo(module_of("l = f32[] constant(0)\n h = f32[] constant(1)\n"
                                            "a = f32[4] rng(l, h), distribution=rng_uniform\n"
                                            "b = f32[4] rng(l, h), distribution=rng_uniform\n"
                                            "ROOT c = f32[4] subtract(a, b)"),
                                  "m.hlo");
  EXPECT_EQ(merge_equal_ops(graph).entry_computation().ops.size(), 5u);
}

}  // namespace
}  // namespace tilewright
