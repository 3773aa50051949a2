#include "core/graph/shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "core/base/integers.h"
#include "core/base/text.h"

namespace tilewright {
namespace {

enum class Kind : uint8_t { kPred, kSigned, kUnsigned, kFloat, kComplex, kOther };

struct TypeFacts {
  std::string_view name;
  int bytes;
  Kind kind;
};

/// In the order of ElementType.
constexpr std::array<TypeFacts, 33> kTypes = {{
    {"pred", 1, Kind::kPred},           {"s1", 1, Kind::kSigned},
    {"s2", 1, Kind::kSigned},           {"s4", 1, Kind::kSigned},
    {"s8", 1, Kind::kSigned},           {"s16", 2, Kind::kSigned},
    {"s32", 4, Kind::kSigned},          {"s64", 8, Kind::kSigned},
    {"u1", 1, Kind::kUnsigned},         {"u2", 1, Kind::kUnsigned},
    {"u4", 1, Kind::kUnsigned},         {"u8", 1, Kind::kUnsigned},
    {"u16", 2, Kind::kUnsigned},        {"u32", 4, Kind::kUnsigned},
    {"u64", 8, Kind::kUnsigned},        {"f4e2m1fn", 1, Kind::kFloat},
    {"f8e3m4", 1, Kind::kFloat},        {"f8e4m3", 1, Kind::kFloat},
    {"f8e4m3b11fnuz", 1, Kind::kFloat}, {"f8e4m3fn", 1, Kind::kFloat},
    {"f8e4m3fnuz", 1, Kind::kFloat},    {"f8e5m2", 1, Kind::kFloat},
    {"f8e5m2fnuz", 1, Kind::kFloat},    {"f8e8m0fnu", 1, Kind::kFloat},
    {"f16", 2, Kind::kFloat},           {"bf16", 2, Kind::kFloat},
    {"f32", 4, Kind::kFloat},           {"f64", 8, Kind::kFloat},
    {"c64", 8, Kind::kComplex},         {"c128", 16, Kind::kComplex},
    {"token", 0, Kind::kOther},         {"opaque", 0, Kind::kOther},
    {"tuple", 0, Kind::kOther},
}};
static_assert(kTypes.size() == static_cast<size_t>(ElementType::kTuple) + 1);

const TypeFacts& facts_of(ElementType type) {
  return kTypes[static_cast<size_t>(type)];
}

[[noreturn]] void too_large(const Shape& shape) {
  throw Error(ErrorKind::kUsage,
              fmt::format("{} has too many elements; at most 2^48 can be described",
                          printable(to_text(shape, false))));
}

void append_list(std::string& text, const std::vector<int64_t>& numbers) {
  for (size_t i = 0; i < numbers.size(); ++i) {
    fmt::format_to(std::back_inserter(text), "{}{}", i == 0 ? "" : ",", numbers[i]);
  }
}

void append_layout(std::string& text, const Shape& shape) {
  if (shape.dims.empty() && shape.layout_note.empty()) return;
  text += '{';
  if (shape.minor_to_major.empty()) {
    for (size_t i = shape.dims.size(); i > 0; --i) {
      fmt::format_to(std::back_inserter(text), "{}{}", i - 1, i == 1 ? "" : ",");
    }
  } else {
    append_list(text, shape.minor_to_major);
  }
  if (!shape.layout_note.empty()) text += ':' + shape.layout_note;
  text += '}';
}

void append_array(std::string& text, const Shape& shape, bool with_layout) {
  text += name_of(shape.type);
  text += '[';
  for (size_t i = 0; i < shape.dims.size(); ++i) {
    const bool dynamic = i < shape.dynamic.size() && shape.dynamic[i];
    fmt::format_to(std::back_inserter(text), "{}{}{}", i == 0 ? "" : ",", dynamic ? "<=" : "",
                   shape.dims[i]);
  }
  text += ']';
  if (with_layout) append_layout(text, shape);
}

}  // namespace

std::string_view name_of(ElementType type) {
  return facts_of(type).name;
}

std::optional<ElementType> find_element_type(std::string_view name) {
  for (size_t i = 0; i < static_cast<size_t>(ElementType::kTuple); ++i) {
    if (kTypes[i].name == name) return static_cast<ElementType>(i);
  }
  return std::nullopt;
}

int64_t bytes_of(ElementType type) {
  return facts_of(type).bytes;
}
bool is_float(ElementType type) {
  return facts_of(type).kind == Kind::kFloat;
}
bool is_complex(ElementType type) {
  return facts_of(type).kind == Kind::kComplex;
}
bool is_signed_integer(ElementType type) {
  return facts_of(type).kind == Kind::kSigned;
}
bool is_array(ElementType type) {
  return facts_of(type).kind != Kind::kOther;
}

bool is_integer(ElementType type) {
  return is_signed_integer(type) || facts_of(type).kind == Kind::kUnsigned;
}

std::optional<DType> npu_type_of(ElementType type) {
  switch (type) {
    case ElementType::kF32:
      return DType::kF32;
    case ElementType::kF16:
      return DType::kF16;
    case ElementType::kBF16:
      return DType::kBF16;
    case ElementType::kS8:
      return DType::kI8;
    case ElementType::kS32:
      return DType::kI32;
    default:
      return std::nullopt;
  }
}

Shape array_shape(ElementType type, std::vector<int64_t> dims) {
  return {.type = type, .dims = std::move(dims)};
}

Shape tuple_shape(std::vector<Shape> parts) {
  return {.type = ElementType::kTuple, .parts = std::move(parts)};
}

int64_t element_count(const Shape& shape) {
  if (!is_array(shape.type)) return 0;
  int64_t count = 1;
  for (const int64_t dim : shape.dims) {
    if (dim < 0 || dim >= kMaxElements) too_large(shape);
    if (dim == 0) return 0;
    if (count >= ceil_div(kMaxElements, dim)) too_large(shape);
    count *= dim;
  }
  return count;
}

int64_t byte_count(const Shape& shape) {
  if (!shape.is_tuple()) return element_count(shape) * bytes_of(shape.type);
  int64_t bytes = 0;
  for (const Shape& part : shape.parts) {
    bytes += byte_count(part);
    if (bytes >= kMaxElements * 16) too_large(shape);
  }
  return bytes;
}

int64_t part_count(const Shape& shape) {
  int64_t count = 1;
  for (const Shape& part : shape.parts) count += part_count(part);
  return count;
}

bool same_dims(const Shape& a, const Shape& b) {
  return a.dims == b.dims;
}

bool same_value_shape(const Shape& a, const Shape& b) {
  return a.type == b.type && a.dims == b.dims &&
         std::equal(a.parts.begin(), a.parts.end(), b.parts.begin(), b.parts.end(),
                    same_value_shape);
}

void append_text(std::string& text, const Shape& shape, bool with_layout) {
  if (!shape.is_tuple()) {
    append_array(text, shape, with_layout);
    return;
  }
  text += '(';
  for (size_t i = 0; i < shape.parts.size(); ++i) {
    if (i > 0) text += ", ";
    append_text(text, shape.parts[i], with_layout);
  }
  text += ')';
}

std::string to_text(const Shape& shape, bool with_layout) {
  std::string text;
  append_text(text, shape, with_layout);
  return text;
}

}  // namespace tilewright
