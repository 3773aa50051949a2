#include "core/serving/block_pool.h"

#include <gtest/gtest.h>

namespace tilewright {
namespace {

using Blocks = std::vector<int32_t>;

TEST(BlockPool, RoundsTokensUpToBlocks) {
  const BlockPool pool(3, 16);
  EXPECT_EQ(pool.blocks_for(0), 0);
  EXPECT_EQ(pool.blocks_for(1), 1);
  EXPECT_EQ(pool.blocks_for(16), 1);
  EXPECT_EQ(pool.blocks_for(17), 2);
}

TEST(BlockPool, HandsOutEveryBlockOnce) {
  BlockPool pool(3, 16);
  EXPECT_EQ(pool.take(), 0);
  EXPECT_EQ(pool.take(), 1);
  EXPECT_EQ(pool.take(), 2);
  EXPECT_EQ(pool.free(), 0);
  EXPECT_EQ(pool.used(), 3);
}

TEST(BlockPool, UsesBlocksWithoutContentsAgainFirstAndTheOthersByAge) {
  BlockPool pool(5, 16);
  for (int i = 0; i < 4; ++i) pool.take();
  pool.release(2, true);
  pool.release(1, false);
  pool.release(0, true);
  EXPECT_EQ(pool.peek(4), (Blocks{1, 4, 2, 0}));
  pool.touch(2);
  EXPECT_EQ(pool.peek(4), (Blocks{1, 4, 0, 2}));
}

TEST(BlockPool, TakesAFreeBlockFromAnywhere) {
  BlockPool pool(4, 16);
  pool.hold(2);
  pool.hold(2);
  EXPECT_EQ(pool.peek(3), (Blocks{0, 1, 3}));
  pool.release(2, true);
  EXPECT_FALSE(pool.is_free(2));
  pool.touch(2);  // held: nothing to move
  EXPECT_EQ(pool.free(), 3);
  pool.release(2, true);
  EXPECT_EQ(pool.peek(4), (Blocks{0, 1, 3, 2}));
}

TEST(BlockPoolDeathTest, AbortsOnDoubleFree) {
  BlockPool pool(2, 16);
  const int32_t block = pool.take();
  pool.release(block, true);
  EXPECT_DEATH(pool.release(block, true), "a block is freed by one of its holders");
}

}  // namespace
}  // namespace tilewright
