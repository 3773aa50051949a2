#include "kernels/attention/attention_cube.h"

#include <algorithm>
#include <array>

#include "core/base/integers.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

/// Bindings of a run of steps: those of the tile whose scores, then of the one whose values are
/// computed. Tiles follow each other in a run.
enum Field {
  kRows,     ///< real rows of the query tile
  kHeadRow,  ///< of the KV head, within a block
  kChunk,    ///< of the first tile, in the table of chunks
  kTile,     ///< KV tiles that the core has done before
  kTask,     ///< tasks that the core has done before
  kLast,     ///< tokens in the tile's last chunk
  kWork,     ///< first row of the workspace of scores, or of probabilities
  kQuery,    ///< scores: first row in the query tensor; values: of the partial results
  kCol,      ///< 3 stages: first column of the scores
  kFields
};
// Then uses of the two slots of L0A with L0B, and of L0C, before the run, and its steps.
constexpr int kL0Before = 2 * kFields;
constexpr int kL0cBefore = kL0Before + 1;
constexpr int kCount = kL0Before + 2;
constexpr int kBindings = kCount + 1;

using Bindings = std::array<int64_t, kBindings>;

}  // namespace

/// The half of the bindings that speak of one tile.
struct AttentionCube::Side {
  int base = 0;

  Expr at(Field field) const { return Expr::binding(base + field); }
  Expr tile() const { return at(kTile) + Expr::index(); }
};

/// Where the steps of one side of a template stand in the rings of L0: behind `*_first` of the same
/// iteration, of which each has `*_each`.
struct AttentionCube::Uses {
  int64_t l0_first = 0, l0_each = 0;
  int64_t l0c_first = 0, l0c_each = 0;

  Expr l0(int64_t step) const {
    return Expr::ring(Expr::binding(kL0Before) + Expr::index() * l0_each + (l0_first + step), 2);
  }
  Expr l0c(int64_t step) const {
    return Expr::ring(Expr::binding(kL0cBefore) + Expr::index() * l0c_each + (l0c_first + step), 2);
  }
};

/// Tokens of a step: all of them but the last of a ragged tile are whole.
Expr AttentionCube::tokens_of(const Side& side, const TileKind& kind, int64_t step, int64_t steps,
                              int64_t step_size) const {
  if (step + 1 < steps) return step_size;
  if (kind.chunks == 0) return plan_.tokens - step * step_size;
  return side.at(kLast) + ((kind.chunks - 1) * plan_.chunk - step * step_size);
}

Instruction AttentionCube::load_rows(int tensor, const Expr& row, const Expr& rows,
                                     const Expr& cols, const Expr& offset, int64_t stride) const {
  Instruction load;
  load.opcode = Opcode::kLoad;
  load.a = gm_tile(tensor, row, 0, rows, cols);
  load.a.type = shape_.type;
  load.dst = {.space = Memory::kL1,
              .offset = offset,
              .rows = rows,
              .cols = cols,
              .stride = stride,
              .type = shape_.type,
              .layout = Layout::kZn};
  return load;
}

/// Loads of a tile's keys or values, chunk by chunk through the table.
void AttentionCube::load_tokens(std::vector<Instruction>& list, const Side& side,
                                const TileKind& kind, int tensor, int64_t base, int64_t slot,
                                int64_t slots, int64_t cols, const FlagPair& ring) const {
  const int64_t chunks = kind.chunks > 0 ? kind.chunks : plan_.chunks;
  const Expr place = Expr::ring(side.tile(), slots) * slot;
  for (int64_t c = 0; c < chunks; ++c) {
    const bool last = c + 1 == chunks;
    const Expr rows = last && kind.chunks > 0 ? side.at(kLast) : Expr(plan_.chunk);
    const Expr entry = side.at(kChunk) + Expr::index() * plan_.chunks + c;
    Instruction load = load_rows(tensor, Expr::table(0, entry) + side.at(kHeadRow), rows, cols,
                                 place + (base + c * plan_.chunk * 32), plan_.l1_stride);
    if (c == 0) load = waiting(load, ring.free);
    if (last) load = setting(load, ring.full);
    list.push_back(load);
  }
}

