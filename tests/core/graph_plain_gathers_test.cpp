#include <gtest/gtest.h>

#include "core/graph/infer_shape.h"
#include "core/graph/plain_gathers.h"
#include "tests/core/graph_evaluation.h"

namespace tilewright {
namespace {

int64_t count_of(const OpGraph& graph, HloOpcode opcode) {
  int64_t count = 0;
  for (const Op& op : graph.entry_computation().ops) count += op.opcode == opcode ? 1 : 0;
  return count;
}

/// The graph without its gather, which gives the same numbers.
OpGraph sliced(const std::string& lines) {
  const OpGraph graph = graph_of(lines);
  OpGraph plain = plain_gathers(graph);
  check_shapes(plain);
  EXPECT_EQ(count_of(plain, HloOpcode::kGather), 0);
  EXPECT_EQ(count_of(plain, HloOpcode::kDynamicSlice), 1);
  EXPECT_EQ(interpret(plain, {}).numbers(), interpret(graph, {}).numbers());
  return plain;
}

constexpr const char* kTable = "t = f32[3,2] constant({{1, 2}, {3, 4}, {5, 6}})\n";

TEST(PlainGathers, SlicesTheRowOfOneIndex) {
  for (const char* index : {"0", "2", "7", "-1"}) {  // outside, the nearest row
    sliced(kTable + std::string("i = s32[1,1,1] constant({{{") + index +
           "}}})\n"
           "g = f32[1,1,2] gather(t, i), offset_dims={2}, collapsed_slice_dims={0}, "
           "start_index_map={0}, index_vector_dim=2, slice_sizes={1,2}\n"
           "r = f32[1,1,2] negate(g)");
  }
}

TEST(PlainGathers, SlicesAWindowByAnIndexOfSeveralParts) {
  const OpGraph graph = sliced(
      kTable + std::string("i = s32[2] constant({1, 1})\n"
                           "g = f32[2,1] gather(t, i), offset_dims={0,1}, collapsed_slice_dims={}, "
                           "start_index_map={1,0}, index_vector_dim=0, slice_sizes={2,1}"));
  EXPECT_EQ(interpret(graph, {}).numbers(), (std::vector<double>{4, 6}));
}

TEST(PlainGathers, LeavesGathersByManyIndices) {
  const OpGraph graph = graph_of(
      kTable + std::string("i = s32[2,1] constant({{1}, {0}})\n"
                           "g = f32[2,2] gather(t, i), offset_dims={1}, collapsed_slice_dims={0}, "
                           "start_index_map={0}, index_vector_dim=1, slice_sizes={1,2}"));
  EXPECT_EQ(plain_gathers(graph), graph);
}

TEST(PlainGathers, KeepsNamesApart) {
  sliced(kTable + std::string("i = s32[1] constant({1})\n"
                              "g.slice = f32[3,2] negate(t)\n"
                              "g.index = s32[1] negate(i)\n"
                              "g = f32[2] gather(g.slice, g.index), offset_dims={0}, "
                              "collapsed_slice_dims={0}, start_index_map={0}, "
                              "index_vector_dim=0, slice_sizes={1,2}"));
}

}  // namespace
}  // namespace tilewright
