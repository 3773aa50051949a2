#include "simulator/layout.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "core/base/integers.h"
#include "simulator/convert.h"

namespace tilewright {

namespace {

constexpr int64_t kUnbounded = std::numeric_limits<int64_t>::max();

/// Where the rows (or the columns) of a layout lie: `step` bytes apart within blocks of `block`,
/// which begin `block_step` bytes apart.
struct Axis {
  int64_t block = kUnbounded;
  int64_t step = 0;
  int64_t block_step = 0;

  int64_t offset(int64_t i) const { return i / block * block_step + i % block * step; }
};

/// Every layout is a sum: offset(row, col) = rows.offset(row) + cols.offset(col).
struct Axes {
  Axis rows;
  Axis cols;
};

Axes axes_of(const TileLayout& tile) {
  const int64_t width = bytes_of(tile.type);
  const int64_t row_bytes = tile.fractal_row_bytes;
  const int64_t c0 = row_bytes / width;
  const int64_t fractal_bytes = tile.fractal_rows * row_bytes;
  switch (tile.layout) {
    case Layout::kNd:
      return {{kUnbounded, (tile.stride > 0 ? tile.stride : tile.cols) * width, 0},
              {kUnbounded, width, 0}};
    case Layout::kZn:
      return {{kUnbounded, row_bytes, 0},
              {c0, width, round_up(std::max(tile.rows, tile.stride), kFractalRows) * row_bytes}};
    case Layout::kZz:
      return {{tile.fractal_rows, row_bytes, ceil_div(tile.cols, c0) * fractal_bytes},
              {c0, width, fractal_bytes}};
    case Layout::kNz:
      // Fractals of c0 rows x 16 columns, each column-major: a column is contiguous.
      return {{c0, width, ceil_div(tile.cols, kFractalRows) * fractal_bytes},
              {kFractalRows, row_bytes, fractal_bytes}};
  }
  return {};
}

/// Walks along an axis without dividing.
class Cursor {
 public:
  Cursor(const Axis& axis, int64_t start)
      : axis_(axis), in_block_(start % axis.block), at_(axis.offset(start)) {}

  int64_t at() const { return at_; }
  int64_t left_in_block() const { return axis_.block - in_block_; }
  /// By at most left_in_block().
  void advance(int64_t count) {
    in_block_ += count;
    if (in_block_ < axis_.block) {
      at_ += count * axis_.step;
    } else {
      at_ += axis_.block_step - (in_block_ - count) * axis_.step;
      in_block_ = 0;
    }
  }

 private:
  Axis axis_;
  int64_t in_block_;
  int64_t at_;
};

/// The same rectangle in two places.
struct Rectangle {
  Axes from;
  Axes to;
  TilePlace from_place;
  TilePlace to_place;
  int64_t rows = 0;
  int64_t cols = 0;