/// Moves a part of a tile in L1, from `row` and `col` on, into L0.
Instruction AttentionCube::move(const Expr& offset, int64_t row, int64_t col, int64_t stride,
                                const Expr& rows, const Expr& cols, Memory target,
                                const Expr& target_offset, bool transpose) const {
  Instruction move;
  move.opcode = Opcode::kMove;
  move.transpose = transpose;
  // zN: a column of fractals further is `stride` rows of 32 bytes; a row further is 32 bytes.
  move.a = {.space = Memory::kL1,
            .offset = offset + (col * plan_.width / 32 * stride * 32 + row * 32),
            .rows = rows,
            .cols = cols,
            .stride = stride,
            .type = shape_.type,
            .layout = Layout::kZn};
  move.dst = {.space = target,
              .offset = target_offset,
              .rows = transpose ? cols : rows,
              .cols = transpose ? rows : cols,
              .type = shape_.type,
              .layout = target == Memory::kL0A ? Layout::kZz : Layout::kNz};
  return move;
}

Instruction AttentionCube::mmad(const Expr& m, const Expr& k, const Expr& n, const Expr& slot,
                                const Expr& l0c, bool adds) const {
  Instruction multiply;
  multiply.opcode = Opcode::kMmad;
  multiply.accumulate = adds ? Accumulate::kAlways : Accumulate::kNever;
  multiply.a = {.space = Memory::kL0A,
                .offset = slot * plan_.l0a_slot,
                .rows = m,
                .cols = k,
                .type = shape_.type,
                .layout = Layout::kZz};
  multiply.b = {.space = Memory::kL0B,
                .offset = slot * plan_.l0b_slot,
                .rows = k,
                .cols = n,
                .type = shape_.type,
                .layout = Layout::kNz};
  multiply.dst = {.space = Memory::kL0C,
                  .offset = l0c,
                  .rows = m,
                  .cols = n,
                  .type = DType::kF32,
                  .layout = Layout::kZn};
  return setting(waiting(multiply, flags_.l0.full), flags_.l0.free);
}

Instruction AttentionCube::drain(int tensor, const Expr& row, const Expr& col, const Expr& rows,
                                 const Expr& cols, const Expr& l0c) const {
  Instruction fixpipe;
  fixpipe.opcode = Opcode::kFixpipe;
  fixpipe.a = {.space = Memory::kL0C,
               .offset = l0c,
               .rows = rows,
               .cols = cols,
               .type = DType::kF32,
               .layout = Layout::kZn};
  fixpipe.dst = gm_tile(tensor, row, col, rows, cols);
  fixpipe.dst.type = DType::kF32;
  return fixpipe;
}

