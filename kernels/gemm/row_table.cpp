#include "kernels/gemm/row_table.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/integers.h"

namespace tilewright {

RowTable::RowTable(std::span<const PlanRange> ranges, int64_t budget) {
  TW_CHECK(!ranges.empty() && budget >= 1, "a table has ranges, and rows to look up");
  for (const PlanRange& range : ranges) configs_.push_back(range.config);
  const int64_t entries = ceil_div(budget, kRowMultiple);
  entries_.reserve(static_cast<size_t>(entries));
  uint32_t range = 0;
  for (int64_t rows = kRowMultiple; rows <= entries * kRowMultiple; rows += kRowMultiple) {
    while (range + 1 < ranges.size() && ranges[range].m_max < rows) ++range;
    entries_.push_back(range);
  }
}

RowTable::RowTable(std::span<const TunedRow> winners, int64_t budget)
    : RowTable(make_table({}, winners).ranges, budget) {}

const Config& RowTable::at(int64_t m) const {
  const int64_t entry = std::min(ceil_div(m, kRowMultiple), entries()) - 1;
  return configs_[entries_[static_cast<size_t>(entry)]];
}

}  // namespace tilewright
