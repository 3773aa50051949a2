// What the vector cores do in each step of the two pipelines.
#include <cmath>

#include "kernels/attention/attention_vector_parts.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

/// P = exp(S - max) with running maximum and sum, and the factor by which the maximum's rise scales
/// what was summed before.
void AttentionVector::emit_softmax(std::vector<Instruction>& list, int half,
                                   const Work& work) const {
  const Side side{0, work.kind.chunks == 0};
  const double scale = 1.0 / std::sqrt(static_cast<double>(plan_.dim));
  for (int64_t number = 0; number < work.parts; ++number) {
    const Part part = part_of(side, work, number);
    const Expr used = Expr::index() * work.parts + number;
    const Tile s = scores(side, part, Expr::ring(Expr::binding(kScoresBefore) + used, 2));
    const Tile maximum = ring_column(part, plan_.ub.maximum, side.at(kTask));
    const Tile row_sum = ring_column(part, plan_.ub.row_sum, side.at(kTask));
    const Tile factor = ring_column(part, plan_.ub.factors, side.tile());
    const Tile tile_maximum = column(part, plan_.ub.tile_maximum);
    const Tile tile_sum = column(part, plan_.ub.tile_sum);
    load_scores(list, half, side, part, s, true, false);
    list.push_back(waiting(scalar_op(VectorOp::kMuls, s, s, scale), flags_.ub_scores.full));
    add_mask(list, side, work, part, s);
    if (work.kind.first) {
      list.push_back(scalar_op(VectorOp::kDup, maximum, {}, kLeastMaximum));
      list.push_back(scalar_op(VectorOp::kDup, row_sum, {}, 0));
    }
    const auto reduce = [&](VectorOp row_op, VectorOp op, const Tile& target) {
      const Tile folded = folds(work) ? fold(list, op, part, s) : s;
      list.push_back(vector_op(row_op, target, folded));
    };
    reduce(VectorOp::kRowMax, VectorOp::kMax, tile_maximum);
    list.push_back(vector_op(VectorOp::kMax, tile_maximum, tile_maximum, maximum));
    list.push_back(vector_op(VectorOp::kSub, factor, maximum, tile_maximum));
    list.push_back(vector_op(VectorOp::kExp, factor, factor));
    list.push_back(vector_op(VectorOp::kCopy, maximum, tile_maximum));
    list.push_back(vector_op(VectorOp::kSub, s, s, maximum));
    list.push_back(vector_op(VectorOp::kExp, s, s));
    reduce(VectorOp::kRowSum, VectorOp::kAdd, tile_sum);
    list.push_back(vector_op(VectorOp::kMul, row_sum, row_sum, factor));
    list.push_back(vector_op(VectorOp::kAdd, row_sum, row_sum, tile_sum));
    store_probabilities(list, half, side, part, s,
                        Expr::ring(Expr::binding(kProbabilitiesBefore) + used, 2));
  }
}

/// sum = sum * factor + O; the last one of a task is divided by the sums of the rows and stored.
void AttentionVector::emit_update(std::vector<Instruction>& list, int half,
                                  const Work& work) const {
  const Side side{1, work.kind.chunks == 0};
  for (int64_t number = 0; number < work.parts; ++number) {
    const Part part = part_of(side, work, number);
    const Expr used = Expr::index() * work.parts + number;
    const Expr slot = Expr::ring(Expr::binding(kPartialsBefore) + used, plan_.ub.partial_slots) *
                      plan_.ub.partial_slot;
    const Tile o = rows_of(part, slot + plan_.ub.partial, plan_.v_dim, DType::kF32, 0);
    const Tile sum =
        rows_of(part, plan_.ub.sum + part.first_row * plan_.v_dim * 4, plan_.v_dim, DType::kF32, 0);
    load_partial(list, half, side, part, o);
    const bool stores_part = work.kind.last && work.is_part;
    const Tile target = stores_part ? o : sum;
    Instruction take = vector_op(VectorOp::kCopy, target, o);
    if (!work.kind.first) {
      const Tile factor = ring_column(part, plan_.ub.factors, side.tile());
      list.push_back(vector_op(VectorOp::kMul, sum, sum, factor));
      take = vector_op(VectorOp::kAdd, target, sum, o);
    }
    take = waiting(take, flags_.ub_partial.full);
    list.push_back(stores_part ? take : setting(take, flags_.ub_partial.free));
    const bool ends = work.ends_parts && part.is_last;
    if (stores_part) {
      store_part(list, side, work, part, o);
    } else if (work.kind.last) {
      store_out(list, side, part, sum, -1, ends);
    }
  }
}

