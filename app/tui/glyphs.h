#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/timeline/lanes.h"

namespace tilewright {

/// Which characters the terminal can show: braille and eighth blocks, half blocks and lines, or
/// ASCII alone. All sets draw the same picture cell for cell.
enum class GlyphSet : uint8_t { kUnicode, kBlocks, kAscii };
/// "unicode", "blocks", "ascii".
std::string_view name_of(GlyphSet set);
/// Error (usage) suggests the nearest name.
GlyphSet parse_glyph_set(std::string_view name);

/// Characters with a meaning, so that views never name a code point.
struct Glyphs {
  GlyphSet set = GlyphSet::kAscii;
  char32_t horizontal = U'-';  ///< lines and corners of frames
  char32_t vertical = U'|';
  char32_t top_left = U'+';
  char32_t top_right = U'+';
  char32_t bottom_left = U'+';
  char32_t bottom_right = U'+';
  char32_t bar_full = U'#';   ///< a cell of a bar that is used
  char32_t bar_empty = U'.';  ///< and one that is not
  char32_t idle = U'.';       ///< nothing runs on a lane
  char32_t dense = U'~';      ///< many short events in one cell
  char32_t cursor = U'>';     ///< before the row that is chosen
  char32_t pinned = U'*';
  char32_t marker = U'^';    ///< a place on a scale
  char32_t ellipsis = U'~';  ///< text was cut here
  char32_t roof = U'_';      ///< the horizontal part of a roofline
  char32_t slope = U'/';     ///< and its rise

  /// One event on a lane; every other event has the second pattern, which differs where colour is
  /// not at hand.
  char32_t event(Pipe pipe, bool alternate) const;
  /// A level of 0 (nothing) to 8 (full) as the lowest part of a cell: sparklines.
  char32_t level(int eighths) const;
  /// The cell at the end of a bar, `eighths` of it full: 0 to 7.
  char32_t bar_part(int eighths) const;
  /// Dots of a plot in one cell, as bits: column 0 rows 0 to 3, then column 1 rows 0 to 3. None of
  /// them: blank.
  char32_t dots(unsigned bits) const;
};

/// The characters of a set.
const Glyphs& glyphs_of(GlyphSet set);

}  // namespace tilewright
