#include <gtest/gtest.h>

#include "core/graph/axes.h"
#include "core/graph/hlo_reader.h"
#include "core/graph/op_axes.h"
#include "tests/hlo_module.h"

namespace tilewright {
namespace {

using Dim = AxisMap::Dim;
using Match = AxisMap::Match;

std::vector<int64_t> extents(const AxisMap& map, int array) {
  std::vector<int64_t> list;
  for (const int axis : map.axes_of(array)) list.push_back(map.extent(axis));
  return list;
}

TEST(AxisMap, MatchedDimensionsAreWalkedByOneAxis) {
  AxisMap map;
  const int a = map.add_array(std::vector<int64_t>{4, 6});
  const int b = map.add_array(std::vector<int64_t>{6});
  ASSERT_TRUE(map.unify(std::vector<Match>{{{Dim{a, 1}}, {Dim{b, 0}}}}));
  EXPECT_EQ(map.axes_of(Dim{a, 1}), map.axes_of(Dim{b, 0}));
  EXPECT_NE(map.axes_of(Dim{a, 0}), map.axes_of(Dim{b, 0}));
}

TEST(AxisMap, ADimensionIsSplitWhereAnotherArrayDividesIt) {
  AxisMap map;
  const int a = map.add_array(std::vector<int64_t>{24});
  const int b = map.add_array(std::vector<int64_t>{2, 12});
  const int c = map.add_array(std::vector<int64_t>{8, 3});
  ASSERT_TRUE(map.unify(std::vector<Match>{{{Dim{a, 0}}, {Dim{b, 0}, Dim{b, 1}}}}));
  EXPECT_EQ(extents(map, a), (std::vector<int64_t>{2, 12}));
  ASSERT_TRUE(map.unify(std::vector<Match>{{{Dim{a, 0}}, {Dim{c, 0}, Dim{c, 1}}}}));
  EXPECT_EQ(extents(map, a), (std::vector<int64_t>{2, 4, 3}));
  EXPECT_EQ(map.axes_of(a), map.axes_of(c));
  EXPECT_EQ(map.axes_of(a), map.axes_of(b));
}

TEST(AxisMap, ExtentsThatDoNotDivideAreRefusedAndNothingChanges) {
  AxisMap map;
  const int a = map.add_array(std::vector<int64_t>{6, 4});
  const int b = map.add_array(std::vector<int64_t>{8, 3});
  const std::vector<Match> whole = {{{Dim{a, 0}, Dim{a, 1}}, {Dim{b, 0}, Dim{b, 1}}}};
  EXPECT_FALSE(map.unify(whole));
  EXPECT_EQ(extents(map, a), (std::vector<int64_t>{6, 4}));
  EXPECT_EQ(extents(map, b), (std::vector<int64_t>{8, 3}));
}

TEST(AxisMap, NoAxisWalksTwoDimensionsOfAnArray) {
  AxisMap map;
  const int sum = map.add_array(std::vector<int64_t>{5, 5});
  const int x = map.add_array(std::vector<int64_t>{5, 5});
  // x + transpose(x)
  ASSERT_TRUE(
      map.unify(std::vector<Match>{{{Dim{x, 0}}, {Dim{sum, 0}}}, {{Dim{x, 1}}, {Dim{sum, 1}}}}));
  EXPECT_FALSE(
      map.unify(std::vector<Match>{{{Dim{x, 0}}, {Dim{sum, 1}}}, {{Dim{x, 1}}, {Dim{sum, 0}}}}));
  EXPECT_EQ(map.axes_of(x), map.axes_of(sum));
}

TEST(AxisMap, OnesAreWalkedByNoAxis) {
  AxisMap map;
  const int a = map.add_array(std::vector<int64_t>{1, 7, 1});
  const int b = map.add_array(std::vector<int64_t>{7});
  ASSERT_TRUE(map.unify(std::vector<Match>{{{Dim{a, 0}, Dim{a, 1}}, {Dim{b, 0}}}}));
  EXPECT_EQ(map.axes_of(a), map.axes_of(b));
}

/// The walk of an op with its first operand, each dimension as its axes' numbers: "0 1 -> 1".
std::string walk(const std::string& ops) {
  const OpGraph graph = parse_hlo(module_with_functions(ops), "m.hlo");
  const Computation& computation = graph.entry_computation();
  const Op& op = computation.root_op();
  AxisMap map;
  const int operand = map.add_array(computation.operand(op, 0).shape.dims);
  const int result = map.add_array(op.shape.dims);
  const auto matches = axis_matches(computation, op, 0, operand, result);
  if (!matches || !map.unify(*matches)) return "none";
  std::vector<int> seen;
  const auto name = [&](int axis) {
    const auto found = std::ranges::find(seen, axis);
    if (found == seen.end()) seen.push_back(axis);
    return std::to_string(std::ranges::find(seen, axis) - seen.begin());
  };
  std::string text;
  for (const int axis : map.axes_of(operand)) text += name(axis) + " ";
  text += "->";
  for (const int axis : map.axes_of(result)) text += " " + name(axis);
  return text;
}

// The rows of table 1 of FusionStitching 2018, without a schedule.
TEST(OpAxes, ElementwiseOpsWalkTheirOperandsAlike) {
  EXPECT_EQ(walk("x = f32[3,5] parameter(0)\n ROOT y = f32[3,5] negate(x)"), "0 1 -> 0 1");
}

TEST(OpAxes, TransposesWalkInAnotherOrder) {
  EXPECT_EQ(walk("x = f32[3,5,7] parameter(0)\n"
                 "ROOT y = f32[7,3,5] transpose(x), dimensions={2,0,1}"),
            "0 1 2 -> 2 0 1");
}

TEST(OpAxes, ReducesLoseAxesAndBroadcastsGainThem) {
  EXPECT_EQ(walk("x = f32[3,5,7] parameter(0)\n z = f32[] constant(0)\n"
                 "ROOT y = f32[3,7] reduce(x, z), dimensions={1}, to_apply=sum"),
            "0 1 2 -> 0 2");
  EXPECT_EQ(walk("x = f32[5] parameter(0)\n ROOT y = f32[3,5,7] broadcast(x), dimensions={1}"),
            "0 -> 1 0 2");
}

TEST(OpAxes, ReshapesSplitAxes) {
  EXPECT_EQ(walk("x = f32[6,35] parameter(0)\n ROOT y = f32[2,3,5,7] reshape(x)"),
            "0 1 2 3 -> 0 1 2 3");
  EXPECT_EQ(walk("x = f32[6,4] parameter(0)\n ROOT y = f32[8,3] reshape(x)"), "none");
  EXPECT_EQ(walk("x = f32[1,6,1] parameter(0)\n ROOT y = f32[6] reshape(x)"), "0 -> 0");
}

TEST(OpAxes, WhatReadsAtOtherPlacesIsNotWalkedAlong) {
  EXPECT_EQ(walk("x = f32[9] parameter(0)\n ROOT y = f32[4] slice(x), slice={[2:6]}"), "none");
  EXPECT_EQ(walk("x = f32[3,4] parameter(0)\n y = f32[4,5] parameter(1)\n"
                 "ROOT d = f32[3,5] dot(x, y), lhs_contracting_dims={1}, rhs_contracting_dims={0}"),
            "none");
}

}  // namespace
}  // namespace tilewright
