#include "kernels/attention/kv_reduce.h"

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

  void load_part(std::vector<Instruction>& list, bool first) const {
    const Expr row = Expr::binding(kMergeFirst) + Expr::index() * reduction_.part_rows;
    const auto from = [&](int tensor, int64_t cols) {
      return gm_tile(tensor, row, 0, reduction_.rows, cols);
    };
    Instruction load =
        waiting(load_tile(from(reduction_.maxima, 1), slot(ub_.part_maximum)), flags_.free);
    if (first) load = waiting(load, reduction_.parts_done, When::kFirst);
    list.push_back(load);
    list.push_back(load_tile(from(reduction_.sums, 1), slot(ub_.part_sum)));
    list.push_back(
        setting(load_tile(from(reduction_.partial, reduction_.dim), part()), flags_.full));
  }

  void merge_part(std::vector<Instruction>& list) const {
    const Tile maximum = column(ub_.maximum);
    const Tile larger = column(ub_.larger);
    const Tile factor = column(ub_.factor);
    const Tile part_factor = column(ub_.part_factor);
    const auto add = [&](VectorOp op, const Tile& dst, const Tile& a, const Tile& b) {
      list.push_back(vector_op(op, dst, a, b));
    };
    list.push_back(
        waiting(vector_op(VectorOp::kMax, larger, maximum, slot(ub_.part_maximum)), flags_.full));
    add(VectorOp::kSub, factor, maximum, larger);
    list.push_back(vector_op(VectorOp::kExp, factor, factor));
    add(VectorOp::kSub, part_factor, slot(ub_.part_maximum), larger);
    list.push_back(vector_op(VectorOp::kExp, part_factor, part_factor));
    list.push_back(vector_op(VectorOp::kCopy, maximum, larger));
    add(VectorOp::kMul, column(ub_.row_sum), column(ub_.row_sum), factor);
    add(VectorOp::kMul, slot(ub_.part_sum), slot(ub_.part_sum), part_factor);
    add(VectorOp::kAdd, column(ub_.row_sum), column(ub_.row_sum), slot(ub_.part_sum));
    add(VectorOp::kMul, values(ub_.sum), values(ub_.sum), factor);
    add(VectorOp::kMul, part(), part(), part_factor);
    list.push_back(
        setting(vector_op(VectorOp::kAdd, values(ub_.sum), values(ub_.sum), part()), flags_.free));
  }

  void finish(std::vector<Instruction>& list) const {
    const Tile sum = values(ub_.sum);
    Tile out = values(ub_.out);
    out.type = reduction_.out_type;
    list.push_back(vector_op(VectorOp::kDiv, sum, sum, column(ub_.row_sum)));
    list.push_back(setting(waiting(vector_op(VectorOp::kConvert, out, sum), flags_.out_free),
                           flags_.out_full));
    const Tile to =
        gm_tile(reduction_.out, Expr::binding(kMergeOut), 0, reduction_.rows, reduction_.dim);
    list.push_back(setting(waiting(store_tile(out, to), flags_.out_full), flags_.out_free));
  }

 private:
  static Expr ring() { return Expr::ring(Expr::binding(kMergeBefore) + Expr::index(), 2); }
  Tile column(const Expr& offset) const {
    return ub_tile(offset, reduction_.rows, 1, 0, DType::kF32);
  }
  Tile slot(int64_t base) const { return column(ring() * ub_.column_slot + base); }
  Tile values(const Expr& offset) const {
    return ub_tile(offset, reduction_.rows, reduction_.dim, 0, DType::kF32);
  }
  Tile part() const { return values(ring() * ub_.partial_slot + ub_.partial); }

  const KvReduction& reduction_;
  const KvReductionUb& ub_;
  const KvReductionFlags& flags_;
};

}  // namespace

KvReductionUb::KvReductionUb(const KvReduction& reduction, const Machine& machine, UbPlan& plan) {
  const int64_t column = reduction.rows * 4;
  UbPlan slot(machine);
  slot.take(column * reduction.dim);
  partial = plan.take_ring(slot, 2, BankHalf::kUpper);
  partial_slot = slot.slot_bytes();
  sum = plan.take(column * reduction.dim, BankHalf::kLower);
  out = plan.take(reduction.rows * reduction.dim * bytes_of(reduction.out_type), BankHalf::kUpper);
  UbPlan column_plan(machine);
  column_plan.take(column);
  column_slot = column_plan.slot_bytes();
  part_maximum = plan.take_ring(column_plan, 2, BankHalf::kLower);
  part_sum = plan.take_ring(column_plan, 2, BankHalf::kLower);
  maximum = plan.take(column, BankHalf::kUpper);
  for (int64_t* place : {&larger, &row_sum, &factor, &part_factor}) *place = plan.take(column);
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
                      const KvReductionFlags& flags, bool first) {
  const Merge merge(reduction, ub, flags);
  Template body;
  body.name = "merge";
  body.kind = CoreKind::kAiv;
  body.bindings = kMergeBindings;
  body.count = Expr::binding(kMergeParts);
  merge.start(body.prologue);
  merge.load_part(body.body, first);
  merge.merge_part(body.body);
  merge.finish(body.epilogue);
  return body;
}

}  // namespace tilewright
