// A rectangle copied from one tile to another and back keeps its bytes, in any two layouts, at any
// places, transposed or not; nothing outside of the tiles is touched (the address sanitizer
// watches the buffers' ends), and nothing inside the target but the rectangle's elements changes.

#include <cstring>
#include <vector>

#include "simulator/layout.h"
#include "tests/fuzz/fuzz.h"

using namespace tilewright;

namespace {

constexpr int64_t kMaxSide = 80;  // several fractals of every type

TileLayout make_layout(FuzzInput& input, DType type, int64_t rows, int64_t cols) {
  constexpr Layout kLayouts[] = {Layout::kNd, Layout::kZn, Layout::kZz, Layout::kNz};
  TileLayout tile{kLayouts[input.below(4)], type, rows, cols, 0};
  const int64_t extra = input.below(4);
  if (extra == 0) return tile;
  if (tile.layout == Layout::kNd) tile.stride = cols + extra;
  if (tile.layout == Layout::kZn) {
    tile.stride = (rows + kFractalRows - 1) / kFractalRows * kFractalRows + extra * kFractalRows;
  }
  return tile;
}

/// Room for the last padded fractal of a part of a larger tile, too.
std::vector<uint8_t> buffer_of(const TileLayout& tile, uint8_t fill) {
  return std::vector<uint8_t>(static_cast<size_t>(tile.bytes()), fill);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  constexpr DType kTypes[] = {DType::kF32, DType::kF16, DType::kBF16, DType::kI8};
  const DType type = kTypes[input.below(4)];
  const auto width = static_cast<size_t>(bytes_of(type));
  const bool transposed = input.below(2) == 1;
  const int64_t rows = input.below(kMaxSide);
  const int64_t cols = input.below(kMaxSide);
  const TilePlace at{input.below(kMaxSide), input.below(kMaxSide)};
  const TilePlace to{input.below(kMaxSide), input.below(kMaxSide)};
  const int64_t to_rows = transposed ? cols : rows;
  const int64_t to_cols = transposed ? rows : cols;
  const TileLayout source = make_layout(input, type, at.row + rows + input.below(20) + 1,
                                        at.col + cols + input.below(20) + 1);
  const TileLayout target = make_layout(input, type, to.row + to_rows + input.below(20) + 1,
                                        to.col + to_cols + input.below(20) + 1);

  std::vector<uint8_t> original = buffer_of(source, 0);
  for (size_t i = 0; i < original.size(); ++i) original[i] = static_cast<uint8_t>(i * 37 + i / 251);
  std::vector<uint8_t> moved = buffer_of(target, 0xee);
  copy_rectangle(source, original.data(), at, target, moved.data(), to, rows, cols, transposed);

  std::vector<uint8_t> expected = buffer_of(target, 0xee);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) {
      const int64_t place = transposed ? target.offset(to.row + c, to.col + r)
                                       : target.offset(to.row + r, to.col + c);
      std::memcpy(&expected.at(static_cast<size_t>(place)),
                  &original.at(static_cast<size_t>(source.offset(at.row + r, at.col + c))), width);
    }
  }
  TW_CHECK(moved == expected, "the rectangle, and nothing but it, has been copied");

  std::vector<uint8_t> back = original;
  copy_rectangle(target, moved.data(), to, source, back.data(), at, to_rows, to_cols, transposed);
  TW_CHECK(back == original, "copying back changes nothing");
  return 0;
}
