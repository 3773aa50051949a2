#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/tui/rect.h"
#include "app/tui/role.h"

namespace tilewright {

/// One character of a screen.
struct ScreenCell {
  char32_t glyph = U' ';
  Role role = Role::kText;

  friend bool operator==(const ScreenCell&, const ScreenCell&) = default;
};

/// A screen as data: what every view returns and the terminal draws. Every glyph is one column
/// wide.
class Grid {
 public:
  Grid(int width, int height);

  int width() const { return width_; }
  int height() const { return height_; }
  /// The cell must be inside.
  const ScreenCell& at(int x, int y) const { return cells_[index(x, y)]; }
  ScreenCell& at(int x, int y) { return cells_[index(x, y)]; }

  /// The glyphs as UTF-8, a line a row, blanks at the ends of lines left out.
  std::string text() const;
  /// The letters of the roles, a line a row; glyphs that are blank count as text unless the role
  /// can be seen on a blank.
  std::string roles() const;

  friend bool operator==(const Grid&, const Grid&) = default;

 private:
  size_t index(int x, int y) const {
    return static_cast<size_t>(y) * static_cast<size_t>(width_) + static_cast<size_t>(x);
  }

  int width_;
  int height_;
  std::vector<ScreenCell> cells_;
};

/// The characters of a UTF-8 text, each one column wide: control characters, broken bytes, and
/// characters that take no column or two become '?'.
std::u32string cells_of(std::string_view utf8);

/// The UTF-8 text of characters.
std::string utf8_of(std::u32string_view glyphs);

/// Columns that a text takes.
int columns_of(std::string_view utf8);

}  // namespace tilewright