/// S = Q K^T of one KV tile.
void AttentionCube::emit_scores(std::vector<Instruction>& list, const TileKind& kind, int64_t steps,
                                const Uses& uses) const {
  const Side side{0};
  const bool whole_rows = plan_.pipeline == 3;
  const Expr rows = side.at(kRows);
  const Expr q_place = Expr::ring(side.at(kTask), plan_.q_slots) * plan_.q_slot + plan_.q_base;
  const Expr k_place = Expr::ring(side.tile(), plan_.k_slots) * plan_.k_slot + plan_.k_base;
  if (kind.first) {
    Instruction load =
        load_rows(tensors_.q, side.at(kQuery), rows, plan_.dim, q_place, plan_.tile_q);
    load = setting(waiting(load, flags_.q.free), flags_.q.full);
    // The rows' scores go where those of the task before last were.
    for (int64_t half = 0; whole_rows && half < kind.halves; ++half)
      load = waiting(load, flags_.rows[static_cast<size_t>(half)].free);
    list.push_back(load);
  }
  load_tokens(list, side, kind, tensors_.k, plan_.k_base, plan_.k_slot, plan_.k_slots, plan_.dim,
              flags_.k);
  const int64_t depth = ceil_div(plan_.dim, plan_.step_dim);
  for (int64_t n = 0; n < steps; ++n) {
    const Expr tokens = tokens_of(side, kind, n, steps, plan_.step_scores);
    const Expr l0c = uses.l0c(n) * plan_.l0c_slot;
    for (int64_t d = 0; d < depth; ++d) {
      const bool begins = n == 0 && d == 0;
      const bool ends = n + 1 == steps && d + 1 == depth;
      const int64_t dim = std::min(plan_.step_dim, plan_.dim - d * plan_.step_dim);
      const Expr slot = uses.l0(n * depth + d);
      Instruction move_q = waiting(move(q_place, 0, d * plan_.step_dim, plan_.tile_q, rows, dim,
                                        Memory::kL0A, slot * plan_.l0a_slot, false),
                                   flags_.l0.free);
      if (begins && kind.first) move_q = waiting(move_q, flags_.q.full);
      if (ends && kind.last) move_q = setting(move_q, flags_.q.free);
      list.push_back(move_q);
      Instruction move_k =
          setting(move(k_place, n * plan_.step_scores, d * plan_.step_dim, plan_.l1_stride, tokens,
                       dim, Memory::kL0B, slot * plan_.l0b_slot, true),
                  flags_.l0.full);
      if (begins) move_k = waiting(move_k, flags_.k.full);
      if (ends && !plan_.latent) move_k = setting(move_k, flags_.k.free);
      list.push_back(move_k);
      Instruction multiply = mmad(rows, dim, tokens, slot, l0c, d > 0);
      if (d == 0) multiply = waiting(multiply, flags_.l0c.free);
      if (d + 1 == depth) multiply = setting(multiply, flags_.l0c.full);
      list.push_back(multiply);
    }
    const Expr row = whole_rows
                         ? side.at(kWork)
                         : Expr::ring(side.tile(), plan_.fifo) * plan_.tile_q + side.at(kWork);
    const Expr col = whole_rows
                         ? side.at(kCol) + Expr::index() * plan_.tokens + n * plan_.step_scores
                         : Expr(n * plan_.step_scores);
    Instruction store = drain(tensors_.scores, row, col, rows, tokens, l0c);
    store = setting(waiting(store, flags_.l0c.full), flags_.l0c.free);
    for (int64_t half = 0; half < kind.halves; ++half) {
      const FlagPair& ready = flags_.scores[static_cast<size_t>(half)];
      if (n == 0) store = waiting(store, ready.free);
      if (n + 1 == steps) store = setting(store, ready.full);
    }
    list.push_back(store);
  }
}

