// Axes of nests that every array walks together become one.

#include "kernels/fused/nest_axes.h"

#include <gtest/gtest.h>

namespace tilewright {
namespace {

LoopNest nest_of(std::vector<NestArray> arrays) {
  LoopNest nest;
  nest.extents = {4, 8};
  for (NestArray& array : arrays) array.is_loaded = true;
  nest.arrays = std::move(arrays);
  return nest;
}

TEST(NestAxes, AxesThatAllWalkTogetherBecomeOne) {
  std::vector<LoopNest> nests = {nest_of({{.op = 0, .axes = {0, 1}, .strides = {8, 1}},
                                          {.op = 1, .axes = {0, 1}, .strides = {8, 1}}})};
  join_axes(nests);
  EXPECT_EQ(nests[0].extents, std::vector<int64_t>({32}));
  EXPECT_EQ(nests[0].arrays[1].axes, std::vector<int>({0}));
  EXPECT_EQ(nests[0].arrays[1].strides, std::vector<int64_t>({1}));
}

/// One axis may be the last of an array that does not have the next one at all.
TEST(NestAxes, AnArrayWithOneOfTwoAxesKeepsThemApart) {
  for (const int axis : {0, 1}) {
    std::vector<LoopNest> nests = {nest_of(
        {{.op = 0, .axes = {0, 1}, .strides = {8, 1}}, {.op = 1, .axes = {axis}, .strides = {1}}})};
    join_axes(nests);
    EXPECT_EQ(nests[0].extents, std::vector<int64_t>({4, 8})) << axis;
  }
}

}  // namespace
}  // namespace tilewright
