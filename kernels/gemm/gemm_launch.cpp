#include "kernels/gemm/gemm_launch.h"

#include <algorithm>

#include "core/base/integers.h"

namespace tilewright {

namespace {

// Bindings of a task: the tile's place and real size, and how many K chunks, K steps and tiles the
// core has done before it (positions in the rings of L1, L0 and L0C).
enum Binding { kRow, kCol, kRows, kCols, kChunksBefore, kStepsBefore, kTilesBefore, kBindings };

/// Everything about the launch that its instructions refer to.
class GemmBuilder {
 public:
  GemmBuilder(const Problem& problem, const Config& config, const Machine& machine, int64_t rows)
      : type_(problem.types[0]),
        sum_type_(accumulator_of(problem.types[0])),
        out_type_(problem.types[2]),
        m_(rows),
        n_(problem.size("n")),
        k_(problem.size("k")),
        tile_m_(round_up(config.at("tile_m"), 16)),
        tile_n_(
            round_up(config.at("tile_n"), std::max<int64_t>(16, 32 / bytes_of(problem.types[0])))),
        chunk_(config.at("tile_k")),
        step_(config.at("tile_k0")),
        l1_buffers_(config.at("l1_buffers")),
        l0c_buffers_(config.at("l0c_buffers")),
        band_(config.at("swizzle")),
        core_rows_(config.at("core_rows")),
        cores_(machine.cores.aic) {
    launch_.name = problem.text();
    launch_.flops = 2.0 * static_cast<double>(problem.size("m")) * static_cast<double>(n_) *
                    static_cast<double>(k_);
    const Layout weights = problem.layouts[1] == "nz" ? Layout::kZn : Layout::kNd;
    launch_.add_tensor({"a", type_, Layout::kNd, m_, k_, tile_m_, chunk_});
    launch_.add_tensor({"b", type_, weights, k_, n_, chunk_, tile_n_});
    launch_.add_tensor({"c", out_type_, Layout::kNd, m_, n_, tile_m_, tile_n_});
    const auto flag = [&](const char* name, FlagMeaning meaning, Memory space, int64_t initial) {
      return launch_.add_flag({name, FlagScope::kCore, meaning, space, static_cast<int>(initial)});
    };
    l1_full_ = flag("l1_full", FlagMeaning::kData, Memory::kL1, 0);
    l1_free_ = flag("l1_free", FlagMeaning::kSpace, Memory::kL1, l1_buffers_);
    l0_full_ = flag("l0_full", FlagMeaning::kData, Memory::kL0A, 0);
    l0_free_ = flag("l0_free", FlagMeaning::kSpace, Memory::kL0A, 2);
    c_full_ = flag("l0c_full", FlagMeaning::kData, Memory::kL0C, 0);
    c_free_ = flag("l0c_free", FlagMeaning::kSpace, Memory::kL0C, l0c_buffers_);
  }

  Launch build() {
    const int64_t full_chunks = k_ / chunk_;
    const int64_t rest = k_ % chunk_;
    Template body;
    body.name = "tile";
    body.kind = CoreKind::kAic;
    body.bindings = kBindings;
    body.count = full_chunks;
    add_chunk(body.body, chunk_, Expr::index(), full_chunks > 0, rest == 0);
    if (rest > 0) add_chunk(body.epilogue, rest, full_chunks, full_chunks > 0, true);
    body.epilogue.push_back(drain());
    launch_.add_template(std::move(body));
    deal_tiles(ceil_div(k_, chunk_), full_chunks * (chunk_ / step_) + ceil_div(rest, step_));
    return std::move(launch_);
  }

