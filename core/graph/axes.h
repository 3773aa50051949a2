#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tilewright {

/// Which dimensions of several arrays are walked together when the ops between them run in one loop
/// nest. Every dimension is walked by a sequence of axes, major to minor; ops make axes of
/// different arrays the same (an elementwise op), or split them (a reshape of 12 to 3 x 4 walks the
/// 12 by two axes). It is the propagation of a schedule from an op's output to its inputs
/// (FusionStitching 2018, table 1) without a schedule: what can be walked together at all.
class AxisMap {
 public:
  /// A dimension of an array.
  struct Dim {
    int array = 0;
    int dim = 0;
  };

  /// Dimensions, major to minor, that list the same elements in the same order when each side is
  /// walked like the digits of a number.
  struct Match {
    std::vector<Dim> left = {};
    std::vector<Dim> right = {};
  };

  /// With `repeats`, an axis may walk several dimensions of an array: then the map says which
  /// extents are the same, not what can be walked together.
  explicit AxisMap(bool repeats = false) : repeats_(repeats) {}

  /// Adds an array of those extents (> 0) and returns its number. No axis walks an extent of 1.
  int add_array(std::span<const int64_t> extents);

  /// Makes all matches true. False, with nothing changed, where that cannot be: the extents have no
  /// common division, or one axis would walk two dimensions of an array (a sum of a matrix and its
  /// transpose).
  bool unify(std::span<const Match> matches);

  /// The axes of a dimension, major to minor. Numbers hold until the next unify().
  std::vector<int> axes_of(Dim dim) const;
  /// Those of all dimensions of an array.
  std::vector<int> axes_of(int array) const;
  int64_t extent(int axis) const { return nodes_[static_cast<size_t>(axis)].extent; }
  int array_count() const { return static_cast<int>(arrays_.size()); }

 private:
  /// A node is another one's alias (parent), or has been split in two, or is an axis.
  struct Node {
    int64_t extent = 1;
    int parent = -1;
    int major = -1;
    int minor = -1;
    std::vector<int> arrays = {};  ///< of an axis: those that it walks
  };
  struct Change {
    int node = -1;      ///< whose parent or halves were set
    int into = -1;      ///< of an alias: the axis that took its arrays
    size_t arrays = 0;  ///< that `into` had before
    size_t nodes = 0;   ///< that there were before
  };

  int root_of(int node) const;
  void expand(int node, std::vector<int>& axes) const;
  bool walks(int axis, int array) const;
  bool match(const Match& match);
  bool match_axes(std::vector<int> left, std::vector<int> right);
  bool join(int a, int b);
  void split(int axis, int64_t minor_extent);
  void undo(size_t changes);

  bool repeats_ = false;
  std::vector<Node> nodes_;
  std::vector<std::vector<int>> arrays_;  ///< first node of each dimension; -1: extent 1
  std::vector<Change> changes_;
};

}  // namespace tilewright
