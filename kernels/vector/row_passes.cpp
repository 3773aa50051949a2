#include "kernels/vector/row_passes.h"

#include <algorithm>

#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

/// Places in UB. A slot holds a tile of x, one of r, a result of another width, the staged vectors
/// of a piece and the stored column. Values meet scratch and vectors, which begin in the other half
/// of the bank groups.
struct RowPassPlan {
  RowPassPlan(const RowPassShape& shape, const Problem& problem, const VectorTile& tile,
              const Machine& machine)
      : plan(machine) {
    const DType type = problem.types[0];
    whole = tile.cols == problem.size("cols");
    separate = shape.out != type;
    wide = (type != DType::kF32 || shape.adds) && !shape.stays_half;
    stride = plan.stride(tile.cols, type);
    out_stride = plan.stride(tile.cols, shape.out);
    wide_stride = plan.stride(tile.cols, DType::kF32);
    const int64_t tile_bytes = plan.tile_bytes(tile.rows, tile.cols, type);
    const BankHalf other = wide ? BankHalf::kLower : BankHalf::kUpper;
    // Vectors of halves meet the result, which is in a slot.
    const BankHalf vectors_half = shape.half_vectors ? BankHalf::kUpper : other;
    UbPlan slot(machine);
    slot.take(tile_bytes);
    if (shape.adds) addend = slot.take(tile_bytes, BankHalf::kUpper);
    if (separate) out = slot.take(plan.tile_bytes(tile.rows, tile.cols, shape.out));
    for (int v = 0; v < shape.vectors && !whole; ++v) {
      staged.push_back(slot.take(plan.tile_bytes(1, tile.cols, type), vectors_half));
    }
    if (shape.stored_column >= 0 && whole) stored = slot.take(tile.rows * 4);
    slot_bytes = slot.slot_bytes();
    slots = plan.take_ring(slot, tile.buffers);
    const int64_t wide_bytes = plan.tile_bytes(tile.rows, tile.cols, DType::kF32);
    if (wide) values = plan.take(wide_bytes, BankHalf::kUpper);
    // Rows of any width leave room for two blocks.
    scratch = plan.take(std::max(wide_bytes, 2 * tile.rows * machine.buffers.ub_align), other);
    const DType vector_type = shape.half_vectors ? type : DType::kF32;
    for (int v = 0; v < shape.vectors && (whole || !shape.half_vectors); ++v) {
      vectors.push_back(plan.take(plan.tile_bytes(1, tile.cols, vector_type), vectors_half));
    }
    if (shape.stored_column >= 0 && !whole) stored_apart = plan.take(tile.rows * 4);
    for (int c = 0; c <= shape.columns; ++c) columns.push_back(plan.take(tile.rows * 4));
  }

  UbPlan plan;
  bool whole = false, separate = false, wide = false;
  int64_t stride = 0, out_stride = 0, wide_stride = 0, slot_bytes = 0;
  int64_t addend = 0, out = 0, stored = 0;  ///< in a slot
  std::vector<int64_t> staged;              ///< in a slot
  int64_t stored_apart = 0;
  int64_t slots = 0, values = 0, scratch = 0;
  std::vector<int64_t> vectors, columns;  ///< the last column is of no pass
};

/// Bindings of a task: its rows, and where its slot is (whole rows) or how many pieces the core has
/// done before (cut rows).
enum Binding { kRow, kRows, kPlace, kBindings };

class RowPassBuilder {
 public:
  RowPassBuilder(const RowPassKernel& kernel, const Problem& problem, const VectorTile& tile,
                 const Machine& machine)
      : kernel_(kernel),
        shape_(kernel.shape(problem)),
        tile_(tile),
        machine_(machine),
        at_(shape_, problem, tile, machine),
        type_(problem.types[0]),
        rows_(problem.size("rows")),
        cols_(problem.size("cols")) {
    launch_.name = problem.text();
    launch_.flops = 5.0 * static_cast<double>(rows_ * cols_);
    granule_ = sector_rows(tile, type_);
    x_ = add_tensor("x", type_, rows_);
    if (shape_.adds) r_ = add_tensor("r", type_, rows_);
    for (int v = 0; v < shape_.vectors; ++v) {
      vectors_.push_back(add_tensor(v == 0 ? "w" : "b", type_, 1));
    }
    if (shape_.adds) sum_ = add_tensor("sum", type_, rows_);
    y_ = add_tensor("y", shape_.out, rows_);
    if (shape_.stored_column >= 0) {
      column_ = launch_.add_tensor({"scale", DType::kF32, Layout::kNd, rows_, 1, granule_, 1});
    }
    ring_ = add_ring(launch_, "tile", tile.buffers);
  }

