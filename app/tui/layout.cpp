#include "app/tui/layout.h"

#include <algorithm>
#include <cmath>

namespace tilewright {

namespace {

/// Sizes that sum to `length`. The remainder goes by weight, rounded so that the sum stays exact.
std::vector<int> sizes_of(int length, std::span<const Share> shares) {
  std::vector<int> sizes;
  int least = 0;
  double weights = 0;
  for (const Share& share : shares) {
    sizes.push_back(std::clamp(share.least, 0, std::max(0, length - least)));
    least += sizes.back();
    weights += share.weight;
  }
  const int rest = std::max(0, length - least);
  double weight = 0;
  int given = 0;
  for (size_t i = 0; i < shares.size(); ++i) {
    weight += shares[i].weight;
    const int upto = weights > 0 ? static_cast<int>(std::lround(rest * weight / weights)) : 0;
    sizes[i] += upto - given;
    given = upto;
  }
  if (!sizes.empty()) sizes.back() += rest - given;
  return sizes;
}

}  // namespace

std::vector<Rect> split_columns(const Rect& rect, std::span<const Share> shares) {
  std::vector<Rect> parts;
  int x = rect.x;
  for (const int width : sizes_of(rect.width, shares)) {
    parts.push_back({x, rect.y, width, rect.height});
    x += width;
  }
  return parts;
}

std::vector<Rect> split_rows(const Rect& rect, std::span<const Share> shares) {
  std::vector<Rect> parts;
  int y = rect.y;
  for (const int height : sizes_of(rect.height, shares)) {
    parts.push_back({rect.x, y, rect.width, height});
    y += height;
  }
  return parts;
}

}  // namespace tilewright
