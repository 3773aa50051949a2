#pragma once

#include <cstdint>
#include <vector>

#include "simulator/aligned_bytes.h"
#include "simulator/l1_buffer.h"
#include "simulator/layout.h"

namespace tilewright {

/// L0B of a core. The hardware keeps the fractals of a right operand (c0 rows x 16 columns)
/// column-major, a product wants their rows. So each fractal of 512 bytes is kept transposed since
/// a tile was moved there, and turned back or over when a tile with elements of another size, or
/// one that starts elsewhere, is written or read. What is read is what the hardware would hold.
class RightBuffer {
 public:
  /// Writes a tile at byte `offset`: `from`'s elements, or their transpose.
  void write(const TileLayout& tile, int64_t offset, const TileSource& from, bool transpose);

  /// The nZ tile at byte `offset`, padding included, each fractal transposed: that is zZ with
  /// fractals of c0 rows x 16 columns. Valid until the next call.
  const uint8_t* read_rows(const TileLayout& tile, int64_t offset);

  /// Bytes that nobody wrote since then read 0xff.
  void clear();

 private:
  uint8_t* turn(int64_t offset, int64_t size, int width);

  AlignedBytes bytes_;
  std::vector<uint8_t> widths_;  // of the elements of each transposed fractal; 0: as the hardware
  AlignedBytes room_;
};

}  // namespace tilewright
