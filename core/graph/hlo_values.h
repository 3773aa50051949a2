#pragma once

#include <cstdint>
#include <vector>

#include "core/graph/hlo_cursor.h"
#include "core/graph/op_attributes.h"
#include "core/graph/shape.h"

namespace tilewright {

/// Shapes and literals of HLO text.

/// Most dimensions of an array, and levels of tuples in tuples.
inline constexpr int64_t kMaxRank = 64;
/// Most tuple parts that one module states, so that hostile text cannot take all memory.
inline constexpr int64_t kMaxShapeParts = 2'000'000;

/// Reads the shapes of a module.
class HloShapeReader {
 public:
  /// Whether a shape comes next: '(' or the name of an element type and '['.
  static bool follows(HloCursor cursor);

  /// A shape with its layout, if one is stated. Error (failed) with its place for what is no shape,
  /// and for one that cannot be counted (see element_count).
  Shape read(HloCursor& cursor);

 private:
  Shape read_part(HloCursor& cursor, int64_t depth);

  int64_t parts_ = 0;
};

/// "{0,2,1}": any integers.
std::vector<int64_t> read_integers(HloCursor& cursor, std::string_view what);

/// The value of a constant of `shape`: numbers in braces, one level for each dimension, "{...}" for
/// values that were left out, tuples in parentheses. Error (failed) with its place when counts or
/// values do not fit the shape.
Literal read_literal(HloCursor& cursor, const Shape& shape);

}  // namespace tilewright
