#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>

#include "core/base/integers.h"
#include "kernels/attention/attention.h"
#include "kernels/attention/attention_tiles.h"
#include "kernels/attention/attention_ub.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

/// The slot of a vector core within its group.
constexpr int kHalves = 2;

// Bindings of a cube task and of a vector task.
enum CubeBinding {
  kRow,          ///< first row in the query tensor
  kRows,         ///< real rows of the tile
  kHeadRow,      ///< first row of the KV head within a block
  kFirstBlock,   ///< of the sequence, in the table
  kTilesBefore,  ///< KV tiles that the core has done before
  kTasksBefore,  ///< tasks that the core has done before
  kLastRows,     ///< tokens in the last block
  kWorkRow,      ///< first row of the core's workspace
  kMiddle,       ///< KV tiles between the first and the last
  kCubeBindings
};
enum VectorBinding {
  vRow,      ///< first row in the output tensor
  vRows,     ///< real rows of this half of the tile
  vWorkRow,  ///< first row of this half in the core's workspace
  vTilesBefore,
  vVisible,   ///< tokens that the first of its rows sees
  vLastRows,  ///< tokens in the last block
  vMiddle,
  vVectorBindings
};

/// Which tile of the KV an instruction works on: its number within the task, and its tokens.
struct KvTile {
  Expr number = 0;
  int64_t blocks = 0;   // full blocks, but for the last
  bool ragged = false;  // the last block has kLastRows tokens
};

class AttentionBuilder {
 public:
  AttentionBuilder(const AttentionShape& shape, const Config& config, const Machine& machine)
      : shape_(shape),
        group_(shape.heads / shape.kv_heads),
        tile_q_(config.at("tile_q")),
        tile_kv_(config.at("tile_kv")),
        blocks_per_tile_(std::max<int64_t>(1, tile_kv_ / shape.block_size)),
        width_(bytes_of(shape.type)),
        cores_(machine.cores.aic),
        halves_(static_cast<int>(std::min<int64_t>(kHalves, machine.cores.aiv_per_aic))),
        ub_(shape, tile_q_, tile_kv_, machine) {}

  Launch build(std::span<const AttentionSequence> sequences, std::vector<int64_t> block_of) {
    launch_.name = "attention";
    const std::vector<QueryTile> tiles = split_queries(shape_, sequences, tile_q_, halves_);
    for (const QueryTile& tile : tiles) launch_.flops += flops_of(shape_, tile);
    add_tensors(sequences, block_of);
    add_flags();
    deal(tiles);
    return std::move(launch_);
  }

 private:
  void add_tensors(std::span<const AttentionSequence> sequences, std::vector<int64_t>& block_of) {
    int64_t tokens = 0;
    int64_t blocks = 0;
    for (const AttentionSequence& sequence : sequences) {
      tokens += sequence.tokens;
      blocks += ceil_div(sequence.context + sequence.tokens, shape_.block_size);
    }
    if (block_of.empty()) {
      block_of.resize(static_cast<size_t>(blocks));
      std::iota(block_of.begin(), block_of.end(), 0);
    }
    const int64_t physical = *std::max_element(block_of.begin(), block_of.end()) + 1;
    launch_.add_table(std::move(block_of));
    const int64_t q_rows = tokens * shape_.heads;
    const int64_t kv_rows = physical * shape_.kv_heads * shape_.block_size;
    const int64_t work_rows = cores_ * 2 * tile_q_;
    const auto tensor = [&](const char* name, DType type, int64_t rows, int64_t cols,
                            int64_t sector_rows) {
      launch_.add_tensor({name, type, Layout::kNd, rows, cols, sector_rows, cols, false});
    };
    tensor("q", shape_.type, q_rows, shape_.dim, group_);
    tensor("k", shape_.type, kv_rows, shape_.dim, shape_.block_size);
    tensor("v", shape_.type, kv_rows, shape_.dim, shape_.block_size);
    tensor("scores", DType::kF32, work_rows, tile_kv_, tile_q_);
    tensor("probabilities", shape_.type, work_rows, tile_kv_, tile_q_);
    tensor("partial", DType::kF32, work_rows, shape_.dim, tile_q_);
    for (size_t workspace : {3u, 4u, 5u}) launch_.tensors[workspace].workspace = true;
    tensor("out", shape_.type, q_rows, shape_.dim, group_);
  }

