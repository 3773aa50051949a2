#include "kernels/vector/norm_launch.h"

#include "kernels/vector/reduce.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

/// Where a norm keeps what in UB. A slot holds a tile of x and, behind it, one of r (with
/// residual). Rows that are cut have a second ring for the second pass: x or sum, then w. The
/// values that are normalised (wide, or the slot's where it is f32) meet squares and weights, so
/// those lie in the other half of the bank groups.
struct NormPlan {
  NormPlan(const Problem& problem, const VectorTile& tile, const Machine& machine, bool residual)
      : plan(machine) {
    const DType type = problem.types[0];
    const bool half = type != DType::kF32;
    whole = tile.cols == problem.size("cols");
    stride = plan.stride(tile.cols, type);
    wide_stride = plan.stride(tile.cols, DType::kF32);
    const int64_t tile_bytes = plan.tile_bytes(tile.rows, tile.cols, type);
    UbPlan slot(machine);
    slot.take(tile_bytes);
    // bf16 is widened before it is added; other types meet in their slot.
    const BankHalf addend_half = type == DType::kBF16 ? BankHalf::kLower : BankHalf::kUpper;
    if (residual) addend = slot.take(tile_bytes, addend_half);
    slot_bytes = slot.slot_bytes();
    slots = plan.take_ring(slot, tile.buffers);
    if (!whole) {
      UbPlan scale_slot(machine);
      scale_slot.take(tile_bytes);
      // w of f16 meets the result in its slot.
      staged = scale_slot.take(plan.tile_bytes(1, tile.cols, type), BankHalf::kUpper);
      scale_slot_bytes = scale_slot.slot_bytes();
      scale_slots = plan.take_ring(scale_slot, tile.buffers);
    }
    const int64_t wide_bytes = plan.tile_bytes(tile.rows, tile.cols, DType::kF32);
    if (half) wide = plan.take(wide_bytes, BankHalf::kUpper);
    // In f32 the values are x, or r that has taken the sum.
    square = plan.take(wide_bytes, half || residual ? BankHalf::kLower : BankHalf::kUpper);
    // The second pass of cut rows has no squares: w goes there where it is widened.
    weight_type = type == DType::kF16 ? type : DType::kF32;
    weight = whole ? plan.take(plan.tile_bytes(1, tile.cols, weight_type),
                               type == DType::kBF16 ? BankHalf::kLower : BankHalf::kUpper)
                   : square;
    sums = plan.take(tile.rows * 4);
    part = plan.take(tile.rows * 4);
    if (type == DType::kF16) half_scales = plan.take(tile.rows * bytes_of(type));
  }

  UbPlan plan;
  bool whole = false;
  DType weight_type = DType::kF32;  ///< that the rows are multiplied with
  int64_t stride = 0, wide_stride = 0;
  int64_t slot_bytes = 0, scale_slot_bytes = 0;
  int64_t addend = 0, staged = 0;  ///< of r and w in their slots
  int64_t slots = 0, scale_slots = 0, wide = 0, square = 0, weight = 0, sums = 0, part = 0;
  int64_t half_scales = 0;  ///< of f16: 1 / sqrt(mean + eps)
};

/// Bindings of a task: its rows, and where its slot is (whole rows) or how many pieces the core has
/// done before (cut rows).
enum Binding { kRow, kRows, kPlace, kBindings };

class NormBuilder {
 public:
  NormBuilder(const Problem& problem, const VectorTile& tile, const Machine& machine, bool residual,
              double epsilon)
      : tile_(tile),
        machine_(machine),
        at_(problem, tile, machine, residual),
        residual_(residual),
        epsilon_(epsilon),
        type_(problem.types[0]),
        rows_(problem.size("rows")),
        cols_(problem.size("cols")) {
    launch_.name = problem.text();
    launch_.flops = (residual ? 5.0 : 4.0) * static_cast<double>(rows_ * cols_);
    granule_ = sector_rows(tile, type_);
    x_ = add_tensor("x", rows_);
    if (residual_) r_ = add_tensor("r", rows_);
    w_ = add_tensor("w", 1);
    if (residual_) sum_ = add_tensor("sum", rows_);
    y_ = add_tensor("y", rows_);
    ring_ = add_ring(launch_, "tile", tile.buffers);
  }

