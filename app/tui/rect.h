#pragma once

#include <algorithm>

namespace tilewright {

/// A rectangle of cells; empty when width or height is not positive.
struct Rect {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;

  bool is_empty() const { return width <= 0 || height <= 0; }
  int right() const { return x + width; }
  int bottom() const { return y + height; }
  bool contains(int column, int row) const {
    return column >= x && column < right() && row >= y && row < bottom();
  }
  Rect inset(int columns, int rows) const {
    return {x + columns, y + rows, width - 2 * columns, height - 2 * rows};
  }
  Rect intersection(const Rect& other) const {
    const int left = std::max(x, other.x);
    const int top = std::max(y, other.y);
    return {left, top, std::min(right(), other.right()) - left,
            std::min(bottom(), other.bottom()) - top};
  }

  friend bool operator==(const Rect&, const Rect&) = default;
};

}  // namespace tilewright