  void exchange_rows_and_columns() {
    std::swap(from.rows, from.cols);
    std::swap(to.rows, to.cols);
    std::swap(from_place.row, from_place.col);
    std::swap(to_place.row, to_place.col);
    std::swap(rows, cols);
  }
};

/// Calls copy(source offset, destination offset, rows, columns) for pieces that lie in one block of
/// each layout. Bands of 8 rows, so that both whole cache lines and few of them are in use.
template <typename Copy>
void for_each_piece(const Rectangle& all, Copy copy) {
  constexpr int64_t kBand = 8;
  const bool cut = all.from.rows.block == kUnbounded && all.to.rows.block == kUnbounded;
  Cursor from_row(all.from.rows, all.from_place.row);
  Cursor to_row(all.to.rows, all.to_place.row);
  const Cursor from_start(all.from.cols, all.from_place.col);
  const Cursor to_start(all.to.cols, all.to_place.col);
  for (int64_t row = 0; row < all.rows;) {
    const int64_t rows = std::min({cut ? std::min(kBand, all.rows - row) : all.rows - row,
                                   from_row.left_in_block(), to_row.left_in_block()});
    Cursor from_col = from_start;
    Cursor to_col = to_start;
    for (int64_t col = 0; col < all.cols;) {
      const int64_t cols =
          std::min({all.cols - col, from_col.left_in_block(), to_col.left_in_block()});
      copy(from_row.at() + from_col.at(), to_row.at() + to_col.at(), rows, cols);
      from_col.advance(cols);
      to_col.advance(cols);
      col += cols;
    }
    from_row.advance(rows);
    to_row.advance(rows);
    row += rows;
  }
}

template <int64_t kBytes>
void copy_rows(const uint8_t* source, int64_t source_step, uint8_t* destination,
               int64_t destination_step, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
    std::memcpy(destination + r * destination_step, source + r * source_step, kBytes);
  }
}

/// Both sides hold the elements of a row one after another.
void copy_runs(const Rectangle& all, int64_t width, const uint8_t* source, uint8_t* destination) {
  const int64_t source_step = all.from.rows.step;
  const int64_t destination_step = all.to.rows.step;
  for_each_piece(all, [&](int64_t from, int64_t to, int64_t rows, int64_t cols) {
    const int64_t run = cols * width;
    const uint8_t* in = source + from;
    uint8_t* out = destination + to;
    if (source_step == run && destination_step == run) {
      std::memcpy(out, in, static_cast<size_t>(rows * run));
    } else if (run == 32) {
      copy_rows<32>(in, source_step, out, destination_step, rows);
    } else if (run == 64) {
      copy_rows<64>(in, source_step, out, destination_step, rows);
    } else {
      for (int64_t r = 0; r < rows; ++r) {
        std::memcpy(out + r * destination_step, in + r * source_step, static_cast<size_t>(run));
      }
    }
  });
}

/// As many elements as 16 bytes hold, one operation for all.
template <typename Element>
struct Lanes {
  static constexpr size_t kCount = 16 / sizeof(Element);
  typedef Element Vector __attribute__((vector_size(16)));
  Vector vector;
};
template <typename Element>
using Square = std::array<Lanes<Element>, Lanes<Element>::kCount>;

/// Elements of the lower (kHalf 0) or upper halves (1) of two vectors in turns.
template <size_t kHalf, typename Element, size_t... kLane>
Lanes<Element> interleave(const Lanes<Element>& a, const Lanes<Element>& b,
                          std::index_sequence<kLane...>) {
  constexpr size_t kCount = sizeof...(kLane);
  return {__builtin_shufflevector(a.vector, b.vector,
                                  (kHalf * kCount / 2 + kLane / 2 + kLane % 2 * kCount)...)};
}

/// Interleaves row i with row i + half, for each i; log2(rows) times is the transpose.
template <typename Element, size_t... kRow>
Square<Element> mix(const Square<Element>& rows, std::index_sequence<kRow...> all) {
  return {interleave<kRow % 2>(rows[kRow / 2], rows[kRow / 2 + sizeof...(kRow) / 2], all)...};
}

template <size_t kRows, typename Element, typename All>
Square<Element> mix_all(const Square<Element>& rows, All all) {
  if constexpr (kRows == 1) {
    return rows;
  } else {
    return mix_all<kRows / 2>(mix(rows, all), all);
  }
}

/// Transposes a square of as many rows as a vector has lanes.
template <typename Element>
void transpose_square(const uint8_t* source, int64_t source_step, uint8_t* destination,
                      int64_t destination_step) {
  constexpr size_t kCount = Lanes<Element>::kCount;
  Square<Element> rows;
  for (size_t r = 0; r < kCount; ++r) {
    std::memcpy(&rows[r], source + static_cast<int64_t>(r) * source_step, 16);
  }
  rows = mix_all<kCount>(rows, std::make_index_sequence<kCount>());
  for (size_t r = 0; r < kCount; ++r) {
    std::memcpy(destination + static_cast<int64_t>(r) * destination_step, &rows[r], 16);
  }
}

/// The source holds the elements of a row one after another, the destination those of a column.
template <typename Element>
void copy_transposing(const Rectangle& all, const uint8_t* source, uint8_t* destination) {
  constexpr auto kCount = static_cast<int64_t>(Lanes<Element>::kCount);
  constexpr auto kWidth = static_cast<int64_t>(sizeof(Element));
  const int64_t source_step = all.from.rows.step;
  const int64_t destination_step = all.to.cols.step;
  for_each_piece(all, [&](int64_t from, int64_t to, int64_t rows, int64_t cols) {
    const auto in = [&](int64_t r, int64_t c) {
      return source + from + r * source_step + c * kWidth;
    };
    const auto out = [&](int64_t r, int64_t c) {
      return destination + to + r * kWidth + c * destination_step;
    };
    const int64_t square_rows = rows - rows % kCount;
    const int64_t square_cols = cols - cols % kCount;
    for (int64_t r = 0; r < square_rows; r += kCount) {
      for (int64_t c = 0; c < square_cols; c += kCount) {
        transpose_square<Element>(in(r, c), source_step, out(r, c), destination_step);
      }
    }
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = r < square_rows ? square_cols : 0; c < cols; ++c) {
        std::memcpy(out(r, c), in(r, c), kWidth);
      }
    }
  });
}

