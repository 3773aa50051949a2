#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/fused/nests.h"

namespace tilewright {

/// Puts axes in an order that suits the largest array, then the next. Each array comes with its
/// size and its axes, major to minor.
std::vector<int> common_order(std::vector<std::pair<int64_t, std::vector<int>>> arrays);

/// Joins axes of nests that every array walks together. An array that one nest steps through in
/// rows is not walked across the ends of those rows by another one, so that both can move
/// rectangles of the same rows.
void join_axes(std::vector<LoopNest>& nests);

}  // namespace tilewright
