#include "kernels/vector/sort.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/base/integers.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

constexpr int64_t kRecordBytes = 8;

Tile record_tile(int64_t place, const Expr& rows, int64_t records, int64_t stride) {
  return ub_tile(place, rows, 2 * records, 2 * stride, DType::kF32);
}

}  // namespace

int64_t padded_records(int64_t count) {
  return round_up(count, kSortRun);
}

SortRoom take_sort_room(UbPlan& plan, int64_t rows, int64_t count) {
  SortRoom room;
  room.first = plan.take(rows * count * kRecordBytes, BankHalf::kLower);
  room.second = plan.take(rows * count * kRecordBytes, BankHalf::kUpper);
  return room;
}

Tile sort_rows(std::vector<Instruction>& list, const Tile& keys, const Tile& payloads,
               int64_t count, int64_t keep, const SortRoom& room) {
  TW_CHECK(count % kSortRun == 0 && keep <= count, "rows are padded to whole runs");
  // Four records are a block of UB: runs that are cut stay aligned.
  const int64_t kept = round_up(keep, 4);
  const bool one_row = keys.rows.is_constant() && keys.rows.constant() == 1;
  int64_t at = room.first;
  int64_t other = room.second;
  int64_t run = kSortRun;
  list.push_back(
      vector_op(VectorOp::kSort, record_tile(at, keys.rows, count, count), keys, payloads));
  while (run < count) {
    const int64_t runs = ceil_div(count, run);
    // Runs of all rows are a run apart only when each row is whole runs.
    if (run > kept && (count % run == 0 || (one_row && count % run >= kept))) {
      list.push_back(vector_op(VectorOp::kCopy, record_tile(other, keys.rows * runs, kept, kept),
                               record_tile(at, keys.rows * runs, kept, run)));
      std::swap(at, other);
      run = kept;
      count = runs * kept;
    }
    Instruction merge = vector_op(VectorOp::kMerge, record_tile(other, keys.rows, count, count),
                                  record_tile(at, keys.rows, count, count));
    merge.divisor = run;
    list.push_back(merge);
    std::swap(at, other);
    run *= 4;
  }
  return record_tile(at, keys.rows, keep, count);
}

void add_record_columns(std::vector<Instruction>& list, const Tile& columns, const Tile& work) {
  list.push_back(scalar_op(VectorOp::kIndex, work, {}, 0));
  list.push_back(scalar_op(VectorOp::kMuls, work, work, 2));
  for (int part = 0; part < 2; ++part) {
    Tile row = columns;
    row.rows = 1;
    row.offset = row.offset + part * columns.stride * bytes_of(columns.type);
    if (part == 1) list.push_back(scalar_op(VectorOp::kAdds, work, work, 1));
    list.push_back(vector_op(VectorOp::kConvert, row, work));
  }
}

Instruction pick_part(const Tile& to, const Tile& records, const Tile& columns, int part) {
  Tile row = columns;
  row.rows = 1;
  row.offset = row.offset + part * columns.stride * bytes_of(columns.type);
  return vector_op(VectorOp::kGather, to, records, row);
}

}  // namespace tilewright
