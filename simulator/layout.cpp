#include "simulator/layout.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/integers.h"

namespace tilewright {

namespace {

/// Calls visit(row, first column, columns, byte offset, byte step) for each run of elements of a
/// row that lie evenly spaced.
template <typename Visit>
void for_each_run(const TileLayout& layout, Visit visit) {
  const int64_t width = bytes_of(layout.type);
  if (layout.layout == Layout::kNd) {
    for (int64_t r = 0; r < layout.rows; ++r) visit(r, 0, layout.cols, layout.offset(r, 0), width);
    return;
  }
  const int64_t c0 = kFractalRowBytes / width;
  const int64_t step = layout.layout == Layout::kNz ? kFractalRowBytes : width;
  const int64_t span = layout.layout == Layout::kNz ? kFractalRows : c0;
  for (int64_t c = 0; c < layout.cols; c += span) {
    const int64_t count = std::min(span, layout.cols - c);
    for (int64_t r = 0; r < layout.rows; ++r) visit(r, c, count, layout.offset(r, c), step);
  }
}

float load_float(DType type, const uint8_t* at) {
  if (type == DType::kF32) {
    float value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return type == DType::kF16 ? f16_to_f32(bits) : bf16_to_f32(bits);
}

void store_float(DType type, float value, uint8_t* at) {
  if (type == DType::kF32) {
    std::memcpy(at, &value, sizeof value);
    return;
  }
  const uint16_t bits = type == DType::kF16 ? f32_to_f16(value) : f32_to_bf16(value);
  std::memcpy(at, &bits, sizeof bits);
}

}  // namespace

int64_t TileLayout::offset(int64_t row, int64_t col) const {
  const int64_t width = bytes_of(type);
  if (layout == Layout::kNd) return (row * (stride > 0 ? stride : cols) + col) * width;
  const int64_t c0 = kFractalRowBytes / width;
  const int64_t fractal_bytes = kFractalRows * kFractalRowBytes;
  switch (layout) {
    case Layout::kZn: {
      const int64_t column_bytes =
          round_up(std::max(rows, stride), kFractalRows) * kFractalRowBytes;
      return col / c0 * column_bytes + row * kFractalRowBytes + col % c0 * width;
    }
    case Layout::kZz: {
      const int64_t fractals = round_up(cols, c0) / c0;
      return (row / kFractalRows * fractals + col / c0) * fractal_bytes +
             row % kFractalRows * kFractalRowBytes + col % c0 * width;
    }
    case Layout::kNz: {
      // Fractals of c0 rows x 16 columns, each column-major: a column is 32 contiguous bytes.
      const int64_t fractals = round_up(cols, kFractalRows) / kFractalRows;
      return (row / c0 * fractals + col / kFractalRows) * fractal_bytes +
             col % kFractalRows * kFractalRowBytes + row % c0 * width;
    }
    case Layout::kNd:
      break;
  }
  return 0;
}

int64_t TileLayout::bytes() const {
  const int64_t width = bytes_of(type);
  const int64_t c0 = kFractalRowBytes / width;
  switch (layout) {
    case Layout::kNd:
      return rows == 0 ? 0 : ((rows - 1) * (stride > 0 ? stride : cols) + cols) * width;
    case Layout::kZn: {
      // A part of a larger tile ends with its own rows, not with the larger tile's last column.
      const int64_t columns = round_up(cols, c0) / c0;
      const int64_t column_rows = round_up(std::max(rows, stride), kFractalRows);
      return ((columns - 1) * column_rows + round_up(rows, kFractalRows)) * kFractalRowBytes;
    }
    case Layout::kZz:
      return round_up(rows, kFractalRows) * round_up(cols, c0) * width;
    case Layout::kNz:
      return round_up(rows, c0) * round_up(cols, kFractalRows) * width;
  }
  return 0;
}

void unpack(const TileLayout& layout, const uint8_t* tile, float* matrix) {
  for_each_run(layout, [&](int64_t row, int64_t col, int64_t count, int64_t at, int64_t step) {
    float* out = matrix + row * layout.cols + col;
    for (int64_t i = 0; i < count; ++i) out[i] = load_float(layout.type, tile + at + i * step);
  });
}

void unpack(const TileLayout& layout, const uint8_t* tile, int32_t* matrix) {
  for_each_run(layout, [&](int64_t row, int64_t col, int64_t count, int64_t at, int64_t step) {
    int32_t* out = matrix + row * layout.cols + col;
    for (int64_t i = 0; i < count; ++i) {
      const uint8_t* element = tile + at + i * step;
      if (layout.type == DType::kI8) {
        out[i] = static_cast<int8_t>(*element);
      } else {
        std::memcpy(&out[i], element, sizeof out[i]);
      }
    }
  });
}

void pack(const TileLayout& layout, const float* matrix, uint8_t* tile) {
  for_each_run(layout, [&](int64_t row, int64_t col, int64_t count, int64_t at, int64_t step) {
    const float* in = matrix + row * layout.cols + col;
    for (int64_t i = 0; i < count; ++i) store_float(layout.type, in[i], tile + at + i * step);
  });
}

void pack(const TileLayout& layout, const int32_t* matrix, uint8_t* tile) {
  for_each_run(layout, [&](int64_t row, int64_t col, int64_t count, int64_t at, int64_t step) {
    const int32_t* in = matrix + row * layout.cols + col;
    for (int64_t i = 0; i < count; ++i) {
      uint8_t* element = tile + at + i * step;
      if (layout.type == DType::kI8) {
        *element = static_cast<uint8_t>(static_cast<int8_t>(std::clamp(in[i], -128, 127)));
      } else {
        std::memcpy(element, &in[i], sizeof in[i]);
      }
    }
  });
}

void copy_rectangle(const TileLayout& from, const uint8_t* source, TilePlace from_place,
                    const TileLayout& to, uint8_t* destination, TilePlace to_place, int64_t rows,
                    int64_t cols, bool transposed) {
  const int64_t width = bytes_of(from.type);
  const auto copy_element = [&](int64_t r, int64_t c) {
    const int64_t target = transposed ? to.offset(to_place.row + c, to_place.col + r)
                                      : to.offset(to_place.row + r, to_place.col + c);
    std::memcpy(destination + target, source + from.offset(from_place.row + r, from_place.col + c),
                static_cast<size_t>(width));
  };
  // 32-byte pieces that both sides hold in one run: whole rows of ND, rows of row-major fractals.
  const int64_t piece =
      from.layout == Layout::kNd && to.layout == Layout::kNd ? cols : kFractalRowBytes / width;
  const auto aligned = [&](const TileLayout& layout, int64_t col) {
    return layout.layout == Layout::kNd || (layout.layout != Layout::kNz && col % piece == 0);
  };
  const bool in_runs = !transposed && aligned(from, from_place.col) && aligned(to, to_place.col);
  for (int64_t c = 0; c < cols; c += piece) {
    const int64_t count = std::min(piece, cols - c);
    for (int64_t r = 0; r < rows; ++r) {
      if (in_runs) {
        std::memcpy(destination + to.offset(to_place.row + r, to_place.col + c),
                    source + from.offset(from_place.row + r, from_place.col + c),
                    static_cast<size_t>(count * width));
        continue;
      }
      for (int64_t i = 0; i < count; ++i) copy_element(r, c + i);
    }
  }
}

}  // namespace tilewright
