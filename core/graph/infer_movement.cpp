#include <fmt/format.h>

#include <algorithm>

#include "core/base/integers.h"
#include "core/graph/infer_rules.h"

namespace tilewright {
namespace {

bool has(const std::vector<int64_t>& list, int64_t value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

int64_t at(const std::vector<int64_t>& list, int64_t index) {
  return list[static_cast<size_t>(index)];
}

std::string text_of(const Shape& shape) {
  return to_text(shape, false);
}

/// Operands from `first` on say where to begin: one scalar a dimension, or one vector.
void need_start_indices(const OpView& view, size_t first) {
  const Shape& operand = view.operand(0);
  const size_t count = view.operand_count() - first;
  const bool vector = count == 1 && view.operand(first).rank() == 1;
  if (vector) {
    view.need(view.operand(first).dims[0] == operand.rank(),
              "one start index a dimension is needed");
  } else if (count != operand.dims.size()) {
    view.fail(fmt::format("{} start indices for {}", count, text_of(operand)));
  }
  for (size_t i = first; i < view.operand_count(); ++i) {
    view.need(is_integer(view.operand(i).type), "start indices must be integers");
    view.need(vector || view.operand(i).is_scalar(), "start indices must be scalars");
  }
}

void need_within(const OpView& view, const std::vector<int64_t>& sizes, const Shape& operand) {
  view.need(sizes.size() == operand.dims.size(), "one size a dimension is needed");
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < 0 || sizes[i] > operand.dims[i]) {
      view.fail(
          fmt::format("size {} of dimension {} is outside {}", sizes[i], i, text_of(operand)));
    }
  }
}

/// Extents of `indices` without the dimension that holds the index vectors. An index_vector_dim
/// behind the last dimension means index vectors of one element.
std::vector<int64_t> index_batch(const OpView& view, const Shape& indices, int64_t vector_dim,
                                 size_t vector_length) {
  view.need(is_integer(indices.type), "indices must be integers");
  view.need(vector_dim >= 0 && vector_dim <= indices.rank(),
            "index_vector_dim is outside the indices");
  std::vector<int64_t> batch = indices.dims;
  int64_t length = 1;
  if (vector_dim < indices.rank()) {
    length = at(batch, vector_dim);
    batch.erase(batch.begin() + vector_dim);
  }
  if (length != static_cast<int64_t>(vector_length)) {
    view.fail(fmt::format("index vectors of {} elements for {} dimensions", length, vector_length));
  }
  return batch;
}

/// Batching dimensions of operand and indices pair up and have equal extents.
void need_batching(const OpView& view, const Shape& operand, const Shape& indices,
                   const std::vector<int64_t>& operand_dims,
                   const std::vector<int64_t>& indices_dims) {
  view.need_dimensions(operand_dims, operand.rank(), "batching dimensions of the operand");
  view.need_dimensions(indices_dims, indices.rank(), "batching dimensions of the indices");
  view.need(operand_dims.size() == indices_dims.size(), "batching dimensions must pair up");
  for (size_t i = 0; i < operand_dims.size(); ++i) {
    view.need(at(operand.dims, operand_dims[i]) == at(indices.dims, indices_dims[i]),
              "batching dimensions must have equal extents");
  }
}

}  // namespace

Shape infer_broadcast(const OpView& view) {
  view.need_array(0);
  const std::vector<int64_t>& dims = view.op().get<Dimensions>().dims;
  const Shape& operand = view.operand(0);
  const Shape& result = view.op().shape;
  view.need_dimensions(dims, result.rank(), "dimensions");
  if (dims.size() != operand.dims.size()) {
    view.fail(fmt::format("{} dimensions for the operand {}", dims.size(), text_of(operand)));
  }
  for (size_t i = 0; i < dims.size(); ++i) {
    if (at(result.dims, dims[i]) == operand.dims[i]) continue;
    view.fail(fmt::format("dimension {} of {} does not fit dimension {} of {}", i, text_of(operand),
                          dims[i], text_of(result)));
  }
  return array_shape(operand.type, result.dims);
}

Shape infer_reshape(const OpView& view) {
  view.need_array(0);
  const Shape& operand = view.operand(0);
  const Shape& result = view.op().shape;
  if (element_count(operand) != element_count(result)) {
    view.fail(fmt::format("{} has {} elements, {} has {}", text_of(operand), element_count(operand),
                          text_of(result), element_count(result)));
  }
  return array_shape(operand.type, result.dims);
}

Shape infer_bitcast(const OpView& view) {
  const Shape& operand = view.operand(0);
  const Shape& result = view.op().shape;
  if (byte_count(operand) != byte_count(result)) {
    view.fail(fmt::format("{} has {} bytes, {} has {}", text_of(operand), byte_count(operand),
                          text_of(result), byte_count(result)));
  }
  return result;
}

