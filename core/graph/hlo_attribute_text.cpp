#include "core/graph/hlo_attribute_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/base/error.h"

namespace tilewright {
namespace {

template <class... Values>
void append(std::string& text, fmt::format_string<Values...> format, Values&&... values) {
  fmt::format_to(std::back_inserter(text), format, std::forward<Values>(values)...);
}

void append_statement(std::string& text, std::string_view name, std::string_view value) {
  append(text, ", {}={}", name, value);
}

void append_list(std::string& text, std::string_view name, const std::vector<int64_t>& values) {
  append_statement(text, name, "");
  append_integers(text, values);
}

void append_list_if_any(std::string& text, std::string_view name,
                        const std::vector<int64_t>& values) {
  if (!values.empty()) append_list(text, name, values);
}

void append_number(std::string& text, std::string_view name, int64_t value) {
  append(text, ", {}={}", name, value);
}

void append_if_true(std::string& text, std::string_view name, bool value) {
  if (value) append_statement(text, name, "true");
}

/// One field of a window for all of its dimensions, "size=3x3", unless all have the value that is
/// understood without it.
template <class Field>
void append_field(std::string& text, std::string_view name, const Window& window,
                  const Field& field, const std::string& understood) {
  std::string values;
  bool needed = false;
  for (const WindowDimension& dim : window.dims) {
    const std::string value = field(dim);
    needed = needed || value != understood;
    values += (values.empty() ? "" : "x") + value;
  }
  if (needed) append(text, "{}{}={}", text.back() == '{' ? "" : " ", name, values);
}

void append_window(std::string& text, const Window& window) {
  if (window.dims.empty()) return;
  append_statement(text, "window", "{");
  const auto number = [](int64_t WindowDimension::*field) {
    return [field](const WindowDimension& dim) { return fmt::to_string(dim.*field); };
  };
  append_field(text, "size", window, number(&WindowDimension::size), "");
  append_field(text, "stride", window, number(&WindowDimension::stride), "1");
  const auto pad = [](const WindowDimension& dim) {
    return fmt::format("{}_{}", dim.pad_low, dim.pad_high);
  };
  append_field(text, "pad", window, pad, "0_0");
  append_field(text, "lhs_dilate", window, number(&WindowDimension::base_dilation), "1");
  append_field(text, "rhs_dilate", window, number(&WindowDimension::window_dilation), "1");
  const auto reversed = [](const WindowDimension& dim) {
    return std::string(dim.reversed ? "1" : "0");
  };
  append_field(text, "rhs_reversal", window, reversed, "0");
  text += '}';
}

std::string labels_text(const ConvolutionLabels& labels, char batch, char feature) {
  std::string text(labels.spatial.size() + 2, '?');
  text[static_cast<size_t>(labels.batch)] = batch;
  text[static_cast<size_t>(labels.feature)] = feature;
  for (size_t i = 0; i < labels.spatial.size(); ++i) {
    text[static_cast<size_t>(labels.spatial[i])] = static_cast<char>('0' + i);
  }
  return text;
}

/// With the escapes that HloCursor::quoted decodes.
std::string quoted(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (code < 0x20 || code == 0x7f) {
      append(text, "\\{:03o}", code);
    } else {
      text += c;
    }
  }
  return text + '"';
}

/// Writes the statements of each kind of attributes. What stands between the parentheses of an op,
/// and the name of its opcode, are not statements.
struct AttributeWriter {
  std::string& text;

  void operator()(const std::monostate&) const {}
  void operator()(const Literal&) const {}
  void operator()(const ParameterNumber&) const {}
  void operator()(const UnknownOpcode&) const {}
  void operator()(const Dimensions& value) const { append_list(text, "dimensions", value.dims); }
  void operator()(const SliceSizes& value) const {
    append_list(text, "dynamic_slice_sizes", value.sizes);
  }
  void operator()(const Window& value) const { append_window(text, value); }
  void operator()(const TupleIndex& value) const { append_number(text, "index", value.index); }
  void operator()(const IotaDimension& value) const {
    append_number(text, "iota_dimension", value.dimension);
  }
  void operator()(const CustomCall& value) const {
    append_statement(text, "custom_call_target", quoted(value.target));
  }
  void operator()(const FusionKind& value) const { append_statement(text, "kind", value.kind); }
  void operator()(const Cholesky& value) const { append_if_true(text, "lower", value.lower); }

  void operator()(const DotDimensions& value) const {
    append_list_if_any(text, "lhs_batch_dims", value.lhs_batch);
    append_list(text, "lhs_contracting_dims", value.lhs_contracting);
    append_list_if_any(text, "rhs_batch_dims", value.rhs_batch);
    append_list(text, "rhs_contracting_dims", value.rhs_contracting);
  }

  void operator()(const SliceRanges& value) const {
    append_statement(text, "slice", "{");
    for (size_t i = 0; i < value.start.size(); ++i) {
      append(text, "{}[{}:{}", i == 0 ? "" : ", ", value.start[i], value.limit[i]);
      if (value.stride[i] != 1) append(text, ":{}", value.stride[i]);
      text += ']';
    }
    text += '}';
  }

  void operator()(const Padding& value) const {
    append_statement(text, "padding", "");
    for (size_t i = 0; i < value.low.size(); ++i) {
      append(text, "{}{}_{}", i == 0 ? "" : "x", value.low[i], value.high[i]);
      if (value.interior[i] != 0) append(text, "_{}", value.interior[i]);
    }
  }

