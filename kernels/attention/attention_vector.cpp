#include "kernels/attention/attention_vector.h"

#include <algorithm>
#include <cmath>

#include "core/base/integers.h"
#include "kernels/attention/attention_vector_parts.h"
#include "kernels/attention/kv_reduce.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

AttentionVector::Work AttentionVector::work_of(const AttentionTask& task, const KvTile& tile,
                                               int half) const {
  Work work;
  work.kind = tile.kind;
  const int64_t first = first_half(task.rows, plan_.halves);
  const int64_t rows = half == 0 ? first : task.rows - first;
  work.parts = ceil_div(rows, plan_.ub.rows);
  work.is_part = task.parts > 1;
  if (!tile.masked || rows == 0) return work;
  work.mask = task.mask;
  work.heads = task.heads;
  if (task.mask == AttentionMask::kTree) {
    work.tree_rows = rows;
    work.tree_phase = half == 0 ? 0 : first % task.heads;
  }
  return work;
}

int AttentionVector::template_of(const Key& key) {
  int& known = templates_[key];
  if (known > 0) return known - 1;
  const auto& [half, first, second, finish] = key;
  Template body;
  body.kind = CoreKind::kAiv;
  body.bindings = kVectorBindings;
  body.count = Expr::binding(kVectorCount);
  const bool masked = first.mask != AttentionMask::kNone || second.mask != AttentionMask::kNone;
  if (finish) {
    body.name = "store";
    emit_finish(body.body, half, second);
  } else if (plan_.pipeline == 3) {
    body.name = !second.kind.used  ? "maxima"
                : !first.kind.used ? "probabilities"
                                   : "maxima_probabilities";
    if (first.kind.used) emit_maxima(body.body, half, first, second);
    if (second.kind.used) emit_probabilities(body.body, half, second, first);
  } else {
    body.name = !second.kind.used ? "softmax" : !first.kind.used ? "update" : "softmax_update";
    if (first.kind.used) emit_softmax(body.body, half, first);
    if (second.kind.used) emit_update(body.body, half, second);
  }
  if (masked) body.name += "_masked";
  body.name += "_" + std::to_string(half);
  known = launch_.add_template(std::move(body)) + 1;
  return known - 1;
}

void AttentionVector::add_program(CoreProgram& core, int64_t group, int half,
                                  std::span<const AttentionTask> tasks) {
  std::vector<int64_t> tiles;
  std::vector<int64_t> before = {0};
  for (const AttentionTask& task : tasks) {
    tiles.push_back(task.tiles(plan_));
    before.push_back(before.back() + tiles.back());
  }
  // With 4 stages a task of few rows is the first core's alone.
  const auto mine = [&](const TileRef& ref) {
    if (!ref.used() || half == 0 || plan_.pipeline == 3) return ref.used();
    const int64_t rows = tasks[static_cast<size_t>(ref.task)].rows;
    return first_half(rows, plan_.halves) < rows;
  };
  std::vector<PipeStep> steps;
  for (PipeStep step : vector_steps(plan_, tiles)) {
    if (step.finish >= 0 && mine({step.finish, 0})) steps.push_back({{}, {}, step.finish});
    step.finish = -1;
    if (!mine(step.first)) step.first = {};
    if (!mine(step.second)) step.second = {};
    if (step.first.used() || step.second.used()) steps.push_back(step);
  }
  VectorPlaces places{plan_, group, half};
  const std::vector<PipeRun> runs = pipe_runs(steps, tasks, plan_);
  for (const PipeRun& run : runs) {
    VectorBindings bindings{};
    Work works[2];
    const auto add = [&](int side, const TileRef& ref, const KvTile& tile) {
      const AttentionTask& task = tasks[static_cast<size_t>(ref.task)];
      works[side] = work_of(task, tile, half);
      places.fill(bindings, side, task, ref, tile, before[static_cast<size_t>(ref.task)]);
    };
    const bool finish = run.step.finish >= 0;
    if (finish) {
      const AttentionTask& task = tasks[static_cast<size_t>(run.step.finish)];
      add(1, {run.step.finish, 0}, KvTile(task, 0, plan_));
      works[1].kind = {.used = true, .halves = works[1].kind.halves};
      works[1].mask = AttentionMask::kNone;
      works[1].heads = 1;
      works[1].tree_rows = works[1].tree_phase = 0;
    } else {
      if (run.step.first.used()) add(0, run.step.first, run.first);
      if (run.step.second.used()) add(1, run.step.second, run.second);
    }
    works[0].is_part = false;
    works[1].is_part = works[1].is_part && works[1].kind.last;
    works[1].ends_parts = flags_.parts_done >= 0 && &run == &runs.back();
    bindings[kVectorCount] = run.count;
    places.count(bindings, works[0].parts, works[1].parts, run.count, finish);
    core.add(template_of({half, works[0], works[1], finish}), bindings);
  }
}