  int local(const char* name, FlagMeaning meaning, Memory space, int initial) {
    return launch_.add_flag({name, FlagScope::kCore, meaning, space, initial, 1});
  }
  int between(const std::string& name, FlagMeaning meaning, int initial) {
    return launch_.add_flag({name, FlagScope::kGroup, meaning, Memory::kGm, initial, 1});
  }

  void add_flags() {
    const auto data = FlagMeaning::kData;
    const auto space = FlagMeaning::kSpace;
    q_full_ = local("q_full", data, Memory::kL1, 0);
    q_free_ = local("q_free", space, Memory::kL1, 2);
    k_full_ = local("k_full", data, Memory::kL1, 0);
    k_free_ = local("k_free", space, Memory::kL1, 2);
    v_full_ = local("v_full", data, Memory::kL1, 0);
    v_free_ = local("v_free", space, Memory::kL1, 2);
    p_full_ = local("p_full", data, Memory::kL1, 0);
    p_free_ = local("p_free", space, Memory::kL1, 2);
    qk_full_ = local("qk_full", data, Memory::kL0A, 0);
    qk_free_ = local("qk_free", space, Memory::kL0A, 1);
    pv_full_ = local("pv_full", data, Memory::kL0A, 0);
    pv_free_ = local("pv_free", space, Memory::kL0A, 1);
    s_full_ = local("s_full", data, Memory::kL0C, 0);
    s_free_ = local("s_free", space, Memory::kL0C, 1);
    o_full_ = local("o_full", data, Memory::kL0C, 0);
    o_free_ = local("o_free", space, Memory::kL0C, 1);
    ub_s_full_ = local("ub_s_full", data, Memory::kUb, 0);
    ub_s_free_ = local("ub_s_free", space, Memory::kUb, 2);
    ub_p_full_ = local("ub_p_full", data, Memory::kUb, 0);
    ub_p_free_ = local("ub_p_free", space, Memory::kUb, 2);
    ub_o_full_ = local("ub_o_full", data, Memory::kUb, 0);
    ub_o_free_ = local("ub_o_free", space, Memory::kUb, 1);
    ub_out_full_ = local("ub_out_full", data, Memory::kUb, 0);
    ub_out_free_ = local("ub_out_free", space, Memory::kUb, 1);
    for (int half = 0; half < halves_; ++half) {
      const std::string suffix = "_" + std::to_string(half);
      scores_ready_[half] = between("scores_ready" + suffix, data, 0);
      scores_free_[half] = between("scores_free" + suffix, space, 2);
      probabilities_ready_[half] = between("probabilities_ready" + suffix, data, 0);
      probabilities_free_[half] = between("probabilities_free" + suffix, space, 2);
      partial_ready_[half] = between("partial_ready" + suffix, data, 0);
      partial_free_[half] = between("partial_free" + suffix, space, 2);
    }
  }

  // --- the cube core ---

  int64_t q_slot_bytes() const { return tile_q_ * shape_.dim * width_; }
  int64_t kv_slot_bytes() const { return tile_kv_ * shape_.dim * width_; }
  int64_t p_slot_bytes() const { return tile_q_ * tile_kv_ * width_; }
  int64_t score_bytes() const { return tile_q_ * tile_kv_ * 4; }

  Expr tokens_of(const KvTile& tile, int last_binding) const {
    if (!tile.ragged) return tile.blocks * shape_.block_size;
    return Expr::binding(last_binding) + (tile.blocks - 1) * shape_.block_size;
  }
  Expr ring(const KvTile& tile, int before) const {
    return Expr::ring(Expr::binding(before) + tile.number, 2);
  }

  static Instruction with(Instruction instruction, std::initializer_list<int> waits,
                          std::initializer_list<int> sets) {
    size_t i = 0;
    for (int flag : waits) instruction.waits[i++] = {flag};
    i = 0;
    for (int flag : sets) instruction.sets[i++] = {flag};
    return instruction;
  }