Shape infer_transpose(const OpView& view) {
  view.need_array(0);
  const std::vector<int64_t>& order = view.op().get<Dimensions>().dims;
  const Shape& operand = view.operand(0);
  view.need_dimensions(order, operand.rank(), "dimensions");
  view.need(order.size() == operand.dims.size(), "dimensions must name each dimension once");
  Shape result = array_shape(operand.type);
  for (const int64_t dim : order) result.dims.push_back(at(operand.dims, dim));
  return result;
}

Shape infer_reverse(const OpView& view) {
  view.need_array(0);
  view.need_dimensions(view.op().get<Dimensions>().dims, view.operand(0).rank(), "dimensions");
  return view.operand(0);
}

Shape infer_concatenate(const OpView& view) {
  view.need_operands_from(1);
  view.need_arrays();
  const std::vector<int64_t>& dims = view.op().get<Dimensions>().dims;
  Shape result = array_shape(view.operand(0).type, view.operand(0).dims);
  view.need_dimensions(dims, result.rank(), "dimensions");
  view.need(dims.size() == 1, "exactly one dimension is needed");
  const auto along = static_cast<size_t>(dims[0]);
  for (size_t i = 1; i < view.operand_count(); ++i) {
    Shape other = view.operand(i);
    const bool fits = other.type == result.type && other.rank() == result.rank();
    const int64_t extent = fits ? other.dims[along] : 0;
    if (fits) other.dims[along] = result.dims[along];
    if (!fits || !same_dims(other, result)) {
      view.fail(fmt::format("operand {} is {}, operand 0 is {}", i, text_of(view.operand(i)),
                            text_of(view.operand(0))));
    }
    result.dims[along] += extent;
    view.need(result.dims[along] < kMaxElements, "the result has too many elements");
  }
  return result;
}

Shape infer_slice(const OpView& view) {
  view.need_array(0);
  const auto& slice = view.op().get<SliceRanges>();
  const Shape& operand = view.operand(0);
  view.need(slice.start.size() == operand.dims.size() && slice.limit.size() == slice.start.size() &&
                slice.stride.size() == slice.start.size(),
            "one range a dimension is needed");
  Shape result = array_shape(operand.type);
  for (size_t i = 0; i < slice.start.size(); ++i) {
    if (slice.start[i] < 0 || slice.start[i] > slice.limit[i] || slice.limit[i] > operand.dims[i] ||
        slice.stride[i] < 1) {
      view.fail(fmt::format("range [{}:{}:{}] is outside dimension {} of {}", slice.start[i],
                            slice.limit[i], slice.stride[i], i, text_of(operand)));
    }
    result.dims.push_back(ceil_div(slice.limit[i] - slice.start[i], slice.stride[i]));
  }
  return result;
}

Shape infer_dynamic_slice(const OpView& view) {
  view.need_operands_from(1);
  view.need_arrays();
  need_start_indices(view, 1);
  const std::vector<int64_t>& sizes = view.op().get<SliceSizes>().sizes;
  need_within(view, sizes, view.operand(0));
  return array_shape(view.operand(0).type, sizes);
}

Shape infer_dynamic_update_slice(const OpView& view) {
  view.need_operands_from(2);
  view.need_arrays();
  need_start_indices(view, 2);
  need_within(view, view.operand(1).dims, view.operand(0));
  view.need(view.operand(0).type == view.operand(1).type, "the update has another type");
  return array_shape(view.operand(0).type, view.operand(0).dims);
}

Shape infer_pad(const OpView& view) {
  view.need_arrays();
  const auto& padding = view.op().get<Padding>();
  const Shape& operand = view.operand(0);
  view.need(view.operand(1).is_scalar() && view.operand(1).type == operand.type,
            "the padding value must be a scalar of the operand's type");
  view.need(padding.low.size() == operand.dims.size() &&
                padding.high.size() == padding.low.size() &&
                padding.interior.size() == padding.low.size(),
            "padding for each dimension is needed");
  Shape result = array_shape(operand.type);
  for (size_t i = 0; i < operand.dims.size(); ++i) {
    view.need(padding.interior[i] >= 0, "interior padding is below 0");
    const int64_t inner = stretched(view, operand.dims[i], padding.interior[i] + 1);
    result.dims.push_back(inner + padding.low[i] + padding.high[i]);
    view.need(result.dims.back() >= 0, "padding cuts away more than there is");
  }
  return result;
}

