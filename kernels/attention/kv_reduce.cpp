#include "kernels/attention/kv_reduce.h"

#include <algorithm>

#include "core/base/integers.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

/// Emits the instructions of one task.
class Merge {
 public:
  Merge(const KvReduction& reduction, const KvReductionUb& ub, const KvReductionFlags& flags)
      : reduction_(reduction), ub_(ub), flags_(flags) {}

  void start(std::vector<Instruction>& list) const {
    list.push_back(scalar_op(VectorOp::kDup, column(ub_.maximum), {}, kLowestScore));
    list.push_back(scalar_op(VectorOp::kDup, column(ub_.row_sum), {}, 0));
    list.push_back(scalar_op(VectorOp::kDup, values(ub_.sum), {}, 0));
  }

  /// One load of `parts` parts, and their merging; `number` of the load within the task.
  void merge_load(std::vector<Instruction>& list, const Expr& number, int64_t parts,
                  bool waits_for_parts) const {
    const Expr slot =
        Expr::ring(Expr::binding(kMergeBefore) + number, 2) * ub_.partial_slot + ub_.partial;
    const int64_t rows = (parts - 1) * reduction_.part_rows + reduction_.rows;
    const Expr first =
        Expr::binding(kMergeFirst) + number * (ub_.parts_a_load * reduction_.part_rows);
    const Tile to = ub_tile(slot, rows, reduction_.columns(), 0, DType::kF32);
    Instruction load =
        waiting(load_tile(gm_tile(reduction_.partial, first, 0, rows, reduction_.columns()), to),
                flags_.free);
    if (waits_for_parts) load = waiting(load, reduction_.parts_done, When::kFirst);
    list.push_back(setting(load, flags_.full));
    const size_t begin = list.size();
    for (int64_t part = 0; part < parts; ++part) merge_part(list, slot, part);
    list[begin] = waiting(list[begin], flags_.full);
    list.back() = setting(list.back(), flags_.free);
  }

  void finish(std::vector<Instruction>& list) const {
    const Tile sum = values(ub_.sum);
    Tile out = values(ub_.out);
    out.type = reduction_.out_type;
    list.push_back(vector_op(VectorOp::kDiv, sum, sum, column(ub_.row_sum)));
    list.push_back(setting(waiting(round_op(out, sum), flags_.out_free), flags_.out_full));
    const Tile to =
        gm_tile(reduction_.out, Expr::binding(kMergeOut), 0, reduction_.rows, reduction_.dim);
    list.push_back(setting(waiting(store_tile(out, to), flags_.out_full), flags_.out_free));
  }

 private:
  void merge_part(std::vector<Instruction>& list, const Expr& slot, int64_t part) const {
    const int64_t row_bytes = reduction_.columns() * 4;
    const Expr base = slot + part * reduction_.part_rows * row_bytes;
    const auto columns = [&](int64_t first, int64_t count) {
      return ub_tile(base + first * 4, reduction_.rows, count, reduction_.columns(), DType::kF32);
    };
    const Tile part_values = columns(0, reduction_.dim);
    const Tile part_maximum = columns(reduction_.dim, 1);
    const Tile part_sum = columns(reduction_.dim + KvReduction::kStatColumns / 2, 1);
    const Tile maximum = column(ub_.maximum);
    const Tile larger = column(ub_.larger);
    const Tile factor = column(ub_.factor);
    const Tile part_factor = column(ub_.part_factor);
    const Tile row_sum = column(ub_.row_sum);
    list.push_back(vector_op(VectorOp::kMax, larger, maximum, part_maximum));
    list.push_back(vector_op(VectorOp::kSub, factor, maximum, larger));
    list.push_back(vector_op(VectorOp::kExp, factor, factor));
    list.push_back(vector_op(VectorOp::kSub, part_factor, part_maximum, larger));
    list.push_back(vector_op(VectorOp::kExp, part_factor, part_factor));
    list.push_back(vector_op(VectorOp::kCopy, maximum, larger));
    list.push_back(vector_op(VectorOp::kMul, row_sum, row_sum, factor));
    list.push_back(vector_op(VectorOp::kMul, part_sum, part_sum, part_factor));
    list.push_back(vector_op(VectorOp::kAdd, row_sum, row_sum, part_sum));
    list.push_back(vector_op(VectorOp::kMul, values(ub_.sum), values(ub_.sum), factor));
    list.push_back(vector_op(VectorOp::kMul, part_values, part_values, part_factor));
    list.push_back(vector_op(VectorOp::kAdd, values(ub_.sum), values(ub_.sum), part_values));
  }

  Tile column(const Expr& offset) const {
    return ub_tile(offset, reduction_.rows, 1, 0, DType::kF32);
  }
  Tile values(const Expr& offset) const {
    return ub_tile(offset, reduction_.rows, reduction_.dim, 0, DType::kF32);
  }

  const KvReduction& reduction_;
  const KvReductionUb& ub_;
  const KvReductionFlags& flags_;
};

}  // namespace

int64_t KvReduction::parts_a_load(const Machine& machine) const {
  if (part_rows != rows) return 1;
  return std::max<int64_t>(1, ceil_div(machine.mte2.lookahead_burst_bytes, rows * columns() * 4));
}

KvReductionUb::KvReductionUb(const KvReduction& reduction, const Machine& machine, UbPlan& plan)
    : parts_a_load(reduction.parts_a_load(machine)) {
  const int64_t column = reduction.rows * 4;
  UbPlan slot(machine);
  slot.take(parts_a_load * column * reduction.columns());
  partial = plan.take_ring(slot, 2, BankHalf::kUpper);
  partial_slot = slot.slot_bytes();
  sum = plan.take(column * reduction.dim, BankHalf::kLower);
  out = plan.take(reduction.rows * reduction.dim * bytes_of(reduction.out_type), BankHalf::kUpper);
  for (int64_t* place : {&maximum, &larger, &row_sum, &factor, &part_factor}) {
    *place = plan.take(column);
  }
}

KvReductionFlags::KvReductionFlags(Launch& launch) {
  const auto flag = [&](const char* name, FlagMeaning meaning, int initial) {
    return launch.add_flag({name, FlagScope::kCore, meaning, Memory::kUb, initial});
  };
  full = flag("merge_full", FlagMeaning::kData, 0);
  free = flag("merge_free", FlagMeaning::kSpace, 2);
  out_full = flag("merge_out_full", FlagMeaning::kData, 0);
  out_free = flag("merge_out_free", FlagMeaning::kSpace, 1);
}

Template kv_reduction(const KvReduction& reduction, const KvReductionUb& ub,
                      const KvReductionFlags& flags, const KvReductionVariant& variant) {
  const Merge merge(reduction, ub, flags);
  Template body;
  body.name = "merge";
  body.kind = CoreKind::kAiv;
  body.bindings = kMergeBindings;
  merge.start(body.prologue);
  const Expr loads = Expr::binding(kMergeLoads);
  if (variant.whole) {
    body.count = loads;
    merge.merge_load(body.body, Expr::index(), ub.parts_a_load, variant.first);
  }
  if (variant.rest > 0) {
    merge.merge_load(body.epilogue, loads, variant.rest, variant.first && !variant.whole);
  }
  merge.finish(body.epilogue);
  return body;
}

}  // namespace tilewright
