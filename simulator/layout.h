#pragma once

#include <cstdint>
#include <span>

#include "core/base/dtype.h"
#include "simulator/isa.h"
#include "simulator/launch.h"

namespace tilewright {

/// Rows of a fractal and bytes of one of its rows.
constexpr int64_t kFractalRows = 16;
constexpr int64_t kFractalRowBytes = 32;

/// How a tile's elements lie in memory. `rows` x `cols` elements, padded to whole fractals in
/// fractal layouts. `stride` (0: none) is the distance of rows in elements (kNd), or of fractal
/// columns in rows (kZn, a multiple of 16): it lets a tile be a part of a larger one. Fractals have
/// 16 rows of 32 bytes (kNz: 16 columns of 32 bytes), but in L0C 16 x 16 elements.
struct TileLayout {
  Layout layout = Layout::kNd;
  DType type = DType::kF16;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;
  int64_t fractal_row_bytes = kFractalRowBytes;
  int64_t fractal_rows = kFractalRows;  ///< of kZz

  bool operator==(const TileLayout&) const = default;

  /// Byte offset of element (row, col).
  int64_t offset(int64_t row, int64_t col) const;
  /// Bytes that the tile occupies, padding included.
  int64_t bytes() const;
  /// ND without gaps between rows.
  bool is_contiguous() const {
    return layout == Layout::kNd && (stride == 0 || stride == cols || rows <= 1);
  }
};

/// The layout of an on-chip tile of the given real size.
TileLayout layout_of(const Tile& tile, int64_t rows, int64_t cols);
/// The layout of a whole tensor.
TileLayout layout_of(const Tensor& tensor);

/// The tile as a row-major f32 (f16, bf16, f32) or i32 (i8, i32) matrix of rows x cols.
void unpack(const TileLayout& layout, const uint8_t* tile, float* matrix);
void unpack(const TileLayout& layout, const uint8_t* tile, int32_t* matrix);

/// The reverse; f32 values are rounded to nearest even, i8 saturates. Padding is left as it is.
void pack(const TileLayout& layout, const float* matrix, uint8_t* tile);
void pack(const TileLayout& layout, const int32_t* matrix, uint8_t* tile);

/// A place in a tile: row and column of the first element of a rectangle.
struct TilePlace {
  int64_t row = 0;
  int64_t col = 0;
};

/// Copies a rectangle of rows x cols elements between tiles of equal element size, element bytes
/// unchanged; `transposed`: the destination gets the transpose (cols x rows).
void copy_rectangle(const TileLayout& from, const uint8_t* source, TilePlace from_place,
                    const TileLayout& to, uint8_t* destination, TilePlace to_place, int64_t rows,
                    int64_t cols, bool transposed = false);

}  // namespace tilewright
