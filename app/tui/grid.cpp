#include "app/tui/grid.h"

#include <algorithm>
#include <array>

#include "core/base/error.h"

namespace tilewright {

namespace {

/// Code points that terminals draw in no column or in two, and those that control them: everything
/// a results database may hold and a grid may not. A superset is good enough, as '?' does no harm.
constexpr std::array<std::pair<char32_t, char32_t>, 20> kNotOneColumn = {{
    {0x0000, 0x001F}, {0x007F, 0x009F}, {0x00AD, 0x00AD}, {0x0300, 0x036F}, {0x0483, 0x0489},
    {0x0591, 0x05C7}, {0x0600, 0x08FF}, {0x0900, 0x10FF}, {0x1100, 0x115F}, {0x1160, 0x1DFF},
    {0x200B, 0x200F}, {0x2028, 0x202F}, {0x2060, 0x206F}, {0x20D0, 0x20FF}, {0x231A, 0x231B},
    {0x23E9, 0x23F3}, {0x2600, 0x27BF}, {0x2B00, 0x2BFF}, {0x2E80, 0xFFFF}, {0x10000, 0x10FFFF},
}};

bool is_one_column(char32_t glyph) {
  return std::ranges::none_of(kNotOneColumn, [glyph](const auto& range) {
    return glyph >= range.first && glyph <= range.second;
  });
}

/// Decodes the character at `position` and moves behind it; a broken one is '?' and one byte long.
char32_t next_character(std::string_view text, size_t& position) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(position);
  if (first < 0x80) return text[position++] == '\0' ? U'?' : static_cast<char32_t>(first);
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 1;
  if (length == 1 || first > 0xF4 || position + length > text.size()) {
    ++position;
    return U'?';
  }
  char32_t value = first & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(position + i) & 0xC0) != 0x80) {
      ++position;
      return U'?';
    }
    value = (value << 6) | (byte(position + i) & 0x3Fu);
  }
  position += length;
  return value;
}

}  // namespace

Grid::Grid(int width, int height) : width_(width), height_(height) {
  TW_CHECK(width > 0 && height > 0, "a grid has cells");
  cells_.resize(static_cast<size_t>(width) * static_cast<size_t>(height));
}

std::string Grid::text() const {
  std::string text;
  for (int y = 0; y < height_; ++y) {
    std::u32string row;
    for (int x = 0; x < width_; ++x) row += at(x, y).glyph;
    row.erase(row.find_last_not_of(U' ') + 1);
    text += utf8_of(row) + "\n";
  }
  return text;
}

std::string Grid::roles() const {
  std::string text;
  for (int y = 0; y < height_; ++y) {
    std::string row;
    for (int x = 0; x < width_; ++x) {
      const ScreenCell& cell = at(x, y);
      const bool shows = cell.glyph != U' ' || cell.role == Role::kCursor ||
                         cell.role == Role::kActiveTab || cell.role == Role::kField;
      row += letter_of(shows ? cell.role : Role::kText);
    }
    row.erase(row.find_last_not_of(' ') + 1);
    text += row + "\n";
  }
  return text;
}

std::u32string cells_of(std::string_view utf8) {
  std::u32string glyphs;
  glyphs.reserve(utf8.size());
  for (size_t position = 0; position < utf8.size();) {
    const char32_t glyph = next_character(utf8, position);
    glyphs += is_one_column(glyph) ? glyph : U'?';
  }
  return glyphs;
}

std::string utf8_of(std::u32string_view glyphs) {
  std::string text;
  for (const char32_t glyph : glyphs) {
    const auto tail = [&](int shift) {
      text += static_cast<char>(0x80u | ((glyph >> shift) & 0x3Fu));
    };
    if (glyph < 0x80) {
      text += static_cast<char>(glyph);
    } else if (glyph < 0x800) {
      text += static_cast<char>(0xC0u | (glyph >> 6));
      tail(0);
    } else {
      text += static_cast<char>(0xE0u | (glyph >> 12));
      tail(6);
      tail(0);
    }
  }
  return text;
}

int columns_of(std::string_view utf8) {
  return static_cast<int>(cells_of(utf8).size());
}

}  // namespace tilewright
