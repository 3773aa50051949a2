#include "tuner/fusion/tensor_schedule.h"

#include <algorithm>

#include "core/base/error.h"

namespace tilewright {

namespace {

using Type = TensorSchedule::Type;

/// Most schedules of one dimension: a dimension of many divisors is not cut in all ways.
constexpr int64_t kMostSwords = 4096;

bool is_single_block(const TensorSchedule& schedule, const Shape& shape) {
  return block_count(schedule, shape) == 1;
}

/// The schedule of another shape with as many blocks, each of the same elements in row-major order
/// (rows), or the same residues of it (columns).
std::optional<TensorSchedule> with_blocks(const Shape& shape, int64_t blocks, Type type) {
  const int64_t rank = shape.rank();
  int64_t whole = 1;
  for (int64_t i = 0; i < rank; ++i) {
    const int64_t dim = type == Type::kRow ? i : rank - 1 - i;
    const int64_t extent = shape.dims[static_cast<size_t>(dim)];
    if (blocks % whole != 0) return std::nullopt;
    const int64_t sword = blocks / whole;
    if (sword <= extent) {
      if (extent % sword != 0) return std::nullopt;
      return TensorSchedule{dim, sword, type};
    }
    whole *= extent;
  }
  if (blocks == 1) return TensorSchedule{};
  return std::nullopt;
}

std::optional<TensorSchedule> through_transpose(const Op& op, const TensorSchedule& schedule) {
  const std::vector<int64_t>& dims = op.get<Dimensions>().dims;
  int64_t first = std::ssize(dims);
  int64_t last = -1;
  for (int64_t i = 0; i < std::ssize(dims); ++i) {
    if (dims[static_cast<size_t>(i)] == i) continue;
    first = std::min(first, i);
    last = std::max(last, i);
  }
  if (last < 0) return schedule;
  // At the first moved dimension itself only whole indices of those before it are blocks.
  if (schedule.type == Type::kRow && schedule.split_dim <= first) {
    if (schedule.split_dim < first || schedule.sword == 1) return schedule;
    return std::nullopt;
  }
  if (schedule.type == Type::kColumn && schedule.split_dim >= last) {
    if (schedule.split_dim > last || schedule.sword == 1) return schedule;
  }
  return std::nullopt;
}

std::optional<TensorSchedule> through_reduce(const Op& op, const TensorSchedule& schedule) {
  std::vector<int64_t> dims = op.get<Dimensions>().dims;
  if (dims.empty()) return schedule;
  std::ranges::sort(dims);
  if (schedule.type == Type::kRow) {
    if (schedule.split_dim > dims.front()) return std::nullopt;
    // The dimension at the place of the first reduced one is another one in the operand.
    if (schedule.split_dim == dims.front() && schedule.sword > 1) return std::nullopt;
    return schedule;
  }
  TensorSchedule below = schedule;
  below.split_dim += std::ssize(dims);
  if (below.split_dim < dims.back()) return std::nullopt;
  if (below.split_dim == dims.back() && below.sword > 1) return std::nullopt;
  return below;
}

std::optional<TensorSchedule> through_broadcast(const Op& op, const Shape& operand,
                                                const TensorSchedule& schedule) {
  const std::vector<int64_t>& dims = op.get<Dimensions>().dims;
  if (!std::ranges::is_sorted(dims)) return std::nullopt;
  // Dimensions of the operand that each block has one index of, and the one that it has a part of.
  int64_t blocks = 1;
  for (size_t i = 0; i < dims.size(); ++i) {
    const bool is_fixed =
        schedule.type == Type::kRow ? dims[i] < schedule.split_dim : dims[i] > schedule.split_dim;
    if (is_fixed) blocks *= operand.dims[i];
    if (dims[i] == schedule.split_dim && operand.dims[i] > 1) blocks *= schedule.sword;
  }
  return with_blocks(operand, blocks, schedule.type);
}

}  // namespace

int64_t block_count(const TensorSchedule& schedule, const Shape& shape) {
  int64_t blocks = schedule.sword;
  for (int64_t dim = 0; dim < shape.rank(); ++dim) {
    const bool counts =
        schedule.type == Type::kRow ? dim < schedule.split_dim : dim > schedule.split_dim;
    if (counts) blocks *= shape.dims[static_cast<size_t>(dim)];
  }
  return blocks;
}

std::vector<TensorSchedule> schedules_of(const Shape& shape) {
  std::vector<TensorSchedule> schedules = {TensorSchedule{}};
  for (const Type type : {Type::kRow, Type::kColumn}) {
    for (int64_t dim = 0; dim < shape.rank(); ++dim) {
      const int64_t extent = shape.dims[static_cast<size_t>(dim)];
      for (int64_t sword = 1; sword <= std::min(extent, kMostSwords); ++sword) {
        if (extent % sword != 0) continue;
        const TensorSchedule schedule{dim, sword, type};
        if (!is_single_block(schedule, shape)) schedules.push_back(schedule);
      }
    }
  }
  return schedules;
}

std::optional<TensorSchedule> propagate(const Computation& computation, const Op& op,
                                        size_t operand, const TensorSchedule& schedule) {
  if (is_single_block(schedule, op.shape)) return TensorSchedule{};
  const Shape& shape = computation.operand(op, operand).shape;
  switch (op.opcode) {
    case HloOpcode::kTranspose:
      return through_transpose(op, schedule);
    case HloOpcode::kReduce:
      return operand == 0 ? through_reduce(op, schedule) : TensorSchedule{};
    case HloOpcode::kBroadcast:
      return through_broadcast(op, shape, schedule);
    case HloOpcode::kReshape:
    case HloOpcode::kBitcast:
      return with_blocks(shape, block_count(schedule, op.shape), schedule.type);
    case HloOpcode::kDot: {
      const bool splits_batch =
          schedule.type == Type::kRow &&
          (schedule.split_dim < op.shape.rank() - 2 ||
           (schedule.split_dim == op.shape.rank() - 2 && schedule.sword == 1));
      if (!splits_batch) return std::nullopt;
      return with_blocks(shape, block_count(schedule, op.shape), Type::kRow);
    }
    default:
      if (!is_elementwise(op.opcode)) return std::nullopt;
      if (!same_dims(shape, op.shape)) return TensorSchedule{};  // a scalar operand
      return schedule;
  }
}

std::vector<int> share_buffers(const std::vector<BlockValue>& values) {
  std::vector<int> owner(values.size());
  std::vector<int> free_after(values.size());  // by buffer owner: the last value that reads it
  for (size_t i = 0; i < values.size(); ++i) {
    const auto at = static_cast<int>(i);
    owner[i] = at;
    for (size_t j = 0; j < i; ++j) {
      const bool is_owner = owner[j] == static_cast<int>(j);
      if (is_owner && values[j].elements == values[i].elements && free_after[j] <= at) {
        owner[i] = static_cast<int>(j);
        break;
      }
    }
    free_after[static_cast<size_t>(owner[i])] = values[i].last_read;
  }
  return owner;
}

}  // namespace tilewright
