#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/graph/op_graph.h"

namespace tilewright {

/// How FusionStitching 2018 cuts an op's output into blocks: dimension `split_dim` in `sword` equal
/// parts, and every dimension before it (row) or behind it (column) index by index.
struct TensorSchedule {
  enum class Type : uint8_t { kRow, kColumn };
  int64_t split_dim = 0;
  int64_t sword = 1;  ///< divides the extent of split_dim
  Type type = Type::kRow;
  bool operator==(const TensorSchedule&) const = default;
};

/// Row: sword * product of the extents before split_dim; column: of those behind it.
int64_t block_count(const TensorSchedule& schedule, const Shape& shape);

/// Every schedule of a shape; the row schedule of one block comes first.
std::vector<TensorSchedule> schedules_of(const Shape& shape);

/// The schedule of an operand when its reader's output has a schedule (table 1 of the paper); none
/// where the reader does not pass it on. A single block always passes.
std::optional<TensorSchedule> propagate(const Computation& computation, const Op& op,
                                        size_t operand, const TensorSchedule& schedule);

/// Buffers of a block, placed by life-time: a value may take the buffer of an earlier one that is
/// read no more (the paper's sharing along the dominance tree).
struct BlockValue {
  std::string name;
  int64_t elements = 0;
  int last_read = 0;  ///< position of the last value that reads it
};
/// For each value, in order of computation, the value whose buffer it takes; itself for a new one.
std::vector<int> share_buffers(const std::vector<BlockValue>& values);

}  // namespace tilewright