/// Between a tile and a row-major matrix: ND row by row, fractals through ND.
template <typename Value>
void unpack_as(const TileLayout& layout, const uint8_t* tile, Value* matrix) {
  if (layout.layout == Layout::kNd) {
    const int64_t rows = layout.is_contiguous() ? 1 : layout.rows;
    const int64_t count = layout.rows * layout.cols / std::max<int64_t>(rows, 1);
    for (int64_t r = 0; r < rows; ++r) {
      widen(layout.type, tile + layout.offset(r, 0), count, matrix + r * count);
    }
    return;
  }
  const TileLayout plain{Layout::kNd, layout.type, layout.rows, layout.cols};
  std::vector<uint8_t> elements(static_cast<size_t>(plain.bytes()));
  copy_rectangle(layout, tile, {}, plain, elements.data(), {}, layout.rows, layout.cols);
  unpack_as(plain, elements.data(), matrix);
}

template <typename Value>
void pack_as(const TileLayout& layout, const Value* matrix, uint8_t* tile) {
  if (layout.layout == Layout::kNd) {
    const int64_t rows = layout.is_contiguous() ? 1 : layout.rows;
    const int64_t count = layout.rows * layout.cols / std::max<int64_t>(rows, 1);
    for (int64_t r = 0; r < rows; ++r) {
      narrow(matrix + r * count, count, layout.type, tile + layout.offset(r, 0));
    }
    return;
  }
  const TileLayout plain{Layout::kNd, layout.type, layout.rows, layout.cols};
  std::vector<uint8_t> elements(static_cast<size_t>(plain.bytes()));
  pack_as(plain, matrix, elements.data());
  copy_rectangle(plain, elements.data(), {}, layout, tile, {}, layout.rows, layout.cols);
}

}  // namespace

int64_t TileLayout::offset(int64_t row, int64_t col) const {
  const Axes axes = axes_of(*this);
  return axes.rows.offset(row) + axes.cols.offset(col);
}

int64_t TileLayout::bytes() const {
  const int64_t width = bytes_of(type);
  const int64_t c0 = fractal_row_bytes / width;
  switch (layout) {
    case Layout::kNd:
      return rows == 0 ? 0 : ((rows - 1) * (stride > 0 ? stride : cols) + cols) * width;
    case Layout::kZn: {
      // A part of a larger tile ends with its own rows, not with the larger tile's last column.
      const int64_t columns = ceil_div(cols, c0);
      const int64_t column_rows = round_up(std::max(rows, stride), kFractalRows);
      return ((columns - 1) * column_rows + round_up(rows, kFractalRows)) * fractal_row_bytes;
    }
    case Layout::kZz:
      return round_up(rows, fractal_rows) * round_up(cols, c0) * width;
    case Layout::kNz:
      return round_up(rows, c0) * round_up(cols, kFractalRows) * width;
  }
  return 0;
}

TileLayout layout_of(const Tile& tile, int64_t rows, int64_t cols) {
  const int64_t row_bytes =
      tile.space == Memory::kL0C ? kFractalRows * bytes_of(tile.type) : kFractalRowBytes;
  return {tile.layout, tile.type, rows, cols, tile.stride, row_bytes};
}

TileLayout layout_of(const Tensor& tensor) {
  return {tensor.layout, tensor.type, tensor.rows, tensor.cols};
}

void unpack(const TileLayout& layout, const uint8_t* tile, float* matrix) {
  unpack_as(layout, tile, matrix);
}

void unpack(const TileLayout& layout, const uint8_t* tile, int32_t* matrix) {
  unpack_as(layout, tile, matrix);
}

void pack(const TileLayout& layout, const float* matrix, uint8_t* tile) {
  pack_as(layout, matrix, tile);
}

void pack(const TileLayout& layout, const int32_t* matrix, uint8_t* tile) {
  pack_as(layout, matrix, tile);
}

void copy_rectangle(const TileLayout& from, const uint8_t* source, TilePlace from_place,
                    const TileLayout& to, uint8_t* destination, TilePlace to_place, int64_t rows,
                    int64_t cols, bool transposed) {
  const int64_t width = bytes_of(from.type);
  Rectangle all{axes_of(from), axes_of(to), from_place, to_place, rows, cols};
  if (transposed) {
    std::swap(all.to.rows, all.to.cols);
    std::swap(all.to_place.row, all.to_place.col);
  }
  // In every layout either the elements of a row or those of a column are neighbours.
  const bool from_rows = from.layout != Layout::kNz;
  const bool to_rows = (to.layout != Layout::kNz) != transposed;
  if (!from_rows) all.exchange_rows_and_columns();
  if (from_rows == to_rows) return copy_runs(all, width, source, destination);
  switch (width) {
    case 1:
      return copy_transposing<uint8_t>(all, source, destination);
    case 2:
      return copy_transposing<uint16_t>(all, source, destination);
    default:
      return copy_transposing<uint32_t>(all, source, destination);
  }
}

}  // namespace tilewright
