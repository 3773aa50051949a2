#include "simulator/layout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <vector>

namespace tilewright {
namespace {

TEST(TileLayout, PlacesElementsAsTheirNamesSay) {
  // f16: a fractal is 16 rows of 16 elements, 512 bytes.
  const TileLayout zn{Layout::kZn, DType::kF16, 32, 32, 0};
  EXPECT_EQ(zn.offset(0, 1), 2);
  EXPECT_EQ(zn.offset(1, 0), 32);
  EXPECT_EQ(zn.offset(16, 0), 512);      // next fractal down
  EXPECT_EQ(zn.offset(0, 16), 2 * 512);  // next column of fractals
  const TileLayout zz{Layout::kZz, DType::kF16, 32, 32, 0};
  EXPECT_EQ(zz.offset(0, 16), 512);  // next fractal to the right
  EXPECT_EQ(zz.offset(16, 0), 2 * 512);
  const TileLayout nz{Layout::kNz, DType::kF16, 32, 32, 0};
  EXPECT_EQ(nz.offset(1, 0), 2);  // column-major inside
  EXPECT_EQ(nz.offset(0, 1), 32);
  EXPECT_EQ(nz.offset(0, 16), 512);
  EXPECT_EQ(nz.offset(16, 0), 2 * 512);
}

TEST(TileLayout, StrideMakesATileAPartOfALargerOne) {
  const TileLayout part{Layout::kZn, DType::kF16, 20, 32, 64};
  EXPECT_EQ(part.offset(0, 16), 64 * 32);
  const TileLayout rows{Layout::kNd, DType::kF32, 4, 8, 32};
  EXPECT_EQ(rows.offset(1, 0), 128);
  EXPECT_EQ(rows.bytes(), (3 * 32 + 8) * 4);
}

TEST(TileLayout, EveryElementHasItsOwnPlaceInsideTheTile) {
  for (DType type : {DType::kF32, DType::kF16, DType::kI8}) {
    for (Layout layout : {Layout::kNd, Layout::kZn, Layout::kZz, Layout::kNz}) {
      const TileLayout tile{layout, type, 37, 53, 0};
      std::set<int64_t> places;
      for (int64_t r = 0; r < 37; ++r) {
        for (int64_t c = 0; c < 53; ++c) {
          const int64_t at = tile.offset(r, c);
          EXPECT_EQ(at % bytes_of(type), 0);
          EXPECT_LT(at, tile.bytes());
          places.insert(at);
        }
      }
      EXPECT_EQ(places.size(), 37u * 53u);
    }
  }
}

TEST(CopyRectangle, KeepsValuesBetweenAnyTwoLayouts) {
  const Layout layouts[] = {Layout::kNd, Layout::kZn, Layout::kZz, Layout::kNz};
  for (Layout from : layouts) {
    for (Layout to : layouts) {
      for (bool transposed : {false, true}) {
        const TileLayout source{from, DType::kF16, 40, 70, 0};
        const TileLayout target{to, DType::kF16, transposed ? 33 : 21, transposed ? 21 : 33, 0};
        std::vector<uint8_t> in(static_cast<size_t>(source.bytes()));
        std::vector<uint8_t> out(static_cast<size_t>(target.bytes()));
        for (int64_t r = 0; r < 40; ++r) {
          for (int64_t c = 0; c < 70; ++c) {
            const auto value = static_cast<uint16_t>(r * 100 + c);
            std::memcpy(in.data() + source.offset(r, c), &value, 2);
          }
        }
        copy_rectangle(source, in.data(), {5, 17}, target, out.data(), {}, 21, 33, transposed);
        for (int64_t r = 0; r < 21; ++r) {
          for (int64_t c = 0; c < 33; ++c) {
            uint16_t value = 0;
            std::memcpy(&value,
                        out.data() + (transposed ? target.offset(c, r) : target.offset(r, c)), 2);
            ASSERT_EQ(value, (r + 5) * 100 + c + 17);
          }
        }
      }
    }
  }
}

TEST(Pack, RoundsToNearestEvenAndKeepsSpecialValues) {
  const TileLayout tile{Layout::kNd, DType::kF16, 1, 6, 0};
  const float in[] = {1.0f + 0x1p-11f,
                      1.0f + 3 * 0x1p-11f,
                      65520.0f,
                      0x1p-24f,
                      -std::numeric_limits<float>::infinity(),
                      std::nanf("")};
  std::vector<uint8_t> bytes(12);
  pack(tile, in, bytes.data());
  float out[6];
  unpack(tile, bytes.data(), out);
  EXPECT_EQ(out[0], 1.0f);            // tie to even, down
  EXPECT_EQ(out[1], 1.0f + 0x1p-9f);  // tie to even, up
  EXPECT_TRUE(std::isinf(out[2]));    // above the largest half
  EXPECT_EQ(out[3], 0x1p-24f);        // smallest subnormal
  EXPECT_EQ(out[4], -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(out[5]));
}

}  // namespace
}  // namespace tilewright
