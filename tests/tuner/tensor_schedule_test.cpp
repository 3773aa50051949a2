#include "tuner/fusion/tensor_schedule.h"

#include <gtest/gtest.h>

#include "core/graph/hlo_reader.h"
#include "tests/hlo_module.h"

namespace tilewright {
namespace {

using Type = TensorSchedule::Type;

/// What a schedule of the root becomes at its first operand.
std::optional<TensorSchedule> below(const std::string& ops, const TensorSchedule& schedule) {
  const OpGraph graph = parse_hlo(module_with_functions(ops), "m.hlo");
  const Computation& computation = graph.entry_computation();
  return propagate(computation, computation.root_op(), 0, schedule);
}

TEST(TensorSchedule, CountsBlocks) {
  const Shape shape = array_shape(ElementType::kF32, {64, 8, 17, 128});
  EXPECT_EQ(block_count({2, 1, Type::kRow}, shape), 512);
  EXPECT_EQ(block_count({0, 16, Type::kRow}, shape), 16);
  EXPECT_EQ(block_count({2, 1, Type::kColumn}, shape), 128);
  EXPECT_EQ(block_count({3, 32, Type::kColumn}, shape), 32);
  EXPECT_EQ(block_count({}, shape), 1);
}

struct Row {
  const char* ops;
  TensorSchedule passes;
  TensorSchedule becomes;
  TensorSchedule stops;
};

TEST(TensorSchedule, PassesAsTheTableSays) {
  const Row rows[] = {
      // Elementwise ops pass everything; a scalar operand is whole for every block.
      {"x = f32[4,6]{1,0} parameter(0)\nROOT y = f32[4,6]{1,0} negate(x)",
       {1, 3, Type::kColumn},
       {1, 3, Type::kColumn},
       {}},
      {"x = f32[2,3,5,7]{3,2,1,0} parameter(0)\n"
       "ROOT y = f32[2,3,7,5]{3,2,1,0} transpose(x), dimensions={0,1,3,2}",
       {1, 3, Type::kRow},
       {1, 3, Type::kRow},
       {3, 5, Type::kRow}},
      {"x = f32[2,3,5,7]{3,2,1,0} parameter(0)\n"
       "ROOT y = f32[3,2,5,7]{3,2,1,0} transpose(x), dimensions={1,0,2,3}",
       {2, 5, Type::kColumn},
       {2, 5, Type::kColumn},
       {0, 3, Type::kColumn}},
      {"x = f32[2,3,5,7,11,13,17]{6,5,4,3,2,1,0} parameter(0)\nzero = f32[] constant(0)\n"
       "ROOT y = f32[2,3,5,13,17]{4,3,2,1,0} reduce(x, zero), dimensions={3,4}, to_apply=sum",
       {2, 5, Type::kRow},
       {2, 5, Type::kRow},
       {3, 13, Type::kRow}},
      {"x = f32[2,3,5,7]{3,2,1,0} parameter(0)\nzero = f32[] constant(0)\n"
       "ROOT y = f32[5,7]{1,0} reduce(x, zero), dimensions={0,1}, to_apply=sum",
       {0, 5, Type::kColumn},
       {2, 5, Type::kColumn},
       {0, 5, Type::kRow}},
      {"x = f32[4,3,5,7]{3,2,1,0} parameter(0)\nw = f32[4,3,7,9]{3,2,1,0} parameter(1)\n"
       "ROOT y = f32[4,3,5,9]{3,2,1,0} dot(x, w), lhs_batch_dims={0,1}, rhs_batch_dims={0,1}, "
       "lhs_contracting_dims={3}, rhs_contracting_dims={2}",
       {1, 3, Type::kRow},
       {1, 3, Type::kRow},
       {3, 9, Type::kRow}},
      {"x = f32[6,35]{1,0} parameter(0)\nROOT y = f32[6,5,7]{2,1,0} reshape(x)",
       {1, 5, Type::kRow},
       {1, 5, Type::kRow},
       {2, 7, Type::kColumn}},
      {"x = f32[6,5]{1,0} parameter(0)\n"
       "ROOT y = f32[6,7,5]{2,1,0} broadcast(x), dimensions={0,2}",
       {0, 3, Type::kRow},
       {0, 3, Type::kRow},
       {}},
  };
  for (const Row& row : rows) {
    const std::optional<TensorSchedule> got = below(row.ops, row.passes);
    ASSERT_TRUE(got.has_value()) << row.ops;
    EXPECT_EQ(*got, row.becomes) << row.ops << ": " << got->split_dim << " " << got->sword;
    EXPECT_EQ(below(row.ops, {}), TensorSchedule{}) << row.ops;
    if (row.stops == TensorSchedule{}) continue;
    const std::optional<TensorSchedule> stopped = below(row.ops, row.stops);
    if (std::string(row.ops).find("reshape") == std::string::npos) {
      EXPECT_FALSE(stopped.has_value()) << row.ops;
    }
  }
}

TEST(TensorSchedule, DoesNotPassAReshapeThatCutsABlock) {
  const char* ops = "x = f32[4,9]{1,0} parameter(0)\nROOT y = f32[6,6]{1,0} reshape(x)";
  EXPECT_FALSE(below(ops, {0, 3, Type::kRow}).has_value());
  EXPECT_EQ(below(ops, {0, 2, Type::kRow}), (TensorSchedule{0, 2, Type::kRow}));
}

TEST(TensorSchedule, DoesNotPassWhatIsNoOpOfElements) {
  const char* ops = "x = f32[8]{0} parameter(0)\nROOT y = f32[4]{0} slice(x), slice={[0:4]}";
  EXPECT_FALSE(below(ops, {0, 4, Type::kRow}).has_value());
}

// The worked example of the paper: softmax of scores [8704, 17] and a batched matrix product.
TEST(TensorSchedule, CutsSoftmaxAndBatchDotIn512Blocks) {
  const OpGraph graph = parse_hlo(module_with_functions(R"(s = f32[8704,17]{1,0} parameter(0)
v = f32[64,8,17,128]{3,2,1,0} parameter(1)
e = f32[8704,17]{1,0} exponential(s)
zero = f32[] constant(0)
sum.1 = f32[8704]{0} reduce(e, zero), dimensions={1}, to_apply=sum
b = f32[8704,17]{1,0} broadcast(sum.1), dimensions={0}
d = f32[8704,17]{1,0} divide(e, b)
r = f32[64,8,17,17]{3,2,1,0} reshape(d)
ROOT y = f32[64,8,17,128]{3,2,1,0} dot(r, v), lhs_batch_dims={0,1}, rhs_batch_dims={0,1}, lhs_contracting_dims={3}, rhs_contracting_dims={2})"),
                                  "m.hlo");
  const Computation& computation = graph.entry_computation();
  const auto op = [&](const std::string& name) -> const Op& {
    return *std::ranges::find(computation.ops, name, &Op::name);
  };
  const TensorSchedule root{2, 1, Type::kRow};
  EXPECT_EQ(block_count(root, op("y").shape), 512);
  const auto at_r = propagate(computation, op("y"), 0, root);
  ASSERT_TRUE(at_r.has_value());
  const auto at_d = propagate(computation, op("r"), 0, *at_r);
  const TensorSchedule rows{0, 512, Type::kRow};
  EXPECT_EQ(at_d, rows);
  EXPECT_EQ(propagate(computation, op("d"), 0, rows), rows);
  EXPECT_EQ(propagate(computation, op("b"), 0, rows), rows);
  EXPECT_EQ(propagate(computation, op("sum.1"), 0, rows), rows);
  EXPECT_EQ(block_count(rows, op("e").shape), 512);
}

TEST(TensorSchedule, SharesTheBuffersOfTheSoftmaxExample) {
  // Read by: the maximum by exp, exp by the sum and the division, the sum by the division.
  const std::vector<int> owners =
      share_buffers({{"max", 17, 1}, {"exp", 17 * 17, 3}, {"sum", 17, 3}, {"divide", 17 * 17, 4}});
  EXPECT_EQ(owners, (std::vector<int>{0, 1, 0, 1}));
}

}  // namespace
}  // namespace tilewright
