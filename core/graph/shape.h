#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/dtype.h"

namespace tilewright {

/// Element types of an op graph: those of XLA HLO, of which the simulated NPU computes a few
/// (npu_type_of). The last three are not arrays of numbers.
enum class ElementType : uint8_t {
  kPred,
  kS1,
  kS2,
  kS4,
  kS8,
  kS16,
  kS32,
  kS64,
  kU1,
  kU2,
  kU4,
  kU8,
  kU16,
  kU32,
  kU64,
  kF4E2M1FN,
  kF8E3M4,
  kF8E4M3,
  kF8E4M3B11FNUZ,
  kF8E4M3FN,
  kF8E4M3FNUZ,
  kF8E5M2,
  kF8E5M2FNUZ,
  kF8E8M0FNU,
  kF16,
  kBF16,
  kF32,
  kF64,
  kC64,
  kC128,
  kToken,   ///< orders side effects, holds nothing
  kOpaque,  ///< a handle of the runtime
  kTuple,
};

/// "f32", "pred", "f8e4m3fn", ...: as HLO text spells them. A tuple is spelled by its parentheses
/// there, and "tuple" here.
std::string_view name_of(ElementType type);
/// The type of that name, unless there is none. Tuples have no name in HLO text.
std::optional<ElementType> find_element_type(std::string_view name);

/// Bytes of one element in memory: types below 8 bits take one byte each; 0 for what is no array.
int64_t bytes_of(ElementType type);

bool is_float(ElementType type);           ///< f4 to f64, without the complex types
bool is_complex(ElementType type);         ///< c64, c128
bool is_signed_integer(ElementType type);  ///< s1 to s64
bool is_integer(ElementType type);         ///< s1 to s64, u1 to u64; pred is none
bool is_array(ElementType type);           ///< all but token, opaque and tuple

/// The type of the simulated NPU with the same values (f32, f16, bf16, s8, s32), where one exists.
std::optional<DType> npu_type_of(ElementType type);

/// Dimensions of one array, and all elements of a module's largest tensor, are below this.
inline constexpr int64_t kMaxElements = int64_t{1} << 48;

/// What an op gives: an array of `dims`, or a tuple of parts. A value, compared by everything it
/// holds; same_dims and same_type compare what matters to the mathematics.
struct Shape {
  ElementType type = ElementType::kF32;
  std::vector<int64_t> dims = {};
  /// Order of the dimensions in memory, the fastest first. Empty: row-major, the last one fastest.
  std::vector<int64_t> minor_to_major = {};
  /// For every dimension whether `dims` is only its bound ("<=8"). Empty: none is dynamic.
  std::vector<bool> dynamic = {};
  /// Tiling, memory space and the like, as HLO text has them behind the order: "T(8,128)S(5)".
  std::string layout_note = {};
  std::vector<Shape> parts = {};  ///< of a tuple

  bool operator==(const Shape&) const = default;

  int64_t rank() const { return static_cast<int64_t>(dims.size()); }
  bool is_tuple() const { return type == ElementType::kTuple; }
  bool is_scalar() const { return is_array(type) && dims.empty(); }
};

/// An array in row-major order.
Shape array_shape(ElementType type, std::vector<int64_t> dims = {});
Shape tuple_shape(std::vector<Shape> parts);

/// Product of dims, also 0; 0 for what is no array. Error (usage) with the shape when it is not
/// below kMaxElements, so that no sum of a few counts or bytes can overflow.
int64_t element_count(const Shape& shape);
/// Bytes of an array without padding, or of all parts of a tuple. Errors as element_count.
int64_t byte_count(const Shape& shape);

/// 1 for what is no tuple; for a tuple 1 and the parts of its parts.
int64_t part_count(const Shape& shape);

/// Equal dims of two arrays, whatever their types and layouts.
bool same_dims(const Shape& a, const Shape& b);
/// Equal types and dims, part by part; layouts and which dimensions are dynamic do not count.
bool same_value_shape(const Shape& a, const Shape& b);

/// "f32[2,3]{1,0}", "(s32[], bf16[8]{0})": HLO text. Without layouts for messages: "f32[2,3]".
std::string to_text(const Shape& shape, bool with_layout = true);
/// Appends to_text, for writers of many shapes.
void append_text(std::string& text, const Shape& shape, bool with_layout = true);

}  // namespace tilewright