/// O = P V of one KV tile; with 3 stages added to those of the tiles before it.
void AttentionCube::emit_values(std::vector<Instruction>& list, const TileKind& kind, int64_t steps,
                                const Uses& uses) const {
  const Side side{kFields};
  const bool sums = plan_.pipeline == 3;
  const Expr rows = side.at(kRows);
  const int64_t v_slots = plan_.latent ? plan_.k_slots : plan_.v_slots;
  const int64_t v_slot = plan_.latent ? plan_.k_slot : plan_.v_slot;
  const int64_t v_base = plan_.latent ? plan_.k_base : plan_.v_base;
  const Expr v_place = Expr::ring(side.tile(), v_slots) * v_slot + v_base;
  const Expr p_place = Expr::ring(side.tile(), plan_.p_slots) * plan_.p_slot + plan_.p_base;
  if (!plan_.latent) {
    load_tokens(list, side, kind, tensors_.v, v_base, v_slot, v_slots, plan_.v_dim, flags_.v);
  }
  const Expr all_tokens =
      kind.chunks == 0 ? Expr(plan_.tokens) : side.at(kLast) + (kind.chunks - 1) * plan_.chunk;
  Instruction load =
      load_rows(tensors_.probabilities, side.at(kWork), rows, all_tokens, p_place, plan_.tile_q);
  load.a.col = Expr::ring(side.tile(), plan_.fifo) * plan_.tokens;
  load = setting(waiting(load, flags_.p.free), flags_.p.full);
  for (int64_t half = 0; half < kind.halves; ++half) {
    const FlagPair& ready = flags_.probabilities[static_cast<size_t>(half)];
    load = setting(waiting(load, ready.full), ready.free);
  }
  list.push_back(load);
  const int64_t widths = ceil_div(plan_.v_dim, plan_.step_v);
  for (int64_t w = 0; w < widths; ++w) {
    const int64_t cols = std::min(plan_.step_v, plan_.v_dim - w * plan_.step_v);
    const Expr l0c = sums ? Expr(plan_.l0c_sum + plan_.tile_q * w * plan_.step_v * 4)
                          : uses.l0c(w) * plan_.l0c_slot;
    for (int64_t t = 0; t < steps; ++t) {
      const bool begins = w == 0 && t == 0;
      const bool ends = w + 1 == widths && t + 1 == steps;
      const Expr tokens = tokens_of(side, kind, t, steps, plan_.step_values);
      const Expr slot = uses.l0(w * steps + t);
      Instruction move_p = waiting(move(p_place, 0, t * plan_.step_values, plan_.tile_q, rows,
                                        tokens, Memory::kL0A, slot * plan_.l0a_slot, false),
                                   flags_.l0.free);
      if (begins) move_p = waiting(move_p, flags_.p.full);
      if (ends) move_p = setting(move_p, flags_.p.free);
      list.push_back(move_p);
      Instruction move_v =
          setting(move(v_place, t * plan_.step_values, w * plan_.step_v, plan_.l1_stride, tokens,
                       cols, Memory::kL0B, slot * plan_.l0b_slot, false),
                  flags_.l0.full);
      if (begins && !plan_.latent) move_v = waiting(move_v, flags_.v.full);
      if (ends) move_v = setting(move_v, plan_.latent ? flags_.k.free : flags_.v.free);
      list.push_back(move_v);
      Instruction multiply = mmad(rows, tokens, cols, slot, l0c, t > 0 || (sums && !kind.first));
      if (sums) {
        if (begins && kind.first) multiply = waiting(multiply, flags_.sum.free);
        if (ends && kind.last) multiply = setting(multiply, flags_.sum.full);
      } else {
        if (t == 0) multiply = waiting(multiply, flags_.l0c.free);
        if (t + 1 == steps) multiply = setting(multiply, flags_.l0c.full);
      }
      list.push_back(multiply);
    }
    if (!sums) drain_values(list, kind, w, cols, l0c, flags_.l0c, true, true);
  }
  for (int64_t w = 0; sums && kind.last && w < widths; ++w) {
    const int64_t cols = std::min(plan_.step_v, plan_.v_dim - w * plan_.step_v);
    drain_values(list, kind, w, cols, plan_.l0c_sum + plan_.tile_q * w * plan_.step_v * 4,
                 flags_.sum, w == 0, w + 1 == widths);
  }
}

/// Stores columns of a tile's results. `waits`, `frees`: whether it is the first and the last use
/// of what `slot` guards.
void AttentionCube::drain_values(std::vector<Instruction>& list, const TileKind& kind, int64_t step,
                                 int64_t cols, const Expr& l0c, const FlagPair& slot, bool waits,
                                 bool frees) const {
  const Side side{kFields};
  const bool sums = plan_.pipeline == 3;
  const Expr row =
      sums ? side.at(kQuery) : Expr::ring(side.tile(), plan_.fifo) * plan_.tile_q + side.at(kQuery);
  const int64_t col = step * plan_.step_v;
  Instruction store = drain(tensors_.partial, row, col, side.at(kRows), cols, l0c);
  if (waits) store = waiting(store, slot.full);
  if (frees) store = setting(store, slot.free);
  for (int64_t half = 0; half < kind.halves; ++half) {
    const FlagPair& ready = flags_.partial[static_cast<size_t>(half)];
    if (step == 0) store = waiting(store, ready.free);
    if (col + cols == plan_.v_dim) store = setting(store, ready.full);
  }
  list.push_back(store);
}

/// Uses of L0A with L0B, and of L0C, for so many steps of scores and of values.
int64_t AttentionCube::l0_uses(int64_t score_steps, int64_t value_steps) const {
  return score_steps * ceil_div(plan_.dim, plan_.step_dim) +
         value_steps * ceil_div(plan_.v_dim, plan_.step_v);
}

