#pragma once

#include <cstdint>
#include <vector>

#include "simulator/aligned_bytes.h"
#include "simulator/layout.h"

namespace tilewright {

/// A rectangle of elements: those at `place` and below of something laid out so.
struct TileSource {
  TileLayout layout;
  const uint8_t* bytes = nullptr;
  TilePlace place;
};

/// L1 of a core. A tile that was loaded from bytes which stay as they are is only noted down; it is
/// copied when something else than such a tile or a part of it is read, or before anything else is
/// written over it. What is read is what the hardware would hold.
class L1Buffer {
 public:
  /// Writes a tile at byte `offset`. `stays`: nothing changes the source while this object lives.
  void load(const TileLayout& tile, int64_t offset, const TileSource& from, bool stays);

  /// Where the tile at byte `offset` can be read until the next call.
  TileSource read(const TileLayout& tile, int64_t offset);

  /// Forgets everything; all bytes read 0xff.
  void clear();

 private:
  /// A tile that L1 should hold. No two notes share a byte, padding and gaps included.
  struct Note {
    TileLayout tile;
    int64_t offset = 0;
    TileSource from;
  };

  void settle(int64_t begin, int64_t end);
  void copy(const Note& note);

  std::vector<Note> notes_;
  AlignedBytes bytes_;
};

}  // namespace tilewright
