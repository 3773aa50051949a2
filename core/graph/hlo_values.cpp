#include "core/graph/hlo_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {
namespace {

void read_dims(HloCursor& cursor, Shape& shape) {
  while (cursor.peek() != ']') {
    if (shape.rank() == kMaxRank) cursor.fail("an array has at most 64 dimensions");
    const bool unbounded = cursor.accept('?');
    const bool dynamic = !unbounded && cursor.accept("<=");
    // A dimension without any bound counts as one element.
    shape.dims.push_back(
        unbounded ? 1 : cursor.integer("the extent of a dimension", 0, kMaxElements - 1));
    shape.dynamic.push_back(dynamic || unbounded);
    if (!cursor.accept(',')) break;
  }
  cursor.expect(']', "',' or ']' behind a dimension");
  if (std::find(shape.dynamic.begin(), shape.dynamic.end(), true) == shape.dynamic.end()) {
    shape.dynamic.clear();
  }
}

bool is_row_major(const std::vector<int64_t>& minor_to_major) {
  for (size_t i = 0; i < minor_to_major.size(); ++i) {
    if (minor_to_major[i] != static_cast<int64_t>(minor_to_major.size() - 1 - i)) return false;
  }
  return true;
}

void check_order(const HloCursor& at, const Shape& shape) {
  std::vector<int64_t> sorted = shape.minor_to_major;
  std::sort(sorted.begin(), sorted.end());
  bool each_once = static_cast<int64_t>(sorted.size()) == shape.rank();
  for (size_t i = 0; i < sorted.size(); ++i) {
    each_once = each_once && sorted[i] == static_cast<int64_t>(i);
  }
  if (!each_once) {
    at.fail(fmt::format("the layout does not name each dimension of {} once",
                        printable(to_text(shape, false))));
  }
}

/// "{1,0:T(8,128)S(5)}"; also "{}" and what only notes say, such as "{:T(128)}". A layout that is
/// left to the compiler ("{auto}") is none.
void read_layout(HloCursor& cursor, Shape& shape) {
  const HloCursor at = cursor;
  cursor.expect('{', "'{' before a layout");
  if (!cursor.accept_word("auto")) {
    while (cursor.peek() != '}' && cursor.peek() != ':') {
      if (static_cast<int64_t>(shape.minor_to_major.size()) == kMaxRank) check_order(at, shape);
      shape.minor_to_major.push_back(cursor.integer("a dimension of the layout"));
      if (!cursor.accept(',')) break;
    }
    if (!shape.minor_to_major.empty()) check_order(at, shape);
    if (is_row_major(shape.minor_to_major)) shape.minor_to_major.clear();
    if (cursor.accept(':')) {
      const std::string_view rest = cursor.rest();
      while (cursor.peek() != '}') {
        cursor.balanced("a layout");
        cursor.accept(',');
      }
      const size_t length = rest.size() - cursor.rest().size();
      shape.layout_note = trim(rest.substr(0, length));
    }
  }
  cursor.expect('}', "'}' behind a layout");
}

Shape read_array(HloCursor& cursor) {
  cursor.peek();
  const HloCursor at = cursor;
  const std::string_view name = cursor.name("a shape such as f32[2,3]");
  const auto type = find_element_type(name);
  if (!type) at.fail(fmt::format("'{}' is no element type", printable(name, 40)));
  Shape shape = {.type = *type};
  cursor.expect('[', "'[' behind the element type");
  read_dims(cursor, shape);
  // A brace behind the result of an arrow opens the body of a computation: "-> f32[] {".
  if (cursor.rest().starts_with('{')) read_layout(cursor, shape);
  return shape;
}

/// Least and most of an integer type; u64 is read by its own.
std::pair<int64_t, int64_t> range_of(ElementType type) {
  if (type == ElementType::kPred) return {0, 1};
  int64_t bits = bytes_of(type) * 8;
  if (type == ElementType::kS1 || type == ElementType::kU1) bits = 1;
  if (type == ElementType::kS2 || type == ElementType::kU2) bits = 2;
  if (type == ElementType::kS4 || type == ElementType::kU4) bits = 4;
  if (!is_signed_integer(type)) return {0, (int64_t{1} << std::min<int64_t>(bits, 62)) - 1};
  const int64_t most = std::numeric_limits<int64_t>::max() >> (64 - bits);
  return {-most - 1, most};
}

/// To the nearest f32, as IEEE 754 rounds: the cast alone is only defined inside the range of f32.
float nearest_float(double value) {
  constexpr float kMost = std::numeric_limits<float>::max();
  // Half a step above the largest number, from where on infinity is nearer.
  constexpr double kTie = 0x1.ffffffp127;
  if (std::abs(value) >= kTie) {
    return std::copysign(std::numeric_limits<float>::infinity(), value < 0 ? -1.0f : 1.0f);
  }
  if (std::abs(value) > static_cast<double>(kMost)) return value < 0 ? -kMost : kMost;
  return static_cast<float>(value);
}

double rounded(double value, ElementType type) {
  switch (type) {
    case ElementType::kF64:
    case ElementType::kC128:
      return value;
    case ElementType::kF16:
      return f16_to_f32(f32_to_f16(nearest_float(value)));
    case ElementType::kBF16:
      return bf16_to_f32(f32_to_bf16(nearest_float(value)));
    default:
      return nearest_float(value);  // the text of narrower types is exact
  }
}

class LiteralReader {
 public:
  LiteralReader(HloCursor& cursor, const Shape& shape) : cursor_(cursor), shape_(shape) {}

