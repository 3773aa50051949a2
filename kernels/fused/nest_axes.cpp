#include "kernels/fused/nest_axes.h"

#include <algorithm>
#include <map>
#include <set>

namespace tilewright {

namespace {

/// Distances in memory at which some nest steps through an op's result: rows begin there for all.
using RowStarts = std::map<int32_t, std::set<int64_t>>;

/// Whether axis `axis` + 1 follows `axis` in every array that has one of them, and in memory too.
bool go_together(const LoopNest& nest, int axis, const RowStarts& rows) {
  for (const NestArray& array : nest.arrays) {
    const auto major = std::ranges::find(array.axes, axis);
    const auto minor = std::ranges::find(array.axes, axis + 1);
    if (major == array.axes.end() && minor == array.axes.end()) continue;
    if (major == array.axes.end() || minor == array.axes.end() || minor != major + 1) return false;
    const auto at = static_cast<size_t>(major - array.axes.begin());
    const int64_t extent = nest.extents[static_cast<size_t>(axis) + 1];
    if (array.strides[at] != array.strides[at + 1] * extent) return false;
    const auto found = rows.find(array.op);
    const bool in_memory = array.is_loaded || array.is_stored;
    if (in_memory && found != rows.end() && found->second.contains(array.strides[at])) return false;
  }
  // Axes that walk a row of a gather's table stay apart from others.
  return std::ranges::all_of(nest.steps, [&](const NestStep& step) {
    const auto walks_row = [&](int other) {
      return std::ranges::find(step.row_axes, other) != step.row_axes.end();
    };
    return walks_row(axis) == walks_row(axis + 1) && step.table_axis != axis &&
           step.table_axis != axis + 1;
  });
}

/// Makes one axis of neighbours that every array walks together.
void join_axes(LoopNest& nest, const RowStarts& rows) {
  for (int axis = static_cast<int>(nest.extents.size()) - 2; axis >= 0; --axis) {
    if (!go_together(nest, axis, rows)) continue;
    for (NestArray& array : nest.arrays) {
      const auto minor = std::ranges::find(array.axes, axis + 1);
      if (minor != array.axes.end()) {
        const auto at = minor - array.axes.begin();
        array.axes.erase(minor);
        array.strides.erase(array.strides.begin() + at - 1);
      }
      for (int& other : array.axes) other -= other > axis ? 1 : 0;
    }
    for (NestStep& step : nest.steps) {
      std::erase(step.row_axes, axis + 1);
      for (int& other : step.row_axes) other -= other > axis ? 1 : 0;
      step.table_axis -= step.table_axis > axis ? 1 : 0;
    }
    nest.extents[static_cast<size_t>(axis)] *= nest.extents[static_cast<size_t>(axis) + 1];
    nest.extents.erase(nest.extents.begin() + axis + 1);
  }
}

}  // namespace

std::vector<int> common_order(std::vector<std::pair<int64_t, std::vector<int>>> arrays) {
  std::ranges::stable_sort(arrays, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<int> order;
  for (const auto& array : arrays) {
    // Unknown axes go behind the known one before them, or else to the front.
    auto at = order.begin();
    for (const int axis : array.second) {
      const auto found = std::ranges::find(order, axis);
      if (found != order.end()) {
        at = found + 1;
      } else {
        at = order.insert(at, axis) + 1;
      }
    }
  }
  return order;
}

void join_axes(std::vector<LoopNest>& nests) {
  RowStarts rows;
  while (true) {
    std::vector<LoopNest> joined = nests;
    for (LoopNest& nest : joined) join_axes(nest, rows);
    RowStarts stepped;
    for (const LoopNest& nest : joined) {
      for (const NestArray& array : nest.arrays) {
        if (!array.is_loaded && !array.is_stored) continue;
        for (const int64_t stride : array.strides) {
          if (stride > 1) stepped[array.op].insert(stride);
        }
      }
    }
    bool crosses = false;
    for (const LoopNest& nest : joined) {
      for (const NestArray& array : nest.arrays) {
        if (!array.is_loaded && !array.is_stored) continue;
        for (size_t i = 0; i < array.axes.size(); ++i) {
          const int64_t end = array.strides[i] * nest.extents[static_cast<size_t>(array.axes[i])];
          const std::set<int64_t>& starts = stepped[array.op];
          const auto inside = starts.upper_bound(array.strides[i]);
          if (inside == starts.end() || *inside >= end) continue;
          crosses = rows[array.op].insert(*inside).second || crosses;
        }
      }
    }
    if (!crosses) {
      nests = std::move(joined);
      return;
    }
  }
}

}  // namespace tilewright
