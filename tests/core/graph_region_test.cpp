#include <gtest/gtest.h>

#include <cmath>

#include "core/graph/cancel_scales.h"
#include "core/graph/expand_batch_norm.h"
#include "core/graph/fold_transposes.h"
#include "core/graph/hlo_reader.h"
#include "core/graph/infer_shape.h"
#include "core/graph/interpreter.h"
#include "core/graph/merge_equal_ops.h"
#include "core/graph/plain_scatters.h"
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

std::string in_place_of(const OpGraph& graph, const std::string& computation,
                        const std::string& name) {
  for (size_t i = 0; i < graph.computations.size(); ++i) {
    if (graph.computations[i].name != computation) continue;
    const Region region(graph, static_cast<int32_t>(i));
    for (int32_t op = 0; op < region.size(); ++op) {
      if (region.computation().op(op).name != name) continue;
      const int32_t updated = region.in_place(op);
      return updated < 0 ? "" : region.computation().op(updated).name;
    }
  }
  return "no such op";
}

TEST(Region, ALoopUpdatesItsStateInPlace) {
  const auto loop = [](const std::string& body_ops) {
    return parse_hlo(
        "HloModule m\n"
        "body { s = (s32[], f32[8,4], f32[8,4]) parameter(0)\n"
        "i = s32[] get-tuple-element(s), index=0\n"
        "x = f32[8,4] get-tuple-element(s), index=1\n"
        "y = f32[8,4] get-tuple-element(s), index=2\n"
        "one = s32[] constant(1)\nzero = s32[] constant(0)\n"
        "j = s32[] add(i, one)\n" +
            body_ops +
            "}\n"
            "condition { s = (s32[], f32[8,4], f32[8,4]) parameter(0)\n"
            "i = s32[] get-tuple-element(s), index=0\nn = s32[] constant(8)\n"
            "ROOT p = pred[] compare(i, n), direction=LT }\n"
            "ENTRY e { a = f32[8,4] parameter(0)\nzero = s32[] constant(0)\n"
            "t = (s32[], f32[8,4], f32[8,4]) tuple(zero, a, a)\n"
            "ROOT w = (s32[], f32[8,4], f32[8,4]) while(t), condition=condition, "
            "body=body }\n",
        "m.hlo");
  };
  const std::string tuple = "ROOT t = (s32[], f32[8,4], f32[8,4]) tuple(j, ";
  const std::string row =
      "r = f32[1,4] dynamic-slice(x, i, zero), dynamic_slice_sizes={1,4}\n"
      "n = f32[1,4] negate(r)\n"
      "d = f32[8,4] dynamic-update-slice(x, n, i, zero)\n";
  EXPECT_EQ(in_place_of(loop(row + tuple + "d, y)"), "body", "d"), "x");
  // The result becomes another part of the state, or the old one is still needed.
  EXPECT_EQ(in_place_of(loop(row + tuple + "y, d)"), "body", "d"), "");
  EXPECT_EQ(in_place_of(loop(row + "z = f32[8,4] add(d, x)\n" + tuple + "d, z)"), "body", "d"), "");
  EXPECT_EQ(in_place_of(loop(row + tuple + "d, x)"), "body", "d"), "");
}

