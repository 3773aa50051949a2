#include <algorithm>
#include <limits>

#include "core/graph/interpreter_ops.h"
#include "core/graph/strided.h"

namespace tilewright {
namespace {

Strided whole(const Value& value) {
  return {row_major_strides(value.shape().dims)};
}

/// A new array of the op's shape whose elements are found in the operand by strides.
Value seen_through(const OpCall& call, const Strided& source) {
  Value result(call.shape());
  copy_block(call.shape().dims, call.operands[0].elements().data(), source,
             result.writable().data(), whole(result));
  return result;
}

/// Where a block of `sizes` begins in an array: the start indices, moved so that the block fits.
int64_t clamped_offset(std::span<const Value> starts, const Shape& shape,
                       std::span<const int64_t> sizes) {
  const std::vector<int64_t> strides = row_major_strides(shape.dims);
  int64_t offset = 0;
  for (size_t d = 0; d < shape.dims.size(); ++d) {
    // The old form has one array of all start indices.
    const bool array = starts.size() == 1 && !starts[0].shape().is_scalar();
    const int64_t start =
        array ? index_at(starts[0], static_cast<int64_t>(d)) : index_at(starts[d], 0);
    offset += strides[d] * std::clamp<int64_t>(start, 0, shape.dims[d] - sizes[d]);
  }
  return offset;
}

}  // namespace

int64_t index_at(const Value& indices, int64_t place) {
  const int64_t index = indices.integer(place);
  const bool huge = index < 0 && indices.shape().type == ElementType::kU64;
  return huge ? std::numeric_limits<int64_t>::max() : index;
}

Value evaluate_broadcast(const OpCall& call) {
  const std::vector<int64_t> operand = row_major_strides(call.operands[0].shape().dims);
  const std::vector<int64_t>& dims = call.op.get<Dimensions>().dims;
  Strided source = {std::vector<int64_t>(call.shape().dims.size(), 0)};
  for (size_t i = 0; i < dims.size(); ++i)
    source.strides[static_cast<size_t>(dims[i])] = operand[i];
  return seen_through(call, source);
}

Value evaluate_transpose(const OpCall& call) {
  return permuted(call.operands[0], call.op.get<Dimensions>().dims);
}

Value evaluate_slice(const OpCall& call) {
  const auto& ranges = call.op.get<SliceRanges>();
  Strided source = whole(call.operands[0]);
  for (size_t d = 0; d < source.strides.size(); ++d) {
    source.offset += source.strides[d] * ranges.start[d];
    source.strides[d] *= ranges.stride[d];
  }
  return seen_through(call, source);
}

Value evaluate_reverse(const OpCall& call) {
  Strided source = whole(call.operands[0]);
  for (const int64_t dim : call.op.get<Dimensions>().dims) {
    const auto d = static_cast<size_t>(dim);
    source.offset += source.strides[d] * (call.shape().dims[d] - 1);
    source.strides[d] = -source.strides[d];
  }
  return seen_through(call, source);
}

Value evaluate_concatenate(const OpCall& call) {
  const auto dimension = static_cast<size_t>(call.op.get<Dimensions>().dims[0]);
  Value result(call.shape());
  Strided target = whole(result);
  for (const Value& operand : call.operands) {
    const std::vector<int64_t>& dims = operand.shape().dims;
    copy_block(dims, operand.elements().data(), whole(operand), result.writable().data(), target);
    target.offset += target.strides[dimension] * dims[dimension];
  }
  return result;
}

Value evaluate_pad(const OpCall& call) {
  const auto& padding = call.op.get<Padding>();
  const Value& operand = call.operands[0];
  Value result(call.shape());
  std::ranges::fill(result.writable(), call.operands[1].elements()[0]);
  std::vector<int64_t> dims = operand.shape().dims;
  Strided source = whole(operand);
  Strided target = whole(result);
  for (size_t d = 0; d < dims.size(); ++d) {
    // Element i lands at low + i * step; what negative padding cuts away is not copied.
    const int64_t step = padding.interior[d] + 1;
    const int64_t low = padding.low[d];
    const int64_t first = low >= 0 ? 0 : (-low + step - 1) / step;
    const int64_t room = call.shape().dims[d] - low;
    const int64_t end = room <= 0 ? 0 : std::min(dims[d], (room + step - 1) / step);
    dims[d] = std::max<int64_t>(end - first, 0);
    source.offset += source.strides[d] * first;
    target.offset += target.strides[d] * (low + first * step);
    target.strides[d] *= step;
  }
  copy_block(dims, operand.elements().data(), source, result.writable().data(), target);
  return result;
}

Value evaluate_dynamic_slice(const OpCall& call) {
  const Value& operand = call.operands[0];
  Strided source = whole(operand);
  source.offset = clamped_offset(call.operands.subspan(1), operand.shape(), call.shape().dims);
  return seen_through(call, source);
}

Value evaluate_dynamic_update_slice(const OpCall& call) {
  Value result = std::move(call.operands[0]);
  const Value& update = call.operands[1];
  Strided target = whole(result);
  target.offset = clamped_offset(call.operands.subspan(2), result.shape(), update.shape().dims);
  copy_block(update.shape().dims, update.elements().data(), whole(update), result.writable().data(),
             target);
  return result;
}

}  // namespace tilewright