  /// Loads of a tile's keys or values, block by block through the table.
  void load_kv(std::vector<Instruction>& list, const KvTile& tile, int tensor, int64_t l1_base,
               int full, int free) const {
    for (int64_t b = 0; b < tile.blocks; ++b) {
      const bool last = b + 1 == tile.blocks;
      const Expr rows = last && tile.ragged ? Expr::binding(kLastRows) : Expr(shape_.block_size);
      const Expr entry = Expr::binding(kFirstBlock) + tile.number * blocks_per_tile_ + b;
      Instruction load;
      load.opcode = Opcode::kLoad;
      const Expr block_row = Expr::table(0, entry) * (shape_.kv_heads * shape_.block_size);
      load.a = {.space = Memory::kGm,
                .tensor = tensor,
                .row = block_row + Expr::binding(kHeadRow),
                .col = 0,
                .rows = rows,
                .cols = shape_.dim,
                .type = shape_.type};
      load.dst = {.space = Memory::kL1,
                  .offset = ring(tile, kTilesBefore) * kv_slot_bytes() +
                            (l1_base + b * shape_.block_size * 32),
                  .rows = rows,
                  .cols = shape_.dim,
                  .stride = tile_kv_,
                  .type = shape_.type,
                  .layout = Layout::kZn};
      if (b == 0) load.waits[0] = {free};
      if (last) load.sets[0] = {full};
      list.push_back(load);
    }
  }