TEST(Region, AnUpdateTakesTheMemoryOfWhatNobodyElseReads) {
  const std::string ops =
      "x = f32[8,4] parameter(0)\n"
      "u = f32[1,4] parameter(1)\n"
      "i = s32[] parameter(2)\n"
      "e = f32[8,4] exponential(x)\n"
      "a = f32[8,4] dynamic-update-slice(x, u, i, i)\n"
      "b = f32[8,4] dynamic-update-slice(e, u, i, i)\n";
  const OpGraph one =
      parse_hlo(module_of(ops + "ROOT t = (f32[8,4], f32[8,4]) tuple(a, b)"), "m.hlo");
  EXPECT_EQ(in_place_of(one, "e", "a"), "");
  EXPECT_EQ(in_place_of(one, "e", "b"), "e");
  const OpGraph two =
      parse_hlo(module_of(ops + "c = f32[8,4] negate(e)\n"
                                "ROOT t = (f32[8,4], f32[8,4], f32[8,4]) tuple(a, b, c)"),
                "m.hlo");
  EXPECT_EQ(in_place_of(two, "e", "b"), "");
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

TEST(FoldTransposes, ADotContractsWhatAReshapeHasMerged) {
  const OpGraph graph = parse_hlo(
      module_of(
          "p = f32[2,5,3,7] parameter(0)\n"
          "w = f32[15,4] parameter(1)\n"
          "t = f32[2,7,5,3] transpose(p), dimensions={0,3,1,2}\n"
          "r = f32[2,7,15] reshape(t)\n"
          "ROOT o = f32[2,7,4] dot(r, w), lhs_contracting_dims={2}, rhs_contracting_dims={0}"),
      "m.hlo");
  const OpGraph folded = fold_transposes(graph);
  EXPECT_EQ(find(folded, "t"), -1);
  EXPECT_EQ(find(folded, "r"), -1);
  EXPECT_EQ(folded.entry_computation().root_op().get<DotDimensions>().lhs_contracting,
            (std::vector<int64_t>{1, 2}));
  expect_equal_results(graph, folded);
}

TEST(FoldTransposes, AReshapeThatMergesKeptDimensionsStays) {
  const OpGraph graph = parse_hlo(
      module_of("p = f32[2,5,3,7] parameter(0)\n"
                "w = f32[7,4] parameter(1)\n"
                "t = f32[3,2,5,7] transpose(p), dimensions={2,0,1,3}\n"
                "r = f32[30,7] reshape(t)\n"
                "ROOT o = f32[30,4] dot(r, w), lhs_contracting_dims={1}, rhs_contracting_dims={0}"),
      "m.hlo");
  EXPECT_NE(find(fold_transposes(graph), "t"), -1);
}

TEST(CancelScales, APowerOfTwoThatIsTakenBackVanishes) {
  const OpGraph graph = parse_hlo(module_of("x = f32[3,5] parameter(0)\n"
                                            "c = f32[] constant(8)\n"
                                            "eights = f32[3,5] broadcast(c), dimensions={}\n"
                                            "one = f32[] constant(1)\n"
                                            "ones = f32[3,5] broadcast(one), dimensions={}\n"
                                            "m = f32[3,5] multiply(eights, x)\n"
                                            "d = f32[3,5] divide(m, eights)\n"
                                            "e = f32[3,5] divide(d, ones)\n"
                                            "ROOT y = f32[3,5] negate(e)"),
                                  "m.hlo");
  const OpGraph simple = cancel_scales(graph);
  EXPECT_EQ(simple.entry_computation().ops.size(), 2u);
  expect_equal_results(graph, simple);
}

TEST(PlainScatters, AScatterWithoutAnIndexIsElementwise) {
  const OpGraph graph = parse_hlo(
      module_with_functions("x = f32[3,5] parameter(0)\n"
                            "u = f32[3,5] parameter(1)\n"
                            "none = s32[0] constant({})\n"
                            "ROOT s = f32[3,5] scatter(x, none, u), update_window_dims={0,1}, "
                            "inserted_window_dims={}, scatter_dims_to_operand_dims={}, "
                            "index_vector_dim=0, to_apply=sum"),
      "m.hlo");
  const OpGraph plain = plain_scatters(graph);
  EXPECT_EQ(plain.entry_computation().root_op().opcode, HloOpcode::kAdd);
  expect_equal_results(graph, plain);
}

TEST(PlainScatters, AScatterByIndicesStays) {
  const OpGraph graph =
      parse_hlo(module_with_functions("x = f32[3,5] parameter(0)\n"
                                      "u = f32[3,5] parameter(1)\n"
                                      "i = s32[3,1] parameter(2)\n"
                                      "ROOT s = f32[3,5] scatter(x, i, u), update_window_dims={1}, "
                                      "inserted_window_dims={0}, scatter_dims_to_operand_dims={0}, "
                                      "index_vector_dim=1, to_apply=sum"),
                "m.hlo");
  EXPECT_EQ(plain_scatters(graph).entry_computation().root_op().opcode, HloOpcode::kScatter);
}

TEST(CancelScales, OtherScalesStay) {
  const OpGraph graph = parse_hlo(module_of("x = f32[3,5] parameter(0)\n"
                                            "c = f32[] constant(3)\n"
                                            "threes = f32[3,5] broadcast(c), dimensions={}\n"
                                            "f = f32[] constant(4)\n"
                                            "fours = f32[3,5] broadcast(f), dimensions={}\n"
                                            "m = f32[3,5] multiply(x, threes)\n"
                                            "d = f32[3,5] divide(m, threes)\n"
                                            "e = f32[3,5] divide(fours, d)\n"
                                            "ROOT y = f32[3,5] multiply(e, fours)"),
                                  "m.hlo");
  const OpGraph simple = cancel_scales(graph);
  EXPECT_NE(find(simple, "d"), -1);
  EXPECT_NE(find(simple, "e"), -1);
  EXPECT_EQ(simple.entry_computation().root_op().name, "y");
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

/// All of a graph's results from the same inputs, one behind the other.
std::vector<double> results_of(const OpGraph& graph) {
  const Value result = interpret(graph, make_inputs(graph, 5));
  std::vector<Value> parts = {result};
  if (graph.entry_computation().root_op().shape.is_tuple()) parts = result.parts();
  std::vector<double> numbers;
  for (const Value& part : parts) {
    for (int64_t i = 0; i < part.size(); ++i) numbers.push_back(part.number(i));
  }
  return numbers;
}

void expect_expanded(const std::string& ops) {
  const OpGraph graph = parse_hlo(module_of(ops), "m.hlo");
  const OpGraph expanded = expand_batch_norm(graph);
  EXPECT_NO_THROW(check_shapes(expanded));
  for (const Op& op : expanded.entry_computation().ops) {
    EXPECT_EQ(name_of(op.opcode).find("batch-norm"), std::string::npos) << op.name;
  }
  const std::vector<double> numbers = results_of(graph);
  const std::vector<double> others = results_of(expanded);
  ASSERT_EQ(numbers.size(), others.size());
  for (size_t i = 0; i < numbers.size(); ++i) {
    EXPECT_NEAR(numbers[i], others[i], 1e-9 * (1 + std::abs(numbers[i]))) << i;
  }
}

TEST(ExpandBatchNorm, GivesWhatTheOpsGive) {
  const std::string rows = "s = f32[5] parameter(1)\no = f32[5] parameter(2)\n";
  expect_expanded("x = f32[3,5,4] parameter(0)\n" + rows +
                  "m = f32[5] parameter(3)\nv = f32[5] parameter(4)\na = f32[5] abs(v)\n"
                  "ROOT y = f32[3,5,4] batch-norm-inference(x, s, o, m, a), epsilon=0.01, "
                  "feature_index=1");
  expect_expanded("x = f32[3,4,5] parameter(0)\n" + rows +
                  "ROOT y = (f32[3,4,5], f32[5], f32[5]) batch-norm-training(x, s, o), "
                  "epsilon=0.01, feature_index=2");
  expect_expanded("x = f32[3,4,5] parameter(0)\ns = f32[5] parameter(1)\nm = f32[5] "
                  "parameter(2)\nv = f32[5] parameter(3)\na = f32[5] abs(v)\n"
                  "g = f32[3,4,5] parameter(4)\n"
                  "ROOT y = (f32[3,4,5], f32[5], f32[5]) batch-norm-grad(x, s, m, a, g), "
                  "epsilon=0.1, feature_index=2");
}

TEST(ExpandBatchNorm, ComputesInTheTypeOfTheFeatures) {
  const OpGraph graph = parse_hlo(
      module_of("x = bf16[3,5] parameter(0)\ns = f32[5] parameter(1)\no = f32[5] parameter(2)\n"
                "m = f32[5] parameter(3)\nv = f32[5] parameter(4)\n"
                "ROOT y = bf16[3,5] batch-norm-inference(x, s, o, m, v), epsilon=1, "
                "feature_index=1"),
      "m.hlo");
  const OpGraph expanded = expand_batch_norm(graph);
  EXPECT_NO_THROW(check_shapes(expanded));
  EXPECT_EQ(expanded.entry_computation().root_op().name, "y");
  EXPECT_EQ(expanded.entry_computation().root_op().shape.type, ElementType::kBF16);
  EXPECT_NE(find(expanded, "y.rsqrt"), -1);
}

TEST(FoldTransposes, ADotExchangesItsOperandsForTheTransposeThatReadsIt) {
  const OpGraph graph = parse_hlo(
      module_of("v = f32[2,5,7,4] parameter(0)\n"
                "p = f32[2,5,3,7] parameter(1)\n"
                "d = f32[2,5,4,3] dot(v, p), lhs_batch_dims={0,1}, rhs_batch_dims={0,1}, "
                "lhs_contracting_dims={2}, rhs_contracting_dims={3}\n"
                "t = f32[2,3,5,4] transpose(d), dimensions={0,3,1,2}\n"
                "ROOT y = f32[2,3,5,4] negate(t)"),
      "m.hlo");
  const OpGraph folded = fold_transposes(graph);
  const Op& transpose = folded.entry_computation().op(find(folded, "t"));
  EXPECT_EQ(transpose.get<Dimensions>().dims, (std::vector<int64_t>{0, 2, 1, 3}));
  EXPECT_NO_THROW(check_shapes(folded));
  expect_equal_results(graph, folded);
}

TEST(FoldTransposes, ATransposeVanishesThatExchangedOperandsMakeUpFor) {
  const OpGraph graph = parse_hlo(
      module_of("k = f32[2,9,5,4] parameter(0)\n"
                "q = f32[2,3,5,1,4] parameter(1)\n"
                "d = f32[2,5,9,3,1] dot(k, q), lhs_batch_dims={0,2}, rhs_batch_dims={0,2}, "
                "lhs_contracting_dims={3}, rhs_contracting_dims={4}\n"
                "t = f32[2,5,1,3,9] transpose(d), dimensions={0,1,4,3,2}\n"
                "ROOT y = f32[2,5,1,3,9] negate(t)"),
      "m.hlo");
  const OpGraph folded = fold_transposes(graph);
  const int32_t left = find(folded, "t");
  EXPECT_EQ(folded.entry_computation().op(left).opcode, HloOpcode::kReshape);
  EXPECT_NO_THROW(check_shapes(folded));
  expect_equal_results(graph, folded);
}

TEST(FoldTransposes, ADotThatOthersReadKeepsItsOperands) {
  const OpGraph graph =
      parse_hlo(module_of("a = f32[5,4] parameter(0)\n"
                          "b = f32[4,3] parameter(1)\n"
                          "d = f32[5,3] dot(a, b), lhs_contracting_dims={1}, "
                          "rhs_contracting_dims={0}\n"
                          "t = f32[3,5] transpose(d), dimensions={1,0}\n"
                          "ROOT r = (f32[5,3], f32[3,5]) tuple(d, t)"),
                "m.hlo");
  const OpGraph folded = fold_transposes(graph);
  EXPECT_EQ(folded.entry_computation().op(find(folded, "t")).opcode, HloOpcode::kTranspose);
  EXPECT_EQ(folded.entry_computation().op(find(folded, "d")).shape.dims,
            (std::vector<int64_t>{5, 3}));
}

TEST(FoldTransposes, DimensionsOfOneElementHaveNoPlaceInTheOrderThatADotKeeps) {
  const OpGraph graph = parse_hlo(
      module_of("s = f32[2,5,1,3,9] parameter(0)\n"
                "v = f32[2,9,5,4] parameter(1)\n"
                "t = f32[2,5,9,3,1] transpose(s), dimensions={0,1,4,3,2}\n"
                "d = f32[2,5,3,1,4] dot(t, v), lhs_batch_dims={0,1}, rhs_batch_dims={0,2}, "
                "lhs_contracting_dims={2}, rhs_contracting_dims={1}\n"
                "ROOT y = f32[2,5,3,1,4] negate(d)"),
      "m.hlo");
  const OpGraph folded = fold_transposes(graph);
  EXPECT_EQ(find(folded, "t"), -1);
  EXPECT_NO_THROW(check_shapes(folded));
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
