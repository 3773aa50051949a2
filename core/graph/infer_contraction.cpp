#include <fmt/format.h>

#include <algorithm>

#include "core/base/integers.h"
#include "core/graph/infer_rules.h"

namespace tilewright {
namespace {

bool has(const std::vector<int64_t>& list, int64_t value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::string text_of(const Shape& shape) {
  return to_text(shape, false);
}

bool is_same_kind(ElementType a, ElementType b) {
  return (is_float(a) && is_float(b)) || (is_integer(a) && is_integer(b)) ||
         (is_complex(a) && is_complex(b));
}

/// Products may be summed in another type of the kind of either side, which the op states.
ElementType accumulated_type(const OpView& view) {
  const ElementType stated = view.op().shape.type;
  const ElementType lhs = view.operand(0).type;
  const ElementType rhs = view.operand(1).type;
  return is_same_kind(lhs, stated) || is_same_kind(rhs, stated) ? stated : lhs;
}

void need_equal_extents(const OpView& view, const std::vector<int64_t>& lhs,
                        const std::vector<int64_t>& rhs, const char* what) {
  if (lhs.size() != rhs.size()) {
    view.fail(
        fmt::format("{} {} dimensions on the left, {} on the right", lhs.size(), what, rhs.size()));
  }
  for (size_t i = 0; i < lhs.size(); ++i) {
    const int64_t left = view.operand(0).dims[static_cast<size_t>(lhs[i])];
    const int64_t right = view.operand(1).dims[static_cast<size_t>(rhs[i])];
    if (left == right) continue;
    view.fail(fmt::format("{} dimensions {} of {} and {} of {} differ", what, lhs[i],
                          text_of(view.operand(0)), rhs[i], text_of(view.operand(1))));
  }
}

std::vector<int64_t> joined(std::vector<int64_t> a, const std::vector<int64_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// What a reducer gives for `count` values: a scalar, or a tuple of them.
std::vector<ElementType> reduced_types(const OpView& view, size_t count) {
  const Shape& result = view.called_result(0);
  view.need(view.called(0).parameters.size() == 2 * count,
            "to_apply must take two parameters for each value");
  std::vector<Shape> parts = result.is_tuple() ? result.parts : std::vector<Shape>{result};
  view.need(parts.size() == count, "to_apply must give one value for each operand");
  std::vector<ElementType> types;
  for (const Shape& part : parts) {
    view.need(part.is_scalar(), "to_apply must give scalars");
    types.push_back(part.type);
  }
  return types;
}

/// One array for each type, a tuple of them if there are several.
Shape arrays_of(const OpView& view, const std::vector<ElementType>& types,
                const std::vector<int64_t>& dims) {
  if (types.size() == 1 && !view.called_result(0).is_tuple()) return array_shape(types[0], dims);
  Shape result = {.type = ElementType::kTuple};
  for (const ElementType type : types) result.parts.push_back(array_shape(type, dims));
  return result;
}

/// Operands in halves: arrays of equal dims, then a scalar for each to begin with.
size_t need_arrays_and_inits(const OpView& view) {
  const size_t count = view.operand_count() / 2;
  view.need(count > 0 && view.operand_count() % 2 == 0,
            "one value to begin with is needed for each operand");
  view.need_arrays();
  for (size_t i = 0; i < count; ++i) {
    view.need(same_dims(view.operand(i), view.operand(0)), "all operands must have the same dims");
    view.need(view.operand(count + i).is_scalar(), "values to begin with must be scalars");
  }
  return count;
}

}  // namespace

Shape infer_dot(const OpView& view) {
  view.need_operands_from(2);
  view.need_array(0);
  view.need_array(1);
  const auto& dot = view.op().get<DotDimensions>();
  const Shape& lhs = view.operand(0);
  const Shape& rhs = view.operand(1);
  const std::vector<int64_t> lhs_used = joined(dot.lhs_batch, dot.lhs_contracting);
  const std::vector<int64_t> rhs_used = joined(dot.rhs_batch, dot.rhs_contracting);
  view.need_dimensions(lhs_used, lhs.rank(), "dimensions of the left side");
  view.need_dimensions(rhs_used, rhs.rank(), "dimensions of the right side");
  need_equal_extents(view, dot.lhs_batch, dot.rhs_batch, "batch");
  need_equal_extents(view, dot.lhs_contracting, dot.rhs_contracting, "contracting");
  Shape result = array_shape(accumulated_type(view));
  for (const int64_t dim : dot.lhs_batch) result.dims.push_back(lhs.dims[static_cast<size_t>(dim)]);
  for (int64_t i = 0; i < lhs.rank(); ++i) {
    if (!has(lhs_used, i)) result.dims.push_back(lhs.dims[static_cast<size_t>(i)]);
  }
  for (int64_t i = 0; i < rhs.rank(); ++i) {
    if (!has(rhs_used, i)) result.dims.push_back(rhs.dims[static_cast<size_t>(i)]);
  }
  return result;
}

int64_t stretched(const OpView& view, int64_t count, int64_t gap) {
  if (count <= 1) return count;
  view.need(gap >= 1 && count - 1 < kMaxElements / gap,
            "the spread elements are too many to count");
  return (count - 1) * gap + 1;
}

std::vector<int64_t> windowed(const OpView& view, const std::vector<int64_t>& dims,
                              const Window& window) {
  view.need(window.dims.size() == dims.size(), "the window must have the dimensions it moves over");
  std::vector<int64_t> result;
  for (size_t i = 0; i < dims.size(); ++i) {
    const WindowDimension& dim = window.dims[i];
    view.need(dim.size >= 1 && dim.stride >= 1, "a window's size and stride are at least 1");
    const int64_t base = stretched(view, dims[i], dim.base_dilation) + dim.pad_low + dim.pad_high;
    const int64_t reach = stretched(view, dim.size, dim.window_dilation);
    result.push_back(base < reach ? 0 : (base - reach) / dim.stride + 1);
  }
  return result;
}

Shape infer_convolution(const OpView& view) {
  view.need_arrays();
  const auto& convolution = view.op().get<Convolution>();
  const Shape& input = view.operand(0);
  const Shape& kernel = view.operand(1);
  const auto rank = static_cast<int64_t>(convolution.input.spatial.size()) + 2;
  view.need(input.rank() == rank && kernel.rank() == rank &&
                convolution.kernel.spatial.size() == convolution.input.spatial.size() &&
                convolution.output.spatial.size() == convolution.input.spatial.size(),
            "input, kernel and labels must have the same rank");
  const auto extent = [](const Shape& shape, int64_t dim) {
    return shape.dims[static_cast<size_t>(dim)];
  };
  const int64_t features = extent(input, convolution.input.feature);
  const int64_t outputs = extent(kernel, convolution.kernel.batch);
  const int64_t groups = convolution.feature_groups;
  const int64_t batches = convolution.batch_groups;
  view.need(groups >= 1 && batches >= 1, "there is at least one group");
  if (features % groups != 0 || features / groups != extent(kernel, convolution.kernel.feature) ||
      outputs % groups != 0 || outputs % batches != 0 ||
      extent(input, convolution.input.batch) % batches != 0) {
    view.fail(fmt::format("{} input features in {} groups do not fit the kernel {}", features,
                          groups, text_of(kernel)));
  }
  std::vector<int64_t> spatial;
  for (size_t i = 0; i < convolution.input.spatial.size(); ++i) {
    spatial.push_back(extent(input, convolution.input.spatial[i]));
    const int64_t size = i < convolution.window.dims.size() ? convolution.window.dims[i].size : 1;
    view.need(size == extent(kernel, convolution.kernel.spatial[i]),
              "the window must have the size of the kernel");
  }
  const std::vector<int64_t> moved = windowed(view, spatial, convolution.window);
  Shape result =
      array_shape(accumulated_type(view), std::vector<int64_t>(static_cast<size_t>(rank)));
  result.dims[static_cast<size_t>(convolution.output.batch)] =
      extent(input, convolution.input.batch) / batches;
  result.dims[static_cast<size_t>(convolution.output.feature)] = outputs;
  for (size_t i = 0; i < moved.size(); ++i) {
    result.dims[static_cast<size_t>(convolution.output.spatial[i])] = moved[i];
  }
  return result;
}

Shape infer_reduce(const OpView& view) {
  const size_t count = need_arrays_and_inits(view);
  const std::vector<int64_t>& dims = view.op().get<Dimensions>().dims;
  view.need_dimensions(dims, view.operand(0).rank(), "dimensions");
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < view.operand(0).rank(); ++i) {
    if (!has(dims, i)) kept.push_back(view.operand(0).dims[static_cast<size_t>(i)]);
  }
  return arrays_of(view, reduced_types(view, count), kept);
}

Shape infer_map(const OpView& view) {
  view.need_operands_from(1);
  view.need_arrays();
  for (size_t i = 1; i < view.operand_count(); ++i) {
    view.need(same_dims(view.operand(i), view.operand(0)), "all operands must have the same dims");
  }
  view.need(
      view.called(0).parameters.size() == view.operand_count() && view.called_result(0).is_scalar(),
      "to_apply must make a scalar of one scalar for each operand");
  return array_shape(view.called_result(0).type, view.operand(0).dims);
}

Shape infer_reduce_window(const OpView& view) {
  const size_t count = need_arrays_and_inits(view);
  const std::vector<int64_t> dims = windowed(view, view.operand(0).dims, view.op().get<Window>());
  return arrays_of(view, reduced_types(view, count), dims);
}

Shape infer_select_and_scatter(const OpView& view) {
  view.need_arrays();
  const std::vector<int64_t> dims = windowed(view, view.operand(0).dims, view.op().get<Window>());
  view.need(view.operand(1).dims == dims, "the source must have one element for each window");
  view.need(view.operand(2).is_scalar(), "the value to begin with must be a scalar");
  return array_shape(view.operand(0).type, view.operand(0).dims);
}

Shape infer_sort(const OpView& view) {
  view.need_operands_from(1);
  view.need_arrays();
  view.need_dimensions({view.op().get<SortOrder>().dimension},
                       std::max<int64_t>(view.operand(0).rank(), 1), "dimensions");
  Shape result = {.type = ElementType::kTuple};
  for (size_t i = 0; i < view.operand_count(); ++i) {
    view.need(same_dims(view.operand(i), view.operand(0)), "all operands must have the same dims");
    result.parts.push_back(array_shape(view.operand(i).type, view.operand(i).dims));
  }
  view.need(view.called(0).parameters.size() == 2 * view.operand_count() &&
                same_value_shape(view.called_result(0), array_shape(ElementType::kPred)),
            "to_apply must compare two elements of each operand");
  return view.operand_count() == 1 ? result.parts[0] : result;
}

Shape infer_topk(const OpView& view) {
  view.need_array(0);
  const int64_t k = view.op().get<TopK>().k;
  Shape values = array_shape(view.operand(0).type, view.operand(0).dims);
  view.need(!values.dims.empty() && k <= values.dims.back(), "k is more than there are");
  values.dims.back() = k;
  return tuple_shape({values, array_shape(ElementType::kS32, values.dims)});
}

Shape infer_fft(const OpView& view) {
  view.need_array(0);
  const auto& fft = view.op().get<Fft>();
  Shape result = array_shape(view.operand(0).type, view.operand(0).dims);
  view.need(!fft.length.empty() && fft.length.size() <= result.dims.size(),
            "fft_length has more dimensions than the operand");
  const bool wide = result.type == ElementType::kC128 || result.type == ElementType::kF64;
  if (fft.type == "RFFT") {
    view.need(is_float(result.type), "RFFT is of real numbers");
    result.type = wide ? ElementType::kC128 : ElementType::kC64;
    if (result.dims.back() != 0) result.dims.back() = fft.length.back() / 2 + 1;
  } else if (fft.type == "IRFFT") {
    view.need(is_complex(result.type), "IRFFT is of complex numbers");
    result.type = wide ? ElementType::kF64 : ElementType::kF32;
    if (result.dims.back() != 0) result.dims.back() = fft.length.back();
  } else if (fft.type != "FFT" && fft.type != "IFFT") {
    view.fail("fft_type is none of FFT, IFFT, RFFT, IRFFT");
  }
  return result;
}

Shape infer_cholesky(const OpView& view) {
  const Shape& operand = view.operand(0);
  const size_t rank = operand.dims.size();
  view.need(is_array(operand.type) && rank >= 2 && operand.dims[rank - 1] == operand.dims[rank - 2],
            "the operand must hold square matrices");
  return array_shape(operand.type, operand.dims);
}

Shape infer_triangular_solve(const OpView& view) {
  view.need_arrays();
  const Shape& matrix = view.operand(0);
  const Shape& values = view.operand(1);
  const size_t rank = matrix.dims.size();
  view.need(
      rank >= 2 && matrix.dims[rank - 1] == matrix.dims[rank - 2] && values.dims.size() == rank,
      "operand 0 must hold square matrices, operand 1 matrices");
  const size_t side = view.op().get<TriangularSolve>().left_side ? rank - 2 : rank - 1;
  view.need(values.dims[side] == matrix.dims[rank - 1], "the matrices do not fit each other");
  return array_shape(values.type, values.dims);
}

Shape infer_batch_norm(const OpView& view) {
  view.need_arrays();
  const int64_t feature = view.op().get<BatchNorm>().feature_index;
  const Shape& operand = view.operand(0);
  view.need(feature >= 0 && feature < operand.rank(), "feature_index is outside the operand");
  const int64_t extent = operand.dims[static_cast<size_t>(feature)];
  const bool gradient = view.op().opcode == HloOpcode::kBatchNormGrad;
  const size_t vectors = gradient ? 4 : view.operand_count();
  for (size_t i = 1; i < vectors; ++i) {
    view.need(view.operand(i).dims == std::vector<int64_t>{extent},
              "scale, offset, mean and variance must have one element a feature");
  }
  if (gradient) view.need(same_dims(view.operand(4), operand), "the gradient has other dims");
  const Shape whole = array_shape(operand.type, operand.dims);
  if (view.op().opcode == HloOpcode::kBatchNormInference) return whole;
  const Shape features = array_shape(view.operand(1).type, {extent});
  return tuple_shape({whole, features, features});
}

}  // namespace tilewright
