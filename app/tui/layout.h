#pragma once

#include <span>
#include <vector>

#include "app/tui/rect.h"

namespace tilewright {

/// A share of a length: at least `least` cells, the rest by weight.
struct Share {
  int least = 1;
  double weight = 1;
};

/// Cuts a rectangle from left to right (or from top to bottom). The parts cover it without gaps;
/// where the least sizes do not fit, the last parts get what is left, and may be empty.
std::vector<Rect> split_columns(const Rect& rect, std::span<const Share> shares);
std::vector<Rect> split_rows(const Rect& rect, std::span<const Share> shares);

}  // namespace tilewright
