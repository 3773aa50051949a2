#include "simulator/layout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <utility>
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

/// Byte offsets by the definition of the layouts, fractal by fractal.
int64_t offset_by_definition(const TileLayout& tile, int64_t row, int64_t col) {
  const int64_t width = bytes_of(tile.type);
  const int64_t c0 = tile.fractal_row_bytes / width;
  const auto ceil = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  switch (tile.layout) {
    case Layout::kNd:
      return (row * tile.cols + col) * width;
    case Layout::kZn: {
      const int64_t fractal = col / c0 * ceil(tile.rows, 16) + row / 16;
      return (fractal * 16 * c0 + row % 16 * c0 + col % c0) * width;
    }
    case Layout::kZz: {
      const int64_t fractal = row / 16 * ceil(tile.cols, c0) + col / c0;
      return (fractal * 16 * c0 + row % 16 * c0 + col % c0) * width;
    }
    case Layout::kNz: {
      const int64_t fractal = row / c0 * ceil(tile.cols, 16) + col / 16;
      return (fractal * 16 * c0 + col % 16 * c0 + row % c0) * width;
    }
  }
  return -1;
}

constexpr Layout kLayouts[] = {Layout::kNd, Layout::kZn, Layout::kZz, Layout::kNz};
constexpr DType kTypes[] = {DType::kF32, DType::kF16, DType::kBF16, DType::kI8, DType::kI32};

TEST(TileLayout, PlacesElementsOfEveryTypeByTheDefinition) {
  for (DType type : kTypes) {
    for (Layout layout : kLayouts) {
      for (auto [rows, cols] : {std::pair<int64_t, int64_t>{64, 64}, {37, 53}, {1, 1}, {16, 33}}) {
        const TileLayout tile{layout, type, rows, cols};
        for (int64_t r = 0; r < rows; ++r) {
          for (int64_t c = 0; c < cols; ++c) {
            ASSERT_EQ(tile.offset(r, c), offset_by_definition(tile, r, c));
          }
        }
      }
    }
  }
}

TEST(TileLayout, L0CHasFractalsOf16By16Sums) {
  const Tile sums{.space = Memory::kL0C, .type = DType::kF32, .layout = Layout::kZn};
  const TileLayout tile = layout_of(sums, 40, 35);
  EXPECT_EQ(tile.offset(0, 15), 60);
  EXPECT_EQ(tile.offset(1, 0), 64);
  EXPECT_EQ(tile.offset(16, 0), 1024);
  EXPECT_EQ(tile.offset(0, 16), 3 * 1024);
  EXPECT_EQ(tile.bytes(), 3 * 3 * 1024);
  const Tile operand{.space = Memory::kL1, .type = DType::kF32, .layout = Layout::kZn};
  EXPECT_EQ(layout_of(operand, 40, 35).offset(0, 8), 48 * 32);
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

/// A tile of that layout, a part of a larger one where the layout allows it.
TileLayout strided(Layout layout, DType type, int64_t rows, int64_t cols) {
  TileLayout tile{layout, type, rows, cols};
  if (layout == Layout::kNd) tile.stride = cols + 3;
  if (layout == Layout::kZn) tile.stride = (rows + 15) / 16 * 16 + 32;
  return tile;
}

/// Copies rows x cols elements and compares every byte of the target with an element-wise copy.
void expect_copied(const TileLayout& from, TilePlace at, const TileLayout& to, TilePlace place,
                   int64_t rows, int64_t cols, bool transposed) {
  std::vector<uint8_t> source(static_cast<size_t>(from.bytes()));
  for (size_t i = 0; i < source.size(); ++i) source[i] = static_cast<uint8_t>(i * 37 + i / 251);
  std::vector<uint8_t> target(static_cast<size_t>(to.bytes()), 0xee);
  std::vector<uint8_t> expected = target;
  copy_rectangle(from, source.data(), at, to, target.data(), place, rows, cols, transposed);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) {
      const int64_t offset = transposed ? to.offset(place.row + c, place.col + r)
                                        : to.offset(place.row + r, place.col + c);
      std::memcpy(&expected.at(static_cast<size_t>(offset)),
                  &source.at(static_cast<size_t>(from.offset(at.row + r, at.col + c))),
                  static_cast<size_t>(bytes_of(from.type)));
    }
  }
  ASSERT_EQ(target, expected) << name_of(from.layout) << " to " << name_of(to.layout) << " of "
                              << name_of(from.type);
}

TEST(CopyRectangle, KeepsValuesBetweenAnyTwoLayouts) {
  for (DType type : {DType::kI8, DType::kF16, DType::kF32}) {
    for (Layout from : kLayouts) {
      for (Layout to : kLayouts) {
        for (bool transposed : {false, true}) {
          const auto sized = [&](int64_t rows, int64_t cols, bool gaps) {
            const int64_t r = transposed ? cols : rows;
            const int64_t c = transposed ? rows : cols;
            return gaps ? strided(to, type, r, c) : TileLayout{to, type, r, c};
          };
          // Whole tiles, ragged tiles, and rectangles at odd places of larger ones.
          expect_copied({from, type, 64, 64}, {}, sized(64, 64, false), {}, 64, 64, transposed);
          expect_copied({from, type, 37, 53}, {}, sized(37, 53, false), {}, 37, 53, transposed);
          expect_copied(strided(from, type, 40, 70), {5, 17}, sized(40, 70, true), {2, 3}, 21, 33,
                        transposed);
          expect_copied(strided(from, type, 80, 90), {16, 32}, sized(48, 48, true), {}, 48, 48,
                        transposed);
          expect_copied({from, type, 3, 2}, {1, 1}, sized(1, 1, false), {}, 1, 1, transposed);
        }
      }
    }
  }
}

TEST(Pack, AndUnpackRoundTripEveryLayoutAndType) {
  for (DType type : kTypes) {
    for (Layout layout : kLayouts) {
      const TileLayout tile = strided(layout, type, 37, 53);
      std::vector<uint8_t> bytes(static_cast<size_t>(tile.bytes()), 0xee);
      std::vector<int32_t> whole(37 * 53);
      for (size_t i = 0; i < whole.size(); ++i) whole[i] = static_cast<int32_t>(i % 255) - 127;
      if (type == DType::kI8 || type == DType::kI32) {
        pack(tile, whole.data(), bytes.data());
        std::vector<int32_t> back(whole.size());
        unpack(tile, bytes.data(), back.data());
        EXPECT_EQ(back, whole);
      } else {
        const std::vector<float> values(whole.begin(), whole.end());
        pack(tile, values.data(), bytes.data());
        std::vector<float> back(values.size());
        unpack(tile, bytes.data(), back.data());
        EXPECT_EQ(back, values);
      }
      // Nothing but the elements has been written.
      std::set<int64_t> written;
      for (int64_t r = 0; r < 37; ++r) {
        for (int64_t c = 0; c < 53; ++c) {
          for (int b = 0; b < bytes_of(type); ++b) written.insert(tile.offset(r, c) + b);
        }
      }
      for (int64_t i = 0; i < tile.bytes(); ++i) {
        if (!written.contains(i)) {
          ASSERT_EQ(bytes[static_cast<size_t>(i)], 0xee);
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
