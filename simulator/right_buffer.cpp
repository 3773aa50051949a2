#include "simulator/right_buffer.h"

#include <algorithm>
#include <array>

#include "core/base/integers.h"

namespace tilewright {

namespace {

constexpr int64_t kFractalBytes = kFractalRows * kFractalRowBytes;

/// An nZ tile with its padding.
TileLayout with_padding(TileLayout tile) {
  tile.rows = round_up(tile.rows, kFractalRowBytes / bytes_of(tile.type));
  tile.cols = round_up(tile.cols, kFractalRows);
  return tile;
}

/// Where the elements of an nZ tile lie when each of its fractals is transposed.
TileLayout transposed_fractals(const TileLayout& tile) {
  const int64_t width = bytes_of(tile.type);
  const TileLayout padded = with_padding(tile);
  return {Layout::kZz,
          tile.type,
          padded.rows,
          padded.cols,
          0,
          kFractalRows * width,
          kFractalRowBytes / width};
}

bool is_aligned(const TileLayout& tile, int64_t offset) {
  return tile.layout == Layout::kNz && offset % kFractalBytes == 0;
}

DType type_of(int width) {
  return width == 1 ? DType::kI8 : width == 2 ? DType::kF16 : DType::kF32;
}

/// Transposes one fractal of elements of that width, from or to the order of the hardware.
void turn_fractal(uint8_t* fractal, int width, bool from_hardware) {
  const TileLayout hardware{Layout::kNz, type_of(width), kFractalRowBytes / width, kFractalRows};
  const TileLayout turned = transposed_fractals(hardware);
  std::array<uint8_t, kFractalBytes> copy;
  std::copy_n(fractal, kFractalBytes, copy.begin());
  copy_rectangle(from_hardware ? hardware : turned, copy.data(), {},
                 from_hardware ? turned : hardware, fractal, {}, hardware.rows, hardware.cols);
}

}  // namespace

/// Turns all fractals that the bytes touch to that width.
uint8_t* RightBuffer::turn(int64_t offset, int64_t size, int width) {
  const auto last = static_cast<size_t>(ceil_div(offset + size, kFractalBytes));
  if (widths_.size() < last) {
    widths_.resize(last, 0);
  }
  uint8_t* bytes = bytes_.with_size(static_cast<int64_t>(last) * kFractalBytes);
  for (auto f = static_cast<size_t>(offset / kFractalBytes); f < last; ++f) {
    if (widths_[f] == width) continue;
    uint8_t* fractal = bytes + f * kFractalBytes;
    if (widths_[f] != 0) turn_fractal(fractal, widths_[f], false);
    if (width != 0) turn_fractal(fractal, width, true);
    widths_[f] = static_cast<uint8_t>(width);
  }
  return bytes + offset;
}

void RightBuffer::write(const TileLayout& tile, int64_t offset, const TileSource& from,
                        bool transpose) {
  const bool aligned = is_aligned(tile, offset);
  uint8_t* target = turn(offset, tile.bytes(), aligned ? bytes_of(tile.type) : 0);
  copy_rectangle(from.layout, from.bytes, from.place, aligned ? transposed_fractals(tile) : tile,
                 target, {}, transpose ? tile.cols : tile.rows, transpose ? tile.rows : tile.cols,
                 transpose);
}

const uint8_t* RightBuffer::read_rows(const TileLayout& tile, int64_t offset) {
  if (is_aligned(tile, offset)) return turn(offset, tile.bytes(), bytes_of(tile.type));
  const uint8_t* source = turn(offset, tile.bytes(), 0);
  const TileLayout padded = with_padding(tile);
  const TileLayout turned = transposed_fractals(tile);
  uint8_t* rows = room_.with_size(turned.bytes());
  copy_rectangle(padded, source, {}, turned, rows, {}, padded.rows, padded.cols);
  return rows;
}

void RightBuffer::clear() {
  bytes_.clear();
  std::fill(widths_.begin(), widths_.end(), uint8_t{0});
}

}  // namespace tilewright