  Launch build() {
    at_.whole ? add_whole_rows() : add_cut_rows();
    return std::move(launch_);
  }

 private:
  int add_tensor(const char* name, DType type, int64_t rows) {
    return launch_.add_tensor(
        {name, type, Layout::kNd, rows, cols_, rows == 1 ? 1 : granule_, tile_.cols});
  }
  Tile column(int64_t offset) const {
    return ub_tile(offset, Expr::binding(kRows), 1, 0, DType::kF32);
  }
  Tile gm(int tensor, const Expr& col, int64_t cols) const {
    return gm_tile(tensor, Expr::binding(kRow), col, Expr::binding(kRows), cols);
  }

  /// Where a piece is; `slot`: its place in the ring.
  struct Place {
    Expr slot;
    Expr col;
    int64_t cols = 0;
  };
  Tile slot_tile(const Place& place, int64_t offset) const {
    return ub_tile(place.slot + offset, Expr::binding(kRows), place.cols, at_.stride, type_);
  }
  Tile out_tile(const Place& place) const {
    return at_.separate ? ub_tile(place.slot + at_.out, Expr::binding(kRows), place.cols,
                                  at_.out_stride, shape_.out)
                        : slot_tile(place, 0);
  }

  RowPiece piece_at(const Place& place) const {
    const Expr rows = Expr::binding(kRows);
    RowPiece piece;
    piece.source = slot_tile(place, 0);
    piece.values = at_.wide ? ub_tile(at_.values, rows, place.cols, at_.wide_stride, DType::kF32)
                            : piece.source;
    piece.scratch = ub_tile(at_.scratch, rows, place.cols, at_.wide_stride, DType::kF32);
    piece.half = piece.scratch;
    piece.half.type = DType::kF16;
    piece.half.stride = 2 * piece.scratch.stride;
    piece.out = out_tile(place);
    const DType vector_type = shape_.half_vectors ? type_ : DType::kF32;
    for (const int64_t vector : at_.vectors) {
      piece.vectors.push_back(ub_tile(vector, 1, place.cols, 0, vector_type));
    }
    for (const int64_t offset : at_.columns) piece.columns.push_back(column(offset));
    piece.part = piece.columns.back();
    piece.columns.pop_back();
    piece.reduced = at_.scratch;
    piece.cols = place.cols;
    piece.rows_bound = tile_.rows;
    piece.whole = at_.whole;
    return piece;
  }

  /// Loads x, in the first pass r, and more.
  void add_load(std::vector<Instruction>& list, const Place& place, const RowPiece& piece, int pass,
                const std::vector<Instruction>& more) const {
    const int from = shape_.adds && pass > 0 ? sum_ : x_;
    std::vector<Instruction> loads = {load_tile(gm(from, place.col, place.cols), piece.source)};
    if (shape_.adds && pass == 0) {
      loads.push_back(load_tile(gm(r_, place.col, place.cols), slot_tile(place, at_.addend)));
    }
    loads.insert(loads.end(), more.begin(), more.end());
    loads.front() = waiting(loads.front(), ring_.free);
    loads.back() = setting(loads.back(), ring_.full);
    list.insert(list.end(), loads.begin(), loads.end());
  }

  /// Makes the f32 values of x; in the first pass adds r.
  void add_values(std::vector<Instruction>& list, const Place& place, RowPiece& piece,
                  int pass) const {
    if (shape_.adds && pass == 0) {
      const Tile r = slot_tile(place, at_.addend);
      add_addend(list, piece, r);
      piece.source = r;
    } else if (at_.wide && type_ != DType::kF32) {
      list.push_back(vector_op(VectorOp::kConvert, piece.values, piece.source));
    } else if (at_.wide) {
      list.push_back(vector_op(VectorOp::kCopy, piece.values, piece.source));
    }
  }

