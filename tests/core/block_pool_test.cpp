#include "core/serving/block_pool.h"

#include <gtest/gtest.h>

namespace tilewright {
namespace {

TEST(BlockPool, RoundsTokensUpToBlocks) {
  const BlockPool pool(3, 16);
  EXPECT_EQ(pool.blocks_for(0), 0);
  EXPECT_EQ(pool.blocks_for(1), 1);
  EXPECT_EQ(pool.blocks_for(16), 1);
  EXPECT_EQ(pool.blocks_for(17), 2);
}

TEST(BlockPool, HandsOutEveryBlockOnce) {
  BlockPool pool(3, 16);
  std::vector<int32_t> a, b;
  pool.allocate(2, a);
  pool.allocate(1, b);
  EXPECT_EQ(a, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(b, (std::vector<int32_t>{2}));
  EXPECT_EQ(pool.free(), 0);
  EXPECT_EQ(pool.used(), 3);
}

TEST(BlockPool, FreesTailBlocksFirstAndReusesTheLastFreedFirst) {
  BlockPool pool(4, 16);
  std::vector<int32_t> a, b;
  pool.allocate(3, a);
  pool.release(2, a);
  EXPECT_EQ(a, (std::vector<int32_t>{0}));
  pool.allocate(3, b);
  EXPECT_EQ(b, (std::vector<int32_t>{1, 2, 3}));
}

TEST(BlockPoolDeathTest, AbortsOnDoubleFree) {
  BlockPool pool(2, 16);
  std::vector<int32_t> a;
  pool.allocate(1, a);
  std::vector<int32_t> copy = a;
  pool.release(1, a);
  EXPECT_DEATH(pool.release(1, copy), "a block is freed by its one holder");
}

}  // namespace
}  // namespace tilewright
