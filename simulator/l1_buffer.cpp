#include "simulator/l1_buffer.h"

#include <algorithm>
#include <optional>

#include "core/base/integers.h"

namespace tilewright {

namespace {

int64_t fractal_column_rows(const TileLayout& tile) {
  return round_up(std::max(tile.rows, tile.stride), kFractalRows);
}

/// Where in `whole` the tile lies that starts `distance` bytes after it, if it is a part of it.
std::optional<TilePlace> place_in(const TileLayout& whole, const TileLayout& tile,
                                  int64_t distance) {
  if (whole.layout != Layout::kZn || tile.layout != Layout::kZn || whole.type != tile.type ||
      fractal_column_rows(whole) != fractal_column_rows(tile) || distance < 0 ||
      distance % kFractalRowBytes != 0) {
    return std::nullopt;
  }
  const int64_t fractal_row = distance / kFractalRowBytes;
  const int64_t c0 = kFractalRowBytes / bytes_of(tile.type);
  const TilePlace place{fractal_row % fractal_column_rows(whole),
                        fractal_row / fractal_column_rows(whole) * c0};
  if (place.row + tile.rows > whole.rows || place.col + tile.cols > whole.cols) return std::nullopt;
  return place;
}

}  // namespace

void L1Buffer::copy(const Note& note) {
  copy_rectangle(note.from.layout, note.from.bytes, note.from.place, note.tile,
                 bytes_.with_size(note.offset + note.tile.bytes()) + note.offset, {},
                 note.tile.rows, note.tile.cols);
}

/// Copies every noted tile of which these bytes are a part.
void L1Buffer::settle(int64_t begin, int64_t end) {
  std::erase_if(notes_, [&](const Note& note) {
    const bool shares = note.offset < end && begin < note.offset + note.tile.bytes();
    if (shares) copy(note);
    return shares;
  });
}

void L1Buffer::load(const TileLayout& tile, int64_t offset, const TileSource& from, bool stays) {
  // A note of the same elements is overwritten as a whole.
  std::erase_if(notes_,
                [&](const Note& note) { return note.offset == offset && note.tile == tile; });
  settle(offset, offset + tile.bytes());
  if (stays) {
    notes_.push_back({tile, offset, from});
  } else {
    copy({tile, offset, from});
  }
}

TileSource L1Buffer::read(const TileLayout& tile, int64_t offset) {
  for (const Note& note : notes_) {
    const auto place = place_in(note.tile, tile, offset - note.offset);
    if (!place) continue;
    return {note.from.layout,
            note.from.bytes,
            {note.from.place.row + place->row, note.from.place.col + place->col}};
  }
  const int64_t end = offset + tile.bytes();
  settle(offset, end);
  return {tile, bytes_.with_size(end) + offset, {}};
}

void L1Buffer::clear() {
  notes_.clear();
  bytes_.clear();
}

}  // namespace tilewright
