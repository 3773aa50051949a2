#pragma once

#include <cstdint>
#include <vector>

#include "kernels/vector/ub_plan.h"
#include "simulator/launch.h"

namespace tilewright {

/// Room in UB to sort rows of records: two places, between which the merges go to and fro.
struct SortRoom {
  int64_t first = 0;
  int64_t second = 0;
};

/// Takes room for `rows` rows of `count` records, a multiple of 32.
SortRoom take_sort_room(UbPlan& plan, int64_t rows, int64_t count);

/// Records of a row when `count` elements are padded to whole runs of the sorter.
int64_t padded_records(int64_t count);

/// The `keep` first records of each row of `keys` (rows x count, f32; count a multiple of 32) with
/// payloads (1 x count or rows x count) in descending order, equal keys in the order of columns:
/// sorted in runs of 32, which are merged by fours and cut to `keep` as soon as they are longer.
/// Returns the records: rows x 2 keep.
Tile sort_rows(std::vector<Instruction>& list, const Tile& keys, const Tile& payloads,
               int64_t count, int64_t keep, const SortRoom& room);

/// Fills `columns` (two rows of `keep` i32, `stride` apart) with the columns of keys and payloads
/// in records; `work`: a row of `keep` f32.
void add_record_columns(std::vector<Instruction>& list, const Tile& columns, const Tile& work);

/// The keys (`part` 0) or payloads (1) of records, to `to` (rows x keep, f32).
Instruction pick_part(const Tile& to, const Tile& records, const Tile& columns, int part);

}  // namespace tilewright