  Launch build() {
    at_.whole ? add_whole_rows() : add_cut_rows();
    return std::move(launch_);
  }

 private:
  int add_tensor(const char* name, int64_t rows) {
    return launch_.add_tensor(
        {name, type_, Layout::kNd, rows, cols_, rows == 1 ? 1 : granule_, tile_.cols});
  }
  bool half() const { return type_ != DType::kF32; }
  /// Rows of f16 take their scale and w as they are: a repeat holds twice as many.
  bool scales_halves() const { return type_ == DType::kF16; }
  Tile slot(const Expr& offset, int64_t cols) const {
    return ub_tile(offset, Expr::binding(kRows), cols, at_.stride, type_);
  }
  Tile wide(int64_t offset, int64_t cols) const {
    return ub_tile(offset, Expr::binding(kRows), cols, at_.wide_stride, DType::kF32);
  }
  Tile column(int64_t offset, DType type = DType::kF32) const {
    return ub_tile(offset, Expr::binding(kRows), 1, 0, type);
  }
  Tile gm(int tensor, const Expr& col, int64_t cols) const {
    return gm_tile(tensor, Expr::binding(kRow), col, Expr::binding(kRows), cols);
  }

  void add_whole_rows() {
    const int loaded =
        launch_.add_flag({"w_full", FlagScope::kCore, FlagMeaning::kData, Memory::kUb, 0});
    Template weights;
    weights.name = "weights";
    weights.kind = CoreKind::kAiv;
    const bool widens = at_.weight_type != type_;
    const Tile staging = ub_tile(widens ? at_.square : at_.weight, 1, cols_, 0, type_);
    weights.prologue = {
        setting(load_tile(gm_tile(w_, 0, 0, 1, cols_), staging), loaded),
        waiting(vector_op(widens ? VectorOp::kConvert : VectorOp::kCopy, weight(cols_), staging),
                loaded)};
    launch_.add_template(std::move(weights));

    Template load;
    load.name = "load";
    Template rows;
    rows.name = "rows";
    for (Template* part : {&load, &rows}) {
      part->kind = CoreKind::kAiv;
      part->bindings = kBindings;
    }
    std::vector<Instruction>& list = rows.prologue;
    const Tile x = slot(Expr::binding(kPlace), cols_);
    add_load(load.prologue, x, 0, cols_);
    const Tile values = add_square(list, x, cols_);
    if (residual_) {
      list.push_back(waiting(store_tile(residual_slot(x), gm(sum_, 0, cols_)), ring_.done));
    }
    add_sum(list, cols_, column(at_.sums));
    finish_sums(list);
    add_scale(list, residual_ ? residual_slot(x) : x, values, x, weight(cols_));
    list.push_back(setting(waiting(store_tile(x, gm(y_, 0, cols_)), ring_.done), ring_.free));
    TileTemplates templates;
    templates.load = launch_.add_template(std::move(load));
    templates.work = launch_.add_template(std::move(rows));

    const auto dealt = deal_pieces(rows_, cols_, tile_, granule_);
    add_vector_cores(launch_, machine_, dealt.size());
    for (size_t core = 0; core < dealt.size(); ++core) {
      launch_.cores[core].add(0, {});
      std::vector<std::vector<int64_t>> tiles;
      int64_t before = 0;
      for (const Piece& piece : dealt[core]) {
        const int64_t place = at_.slots + before++ % tile_.buffers * at_.slot_bytes;
        tiles.push_back({piece.row, piece.rows, place});
      }
      add_tiles(launch_.cores[core], templates, tiles, tile_.buffers);
    }
  }

  Tile weight(int64_t cols) const { return ub_tile(at_.weight, 1, cols, 0, at_.weight_type); }
  Tile residual_slot(Tile x) const {
    x.offset = x.offset + at_.addend;
    return x;
  }

  /// Loads a tile of x (and r) into its slot.
  void add_load(std::vector<Instruction>& list, const Tile& x, const Expr& col,
                int64_t cols) const {
    const size_t first = list.size();
    list.push_back(load_tile(gm(x_, col, cols), x));
    if (residual_) list.push_back(load_tile(gm(r_, col, cols), residual_slot(x)));
    list[first] = waiting(list[first], ring_.free);
    list.back() = setting(list.back(), ring_.full);
  }

