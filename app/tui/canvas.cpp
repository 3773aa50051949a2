#include "app/tui/canvas.h"

#include <algorithm>
#include <cmath>

namespace tilewright {

Canvas Canvas::part(const Rect& rect) const {
  Canvas canvas = *this;
  canvas.area_ = {area_.x + rect.x, area_.y + rect.y, std::max(0, rect.width),
                  std::max(0, rect.height)};
  canvas.clip_ = clip_.intersection(canvas.area_);
  return canvas;
}

void Canvas::put(int x, int y, char32_t glyph, Role role) {
  const int column = area_.x + x;
  const int row = area_.y + y;
  if (clip_.contains(column, row)) grid_->at(column, row) = {glyph, role};
}

int Canvas::text(int x, int y, std::string_view utf8, Role role, int columns) {
  for (const char32_t glyph : elided(utf8, std::min(columns, width() - x), *glyphs_)) {
    put(x++, y, glyph, role);
  }
  return x;
}

void Canvas::text_right(int right, int y, std::string_view utf8, Role role) {
  text(right - columns_of(utf8), y, utf8, role);
}

void Canvas::fill(const Rect& rect, char32_t glyph, Role role) {
  for (int y = rect.y; y < rect.bottom(); ++y) {
    for (int x = rect.x; x < rect.right(); ++x) put(x, y, glyph, role);
  }
}

void Canvas::restyle(const Rect& rect, Role role) {
  const Rect absolute = {area_.x + rect.x, area_.y + rect.y, rect.width, rect.height};
  const Rect inside = clip_.intersection(absolute);
  for (int y = inside.y; y < inside.bottom(); ++y) {
    for (int x = inside.x; x < inside.right(); ++x) grid_->at(x, y).role = role;
  }
}

void Canvas::bar(int x, int y, int columns, double fraction, Role role) {
  const double bounded = std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0;
  const int eighths = static_cast<int>(std::lround(bounded * columns * 8));
  for (int i = 0; i < columns; ++i) {
    const int part = std::clamp(eighths - 8 * i, 0, 8);
    const bool is_drawn = part == 8 || glyphs_->bar_part(part) != glyphs_->bar_empty;
    put(x + i, y, part == 8 ? glyphs_->bar_full : glyphs_->bar_part(part),
        is_drawn ? role : Role::kDim);
  }
}

std::u32string elided(std::string_view utf8, int columns, const Glyphs& glyphs) {
  std::u32string line = cells_of(utf8);
  if (columns <= 0) return {};
  if (line.size() <= static_cast<size_t>(columns)) return line;
  line.resize(static_cast<size_t>(columns));
  line.back() = glyphs.ellipsis;
  return line;
}

std::vector<std::string> wrapped(std::string_view utf8, int columns) {
  std::vector<std::string> lines;
  std::u32string rest = cells_of(utf8);
  const auto width = static_cast<size_t>(std::max(1, columns));
  while (rest.size() > width) {
    size_t end = rest.rfind(U' ', width);
    if (end == std::u32string::npos || end == 0) end = width;
    lines.push_back(utf8_of(std::u32string_view(rest).substr(0, end)));
    rest.erase(0, rest.find_first_not_of(U' ', end));
  }
  if (!rest.empty() || lines.empty()) lines.push_back(utf8_of(rest));
  return lines;
}

}  // namespace tilewright