/// The maximum of each row over all of its keys.
void AttentionVector::emit_maxima(std::vector<Instruction>& list, int half, const Work& work,
                                  const Work& other) const {
  const FlagPair& ready = flags_.scores[static_cast<size_t>(half)];
  if (work.parts == 0) list.push_back(pass({ready.full}, {ready.free}));
  const Side side{0, work.kind.chunks == 0};
  const double scale = 1.0 / std::sqrt(static_cast<double>(plan_.dim));
  for (int64_t number = 0; number < work.parts; ++number) {
    const Part part = part_of(side, work, number);
    const Expr used = Expr::index() * (work.parts + other.parts) + number;
    const Tile s = scores(side, part, Expr::ring(Expr::binding(kScoresBefore) + used, 2));
    const Tile maximum = ring_column(part, plan_.ub.maximum, side.at(kTask));
    const Tile tile_maximum = column(part, plan_.ub.tile_maximum);
    const Tile wide = rows_of(part, plan_.ub.wide_max + part.first_row * plan_.ub.wide * 4,
                              plan_.ub.wide, DType::kF32, 0);
    load_scores(list, half, side, part, s, true, false);
    if (work.kind.first) {
      list.push_back(scalar_op(VectorOp::kDup, maximum, {}, kLeastMaximum));
      list.push_back(scalar_op(VectorOp::kDup, wide, {}, kLeastMaximum));
    }
    const size_t begin = list.size();
    if (work.mask == AttentionMask::kNone && folds(work)) {
      const Tile folded = fold(list, VectorOp::kMax, part, s);
      list.push_back(vector_op(VectorOp::kMax, wide, wide, folded));
    } else {
      list.push_back(scalar_op(VectorOp::kMuls, s, s, scale));
      add_mask(list, side, work, part, s);
      list.push_back(vector_op(VectorOp::kRowMax, tile_maximum, s));
    }
    list[begin] = waiting(list[begin], flags_.ub_scores.full);
    list.back() = setting(list.back(), flags_.ub_scores.free);
    if (work.mask != AttentionMask::kNone || !folds(work))
      list.push_back(vector_op(VectorOp::kMax, maximum, maximum, tile_maximum));
    if (!work.kind.last) continue;
    // Folded maxima are those of scores that are not scaled yet.
    list.push_back(vector_op(VectorOp::kRowMax, tile_maximum, wide));
    list.push_back(scalar_op(VectorOp::kMuls, tile_maximum, tile_maximum, scale));
    list.push_back(vector_op(VectorOp::kMax, maximum, maximum, tile_maximum));
  }
}

/// P = exp(S - max) of rows whose maximum is known, and their sum.
void AttentionVector::emit_probabilities(std::vector<Instruction>& list, int half, const Work& work,
                                         const Work& other) const {
  if (work.parts == 0) {
    const FlagPair& ready = flags_.probabilities[static_cast<size_t>(half)];
    list.push_back(pass({ready.free}, {ready.full}));
    if (work.kind.last)
      list.back() = setting(list.back(), flags_.rows[static_cast<size_t>(half)].free);
  }
  const Side side{1, work.kind.chunks == 0};
  const double scale = 1.0 / std::sqrt(static_cast<double>(plan_.dim));
  for (int64_t number = 0; number < work.parts; ++number) {
    const Part part = part_of(side, work, number);
    const Expr used = Expr::index() * (work.parts + other.parts) + (other.parts + number);
    const Tile s = scores(side, part, Expr::ring(Expr::binding(kScoresBefore) + used, 2));
    const Tile row_sum = ring_column(part, plan_.ub.row_sum, side.at(kTask));
    const Tile tile_sum = column(part, plan_.ub.tile_sum);
    const Tile wide = rows_of(part, plan_.ub.wide_sum + part.first_row * plan_.ub.wide * 4,
                              plan_.ub.wide, DType::kF32, 0);
    load_scores(list, half, side, part, s, false, work.kind.last && part.is_last);
    if (work.kind.first) {
      list.push_back(scalar_op(VectorOp::kDup, row_sum, {}, 0));
      list.push_back(scalar_op(VectorOp::kDup, wide, {}, 0));
    }
    list.push_back(waiting(scalar_op(VectorOp::kMuls, s, s, scale), flags_.ub_scores.full));
    add_mask(list, side, work, part, s);
    list.push_back(
        vector_op(VectorOp::kSub, s, s, ring_column(part, plan_.ub.maximum, side.at(kTask))));
    list.push_back(vector_op(VectorOp::kExp, s, s));
    if (folds(work)) {
      const Tile folded = fold(list, VectorOp::kAdd, part, s);
      list.push_back(vector_op(VectorOp::kAdd, wide, wide, folded));
    } else {
      list.push_back(vector_op(VectorOp::kRowSum, tile_sum, s));
      list.push_back(vector_op(VectorOp::kAdd, row_sum, row_sum, tile_sum));
    }
    store_probabilities(
        list, half, side, part, s,
        Expr::ring(Expr::binding(kProbabilitiesBefore) + Expr::index() * work.parts + number, 2));
    if (!work.kind.last) continue;
    list.push_back(vector_op(VectorOp::kRowSum, tile_sum, wide));
    list.push_back(vector_op(VectorOp::kAdd, row_sum, row_sum, tile_sum));
  }
}

/// Stores the results of a task whose values are summed.
void AttentionVector::emit_finish(std::vector<Instruction>& list, int half,
                                  const Work& work) const {
  const FlagPair& ready = flags_.partial[static_cast<size_t>(half)];
  if (work.parts == 0) list.push_back(pass({ready.full}, {ready.free}));
  const Side side{1, true};
  for (int64_t number = 0; number < work.parts; ++number) {
    const Part part = part_of(side, work, number);
    const Expr slot = Expr::ring(Expr::binding(kPartialsBefore) + number, plan_.ub.partial_slots) *
                      plan_.ub.partial_slot;
    const Tile o = rows_of(part, slot + plan_.ub.partial, plan_.v_dim, DType::kF32, 0);
    load_partial(list, half, side, part, o);
    const size_t begin = list.size();
    store_out(list, side, part, o, flags_.ub_partial.free, false);
    list[begin] = waiting(list[begin], flags_.ub_partial.full);
  }
}

}  // namespace tilewright