AttentionVector::Part AttentionVector::part_of(const Side& side, const Work& work,
                                               int64_t number) const {
  const bool last = number + 1 == work.parts;
  return {number * plan_.ub.rows, last ? side.at(kRows) : Expr(plan_.ub.rows), number == 0, last,
          number};
}

Tile AttentionVector::rows_of(const Part& part, const Expr& place, const Expr& cols, DType type,
                              int64_t stride) const {
  return ub_tile(place, part.rows, cols, stride, type);
}

/// Takes part in a tile of which no row is this core's: flags are passed on.
Instruction AttentionVector::pass(std::initializer_list<int> waits,
                                  std::initializer_list<int> sets) const {
  const Tile scratch = ub_tile(plan_.ub.tile_maximum, 1, 1, 0, DType::kF32);
  Instruction pass = scalar_op(VectorOp::kDup, scratch, {}, 0);
  for (int flag : waits) pass = waiting(pass, flag);
  for (int flag : sets) pass = setting(pass, flag);
  return pass;
}

/// One f32 a row, from the part's first row on.
Tile AttentionVector::column(const Part& part, const Expr& place) const {
  return ub_tile(place + part.first_row * 4, part.rows, 1, 0, DType::kF32);
}

Tile AttentionVector::ring_column(const Part& part, int64_t base, const Expr& number) const {
  return column(part, Expr::ring(number, plan_.ub.ring) * plan_.ub.column_slot + base);
}

Tile AttentionVector::scores(const Side& side, const Part& part, const Expr& slot) const {
  return rows_of(part, slot * plan_.ub.score_slot + plan_.ub.scores, side.tokens(plan_),
                 DType::kF32, plan_.ub.stride);
}

void AttentionVector::load_scores(std::vector<Instruction>& list, int half, const Side& side,
                                  const Part& part, const Tile& s, bool takes, bool gives) const {
  const bool whole_rows = plan_.pipeline == 3;
  const Expr row = whole_rows ? side.at(kScores) + part.first_row
                              : Expr::ring(side.tile(), plan_.fifo) * plan_.tile_q +
                                    side.at(kScores) + part.first_row;
  const Expr col = whole_rows ? side.at(kCol) + Expr::index() * plan_.tokens : Expr(0);
  Instruction load = load_tile(gm_tile(tensors_.scores, row, col, part.rows, s.cols), s);
  load = setting(waiting(load, flags_.ub_scores.free), flags_.ub_scores.full);
  const FlagPair& ready = flags_.scores[static_cast<size_t>(half)];
  if (takes && part.is_first) load = waiting(load, ready.full);
  if (takes && part.is_last) load = setting(load, ready.free);
  if (gives) load = setting(load, flags_.rows[static_cast<size_t>(half)].free);
  list.push_back(load);
}

/// Masks scaled scores.
void AttentionVector::add_mask(std::vector<Instruction>& list, const Side& side, const Work& work,
                               const Part& part, const Tile& s) const {
  if (work.mask == AttentionMask::kTree) add_tree(list, side, work, part, s);
  if (work.mask != AttentionMask::kCausal) return;
  Instruction mask = vector_op(VectorOp::kMask, s, s);
  mask.scalar_expr = side.at(kVisible) + Expr::index() * -plan_.tokens;
  mask.row_expr = side.at(kPhase) + part.first_row;
  mask.divisor = work.heads;
  list.push_back(mask);
}