int64_t AttentionCube::l0c_uses(int64_t score_steps, int64_t value_steps) const {
  const bool drains = plan_.pipeline != 3 && value_steps > 0;
  return score_steps + (drains ? ceil_div(plan_.v_dim, plan_.step_v) : 0);
}

int AttentionCube::template_of(const TileKind& scores, int64_t score_steps, const TileKind& values,
                               int64_t value_steps) {
  int& known = templates_[{scores, score_steps, values, value_steps}];
  if (known > 0) return known - 1;
  Template body;
  body.name = !values.used ? "scores" : !scores.used ? "values" : "scores_values";
  body.kind = CoreKind::kAic;
  body.bindings = kBindings;
  body.count = Expr::binding(kCount);
  Uses uses{0, l0_uses(score_steps, value_steps), 0, l0c_uses(score_steps, value_steps)};
  if (scores.used) emit_scores(body.body, scores, score_steps, uses);
  uses.l0_first = l0_uses(score_steps, 0);
  uses.l0c_first = l0c_uses(score_steps, 0);
  if (values.used) emit_values(body.body, values, value_steps, uses);
  known = launch_.add_template(std::move(body)) + 1;
  return known - 1;
}

void AttentionCube::add_program(CoreProgram& core, int64_t group,
                                std::span<const AttentionTask> tasks) {
  const bool whole_rows = plan_.pipeline == 3;
  std::vector<int64_t> tiles;
  std::vector<int64_t> before = {0};
  for (const AttentionTask& task : tasks) {
    tiles.push_back(task.tiles(plan_));
    before.push_back(before.back() + tiles.back());
  }
  const int64_t fifo_row = group * plan_.fifo * plan_.tile_q;
  const auto task_row = [&](int64_t task) { return (group * 2 + task % 2) * plan_.tile_q; };
  const auto fill = [&](Bindings& bindings, int base, const TileRef& ref, const KvTile& tile) {
    const AttentionTask& task = tasks[static_cast<size_t>(ref.task)];
    const auto set = [&](Field field, int64_t value) {
      bindings[static_cast<size_t>(base + field)] = value;
    };
    set(kRows, task.rows);
    set(kHeadRow, task.head_row);
    set(kChunk, task.first_chunk + ref.tile * plan_.chunks);
    set(kTile, before[static_cast<size_t>(ref.task)] + ref.tile);
    set(kTask, ref.task);
    set(kLast, tile.last_rows);
    const bool scores = base == 0;
    set(kWork, !scores ? group * plan_.tile_q : whole_rows ? task_row(ref.task) : fifo_row);
    set(kQuery, scores ? task.query_row : whole_rows ? task_row(ref.task) : fifo_row);
    set(kCol, tile.begin);
  };
  int64_t l0_before = 0;
  int64_t l0c_before = 0;
  for (const PipeRun& run :
       pipe_runs(cube_steps(plan_, tiles, tiles_ahead(plan_, tasks, group)), tasks, plan_)) {
    Bindings bindings{};
    const auto steps = [](const KvTile& tile, int64_t size) { return ceil_div(tile.tokens, size); };
    TileKind kinds[2];
    int64_t step_counts[2] = {0, 0};
    if (run.step.first.used()) {
      kinds[0] = run.first.kind;
      step_counts[0] = steps(run.first, plan_.step_scores);
      fill(bindings, 0, run.step.first, run.first);
    }
    if (run.step.second.used()) {
      kinds[1] = run.second.kind;
      step_counts[1] = steps(run.second, plan_.step_values);
      fill(bindings, kFields, run.step.second, run.second);
    }
    bindings[kL0Before] = l0_before;
    bindings[kL0cBefore] = l0c_before;
    bindings[kCount] = run.count;
    l0_before += run.count * l0_uses(step_counts[0], step_counts[1]);
    l0c_before += run.count * l0c_uses(step_counts[0], step_counts[1]);
    core.add(template_of(kinds[0], step_counts[0], kinds[1], step_counts[1]), bindings);
  }
}

}  // namespace tilewright