 private:
  /// Loads one K chunk into L1 and multiplies it step by step. `chunk`: its number within the tile.
  void add_chunk(std::vector<Instruction>& list, int64_t depth, const Expr& chunk,
                 bool in_body_first, bool ends_tile) {
    const bool whole = depth == chunk_ && !chunk.is_constant();
    const Expr slot = Expr::ring(Expr::binding(kChunksBefore) + chunk, l1_buffers_);
    const int64_t a_bytes = tile_m_ * chunk_ * bytes_of(type_);
    const int64_t b_bytes = tile_n_ * chunk_ * bytes_of(type_);
    const Expr a_slot = slot * a_bytes;
    const Expr b_slot = slot * b_bytes + l1_buffers_ * a_bytes;
    list.push_back(load_a(depth, chunk, a_slot));
    list.push_back(load_b(depth, chunk, b_slot));
    const int64_t steps = ceil_div(depth, step_);
    for (int64_t s = 0; s < steps; ++s) {
      const int64_t k = std::min(step_, depth - s * step_);
      const Expr step = Expr::binding(kStepsBefore) + chunk * (chunk_ / step_) + s;
      const Expr ring = Expr::ring(step, 2);
      const Expr a0 = ring * (tile_m_ * step_ * bytes_of(type_));
      const Expr b0 = ring * (tile_n_ * step_ * bytes_of(type_));
      Instruction move_a = move(a_slot, tile_m_, s * step_, k, a0, true);
      move_a.waits = {FlagUse{l0_free_}};
      if (s == 0) move_a.waits[1] = {l1_full_};
      list.push_back(move_a);
      Instruction move_b = move(b_slot, chunk_, s * step_, k, b0, false);
      move_b.sets = {FlagUse{l0_full_}};
      if (s + 1 == steps) move_b.sets[1] = {l1_free_};
      list.push_back(move_b);
      Instruction multiply = mmad(k, a0, b0);
      multiply.waits = {FlagUse{l0_full_}};
      multiply.sets = {FlagUse{l0_free_}};
      const bool opens_tile = s == 0 && (whole || !in_body_first);
      if (opens_tile) {
        multiply.waits[1] = {c_free_, When::kFirst};
        multiply.accumulate = whole ? Accumulate::kUnlessFirst : Accumulate::kNever;
      }
      if (s + 1 == steps && ends_tile) multiply.sets[1] = {c_full_, When::kLast};
      list.push_back(multiply);
    }
  }

  Instruction load_a(int64_t depth, const Expr& chunk, const Expr& slot) const {
    Instruction load;
    load.opcode = Opcode::kLoad;
    load.a = {.space = Memory::kGm,
              .tensor = 0,
              .row = Expr::binding(kRow),
              .col = chunk * chunk_,
              .rows = Expr::binding(kRows),
              .cols = depth,
              .type = type_};
    load.dst = {.space = Memory::kL1,
                .offset = slot,
                .rows = Expr::binding(kRows),
                .cols = depth,
                .stride = tile_m_,
                .type = type_,
                .layout = Layout::kZn};
    load.waits = {FlagUse{l1_free_}};
    return load;
  }

  Instruction load_b(int64_t depth, const Expr& chunk, const Expr& slot) const {
    Instruction load;
    load.opcode = Opcode::kLoad;
    load.a = {.space = Memory::kGm,
              .tensor = 1,
              .row = chunk * chunk_,
              .col = Expr::binding(kCol),
              .rows = depth,
              .cols = Expr::binding(kCols),
              .type = type_};
    load.dst = {.space = Memory::kL1,
                .offset = slot,
                .rows = depth,
                .cols = Expr::binding(kCols),
                .stride = chunk_,
                .type = type_,
                .layout = Layout::kZn};
    load.sets = {FlagUse{l1_full_}};
    return load;
  }

  /// Moves K columns (of A) or K rows (of B) starting at `from` of an L1 chunk into L0.
  Instruction move(const Expr& chunk_offset, int64_t stride, int64_t from, int64_t k,
                   const Expr& target, bool left) const {
    Instruction move;
    move.opcode = Opcode::kMove;
    // zN: a column of fractals further is `stride` rows of 32 bytes; a row further is 32 bytes.
    const int64_t skip = left ? from * bytes_of(type_) / 32 * stride * 32 : from * 32;
    const Expr rows = left ? Expr::binding(kRows) : Expr(k);
    const Expr cols = left ? Expr(k) : Expr::binding(kCols);
    move.a = {.space = Memory::kL1,
              .offset = chunk_offset + skip,
              .rows = rows,
              .cols = cols,
              .stride = stride,
              .type = type_,
              .layout = Layout::kZn};
    move.dst = {.space = left ? Memory::kL0A : Memory::kL0B,
                .offset = target,
                .rows = rows,
                .cols = cols,
                .type = type_,
                .layout = left ? Layout::kZz : Layout::kNz};
    return move;
  }

  Instruction mmad(int64_t k, const Expr& a0, const Expr& b0) const {
    Instruction multiply;
    multiply.opcode = Opcode::kMmad;
    multiply.a = {.space = Memory::kL0A,
                  .offset = a0,
                  .rows = Expr::binding(kRows),
                  .cols = k,
                  .type = type_,
                  .layout = Layout::kZz};
    multiply.b = {.space = Memory::kL0B,
                  .offset = b0,
                  .rows = k,
                  .cols = Expr::binding(kCols),
                  .type = type_,
                  .layout = Layout::kNz};
    multiply.dst = sums();
    return multiply;
  }