  /// Squares a tile of x or, with residual, of the sum, which takes r's place and sets `done`.
  /// Returns the f32 values that are normalised.
  Tile add_square(std::vector<Instruction>& list, const Tile& x, int64_t cols) const {
    const Tile r = residual_slot(x);
    const Tile square = wide(at_.square, cols);
    const Tile values = half() ? wide(at_.wide, cols) : residual_ ? r : x;
    const size_t first = list.size();
    if (residual_ && type_ == DType::kBF16) {
      list.push_back(vector_op(VectorOp::kConvert, values, x));
      list.push_back(vector_op(VectorOp::kConvert, square, r));
      list.push_back(vector_op(VectorOp::kAdd, values, values, square));
      list.push_back(vector_op(VectorOp::kConvert, r, values));
    } else if (residual_) {
      list.push_back(vector_op(VectorOp::kAdd, r, x, r));
    }
    if (half()) list.push_back(vector_op(VectorOp::kConvert, values, residual_ ? r : x));
    // `done` frees the slot in the end, so it is set by the last instruction that reads it.
    if (residual_ && half()) list.back() = setting(list.back(), ring_.done);
    list.push_back(vector_op(VectorOp::kMul, square, values, values));
    if (residual_ && !half()) list.back() = setting(list.back(), ring_.done);
    list[first] = waiting(list[first], ring_.full);
    return values;
  }

  /// Sums of the squares of rows, which are not needed afterwards.
  void add_sum(std::vector<Instruction>& list, int64_t cols, const Tile& sums) const {
    reduce_rows(list, VectorOp::kRowSum, wide(at_.square, cols), cols, sums, at_.square, machine_);
  }

  /// Sums of squares to 1 / sqrt(mean + eps).
  void finish_sums(std::vector<Instruction>& list) const {
    const Tile sums = column(at_.sums);
    list.push_back(scalar_op(VectorOp::kMuls, sums, sums, 1.0 / static_cast<double>(cols_)));
    list.push_back(scalar_op(VectorOp::kAdds, sums, sums, epsilon_));
    list.push_back(vector_op(VectorOp::kRsqrt, sums, sums));
    if (scales_halves()) {
      list.push_back(vector_op(VectorOp::kConvert, column(at_.half_scales, type_), sums));
    }
  }

  /// out = values * sums * w; sets `done` of the ring that out is in. `source`: the values in the
  /// type of the data.
  void add_scale(std::vector<Instruction>& list, const Tile& source, const Tile& values,
                 const Tile& out, const Tile& weights) const {
    if (scales_halves()) {
      list.push_back(vector_op(VectorOp::kMul, out, source, column(at_.half_scales, type_)));
      list.push_back(vector_op(VectorOp::kMul, out, out, weights));
    } else {
      const Tile scaled = half() ? values : out;
      list.push_back(vector_op(VectorOp::kMul, scaled, values, column(at_.sums)));
      list.push_back(vector_op(VectorOp::kMul, scaled, scaled, weights));
      if (half()) list.push_back(vector_op(VectorOp::kConvert, out, scaled));
    }
    list.back() = setting(list.back(), at_.whole ? ring_.done : scale_ring_.done);
  }

  void add_cut_rows() {
    scale_ring_ = add_ring(launch_, "scale", tile_.buffers);
    written_ =
        launch_.add_flag({"sum_written", FlagScope::kCore, FlagMeaning::kData, Memory::kGm, 0});
    const int64_t full = cols_ / tile_.cols;
    const int64_t rest = cols_ % tile_.cols;
    Template squares;
    squares.name = "squares";
    Template scale;
    scale.name = "scale";
    for (Template* pass : {&squares, &scale}) {
      pass->kind = CoreKind::kAiv;
      pass->bindings = kBindings;
      pass->count = full;
    }
    Instruction clear = scalar_op(VectorOp::kDup, column(at_.sums), {}, 0);
    squares.prologue.push_back(clear);
    add_square_piece(squares.body, Expr::index(), tile_.cols, rest == 0);
    add_scale_piece(scale.body, Expr::index(), tile_.cols, true);
    if (rest > 0) {
      add_square_piece(squares.epilogue, full, rest, true);
      add_scale_piece(scale.epilogue, full, rest, false);
    }
    finish_sums(squares.epilogue);
    launch_.add_template(std::move(squares));
    launch_.add_template(std::move(scale));
    deal_cut_rows(full + (rest > 0 ? 1 : 0));
  }