  /// The sum rounds to the type of the data, in r's place, and is what the passes see.
  void add_addend(std::vector<Instruction>& list, const RowPiece& piece, const Tile& r) const {
    if (type_ == DType::kF32) {
      list.push_back(vector_op(VectorOp::kAdd, piece.values, piece.source, r));
      list.push_back(setting(vector_op(VectorOp::kCopy, r, piece.values), ring_.done));
      return;
    }
    if (type_ == DType::kF16) {
      list.push_back(vector_op(VectorOp::kAdd, r, piece.source, r));
    } else {
      list.push_back(vector_op(VectorOp::kConvert, piece.values, piece.source));
      list.push_back(vector_op(VectorOp::kConvert, piece.scratch, r));
      list.push_back(vector_op(VectorOp::kAdd, piece.values, piece.values, piece.scratch));
      list.push_back(vector_op(VectorOp::kConvert, r, piece.values));
    }
    list.push_back(setting(vector_op(VectorOp::kConvert, piece.values, r), ring_.done));
  }

  /// Takes the result to its type and stores it; the slot is free when all of it is in GM.
  void add_result(std::vector<Instruction>& list, const Place& place, const RowPiece& piece) const {
    const Tile out = out_tile(place);
    const bool stores_column = shape_.stored_column >= 0 && at_.whole;
    if (stores_column) {
      list.push_back(
          vector_op(VectorOp::kCopy,
                    ub_tile(place.slot + at_.stored, Expr::binding(kRows), 1, 0, DType::kF32),
                    piece.columns[static_cast<size_t>(shape_.stored_column)]));
    }
    if (shape_.out == DType::kI8) {
      // The vector unit converts to i8 from f16 only.
      if (!shape_.stays_half) {
        list.push_back(vector_op(VectorOp::kConvert, piece.half, piece.values));
      }
      list.push_back(vector_op(VectorOp::kConvert, out, piece.half));
    } else if (at_.wide && !shape_.half_vectors) {
      list.push_back(vector_op(type_ == DType::kF32 ? VectorOp::kCopy : VectorOp::kConvert, out,
                               piece.values));
    }
    list.back() = setting(list.back(), ring_.done);
    Instruction store = waiting(store_tile(out, gm(y_, place.col, place.cols)), ring_.done);
    list.push_back(stores_column ? store : setting(store, ring_.free));
    if (!stores_column) return;
    const Tile stored = ub_tile(place.slot + at_.stored, Expr::binding(kRows), 1, 0, DType::kF32);
    list.push_back(setting(store_tile(stored, gm(column_, 0, 1)), ring_.free));
  }

  void add_whole_rows() {
    Template load;
    load.name = "load";
    Template rows;
    rows.name = "rows";
    for (Template* part : {&load, &rows}) {
      part->kind = CoreKind::kAiv;
      part->bindings = kBindings;
    }
    std::vector<Instruction>& list = rows.prologue;
    const Place place{Expr::binding(kPlace), 0, cols_};
    RowPiece piece = piece_at(place);
    add_load(load.prologue, place, piece, 0, {});
    add_values(list, place, piece, 0);
    if (shape_.adds) {
      list.push_back(waiting(store_tile(piece.source, gm(sum_, 0, cols_)), ring_.done));
    }
    kernel_.begin(piece, list);
    size_t last_pass = 0;
    for (int pass = 0; pass < shape_.passes; ++pass) {
      last_pass = list.size();
      kernel_.add_pass(pass, piece, machine_, list);
      kernel_.finish(pass, piece, cols_, list);
    }
    add_result(list, place, piece);
    wait_for_load(list, 0);
    Template first = rows;
    TileTemplates templates;
    templates.load = launch_.add_template(std::move(load));
    templates.work = launch_.add_template(std::move(rows));
    if (shape_.vectors > 0) {
      const int loaded =
          launch_.add_flag({"w_full", FlagScope::kCore, FlagMeaning::kData, Memory::kUb, 0});
      // Tiles with an addend take longer to load than vectors do.
      vectors_late_ = shape_.half_vectors && !shape_.adds;
      vectors_template_ = launch_.add_template(load_vectors(loaded));
      if (vectors_late_) {
        first.prologue[last_pass] = waiting(first.prologue[last_pass], loaded);
        first_work_ = launch_.add_template(std::move(first));
      }
    }
    const auto dealt = deal_pieces(rows_, cols_, tile_, granule_, shape_.vectors == 0);
    add_vector_cores(launch_, machine_, dealt.size());
    for (size_t core = 0; core < dealt.size(); ++core) {
      std::vector<std::vector<int64_t>> tiles;
      int64_t before = 0;
      for (const Piece& dealt_piece : dealt[core]) {
        const int64_t slot = at_.slots + before++ % tile_.buffers * at_.slot_bytes;
        tiles.push_back({dealt_piece.row, dealt_piece.rows, slot});
      }
      add_whole_tiles(launch_.cores[core], templates, tiles);
    }
  }

