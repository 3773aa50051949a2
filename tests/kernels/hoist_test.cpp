#include "kernels/fused/hoist.h"

#include <gtest/gtest.h>

namespace tilewright {
namespace {

// Axis 0 is cut, axis 1 whole in every tile.
const std::vector<bool> kFull = {false, true};

/// Arrays 0: a tile, 1 and 2: rows that all tiles share, 3: the result.
VecProgram rows_program() {
  VecProgram program;
  program.extents = {1000, 64};
  program.is_sequential = {false, false};
  program.is_whole = {false, true};
  program.arrays = {{{0, 1}}, {{1}}, {{1}}, {{0, 1}}};
  program.body.loads = {{0, 10, 0, {64, 1}}, {1, 11, 0, {1}}};
  program.body.steps = {{VectorOp::kExp, 2, 1},
                        {VectorOp::kAdd, 2, 2, 1},
                        {VectorOp::kMul, 3, 0, 2}};
  program.body.stores = {{3, 12, 0, {64, 1}}};
  return program;
}

TEST(Hoist, TakesOutWhatIsTheSameForAllTiles) {
  const VecProgram program = hoisted(rows_program(), kFull);
  ASSERT_EQ(program.once.loads.size(), 1u);
  EXPECT_EQ(program.once.loads[0].array, 1);
  ASSERT_EQ(program.once.steps.size(), 2u);
  EXPECT_EQ(program.once.steps[0].op, VectorOp::kExp);
  EXPECT_EQ(program.once.steps[1].op, VectorOp::kAdd);
  ASSERT_EQ(program.body.loads.size(), 1u);
  EXPECT_EQ(program.body.loads[0].array, 0);
  ASSERT_EQ(program.body.steps.size(), 1u);
  EXPECT_EQ(program.body.steps[0].op, VectorOp::kMul);
  EXPECT_EQ(program.body.stores.size(), 1u);
}

TEST(Hoist, LeavesAllWhereEveryAxisIsCut) {
  const VecProgram program = hoisted(rows_program(), {false, false});
  EXPECT_TRUE(program.once.loads.empty());
  EXPECT_TRUE(program.once.steps.empty());
  EXPECT_EQ(program.body.steps.size(), 3u);
}

TEST(Hoist, LeavesWhatIsWrittenOverBehindAReader) {
  VecProgram program = rows_program();
  program.body.steps.push_back({VectorOp::kExp, 2, 1});  // the next tile would read this
  program = hoisted(program, kFull);
  EXPECT_TRUE(program.once.steps.empty());
  EXPECT_EQ(program.once.loads.size(), 1u) << "the array that is read alone";
  EXPECT_EQ(program.body.steps.size(), 4u);
}

TEST(Hoist, LeavesWhatDependsOnTheTile) {
  VecProgram program = rows_program();
  program.body.steps[1] = {VectorOp::kRowMax, 2, 0, -1, 3};
  program = hoisted(program, kFull);
  EXPECT_TRUE(program.once.steps.empty()) << "both steps write the array";
}

TEST(Hoist, LeavesWhatIsStoredAndWhatOtherPartsWrite) {
  VecProgram stored = rows_program();
  stored.body.stores.push_back({2, 13, 0, {1}});
  EXPECT_TRUE(hoisted(stored, kFull).once.steps.empty());
  VecProgram begun = rows_program();
  begun.begin.steps = {{VectorOp::kDup, 2}};
  EXPECT_TRUE(hoisted(begun, kFull).once.steps.empty());
}

}  // namespace
}  // namespace tilewright
