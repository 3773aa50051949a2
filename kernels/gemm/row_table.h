#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/plan/plan.h"
#include "core/space/space.h"

namespace tilewright {

/// Rows of a GEMM in a step are rounded up to a multiple of this: the cube works on 16 rows at a
/// time, and the table of a GEMM has one entry a multiple (XY-Serve, virtual padding).
constexpr int64_t kRowMultiple = 16;

/// The configs of one weight matrix by rows: an entry for every multiple of kRowMultiple up to a
/// budget, so that looking one up takes the same time for any number of ranges (XY-Serve: the
/// number of distinct shapes is small enough to tune each).
class RowTable {
 public:
  /// From a plan's ranges: ascending, at least one. A config serves up to its m_max rows, the last
  /// one beyond; entries for up to `budget` rows.
  RowTable(std::span<const PlanRange> ranges, int64_t budget);
  /// From the winners of tuning, in any order.
  RowTable(std::span<const TunedRow> winners, int64_t budget);

  /// The config for m >= 1 rows; beyond the budget that of the last entry.
  const Config& at(int64_t m) const;
  int64_t entries() const { return static_cast<int64_t>(entries_.size()); }

 private:
  std::vector<Config> configs_;
  std::vector<uint32_t> entries_;  // of configs_, by multiple
};

}  // namespace tilewright