/// Adds the rows of an external mask to the corner of the scores that it speaks of.
void AttentionVector::add_tree(std::vector<Instruction>& list, const Side& side, const Work& work,
                               const Part& part, const Tile& s) const {
  const int64_t rows = std::min(plan_.ub.rows, work.tree_rows - part.first_row);
  const int64_t first = work.tree_phase + part.first_row;  // row of its token's heads
  const int64_t tokens = (first + rows - 1) / work.heads - first / work.heads + 1;
  const Expr cols = side.at(kMaskCols);
  const Tile mask = ub_tile(plan_.ub.mask, tokens, cols, plan_.ub.stride, DType::kF32);
  const Instruction load = load_tile(gm_tile(tensors_.mask, side.at(kMaskRow) + first / work.heads,
                                             side.at(kMaskCol), tokens, cols),
                                     mask);
  list.push_back(setting(waiting(load, flags_.ub_mask.free), flags_.ub_mask.full));
  for (int64_t row = 0; row < rows;) {
    // The heads of one token share a row of the mask.
    const int64_t token = (first + row) / work.heads - first / work.heads;
    const int64_t heads = std::min(rows - row, work.heads - (first + row) % work.heads);
    const Tile target = ub_tile(s.offset + row * plan_.ub.stride * 4 + side.at(kMaskPlace) * 4,
                                heads, cols, plan_.ub.stride, DType::kF32);
    const Tile one = ub_tile(plan_.ub.mask + token * plan_.ub.stride * 4, 1, cols, 0, DType::kF32);
    Instruction add = vector_op(VectorOp::kAdd, target, target, one);
    if (row == 0) add = waiting(add, flags_.ub_mask.full);
    row += heads;
    if (row == rows) add = setting(add, flags_.ub_mask.free);
    list.push_back(add);
  }
}

/// Whether a tile's columns are folded upon each other before its rows are reduced: adds or maxima
/// of whole blocks cost 2 cycles a repeat where a row reduction costs 7. Not worth it for the few
/// rows of a decode, which waits for HBM.
bool AttentionVector::folds(const Work& work) const {
  const bool few_rows = work.kind.halves < plan_.halves;
  return work.kind.chunks == 0 && plan_.tokens % plan_.ub.wide == 0 && !few_rows;
}

/// Folds the blocks of a full tile's columns pair by pair; neighbours begin in different halves of
/// the bank groups. Returns where the result is: one block of columns.
Tile AttentionVector::fold(std::vector<Instruction>& list, VectorOp op, const Part& part,
                           const Tile& s) const {
  const int64_t blocks = plan_.tokens / plan_.ub.wide;
  const auto block = [&](int64_t number) {
    return columns_of(s, number * plan_.ub.wide, plan_.ub.wide);
  };
  if (blocks == 1) return s;
  const Tile folded = rows_of(part, plan_.ub.fold, plan_.ub.wide, DType::kF32, 0);
  const Tile pair = rows_of(part, plan_.ub.fold_pair, plan_.ub.wide, DType::kF32, 0);
  list.push_back(vector_op(op, folded, block(0), block(1)));
  for (int64_t next = 2; next < blocks; next += 2) {
    const bool has_pair = next + 1 < blocks;
    if (has_pair) list.push_back(vector_op(op, pair, block(next), block(next + 1)));
    list.push_back(vector_op(op, folded, folded, has_pair ? pair : block(next)));
  }
  return folded;
}

void AttentionVector::store_probabilities(std::vector<Instruction>& list, int half,
                                          const Side& side, const Part& part, const Tile& s,
                                          const Expr& slot) const {
  const Tile p = rows_of(part, slot * plan_.ub.probability_slot + plan_.ub.probabilities, s.cols,
                         shape_.type, plan_.ub.stride);
  list.push_back(
      setting(waiting(setting(round_op(p, s), flags_.ub_scores.free), flags_.ub_probabilities.free),
              flags_.ub_probabilities.full));
  const Expr col = Expr::ring(side.tile(), plan_.fifo) * plan_.tokens;
  Instruction store =
      store_tile(p, gm_tile(tensors_.probabilities, side.at(kProbabilities) + part.first_row, col,
                            part.rows, s.cols));
  store = setting(waiting(store, flags_.ub_probabilities.full), flags_.ub_probabilities.free);
  const FlagPair& ready = flags_.probabilities[static_cast<size_t>(half)];
  if (part.is_first) store = waiting(store, ready.free);
  if (part.is_last) store = setting(store, ready.full);
  list.push_back(store);
}