  void operator()(const GatherDimensions& value) const {
    append_list(text, "offset_dims", value.offset_dims);
    append_list(text, "collapsed_slice_dims", value.collapsed_slice_dims);
    append_list(text, "start_index_map", value.start_index_map);
    append_list_if_any(text, "operand_batching_dims", value.operand_batching_dims);
    append_list_if_any(text, "start_indices_batching_dims", value.start_indices_batching_dims);
    append_number(text, "index_vector_dim", value.index_vector_dim);
    append_list(text, "slice_sizes", value.slice_sizes);
    append_if_true(text, "indices_are_sorted", value.indices_are_sorted);
  }

  void operator()(const ScatterDimensions& value) const {
    append_list(text, "update_window_dims", value.update_window_dims);
    append_list(text, "inserted_window_dims", value.inserted_window_dims);
    append_list(text, "scatter_dims_to_operand_dims", value.scatter_dims_to_operand_dims);
    append_list_if_any(text, "input_batching_dims", value.input_batching_dims);
    append_list_if_any(text, "scatter_indices_batching_dims", value.scatter_indices_batching_dims);
    append_number(text, "index_vector_dim", value.index_vector_dim);
    append_if_true(text, "indices_are_sorted", value.indices_are_sorted);
    append_if_true(text, "unique_indices", value.unique_indices);
  }

  void operator()(const Convolution& value) const {
    append_window(text, value.window);
    append(text, ", dim_labels={}_{}->{}", labels_text(value.input, 'b', 'f'),
           labels_text(value.kernel, 'o', 'i'), labels_text(value.output, 'b', 'f'));
    if (value.feature_groups != 1) append_number(text, "feature_group_count", value.feature_groups);
    if (value.batch_groups != 1) append_number(text, "batch_group_count", value.batch_groups);
  }

  void operator()(const Comparison& value) const {
    append_statement(text, "direction", name_of(value.direction));
    if (value.total_order) append_statement(text, "type", "TOTALORDER");
  }

  void operator()(const ReducePrecision& value) const {
    append_number(text, "exponent_bits", value.exponent_bits);
    append_number(text, "mantissa_bits", value.mantissa_bits);
  }

  void operator()(const RandomMethod& value) const {
    const bool distribution = value.method == "rng_uniform" || value.method == "rng_normal";
    append_statement(text, distribution ? "distribution" : "algorithm", value.method);
  }

  void operator()(const Fft& value) const {
    append_statement(text, "fft_type", value.type);
    append_list(text, "fft_length", value.length);
  }

  void operator()(const SortOrder& value) const {
    append_list(text, "dimensions", {value.dimension});
    append_if_true(text, "is_stable", value.stable);
  }

  void operator()(const TriangularSolve& value) const {
    append_if_true(text, "left_side", value.left_side);
    append_if_true(text, "lower", value.lower);
    append_if_true(text, "unit_diagonal", value.unit_diagonal);
    append_statement(text, "transpose_a", value.transpose_a);
  }

  void operator()(const BatchNorm& value) const {
    append(text, ", epsilon={}, feature_index={}", value.epsilon, value.feature_index);
  }

  void operator()(const TopK& value) const {
    append(text, ", k={}, largest={}", value.k, value.largest);
  }

  void operator()(const CollectiveDimension& value) const {
    if (value.dimension >= 0) append_list(text, "dimensions", {value.dimension});
  }
};

/// The shortest text that reads back to the number, which has the precision of its type.
void append_float(std::string& text, double value, ElementType type) {
  if (type == ElementType::kF64 || type == ElementType::kC128) {
    append(text, "{}", value);
  } else {
    append(text, "{}", static_cast<float>(value));
  }
}

void append_element(std::string& text, const Literal& literal, ElementType type, size_t index) {
  if (is_complex(type)) {
    text += '(';
    append_float(text, literal.floats[2 * index], type);
    text += ", ";
    append_float(text, literal.floats[2 * index + 1], type);
    text += ')';
  } else if (is_float(type)) {
    append_float(text, literal.floats[index], type);
  } else if (type == ElementType::kPred) {
    text += literal.integers[index] != 0 ? "true" : "false";
  } else if (type == ElementType::kU64) {
    append(text, "{}", static_cast<uint64_t>(literal.integers[index]));
  } else {
    append(text, "{}", literal.integers[index]);
  }
}

/// The elements below one brace; `next` counts them over all braces.
void append_level(std::string& text, const Literal& literal, const Shape& shape, size_t level,
                  size_t& next) {
  if (level == shape.dims.size()) {
    append_element(text, literal, shape.type, next++);
    return;
  }
  text += '{';
  for (int64_t i = 0; i < shape.dims[level]; ++i) {
    if (i > 0) text += ", ";
    append_level(text, literal, shape, level + 1, next);
  }
  text += '}';
}

}  // namespace

void append_integers(std::string& text, const std::vector<int64_t>& values) {
  append(text, "{{{}}}", fmt::join(values, ","));
}

void append_attributes(std::string& text, const Attributes& attributes) {
  std::visit(AttributeWriter{text}, attributes);
}

void append_literal(std::string& text, const Literal& literal, const Shape& shape) {
  if (literal.elided) {
    text += "{...}";
  } else if (shape.is_tuple()) {
    text += '(';
    for (size_t i = 0; i < shape.parts.size(); ++i) {
      if (i > 0) text += ", ";
      append_literal(text, literal.parts[i], shape.parts[i]);
    }
    text += ')';
  } else if (element_count(shape) == 0) {
    text += "{}";
  } else {
    const size_t width = is_complex(shape.type) ? 2 : 1;
    TW_CHECK(literal.floats.size() + literal.integers.size() ==
                 width * static_cast<size_t>(element_count(shape)),
             "a literal has the elements of its shape");
    size_t next = 0;
    append_level(text, literal, shape, 0, next);
  }
}

}  // namespace tilewright
