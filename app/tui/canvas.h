#pragma once

#include <string>
#include <string_view>

#include "app/tui/glyphs.h"
#include "app/tui/grid.h"

namespace tilewright {

/// A rectangle of a grid to draw on, with coordinates of its own and the characters at hand. What
/// falls outside is left out, so that a pane never draws over its neighbour.
class Canvas {
 public:
  Canvas(Grid& grid, const Glyphs& glyphs)
      : Canvas(grid, {0, 0, grid.width(), grid.height()}, glyphs) {}

  int width() const { return area_.width; }
  int height() const { return area_.height; }
  Rect area() const { return {0, 0, area_.width, area_.height}; }
  const Glyphs& glyphs() const { return *glyphs_; }
  /// A part of this canvas.
  Canvas part(const Rect& rect) const;

  void put(int x, int y, char32_t glyph, Role role = Role::kText);
  /// Writes the characters of a UTF-8 text, no wider than `columns`: longer ones are cut and end
  /// with an ellipsis. Returns the column behind.
  int text(int x, int y, std::string_view utf8, Role role = Role::kText, int columns = 1 << 20);
  /// Ends at column `right` (exclusive).
  void text_right(int right, int y, std::string_view utf8, Role role = Role::kText);
  /// Fills cells with one character.
  void fill(const Rect& rect, char32_t glyph, Role role = Role::kText);
  /// Changes the role of cells: a cursor row, a match.
  void restyle(const Rect& rect, Role role);
  /// A horizontal bar of `columns` cells, `fraction` (0 to 1) of it filled, in eighths.
  void bar(int x, int y, int columns, double fraction, Role role = Role::kText);

 private:
  Canvas(Grid& grid, const Rect& area, const Glyphs& glyphs)
      : grid_(&grid), area_(area), clip_(area), glyphs_(&glyphs) {}

  Grid* grid_;
  Rect area_;  ///< in the grid
  Rect clip_;  ///< the part of it that may be drawn on
  const Glyphs* glyphs_;
};

/// `text` cut to `columns` at its end, with an ellipsis.
std::u32string elided(std::string_view utf8, int columns, const Glyphs& glyphs);

/// A text broken into lines of at most `columns`, at blanks where there are some.
std::vector<std::string> wrapped(std::string_view utf8, int columns);

}  // namespace tilewright