void AttentionVector::load_partial(std::vector<Instruction>& list, int half, const Side& side,
                                   const Part& part, const Tile& o) const {
  const Expr row = plan_.pipeline == 3 ? side.at(kPartial) + part.first_row
                                       : Expr::ring(side.tile(), plan_.fifo) * plan_.tile_q +
                                             side.at(kPartial) + part.first_row;
  Instruction load = load_tile(gm_tile(tensors_.partial, row, 0, part.rows, plan_.v_dim), o);
  load = setting(waiting(load, flags_.ub_partial.free), flags_.ub_partial.full);
  const FlagPair& ready = flags_.partial[static_cast<size_t>(half)];
  if (part.is_first) load = waiting(load, ready.full);
  if (part.is_last) load = setting(load, ready.free);
  list.push_back(load);
}

/// Divides by the sums of the rows and stores the result. A row that sees no key gives zeros.
void AttentionVector::store_out(std::vector<Instruction>& list, const Side& side, const Part& part,
                                const Tile& sum, int frees, bool ends) const {
  const Tile row_sum = ring_column(part, plan_.ub.row_sum, side.at(kTask));
  const Tile out = rows_of(part, plan_.ub.out, plan_.v_dim, shape_.type, 0);
  list.push_back(scalar_op(VectorOp::kAdds, row_sum, row_sum, kLeastSum));
  list.push_back(vector_op(VectorOp::kDiv, sum, sum, row_sum));
  Instruction convert =
      setting(waiting(round_op(out, sum), flags_.ub_out.free), flags_.ub_out.full);
  if (frees >= 0) convert = setting(convert, frees);
  list.push_back(convert);
  const Expr row = side.at(kOut) + part.first_row;
  Instruction store = store_tile(out, gm_tile(tensors_.out, row, 0, part.rows, plan_.v_dim));
  store = setting(waiting(store, flags_.ub_out.full), flags_.ub_out.free);
  list.push_back(ends ? setting(store, flags_.parts_done) : store);
}

/// Stores the result of a part of a task's keys, with its maximum and its sum beside it.
void AttentionVector::store_part(std::vector<Instruction>& list, const Side& side, const Work& work,
                                 const Part& part, const Tile& result) const {
  constexpr int64_t kHalf = KvReduction::kStatColumns / 2;
  const Tile stats = rows_of(part, plan_.ub.stats, KvReduction::kStatColumns, DType::kF32, 0);
  Tile half = stats;
  half.cols = kHalf;
  half.stride = KvReduction::kStatColumns;
  list.push_back(
      waiting(vector_op(VectorOp::kCopy, half, ring_column(part, plan_.ub.maximum, side.at(kTask))),
              flags_.ub_out.free));
  list.push_back(setting(vector_op(VectorOp::kCopy, columns_of(half, kHalf, kHalf),
                                   ring_column(part, plan_.ub.row_sum, side.at(kTask))),
                         flags_.ub_out.full));
  const Expr row = side.at(kOut) + part.first_row;
  list.push_back(
      waiting(store_tile(result, gm_tile(tensors_.parts, row, 0, part.rows, plan_.v_dim)),
              flags_.ub_out.full));
  Instruction store = store_tile(
      stats, gm_tile(tensors_.parts, row, plan_.v_dim, part.rows, KvReduction::kStatColumns));
  store = setting(setting(store, flags_.ub_out.free), flags_.ub_partial.free);
  list.push_back(work.ends_parts && part.is_last ? setting(store, flags_.parts_done) : store);
}

}  // namespace tilewright
