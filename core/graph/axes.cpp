#include "core/graph/axes.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"

namespace tilewright {

int AxisMap::add_array(std::span<const int64_t> extents) {
  const int array = array_count();
  std::vector<int>& dims = arrays_.emplace_back();
  for (const int64_t extent : extents) {
    TW_CHECK(extent > 0, "arrays that are walked have elements");
    dims.push_back(extent == 1 ? -1 : static_cast<int>(nodes_.size()));
    if (extent == 1) continue;
    Node& node = nodes_.emplace_back();
    node.extent = extent;
    node.arrays = {array};
  }
  return array;
}

int AxisMap::root_of(int node) const {
  while (nodes_[static_cast<size_t>(node)].parent >= 0) {
    node = nodes_[static_cast<size_t>(node)].parent;
  }
  return node;
}

void AxisMap::expand(int node, std::vector<int>& axes) const {
  node = root_of(node);
  const Node& at = nodes_[static_cast<size_t>(node)];
  if (at.major < 0) {
    axes.push_back(node);
    return;
  }
  expand(at.major, axes);
  expand(at.minor, axes);
}

std::vector<int> AxisMap::axes_of(Dim dim) const {
  std::vector<int> axes;
  const int node = arrays_[static_cast<size_t>(dim.array)][static_cast<size_t>(dim.dim)];
  if (node >= 0) expand(node, axes);
  return axes;
}

std::vector<int> AxisMap::axes_of(int array) const {
  std::vector<int> axes;
  for (const int node : arrays_[static_cast<size_t>(array)]) {
    if (node >= 0) expand(node, axes);
  }
  return axes;
}

bool AxisMap::walks(int axis, int array) const {
  const std::vector<int> axes = axes_of(array);
  return std::ranges::find(axes, axis) != axes.end();
}

/// Makes two axes of equal extent one.
bool AxisMap::join(int a, int b) {
  if (nodes_[static_cast<size_t>(a)].arrays.size() < nodes_[static_cast<size_t>(b)].arrays.size()) {
    std::swap(a, b);
  }
  Node& into = nodes_[static_cast<size_t>(a)];
  Node& from = nodes_[static_cast<size_t>(b)];
  for (const int array : from.arrays) {
    if (!repeats_ && walks(a, array)) return false;
  }
  changes_.push_back({b, a, into.arrays.size(), nodes_.size()});
  from.parent = a;
  into.arrays.insert(into.arrays.end(), from.arrays.begin(), from.arrays.end());
  return true;
}

void AxisMap::split(int axis, int64_t minor_extent) {
  changes_.push_back({axis, -1, 0, nodes_.size()});
  const auto first = static_cast<int>(nodes_.size());
  nodes_.resize(nodes_.size() + 2);
  Node& whole = nodes_[static_cast<size_t>(axis)];
  whole.major = first;
  whole.minor = first + 1;
  nodes_[static_cast<size_t>(first)].extent = whole.extent / minor_extent;
  nodes_[static_cast<size_t>(first) + 1].extent = minor_extent;
  for (const int half : {first, first + 1}) {
    nodes_[static_cast<size_t>(half)].arrays = whole.arrays;
  }
}

/// Compares two sequences from their minor ends, splitting the larger of two axes where the smaller
/// divides it.
bool AxisMap::match_axes(std::vector<int> left, std::vector<int> right) {
  const auto last_axis = [this](std::vector<int>& list) {
    const int node = list.back();
    list.pop_back();
    expand(node, list);  // an axis may have been split or joined meanwhile
    return list.back();
  };
  while (!left.empty() && !right.empty()) {
    const int a = last_axis(left);
    const int b = last_axis(right);
    const int64_t a_extent = extent(a);
    const int64_t b_extent = extent(b);
    if (a == b || (a_extent == b_extent && join(a, b))) {
      left.pop_back();
      right.pop_back();
    } else if (a_extent > b_extent && a_extent % b_extent == 0) {
      split(a, b_extent);
    } else if (b_extent > a_extent && b_extent % a_extent == 0) {
      split(b, a_extent);
    } else {
      return false;
    }
  }
  return left.empty() && right.empty();
}

bool AxisMap::match(const Match& match) {
  std::vector<int> left, right;
  for (const Dim& dim : match.left) {
    const std::vector<int> axes = axes_of(dim);
    left.insert(left.end(), axes.begin(), axes.end());
  }
  for (const Dim& dim : match.right) {
    const std::vector<int> axes = axes_of(dim);
    right.insert(right.end(), axes.begin(), axes.end());
  }
  return match_axes(std::move(left), std::move(right));
}

void AxisMap::undo(size_t changes) {
  while (changes_.size() > changes) {
    const Change& change = changes_.back();
    Node& node = nodes_[static_cast<size_t>(change.node)];
    if (change.into >= 0) {
      node.parent = -1;
      nodes_[static_cast<size_t>(change.into)].arrays.resize(change.arrays);
    } else {
      node.major = node.minor = -1;
    }
    nodes_.resize(change.nodes);
    changes_.pop_back();
  }
}

bool AxisMap::unify(std::span<const Match> matches) {
  changes_.clear();
  for (const Match& one : matches) {
    if (!match(one)) {
      undo(0);
      return false;
    }
  }
  return true;
}

}  // namespace tilewright