  /// Vectors of halves are needed late in the first tile: it is loaded before them.
  void add_whole_tiles(CoreProgram& core, const TileTemplates& templates,
                       std::vector<std::vector<int64_t>>& tiles) const {
    if (!vectors_late_) {
      if (vectors_template_ >= 0) core.add(vectors_template_, {0, 0, 0});
      add_tiles(core, templates, tiles, tile_.buffers);
      return;
    }
    core.add(templates.load, tiles.front());
    core.add(vectors_template_, {0, 0, 0});
    add_tiles(core, {templates.load, templates.work, first_work_}, tiles, tile_.buffers, 1);
  }

  bool widens_vectors() const { return type_ != DType::kF32 && !shape_.half_vectors; }

  void wait_for_load(std::vector<Instruction>& list, size_t first) const {
    const auto vector = std::find_if(
        list.begin() + static_cast<int64_t>(first), list.end(),
        [](const Instruction& instruction) { return instruction.opcode == Opcode::kVector; });
    *vector = waiting(*vector, ring_.full);
  }

  /// Vectors of whole rows stay in UB; halves that are widened are staged in the scratch.
  Template load_vectors(int loaded) const {
    Template body;
    body.name = "vectors";
    body.kind = CoreKind::kAiv;
    body.bindings = kBindings;
    std::vector<Instruction>& list = body.prologue;
    const bool half = widens_vectors();
    const auto staged = [&](size_t v) {
      const int64_t gap = at_.plan.tile_bytes(1, cols_, type_) * static_cast<int64_t>(v);
      return ub_tile(half ? at_.scratch + gap : at_.vectors[v], 1, cols_, 0, type_);
    };
    for (size_t v = 0; v < vectors_.size(); ++v) {
      list.push_back(load_tile(gm_tile(vectors_[v], 0, 0, 1, cols_), staged(v)));
    }
    list.back() = setting(list.back(), loaded);
    if (vectors_late_) return body;
    const DType vector_type = half ? DType::kF32 : type_;
    const size_t first = list.size();
    for (size_t v = 0; v < vectors_.size(); ++v) {
      const Tile vector = ub_tile(at_.vectors[v], 1, cols_, 0, vector_type);
      list.push_back(vector_op(half ? VectorOp::kConvert : VectorOp::kCopy, vector, staged(v)));
    }
    list[first] = waiting(list[first], loaded);
    return body;
  }

  void add_cut_rows() {
    if (shape_.adds) {
      written_ =
          launch_.add_flag({"sum_written", FlagScope::kCore, FlagMeaning::kData, Memory::kGm, 0});
    }
    const int64_t full = cols_ / tile_.cols;
    const int64_t rest = cols_ % tile_.cols;
    for (int pass = 0; pass < shape_.passes; ++pass) {
      Template body;
      body.name = "pass" + std::to_string(pass + 1);
      body.kind = CoreKind::kAiv;
      body.bindings = kBindings;
      body.count = full;
      const RowPiece row = piece_at({0, 0, tile_.cols});
      if (pass == 0) kernel_.begin(row, body.prologue);
      add_cut_piece(body.body, pass, Expr::index(), tile_.cols, true, rest == 0);
      if (rest > 0) add_cut_piece(body.epilogue, pass, full, rest, false, true);
      kernel_.finish(pass, row, cols_, body.epilogue);
      if (pass + 1 == shape_.passes && shape_.stored_column >= 0) add_column(body.epilogue, row);
      launch_.add_template(std::move(body));
    }
    deal_cut_rows(full + (rest > 0 ? 1 : 0));
  }

