#include <gtest/gtest.h>

#include "kernels/fused/tile_plan.h"

namespace tilewright {
namespace {

// Operands: a result of 3 x 4 x 16 whose rows lie one behind the other, and another array.
const std::vector<int64_t> kExtents = {3, 4, 16};
const std::vector<int64_t> kResult = {64, 16, 1};
const std::vector<int64_t> kAligned = {8, 8};

TEST(Pieces, AreOneWhereAllGoOnAlike) {
  const auto shape = pieces_of(kExtents, {kResult, kResult}, kAligned);
  ASSERT_TRUE(shape.has_value());
  EXPECT_EQ(shape->cols, 192);
  EXPECT_EQ(shape->count(), 1);
}

TEST(Pieces, AreTakenInLoopsThatBeginAtBlocks) {
  const auto shape = pieces_of(kExtents, {kResult, {1000, 24, 1}}, kAligned);
  ASSERT_TRUE(shape.has_value());
  EXPECT_EQ(shape->cols, 16);
  EXPECT_EQ(shape->rows, 4);
  EXPECT_EQ(shape->count(), 3);
}

TEST(Pieces, AreNoneWhereAnOperandWouldBeginBetweenBlocks) {
  EXPECT_FALSE(pieces_of(kExtents, {kResult, {1001, 25, 1}}, kAligned).has_value());
  // One such distance is that of the rows of one instruction.
  EXPECT_TRUE(pieces_of(kExtents, {kResult, {1000, 25, 1}}, kAligned).has_value());
}

}  // namespace
}  // namespace tilewright
