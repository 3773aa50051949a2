#include <gtest/gtest.h>

#include "core/graph/shrink_graph.h"
#include "tests/core/graph_evaluation.h"

namespace tilewright {
namespace {

using Dims = std::vector<int64_t>;

/// The dimensions of the op of that name.
Dims dims_of(const OpGraph& graph, const std::string& name) {
  for (const Op& op : graph.entry_computation().ops) {
    if (op.name == name) return op.shape.dims;
  }
  return {};
}

OpGraph shrunk(const std::string& lines, const GraphShrinker::Extents& extents) {
  const OpGraph graph = graph_of(lines);
  const std::optional<OpGraph> smaller = GraphShrinker(graph).shrunk(extents);
  EXPECT_TRUE(smaller.has_value()) << lines;
  return smaller.value_or(graph);
}

TEST(GraphShrinker, ShrinksWhatOpsMakeEqual) {
  const OpGraph graph = shrunk(
      "x = f32[64,1000] parameter(0)\ny = f32[1000,64] transpose(x), dimensions={1,0}\n"
      "z = f32[] constant(0)\ns = f32[1000] reduce(y, z), dimensions={1}, to_apply=sum\n"
      "b = f32[3,1000] broadcast(s), dimensions={1}\nr = f32[3,1000] exponential(b)",
      {{1000, 10}});
  EXPECT_EQ(dims_of(graph, "x"), (Dims{64, 10}));
  EXPECT_EQ(dims_of(graph, "y"), (Dims{10, 64}));
  EXPECT_EQ(dims_of(graph, "r"), (Dims{3, 10}));
  EXPECT_EQ(interpret(graph, make_inputs(graph, 1)).size(), 30);
}

TEST(GraphShrinker, CutsProductsOfReshapesIntoTheirFactors) {
  const OpGraph graph = shrunk(
      "x = f32[128,768] parameter(0)\ny = f32[128,12,64] reshape(x)\n"
      "z = f32[128,12,64] exponential(y)\nr = f32[98304] reshape(z)",
      {{128, 6}, {64, 4}});
  EXPECT_EQ(dims_of(graph, "x"), (Dims{6, 48}));
  EXPECT_EQ(dims_of(graph, "z"), (Dims{6, 12, 4}));
  EXPECT_EQ(dims_of(graph, "r"), (Dims{288}));
}

TEST(GraphShrinker, ShrinksBothDimensionsOfAMatrixAddedToItsTranspose) {
  const OpGraph graph = shrunk(
      "x = f32[100,100] parameter(0)\ny = f32[100,100] transpose(x), dimensions={1,0}\n"
      "r = f32[100,100] add(x, y)",
      {{100, 7}});
  EXPECT_EQ(dims_of(graph, "r"), (Dims{7, 7}));
}

TEST(GraphShrinker, LeavesExtentsThatOpsStateInNumbers) {
  const OpGraph graph = shrunk(
      "x = f32[100,64] parameter(0)\ns = f32[100,32] slice(x), slice={[0:100], [32:64]}\n"
      "c = f32[100,96] concatenate(x, s), dimensions={1}\nv = f32[] constant(0)\n"
      "r = f32[100,99] pad(c, v), padding=0_0x1_2",
      {{100, 7}, {64, 5}, {32, 3}, {96, 4}, {99, 6}});
  EXPECT_EQ(dims_of(graph, "s"), (Dims{7, 32}));
  EXPECT_EQ(dims_of(graph, "r"), (Dims{7, 99}));
  EXPECT_EQ(interpret(graph, make_inputs(graph, 1)).size(), 7 * 99);
}

TEST(GraphShrinker, ShrinksDotsTablesAndWindows) {
  const OpGraph dot = shrunk(
      "x = f32[8,100,64] parameter(0)\ny = f32[8,64,200] parameter(1)\n"
      "r = f32[8,100,200] dot(x, y), lhs_batch_dims={0}, rhs_batch_dims={0}, "
      "lhs_contracting_dims={2}, rhs_contracting_dims={1}",
      {{200, 9}, {100, 7}, {64, 5}});
  EXPECT_EQ(dims_of(dot, "r"), (Dims{8, 7, 9}));
  EXPECT_EQ(dims_of(dot, "y"), (Dims{8, 5, 9}));
  const OpGraph gather = shrunk(
      "t = f32[5000,64] parameter(0)\ni = s32[300] parameter(1)\n"
      "r = f32[300,64] gather(t, i), offset_dims={1}, collapsed_slice_dims={0}, "
      "start_index_map={0}, index_vector_dim=1, slice_sizes={1,64}",
      {{5000, 11}, {300, 7}, {64, 5}});
  EXPECT_EQ(dims_of(gather, "r"), (Dims{7, 5}));
  EXPECT_EQ(interpret(gather, make_inputs(gather, 1)).size(), 35);
  const OpGraph window = shrunk(
      "x = f32[40,300] parameter(0)\ni = s32[] parameter(1)\nz = s32[] constant(0)\n"
      "s = f32[1,300] dynamic-slice(x, i, z), dynamic_slice_sizes={1,300}\n"
      "r = f32[40,300] dynamic-update-slice(x, s, i, z)",
      {{300, 7}, {40, 5}});
  EXPECT_EQ(dims_of(window, "s"), (Dims{1, 7}));
  EXPECT_EQ(dims_of(window, "r"), (Dims{5, 7}));
  EXPECT_EQ(interpret(window, make_inputs(window, 1)).size(), 35);
}

TEST(GraphShrinker, NamesTheExtentsThatCanShrink) {
  const OpGraph graph =
      graph_of("x = f32[100,64] parameter(0)\ns = f32[100,32] slice(x), slice={[0:100], [32:64]}");
  EXPECT_EQ(GraphShrinker(graph).extents(), (Dims{100}));
}

}  // namespace
}  // namespace tilewright