  Tile sums() const {
    const Expr slot = Expr::ring(Expr::binding(kTilesBefore), l0c_buffers_);
    return {.space = Memory::kL0C,
            .offset = slot * (tile_m_ * tile_n_ * 4),
            .rows = Expr::binding(kRows),
            .cols = Expr::binding(kCols),
            .stride = tile_m_,
            .type = sum_type_,
            .layout = Layout::kZn};
  }

  Instruction drain() const {
    Instruction fixpipe;
    fixpipe.opcode = Opcode::kFixpipe;
    fixpipe.a = sums();
    fixpipe.dst = {.space = Memory::kGm,
                   .tensor = 2,
                   .row = Expr::binding(kRow),
                   .col = Expr::binding(kCol),
                   .rows = Expr::binding(kRows),
                   .cols = Expr::binding(kCols),
                   .type = out_type_};
    fixpipe.waits = {FlagUse{c_full_}};
    fixpipe.sets = {FlagUse{c_free_}};
    return fixpipe;
  }

  void deal_tiles(int64_t chunks, int64_t steps) {
    const auto dealt = tiles_by_core();
    launch_.cores.resize(dealt.size());
    for (size_t c = 0; c < dealt.size(); ++c) {
      launch_.cores[c].group = static_cast<int>(c);
      int64_t before = 0;
      for (const auto& [tile_row, tile_column] : dealt[c]) {
        const int64_t row = tile_row * tile_m_;
        const int64_t col = tile_column * tile_n_;
        launch_.cores[c].add(0, {row, col, std::min(tile_m_, m_ - row), std::min(tile_n_, n_ - col),
                                 before * chunks, before * steps, before});
        ++before;
      }
    }
  }

  std::vector<std::vector<std::pair<int64_t, int64_t>>> tiles_by_core() const {
    const int64_t rows = ceil_div(m_, tile_m_);
    const int64_t columns = ceil_div(n_, tile_n_);
    if (core_rows_ > 0) return grid_tiles(rows, columns, core_rows_, cores_ / core_rows_);
    const auto order = tile_order(rows, columns, band_);
    std::vector<std::vector<std::pair<int64_t, int64_t>>> dealt(
        std::min(static_cast<size_t>(cores_), order.size()));
    for (size_t t = 0; t < order.size(); ++t) dealt[t % dealt.size()].push_back(order[t]);
    return dealt;
  }

  Launch launch_;
  DType type_;
  DType sum_type_;
  DType out_type_;
  int64_t m_, n_, k_;
  int64_t tile_m_, tile_n_;
  int64_t chunk_, step_;
  int64_t l1_buffers_, l0c_buffers_;
  int64_t band_;
  int64_t core_rows_;
  int64_t cores_;
  int l1_full_ = 0, l1_free_ = 0, l0_full_ = 0, l0_free_ = 0, c_full_ = 0, c_free_ = 0;
};

}  // namespace

std::vector<std::pair<int64_t, int64_t>> tile_order(int64_t rows, int64_t columns, int64_t band) {
  std::vector<std::pair<int64_t, int64_t>> order;
  order.reserve(static_cast<size_t>(rows * columns));
  const int64_t height = std::max<int64_t>(1, band);
  for (int64_t top = 0; top < rows; top += height) {
    const bool backwards = band > 0 && top / band % 2 == 1;
    for (int64_t i = 0; i < columns; ++i) {
      const int64_t column = backwards ? columns - 1 - i : i;
      for (int64_t row = top; row < std::min(rows, top + height); ++row)
        order.emplace_back(row, column);
    }
  }
  return order;
}

std::vector<std::vector<std::pair<int64_t, int64_t>>> grid_tiles(int64_t rows, int64_t columns,
                                                                 int64_t core_rows,
                                                                 int64_t core_columns) {
  std::vector<std::vector<std::pair<int64_t, int64_t>>> dealt;
  for (int64_t r = 0; r < core_rows; ++r) {
    for (int64_t c = 0; c < core_columns; ++c) {
      std::vector<std::pair<int64_t, int64_t>> tiles;
      for (int64_t row = rows * r / core_rows; row < rows * (r + 1) / core_rows; ++row) {
        for (int64_t col = columns * c / core_columns; col < columns * (c + 1) / core_columns;
             ++col)
          tiles.emplace_back(row, col);
      }
      if (!tiles.empty()) dealt.push_back(std::move(tiles));
    }
  }
  return dealt;
}

Launch build_gemm_launch(const Problem& problem, const Config& config, const Machine& machine,
                         int64_t rows) {
  return GemmBuilder(problem, config, machine, rows).build();
}

}  // namespace tilewright