  Literal read() {
    if (!is_array(shape_.type))
      cursor_.fail(fmt::format("{} has no value", to_text(shape_, false)));
    if (cursor_.accept("{...}")) return {.elided = true};
    read_level(0);
    if (literal_.elided) return {.elided = true};
    return std::move(literal_);
  }

 private:
  void read_level(size_t level) {
    if (level == shape_.dims.size()) {
      read_element();
      return;
    }
    cursor_.expect('{', "'{' before the elements of a constant");
    if (cursor_.accept("...")) {
      literal_.elided = true;
    } else {
      for (int64_t i = 0; i < shape_.dims[level] && cursor_.peek() != '}'; ++i) {
        if (i > 0) cursor_.expect(',', "',' before the next element");
        read_level(level + 1);
        count_up(level, i);
      }
    }
    if (!literal_.elided) check_count(level);
    if (cursor_.accept('}')) return;
    cursor_.expect('}', fmt::format("'}}' behind {} elements", shape_.dims[level]));
  }

  /// Elements read on each level of the braces that are open.
  void count_up(size_t level, int64_t i) {
    counts_.resize(shape_.dims.size());
    counts_[level] = i + 1;
  }

  void check_count(size_t level) {
    counts_.resize(shape_.dims.size());
    const int64_t count = std::exchange(counts_[level], 0);
    // An array without elements may be printed without its inner braces.
    if (count == shape_.dims[level] || (count == 0 && element_count(shape_) == 0)) return;
    cursor_.fail(fmt::format("dimension {} of the constant has {} elements, {} states {}", level,
                             count, to_text(shape_, false), shape_.dims[level]));
  }

  void read_element() {
    if (is_complex(shape_.type)) {
      cursor_.expect('(', "'(' before a complex number");
      add_float();
      cursor_.expect(',', "',' before the imaginary part");
      add_float();
      cursor_.expect(')', "')' behind a complex number");
    } else if (is_float(shape_.type)) {
      add_float();
    } else {
      literal_.integers.push_back(read_integer());
    }
  }

  void add_float() {
    literal_.floats.push_back(rounded(cursor_.number("a number of the constant"), shape_.type));
  }

  int64_t read_integer() {
    if (cursor_.accept_word("true")) return 1;
    if (cursor_.accept_word("false")) return 0;
    if (shape_.type != ElementType::kU64) {
      const auto [least, most] = range_of(shape_.type);
      return cursor_.integer("a number of the constant", least, most);
    }
    const std::string_view rest = cursor_.peek() == '-' ? std::string_view{} : cursor_.rest();
    uint64_t value = 0;
    const auto [end, failure] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (rest.empty() || failure != std::errc()) cursor_.fail("expected a number of type u64");
    cursor_.accept(rest.substr(0, static_cast<size_t>(end - rest.data())));
    return static_cast<int64_t>(value);
  }

  HloCursor& cursor_;
  const Shape& shape_;
  Literal literal_ = {};
  std::vector<int64_t> counts_ = {};
};

}  // namespace

bool HloShapeReader::follows(HloCursor cursor) {
  const char next = cursor.peek();
  if (next == '(') return true;
  if (next == '%' || next == '\0') return false;
  const std::string_view rest = cursor.rest();
  const size_t end = rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789");
  return end != std::string_view::npos && rest[end] == '[';
}

Shape HloShapeReader::read(HloCursor& cursor) {
  cursor.peek();
  const HloCursor at = cursor;
  Shape shape = read_part(cursor, 0);
  try {
    byte_count(shape);
  } catch (const Error& error) {
    at.fail(error.message());
  }
  return shape;
}

Shape HloShapeReader::read_part(HloCursor& cursor, int64_t depth) {
  if (++parts_ > kMaxShapeParts) cursor.fail("the module states more than 2,000,000 shapes");
  if (!cursor.accept('(')) return read_array(cursor);
  if (depth == kMaxRank) cursor.fail("tuples nest more than 64 levels");
  Shape shape = {.type = ElementType::kTuple};
  while (cursor.peek() != ')') {
    shape.parts.push_back(read_part(cursor, depth + 1));
    if (!cursor.accept(',')) break;
  }
  cursor.expect(')', "',' or ')' behind a part of a tuple");
  return shape;
}

std::vector<int64_t> read_integers(HloCursor& cursor, std::string_view what) {
  std::vector<int64_t> values;
  cursor.expect('{', "'{' before a list of numbers");
  while (cursor.peek() != '}') {
    values.push_back(cursor.integer(what));
    if (!cursor.accept(',')) break;
  }
  cursor.expect('}', "',' or '}' behind a number");
  return values;
}

Literal read_literal(HloCursor& cursor, const Shape& shape) {
  if (!shape.is_tuple()) return LiteralReader(cursor, shape).read();
  if (cursor.accept("{...}")) return {.elided = true};
  Literal literal;
  cursor.expect('(', "'(' before the parts of a tuple");
  for (const Shape& part : shape.parts) {
    if (!literal.parts.empty()) cursor.expect(',', "',' between the parts of a tuple");
    literal.parts.push_back(read_literal(cursor, part));
  }
  cursor.expect(')', "')' behind the parts of a tuple");
  return literal;
}

}  // namespace tilewright
