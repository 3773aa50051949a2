#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/graph/shape.h"

namespace tilewright {

/// One element of any type: a float as the bits of an f64, an integer or pred as the bits of an
/// s64, wrapped to the width of its type (signed types sign-extended, the others zero-extended; u64
/// keeps its bits). One representation for all types lets
/// what only moves elements be written once.
using Element = uint64_t;

constexpr Element element_of(double value) {
  return std::bit_cast<Element>(value);
}
constexpr Element element_of(int64_t value) {
  return static_cast<Element>(value);
}
constexpr double float_of(Element element) {
  return std::bit_cast<double>(element);
}
constexpr int64_t integer_of(Element element) {
  return static_cast<int64_t>(element);
}

/// What an op gives: an array in row-major order, or a tuple of values. A value that is cheap to
/// copy: the elements are shared until somebody writes to them. Layouts of the shape do not matter.
class Value {
 public:
  Value() = default;
  /// An array whose elements are yet to be written.
  explicit Value(const Shape& shape);
  /// An array of a float type; one number for each element, taken as they are.
  Value(const Shape& shape, std::span<const double> numbers);
  /// An array of an integer type or pred.
  Value(const Shape& shape, std::span<const int64_t> numbers);
  /// A tuple.
  explicit Value(std::vector<Value> parts);
  /// A token.
  static Value token();

  const Shape& shape() const { return shape_; }
  int64_t size() const { return size_; }
  const std::vector<Value>& parts() const { return parts_; }

  std::span<const Element> elements() const {
    return {elements_.get(), static_cast<size_t>(size_)};
  }
  /// The elements for writing: this value's own from now on.
  std::span<Element> writable();

  double number(int64_t index) const { return float_of(elements()[static_cast<size_t>(index)]); }
  int64_t integer(int64_t index) const {
    return integer_of(elements()[static_cast<size_t>(index)]);
  }
  /// All elements of an array of a float type.
  std::vector<double> numbers() const;
  /// All elements of an array of an integer type or pred.
  std::vector<int64_t> integers() const;

  /// The same elements in the same order as an array of another shape.
  Value reshaped(const Shape& shape) const;

 private:
  Shape shape_ = {.type = ElementType::kToken};
  int64_t size_ = 0;
  /// Shared by the copies of this value: tuples and loops hand the same array around.
  std::shared_ptr<Element[]> elements_;
  std::vector<Value> parts_;
};

/// Numbers for the inputs of a graph.
struct InputRange {
  double low = -1;  ///< floats are uniform in [low, high), rounded to their type
  double high = 1;
  /// Integers are uniform in [0, bound), cut to what their type holds. Small, since many are
  /// indices into tables that may be short; framework code gives NaN for those beyond the end.
  int64_t bound = 2;
};

/// An array (or tuple of arrays) of numbers that depend on nothing but the arguments, so that
/// everybody who compares results starts from the same inputs. `stream` tells inputs apart, such as
/// the parameter number.
Value make_input(const Shape& shape, uint64_t seed, uint64_t stream, const InputRange& range = {});

}  // namespace tilewright
