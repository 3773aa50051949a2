// L1 and L0B are kept in ways that save copies. Here they are compared, over random sequences of
// writes and reads of tiles of any type, size and place, with plain bytes in the hardware's layout.

#include <gtest/gtest.h>

#include <vector>

#include "core/base/random.h"
#include "simulator/l1_buffer.h"
#include "simulator/right_buffer.h"

namespace tilewright {
namespace {

constexpr DType kTypes[] = {DType::kI8, DType::kF16, DType::kF32};

std::vector<uint8_t> random_bytes(Random& random, size_t count) {
  std::vector<uint8_t> bytes(count);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.below(256));
  return bytes;
}

/// The elements of a rectangle, row by row.
std::vector<uint8_t> elements_of(const TileSource& source, int64_t rows, int64_t cols) {
  const TileLayout plain{Layout::kNd, source.layout.type, rows, cols};
  std::vector<uint8_t> elements(static_cast<size_t>(plain.bytes()));
  copy_rectangle(source.layout, source.bytes, source.place, plain, elements.data(), {}, rows, cols);
  return elements;
}

int64_t between(Random& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random.below(static_cast<uint64_t>(high - low + 1)));
}

TEST(L1Buffer, HoldsWhatPlainBytesWouldHold) {
  constexpr int64_t kSize = 1 << 15;
  Random random(1);
  const std::vector<uint8_t> gm = random_bytes(random, 128 * 128 * 4);
  for (int round = 0; round < 200; ++round) {
    L1Buffer buffer;
    std::vector<uint8_t> plain(kSize, 0xff);
    for (int step = 0; step < 40; ++step) {
      // Few different tiles, so that they meet, cover and contain each other.
      const DType type = kTypes[random.below(3)];
      const Layout layout = random.below(8) == 0 ? Layout::kNd : Layout::kZn;
      TileLayout tile{layout, type, between(random, 1, 3) * 15, between(random, 1, 4) * 8};
      if (layout == Layout::kZn && random.below(2) == 0) tile.stride = between(random, 2, 4) * 16;
      const int64_t offset = between(random, 0, 12) * (random.below(4) == 0 ? 32 : 512);
      ASSERT_LE(offset + tile.bytes(), kSize);
      if (random.below(2) == 0) {
        const TileLayout tensor{Layout::kNd, type, 128, 128};
        const TilePlace place{between(random, 0, 60), between(random, 0, 60)};
        buffer.load(tile, offset, {tensor, gm.data(), place}, random.below(4) != 0);
        copy_rectangle(tensor, gm.data(), place, tile, plain.data() + offset, {}, tile.rows,
                       tile.cols);
      } else {
        ASSERT_EQ(elements_of(buffer.read(tile, offset), tile.rows, tile.cols),
                  elements_of({tile, plain.data() + offset, {}}, tile.rows, tile.cols));
      }
      if (random.below(40) == 0) {
        buffer.clear();
        plain.assign(kSize, 0xff);
      }
    }
  }
}

TEST(L1Buffer, KeepsATileWhoseSourceChanges) {
  std::vector<uint8_t> gm(32 * 32 * 2, 1);
  const TileLayout tensor{Layout::kNd, DType::kF16, 32, 32};
  const TileLayout tile{Layout::kZn, DType::kF16, 32, 32};
  L1Buffer buffer;
  buffer.load(tile, 0, {tensor, gm.data(), {}}, false);
  gm.assign(gm.size(), 2);
  EXPECT_EQ(elements_of(buffer.read(tile, 0), 32, 32), std::vector<uint8_t>(gm.size(), 1));
}

TEST(RightBuffer, HoldsWhatPlainBytesWouldHold) {
  constexpr int64_t kSize = 1 << 15;
  Random random(2);
  const std::vector<uint8_t> l1 = random_bytes(random, 128 * 128 * 4);
  for (int round = 0; round < 200; ++round) {
    RightBuffer buffer;
    std::vector<uint8_t> plain(kSize, 0xff);
    for (int step = 0; step < 40; ++step) {
      const DType type = kTypes[random.below(3)];
      const int64_t width = bytes_of(type);
      const TileLayout tile{Layout::kNz, type, between(random, 1, 5) * 13, between(random, 1, 40)};
      const int64_t offset =
          random.below(4) == 0 ? between(random, 0, 40) * 32 + 4 : between(random, 0, 12) * 512;
      ASSERT_LE(offset + tile.bytes(), kSize);
      if (random.below(2) == 0) {
        const bool transpose = random.below(2) == 0;
        const TileLayout source{Layout::kZn, type, 128, 128};
        buffer.write(tile, offset, {source, l1.data(), {3, 5}}, transpose);
        copy_rectangle(source, l1.data(), {3, 5}, tile, plain.data() + offset, {},
                       transpose ? tile.cols : tile.rows, transpose ? tile.rows : tile.cols,
                       transpose);
        continue;
      }
      // Rows of fractals of c0 x 16, padding included.
      const int64_t c0 = 32 / width;
      const uint8_t* rows = buffer.read_rows(tile, offset);
      for (int64_t r = 0; r < (tile.rows + c0 - 1) / c0 * c0; ++r) {
        for (int64_t c = 0; c < (tile.cols + 15) / 16 * 16; ++c) {
          const int64_t fractal = r / c0 * ((tile.cols + 15) / 16) + c / 16;
          const uint8_t* got = rows + fractal * 512 + (r % c0 * 16 + c % 16) * width;
          const uint8_t* held =
              plain.data() + offset + fractal * 512 + c % 16 * 32 + r % c0 * width;
          ASSERT_TRUE(std::equal(got, got + width, held)) << r << "," << c;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tilewright