  Instruction move(int64_t offset, const Expr& slot, const Expr& rows, const Expr& cols,
                   int64_t stride, Memory target, int64_t target_offset, bool transpose) const {
    Instruction move;
    move.opcode = Opcode::kMove;
    move.transpose = transpose;
    move.a = {.space = Memory::kL1,
              .offset = slot + offset,
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

  Instruction mmad(const Expr& m, const Expr& k, const Expr& n, int64_t l0a, int64_t l0b,
                   int64_t l0c) const {
    Instruction multiply;
    multiply.opcode = Opcode::kMmad;
    multiply.accumulate = Accumulate::kNever;
    multiply.a = {.space = Memory::kL0A,
                  .offset = l0a,
                  .rows = m,
                  .cols = k,
                  .type = shape_.type,
                  .layout = Layout::kZz};
    multiply.b = {.space = Memory::kL0B,
                  .offset = l0b,
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
    return multiply;
  }

  Instruction drain(int tensor, const KvTile& tile, const Expr& cols, int64_t l0c) const {
    Instruction fixpipe;
    fixpipe.opcode = Opcode::kFixpipe;
    fixpipe.a = {.space = Memory::kL0C,
                 .offset = l0c,
                 .rows = Expr::binding(kRows),
                 .cols = cols,
                 .type = DType::kF32,
                 .layout = Layout::kZn};
    fixpipe.dst = {.space = Memory::kGm,
                   .tensor = tensor,
                   .row = cube_work_row(tile),
                   .col = 0,
                   .rows = Expr::binding(kRows),
                   .cols = cols,
                   .type = DType::kF32};
    return fixpipe;
  }

  /// First row of a tile's workspace: two slots for each core.
  Expr cube_work_row(const KvTile& tile) const {
    return ring(tile, kTilesBefore) * tile_q_ + Expr::binding(kWorkRow);
  }
  Expr vector_work_row(const KvTile& tile) const {
    return ring(tile, vTilesBefore) * tile_q_ + Expr::binding(vWorkRow);
  }

  /// S = Q K^T of one KV tile.
  void emit_scores(std::vector<Instruction>& list, const KvTile& tile, bool first, bool last,
                   int halves) const {
    const Expr rows = Expr::binding(kRows);
    const Expr tokens = tokens_of(tile, kLastRows);
    const Expr q_slot = Expr::ring(Expr::binding(kTasksBefore), 2) * q_slot_bytes();
    load_kv(list, tile, 1, 2 * q_slot_bytes(), k_full_, k_free_);
    Instruction move_q = move(0, q_slot, rows, shape_.dim, tile_q_, Memory::kL0A, 0, false);
    move_q.waits[0] = {qk_free_};
    if (first) move_q.waits[1] = {q_full_};
    if (last) move_q.sets[0] = {q_free_};
    list.push_back(move_q);
    list.push_back(with(move(2 * q_slot_bytes(), ring(tile, kTilesBefore) * kv_slot_bytes(), tokens,
                             shape_.dim, tile_kv_, Memory::kL0B, 0, true),
                        {k_full_}, {k_free_, qk_full_}));
    list.push_back(
        with(mmad(rows, shape_.dim, tokens, 0, 0, 0), {qk_full_, s_free_}, {qk_free_, s_full_}));
    Instruction store = drain(3, tile, tokens, 0);
    store.waits[0] = {s_full_};
    store.sets[0] = {s_free_};
    for (int half = 0; half < halves; ++half) {
      store.waits[static_cast<size_t>(half) + 1] = {scores_free_[half]};
      store.sets[static_cast<size_t>(half) + 1] = {scores_ready_[half]};
    }
    list.push_back(store);
  }

  /// O = P V of one KV tile.
  void emit_values(std::vector<Instruction>& list, const KvTile& tile, int halves) const {
    const Expr rows = Expr::binding(kRows);
    const Expr tokens = tokens_of(tile, kLastRows);
    const int64_t v_base = 2 * q_slot_bytes() + 2 * kv_slot_bytes();
    const int64_t p_base = v_base + 2 * kv_slot_bytes();
    const Expr p_slot = ring(tile, kTilesBefore) * p_slot_bytes();
    load_kv(list, tile, 2, v_base, v_full_, v_free_);
    Instruction load;
    load.opcode = Opcode::kLoad;
    load.a = {.space = Memory::kGm,
              .tensor = 4,
              .row = cube_work_row(tile),
              .col = 0,
              .rows = rows,
              .cols = tokens,
              .type = shape_.type};
    load.dst = {.space = Memory::kL1,
                .offset = p_slot + p_base,
                .rows = rows,
                .cols = tokens,
                .stride = tile_q_,
                .type = shape_.type,
                .layout = Layout::kZn};
    load.waits[0] = {p_free_};
    load.sets[0] = {p_full_};
    for (int half = 0; half < halves; ++half) {
      load.waits[static_cast<size_t>(half) + 1] = {probabilities_ready_[half]};
      load.sets[static_cast<size_t>(half) + 1] = {probabilities_free_[half]};
    }
    list.push_back(load);
    const int64_t l0a = q_slot_bytes();
    const int64_t l0b = kv_slot_bytes();
    const int64_t l0c = score_bytes();
    list.push_back(with(move(p_base, p_slot, rows, tokens, tile_q_, Memory::kL0A, l0a, false),
                        {pv_free_, p_full_}, {p_free_}));
    list.push_back(with(move(v_base, ring(tile, kTilesBefore) * kv_slot_bytes(), tokens, shape_.dim,
                             tile_kv_, Memory::kL0B, l0b, false),
                        {v_full_}, {v_free_, pv_full_}));
    list.push_back(with(mmad(rows, tokens, shape_.dim, l0a, l0b, l0c), {pv_full_, o_free_},
                        {pv_free_, o_full_}));
    Instruction store = drain(5, tile, shape_.dim, l0c);
    store.waits[0] = {o_full_};
    store.sets[0] = {o_free_};
    for (int half = 0; half < halves; ++half) {
      store.waits[static_cast<size_t>(half) + 1] = {partial_free_[half]};
      store.sets[static_cast<size_t>(half) + 1] = {partial_ready_[half]};
    }
    list.push_back(store);
  }

  Instruction load_queries() const {
    Instruction load;
    load.opcode = Opcode::kLoad;
    load.a = {.space = Memory::kGm,
              .tensor = 0,
              .row = Expr::binding(kRow),
              .col = 0,
              .rows = Expr::binding(kRows),
              .cols = shape_.dim,
              .type = shape_.type};
    load.dst = {.space = Memory::kL1,
                .offset = Expr::ring(Expr::binding(kTasksBefore), 2) * q_slot_bytes(),
                .rows = Expr::binding(kRows),
                .cols = shape_.dim,
                .stride = tile_q_,
                .type = shape_.type,
                .layout = Layout::kZn};
    return with(load, {q_free_}, {q_full_});
  }

  // --- a vector core: `half` of the rows ---

  Tile ub(const Expr& offset, const Expr& cols, DType type) const {
    return {.space = Memory::kUb,
            .offset = offset,
            .rows = Expr::binding(vRows),
            .cols = cols,
            .type = type};
  }
  Tile column(int64_t offset) const { return ub(offset, 1, DType::kF32); }
  Tile factor(const KvTile& tile) const {
    return ub(ring(tile, vTilesBefore) * ub_.factor_slot + ub_.factors, 1, DType::kF32);
  }

  /// P = exp(S - max) with running maximum and sum.
  void emit_softmax(std::vector<Instruction>& list, const KvTile& tile, int half,
                    bool masked) const {
    const Expr tokens = tokens_of(tile, vLastRows);
    const Expr slot = ring(tile, vTilesBefore);
    const Tile s = ub(slot * ub_.score_slot + ub_.scores, tokens, DType::kF32);
    const Instruction load =
        load_tile(gm_tile(3, vector_work_row(tile), 0, Expr::binding(vRows), tokens), s);
    list.push_back(with(load, {scores_ready_[half], ub_s_free_}, {scores_free_[half], ub_s_full_}));
    const double scale = 1.0 / std::sqrt(static_cast<double>(shape_.dim));
    list.push_back(with(scalar_op(VectorOp::kMuls, s, s, scale), {ub_s_full_}, {}));
    if (masked) {
      Instruction mask = vector_op(VectorOp::kMask, s, s);
      mask.scalar_expr = Expr::binding(vVisible) + tile.number * -tile_kv_;
      mask.divisor = group_;
      list.push_back(mask);
    }
    list.push_back(vector_op(VectorOp::kRowMax, column(ub_.tile_maximum), s));
    list.push_back(vector_op(VectorOp::kMax, column(ub_.tile_maximum), column(ub_.tile_maximum),
                             column(ub_.maximum)));
    list.push_back(
        vector_op(VectorOp::kSub, factor(tile), column(ub_.maximum), column(ub_.tile_maximum)));
    list.push_back(vector_op(VectorOp::kExp, factor(tile), factor(tile)));
    list.push_back(vector_op(VectorOp::kCopy, column(ub_.maximum), column(ub_.tile_maximum)));
    list.push_back(vector_op(VectorOp::kSub, s, s, column(ub_.maximum)));
    list.push_back(vector_op(VectorOp::kExp, s, s));
    list.push_back(vector_op(VectorOp::kRowSum, column(ub_.tile_sum), s));
    list.push_back(
        vector_op(VectorOp::kMul, column(ub_.row_sum), column(ub_.row_sum), factor(tile)));
    list.push_back(
        vector_op(VectorOp::kAdd, column(ub_.row_sum), column(ub_.row_sum), column(ub_.tile_sum)));
    const Tile p = ub(slot * ub_.probability_slot + ub_.probabilities, tokens, shape_.type);
    list.push_back(
        with(vector_op(VectorOp::kConvert, p, s), {ub_p_free_}, {ub_s_free_, ub_p_full_}));
    const Instruction store =
        store_tile(p, gm_tile(4, vector_work_row(tile), 0, Expr::binding(vRows), tokens));
    list.push_back(with(store, {ub_p_full_, probabilities_free_[half]},
                        {ub_p_free_, probabilities_ready_[half]}));
  }

  /// acc = acc * factor + O.
  void emit_update(std::vector<Instruction>& list, const KvTile& tile, int half) const {
    const Tile o = ub(ub_.partial, shape_.dim, DType::kF32);
    const Tile acc = ub(ub_.sum, shape_.dim, DType::kF32);
    const Instruction load =
        load_tile(gm_tile(5, vector_work_row(tile), 0, Expr::binding(vRows), shape_.dim), o);
    list.push_back(
        with(load, {partial_ready_[half], ub_o_free_}, {partial_free_[half], ub_o_full_}));
    list.push_back(vector_op(VectorOp::kMul, acc, acc, factor(tile)));
    list.push_back(with(vector_op(VectorOp::kAdd, acc, acc, o), {ub_o_full_}, {ub_o_free_}));
  }

  void emit_start(std::vector<Instruction>& list) const {
    // A finite stand-in for minus infinity: the difference of two of them must stay a number.
    list.push_back(scalar_op(VectorOp::kDup, column(ub_.maximum), {}, -1e30));
    list.push_back(scalar_op(VectorOp::kDup, column(ub_.row_sum), {}, 0));
    list.push_back(scalar_op(VectorOp::kDup, ub(ub_.sum, shape_.dim, DType::kF32), {}, 0));
  }

  void emit_end(std::vector<Instruction>& list) const {
    const Tile acc = ub(ub_.sum, shape_.dim, DType::kF32);
    const Tile out = ub(ub_.out, shape_.dim, shape_.type);
    list.push_back(vector_op(VectorOp::kDiv, acc, acc, column(ub_.row_sum)));
    list.push_back(with(vector_op(VectorOp::kConvert, out, acc), {ub_out_free_}, {ub_out_full_}));
    const Instruction store =
        store_tile(out, gm_tile(6, Expr::binding(vRow), 0, Expr::binding(vRows), shape_.dim));
    list.push_back(with(store, {ub_out_full_}, {ub_out_free_}));
  }

  // --- tasks ---

  /// The KV tiles of a task with more than one: the first, those in the body, the last two.
  KvTile whole(const Expr& number) const { return {number, blocks_per_tile_, false}; }
  KvTile last(const Expr& number, int64_t blocks) const { return {number, blocks, true}; }

  /// Template of a cube task whose last KV tile has `blocks` blocks; `several` KV tiles or just
  /// one.
  int cube_template(int64_t blocks, bool several, int halves) {
    int& known = cube_templates_[{blocks, several, halves}];
    if (known > 0) return known - 1;
    Template body;
    body.name = several ? "cube" : "cube_one_tile";
    body.kind = CoreKind::kAic;
    body.bindings = kCubeBindings;
    body.prologue.push_back(load_queries());
    if (!several) {
      emit_scores(body.prologue, last(0, blocks), true, true, halves);
      emit_values(body.prologue, last(0, blocks), halves);
    } else {
      const Expr middle = Expr::binding(kMiddle);
      body.count = middle;
      emit_scores(body.prologue, whole(0), true, false, halves);
      emit_scores(body.body, whole(Expr::index() + 1), false, false, halves);
      emit_values(body.body, whole(Expr::index()), halves);
      emit_scores(body.epilogue, last(middle + 1, blocks), false, true, halves);
      emit_values(body.epilogue, whole(middle), halves);
      emit_values(body.epilogue, last(middle + 1, blocks), halves);
    }
    known = launch_.add_template(std::move(body)) + 1;
    return known - 1;
  }

  int vector_template(int half, int64_t blocks, bool several, bool masked) {
    int& known = vector_templates_[{half, blocks, several, masked}];
    if (known > 0) return known - 1;
    Template body;
    body.name = fmt::format("softmax_{}{}", half, masked ? "_masked" : "");
    body.kind = CoreKind::kAiv;
    body.bindings = vVectorBindings;
    emit_start(body.prologue);
    if (!several) {
      emit_softmax(body.prologue, last(0, blocks), half, masked);
      emit_update(body.prologue, last(0, blocks), half);
    } else {
      const Expr middle = Expr::binding(vMiddle);
      body.count = middle;
      emit_softmax(body.prologue, whole(0), half, masked);
      emit_softmax(body.body, whole(Expr::index() + 1), half, masked);
      emit_update(body.body, whole(Expr::index()), half);
      emit_softmax(body.epilogue, last(middle + 1, blocks), half, masked);
      emit_update(body.epilogue, whole(middle), half);
      emit_update(body.epilogue, last(middle + 1, blocks), half);
    }
    emit_end(body.epilogue);
    known = launch_.add_template(std::move(body)) + 1;
    return known - 1;
  }

  void deal(std::vector<QueryTile> tiles) {
    // Load = rows x keys; equal loads keep their order, so that the result is one and the same.
    std::stable_sort(tiles.begin(), tiles.end(), [](const QueryTile& a, const QueryTile& b) {
      return a.rows * a.kv_length > b.rows * b.kv_length;
    });
    const auto count = static_cast<int64_t>(tiles.size());
    const int64_t used = std::min(cores_, count);
    const int stride = 1 + halves_;
    launch_.cores.resize(static_cast<size_t>(used * stride));
    for (int64_t c = 0; c < used; ++c) {
      for (int part = 0; part < stride; ++part) {
        CoreProgram& core = launch_.cores[static_cast<size_t>(c * stride + part)];
        core.kind = part == 0 ? CoreKind::kAic : CoreKind::kAiv;
        core.group = static_cast<int>(c);
      }
    }
    std::vector<int64_t> tasks(static_cast<size_t>(used));
    std::vector<int64_t> kv_tiles(static_cast<size_t>(used));
    for (int64_t t = 0; t < count; ++t) {
      const int64_t round = t / used;
      const int64_t core = round % 2 == 0 ? t % used : used - 1 - t % used;
      add_task(tiles[static_cast<size_t>(t)], core, tasks[static_cast<size_t>(core)]++,
               kv_tiles[static_cast<size_t>(core)]);
    }
  }

  void add_task(const QueryTile& tile, int64_t core, int64_t task, int64_t& tiles_before) {
    const int64_t kv_tiles = ceil_div(tile.kv_length, tile_kv_);
    const int64_t in_last = tile.kv_length - (kv_tiles - 1) * tile_kv_;
    const int64_t blocks = ceil_div(in_last, shape_.block_size);
    const int64_t last_rows = in_last - (blocks - 1) * shape_.block_size;
    const bool several = kv_tiles > 1;
    const int64_t middle = std::max<int64_t>(0, kv_tiles - 2);
    const int halves = tile.first_rows < tile.rows ? halves_ : 1;
    const auto stride = static_cast<size_t>(1 + halves_);
    CoreProgram* group = &launch_.cores[static_cast<size_t>(core) * stride];
    const int64_t work_row = core * 2 * tile_q_;
    group[0].add(cube_template(blocks, several, halves),
                 {tile.first_row, tile.rows, tile.kv_head * shape_.block_size, tile.first_block,
                  tiles_before, task, last_rows, work_row, middle});
    for (int half = 0; half < halves; ++half) {
      const int64_t offset = half == 0 ? 0 : tile.first_rows;
      const int64_t rows = half == 0 && halves > 1 ? tile.first_rows : tile.rows - offset;
      const int64_t visible = tile.visible + (tile.masked ? offset / group_ : 0);
      // The workspace slot is the cube core's, which counts tiles of tasks with one half, too.
      group[1 + half].add(vector_template(half, blocks, several, tile.masked),
                          {tile.first_row + offset, rows, work_row + offset, tiles_before, visible,
                           last_rows, middle});
    }
    tiles_before += kv_tiles;
  }

  Launch launch_;
  AttentionShape shape_;
  int64_t group_, tile_q_, tile_kv_, blocks_per_tile_, width_, cores_;
  int halves_;
  AttentionUb ub_;
  std::map<std::tuple<int64_t, bool, int>, int> cube_templates_;  // number + 1
  std::map<std::tuple<int, int64_t, bool, bool>, int> vector_templates_;
  int q_full_ = 0, q_free_ = 0, k_full_ = 0, k_free_ = 0, v_full_ = 0, v_free_ = 0, p_full_ = 0,
      p_free_ = 0, qk_full_ = 0, qk_free_ = 0, pv_full_ = 0, pv_free_ = 0, s_full_ = 0, s_free_ = 0,
      o_full_ = 0, o_free_ = 0, ub_s_full_ = 0, ub_s_free_ = 0, ub_p_full_ = 0, ub_p_free_ = 0,
      ub_o_full_ = 0, ub_o_free_ = 0, ub_out_full_ = 0, ub_out_free_ = 0;
  int scores_ready_[kHalves] = {}, scores_free_[kHalves] = {}, probabilities_ready_[kHalves] = {},
      probabilities_free_[kHalves] = {}, partial_ready_[kHalves] = {}, partial_free_[kHalves] = {};
};

}  // namespace

Launch build_attention_launch(const AttentionShape& shape,
                              std::span<const AttentionSequence> sequences, const Config& config,
                              const Machine& machine, std::vector<int64_t> block_of) {
  return AttentionBuilder(shape, config, machine).build(sequences, std::move(block_of));
}

}  // namespace tilewright