  /// Stores the column of rows that are cut, from a place of its own.
  void add_column(std::vector<Instruction>& list, const RowPiece& row) {
    const UbRing ring = add_ring(launch_, "scale", 1);
    const Tile stored = column(at_.stored_apart);
    const Tile& computed = row.columns[static_cast<size_t>(shape_.stored_column)];
    list.push_back(
        setting(waiting(vector_op(VectorOp::kCopy, stored, computed), ring.free), ring.done));
    list.push_back(setting(waiting(store_tile(stored, gm(column_, 0, 1)), ring.done), ring.free));
  }

  void add_cut_piece(std::vector<Instruction>& list, int pass, const Expr& piece_number,
                     int64_t cols, bool in_body, bool ends_row) {
    const Expr slot =
        Expr::ring(Expr::binding(kPlace) + piece_number, tile_.buffers) * at_.slot_bytes +
        at_.slots;
    const Place place{slot, piece_number * tile_.cols, cols};
    const bool last_pass = pass + 1 == shape_.passes;
    RowPiece piece = piece_at(place);
    std::vector<Instruction> vector_loads, conversions;
    for (size_t v = 0; v < vectors_.size() && last_pass; ++v) {
      const Tile staged = ub_tile(slot + at_.staged[v], 1, cols, 0, type_);
      vector_loads.push_back(load_tile(gm_tile(vectors_[v], 0, place.col, 1, cols), staged));
      if (shape_.half_vectors) {
        piece.vectors.push_back(staged);
        continue;
      }
      conversions.push_back(vector_op(type_ == DType::kF32 ? VectorOp::kCopy : VectorOp::kConvert,
                                      piece.vectors[v], staged));
    }
    const size_t begin = list.size();
    add_load(list, place, piece, pass, vector_loads);
    const size_t first = list.size();
    add_values(list, place, piece, pass);
    if (shape_.adds && pass == 1 && in_body) {
      list[begin] = waiting(list[begin], written_, When::kFirst);
    }
    list.insert(list.end(), conversions.begin(), conversions.end());
    kernel_.add_pass(pass, piece, machine_, list);
    if (last_pass) {
      add_result(list, place, piece);
    } else if (shape_.adds && pass == 0) {
      // Stores end in order: the last one tells that the whole row can be read back.
      Instruction store = setting(
          waiting(store_tile(piece.source, gm(sum_, place.col, cols)), ring_.done), ring_.free);
      list.push_back(ends_row ? setting(store, written_, When::kLast) : store);
    } else {
      list.back() = setting(list.back(), ring_.free);
    }
    wait_for_load(list, first);
  }

  void deal_cut_rows(int64_t pieces) {
    VectorTile whole = tile_;
    whole.cols = cols_;
    const auto dealt = deal_pieces(rows_, cols_, whole, granule_);
    add_vector_cores(launch_, machine_, dealt.size());
    for (size_t core = 0; core < dealt.size(); ++core) {
      int64_t before = 0;
      for (const Piece& piece : dealt[core]) {
        for (int pass = 0; pass < shape_.passes; ++pass) {
          launch_.cores[core].add(pass, {piece.row, piece.rows, before});
          before += pieces;
        }
      }
    }
  }

  const RowPassKernel& kernel_;
  RowPassShape shape_;
  Launch launch_;
  VectorTile tile_;
  const Machine& machine_;
  RowPassPlan at_;
  DType type_;
  int64_t rows_, cols_, granule_ = 1;
  int x_ = -1, r_ = -1, sum_ = -1, y_ = -1, column_ = -1, written_ = -1;
  int vectors_template_ = -1, first_work_ = -1;
  bool vectors_late_ = false;
  std::vector<int> vectors_;
  UbRing ring_;
};

}  // namespace

std::vector<SizeInfo> RowPassKernel::sizes() const {
  return {{"rows", "rows (tokens)"}, {"cols", "columns of a row"}};
}

int64_t RowPassKernel::ub_bytes(const Problem& problem, const VectorTile& tile,
                                const Machine& machine) const {
  return RowPassPlan(shape(problem), problem, tile, machine).plan.bytes();
}

Launch RowPassKernel::build(const Problem& problem, const Config& config,
                            const Machine& machine) const {
  return RowPassBuilder(*this, problem, tile_of(problem, config), machine).build();
}

}  // namespace tilewright