  Expr ring_slot(const Expr& piece, int64_t base, int64_t bytes) const {
    return Expr::ring(Expr::binding(kPlace) + piece, tile_.buffers) * bytes + base;
  }

  void add_square_piece(std::vector<Instruction>& list, const Expr& piece, int64_t cols,
                        bool ends_row) {
    const Tile x = slot(ring_slot(piece, at_.slots, at_.slot_bytes), cols);
    const Expr col = piece * tile_.cols;
    add_load(list, x, col, cols);
    add_square(list, x, cols);
    add_sum(list, cols, column(at_.part));
    list.push_back(vector_op(VectorOp::kAdd, column(at_.sums), column(at_.sums), column(at_.part)));
    if (!residual_) {
      list.back() = setting(list.back(), ring_.free);
      return;
    }
    Instruction store = waiting(store_tile(residual_slot(x), gm(sum_, col, cols)), ring_.done);
    store = setting(store, ring_.free);
    // Stores end in order: the last one tells that the whole row can be read back.
    list.push_back(ends_row ? setting(store, written_, When::kLast) : store);
  }

  void add_scale_piece(std::vector<Instruction>& list, const Expr& piece, int64_t cols,
                       bool begins_row) const {
    const Expr offset = ring_slot(piece, at_.scale_slots, at_.scale_slot_bytes);
    const Expr col = piece * tile_.cols;
    const Tile x = slot(offset, cols);
    const Tile staged = ub_tile(offset + at_.staged, 1, cols, 0, type_);
    Instruction load =
        waiting(load_tile(gm(residual_ ? sum_ : x_, col, cols), x), scale_ring_.free);
    if (residual_ && begins_row) load = waiting(load, written_, When::kFirst);
    list.push_back(load);
    list.push_back(setting(load_tile(gm_tile(w_, 0, col, 1, cols), staged), scale_ring_.full));
    const size_t first = list.size();
    const Tile values = half() ? wide(at_.wide, cols) : x;
    const bool widens = at_.weight_type != type_;
    if (half() && !scales_halves()) list.push_back(vector_op(VectorOp::kConvert, values, x));
    if (widens) list.push_back(vector_op(VectorOp::kConvert, weight(cols), staged));
    add_scale(list, x, values, x, widens ? weight(cols) : staged);
    list[first] = waiting(list[first], scale_ring_.full);
    list.push_back(
        setting(waiting(store_tile(x, gm(y_, col, cols)), scale_ring_.done), scale_ring_.free));
  }

  void deal_cut_rows(int64_t pieces) {
    VectorTile whole = tile_;
    whole.cols = cols_;
    const auto dealt = deal_pieces(rows_, cols_, whole, granule_);
    add_vector_cores(launch_, machine_, dealt.size());
    for (size_t core = 0; core < dealt.size(); ++core) {
      int64_t before = 0;
      for (const Piece& piece : dealt[core]) {
        launch_.cores[core].add(0, {piece.row, piece.rows, before});
        launch_.cores[core].add(1, {piece.row, piece.rows, before});
        before += pieces;
      }
    }
  }

  Launch launch_;
  VectorTile tile_;
  const Machine& machine_;
  NormPlan at_;
  bool residual_;
  double epsilon_;
  DType type_;
  int64_t rows_, cols_, granule_ = 1;
  int x_ = -1, r_ = -1, w_ = -1, sum_ = -1, y_ = -1;
  UbRing ring_, scale_ring_;
  int written_ = -1;
};

}  // namespace

int64_t norm_ub_bytes(const Problem& problem, const VectorTile& tile, const Machine& machine,
                      bool residual) {
  return NormPlan(problem, tile, machine, residual).plan.bytes();
}

Launch build_norm_launch(const Problem& problem, const VectorTile& tile, const Machine& machine,
                         bool residual, double epsilon) {
  return NormBuilder(problem, tile, machine, residual, epsilon).build();
}

}  // namespace tilewright