Shape infer_iota(const OpView& view) {
  const Shape& result = view.op().shape;
  view.need(is_array(result.type) && result.type != ElementType::kPred, "counts in numbers");
  const int64_t dimension = view.op().get<IotaDimension>().dimension;
  if (dimension < 0 || dimension >= std::max<int64_t>(result.rank(), 1)) {
    view.fail(fmt::format("{} has no dimension {}", text_of(result), dimension));
  }
  return array_shape(result.type, result.dims);
}

Shape infer_gather(const OpView& view) {
  view.need_arrays();
  const auto& gather = view.op().get<GatherDimensions>();
  const Shape& operand = view.operand(0);
  const Shape& indices = view.operand(1);
  need_within(view, gather.slice_sizes, operand);
  view.need_dimensions(gather.start_index_map, operand.rank(), "start_index_map");
  view.need_dimensions(gather.collapsed_slice_dims, operand.rank(), "collapsed_slice_dims");
  need_batching(view, operand, indices, gather.operand_batching_dims,
                gather.start_indices_batching_dims);
  const std::vector<int64_t> batch =
      index_batch(view, indices, gather.index_vector_dim, gather.start_index_map.size());
  std::vector<int64_t> window;
  for (int64_t i = 0; i < operand.rank(); ++i) {
    const bool dropped =
        has(gather.collapsed_slice_dims, i) || has(gather.operand_batching_dims, i);
    if (!dropped) window.push_back(at(gather.slice_sizes, i));
    view.need(!dropped || at(gather.slice_sizes, i) <= 1,
              "dimensions that vanish must have size 1");
  }
  view.need(window.size() == gather.offset_dims.size(),
            "offset_dims must hold the dimensions of a slice");
  const auto rank = static_cast<int64_t>(batch.size() + window.size());
  view.need_dimensions(gather.offset_dims, rank, "offset_dims");
  Shape result = array_shape(operand.type);
  size_t next_window = 0;
  size_t next_batch = 0;
  for (int64_t i = 0; i < rank; ++i) {
    result.dims.push_back(has(gather.offset_dims, i) ? window[next_window++] : batch[next_batch++]);
  }
  return result;
}

Shape infer_scatter(const OpView& view) {
  const size_t count = view.operand_count() / 2;
  view.need(view.operand_count() % 2 == 1 && count > 0, "operands, indices and updates are needed");
  view.need_arrays();
  const auto& scatter = view.op().get<ScatterDimensions>();
  const Shape& operand = view.operand(0);
  const Shape& indices = view.operand(count);
  const Shape& updates = view.operand(count + 1);
  view.need_dimensions(scatter.scatter_dims_to_operand_dims, operand.rank(),
                       "scatter_dims_to_operand_dims");
  view.need_dimensions(scatter.inserted_window_dims, operand.rank(), "inserted_window_dims");
  view.need_dimensions(scatter.update_window_dims, updates.rank(), "update_window_dims");
  need_batching(view, operand, indices, scatter.input_batching_dims,
                scatter.scatter_indices_batching_dims);
  const std::vector<int64_t> batch = index_batch(view, indices, scatter.index_vector_dim,
                                                 scatter.scatter_dims_to_operand_dims.size());
  std::vector<int64_t> bounds;
  for (int64_t i = 0; i < operand.rank(); ++i) {
    if (has(scatter.inserted_window_dims, i) || has(scatter.input_batching_dims, i)) continue;
    bounds.push_back(at(operand.dims, i));
  }
  view.need(bounds.size() == scatter.update_window_dims.size() &&
                updates.dims.size() == batch.size() + bounds.size(),
            "the updates must have the dimensions of the indices and of a window");
  size_t next_window = 0;
  size_t next_batch = 0;
  for (int64_t i = 0; i < updates.rank(); ++i) {
    const int64_t extent = at(updates.dims, i);
    if (has(scatter.update_window_dims, i)) {
      view.need(extent <= bounds[next_window++], "the update window is larger than the operand");
    } else {
      view.need(extent == batch[next_batch++], "the updates do not fit the indices");
    }
  }
  // The reducer says to which type its operands are brought.
  const Shape& reduced = view.called_result(0);
  view.need((count == 1) != reduced.is_tuple(), "to_apply must give one value for each operand");
  if (count == 1) return array_shape(reduced.type, operand.dims);
  view.need(reduced.parts.size() == count, "to_apply must give one value for each operand");
  Shape result = {.type = ElementType::kTuple};
  for (size_t i = 0; i < count; ++i) {
    view.need(
        same_dims(view.operand(i), operand) && same_dims(view.operand(count + 1 + i), updates),
        "all operands, and all updates, must have the same dims");
    result.parts.push_back(array_shape(reduced.parts[i].type, operand.dims));
  }
  return result;
}

}  // namespace tilewright
