#include "kernels/gemm/gemm_vectors.h"

#include <algorithm>

#include "core/base/integers.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

using Activation = Epilogue::Activation;

enum Binding {
  kRow,  ///< of C
  kRows,
  kCol,  ///< of C
  kCols,
  kSumsRow,  ///< of the workspace
  kSumsCol,
  kBefore,  ///< pieces that the core has done
  kBindings
};

constexpr int64_t kSlots = 2;

/// Of the tanh form of GELU, x / (1 + exp(-2 sqrt(2 / pi) (x + 0.044715 x^3))).
constexpr double kGeluLinear = 1.5957691216057308;
constexpr double kGeluCubic = kGeluLinear * 0.044715;

/// Rows of a piece: what UB has room for, and no more than half of a half tile, so that loads, work
/// and stores overlap.
int64_t rows_that_fit(const GemmShape& shape, const GemmTiles& tiles, const Machine& machine) {
  const int64_t half = ceil_div(std::min(tiles.tile_m, shape.m), 2);
  int64_t rows = std::max<int64_t>(1, tiles.parts > 1 ? half : ceil_div(half, 2));
  const auto fits = [&](int64_t wanted) {
    return FinishUb(shape, tiles.tile_n, wanted, tiles.parts > 1, machine).bytes <=
           machine.buffers.ub_bytes;
  };
  while (rows > 1 && !fits(rows)) --rows;
  return rows;
}

}  // namespace

FinishUb::FinishUb(const GemmShape& shape, int64_t tile_n, int64_t rows, bool splits,
                   const Machine& machine) {
  UbPlan plan(machine);
  stride = plan.stride(tile_n, DType::kF32);
  out_stride = plan.stride(tile_n, shape.out);
  const int64_t wide = plan.tile_bytes(rows, tile_n, DType::kF32);
  const int64_t narrow = plan.tile_bytes(rows, tile_n, shape.out);
  UbPlan slot(machine);
  value = slot.take(wide);
  if (shape.sides() > 1) up = slot.take(wide, BankHalf::kUpper);
  if (shape.epilogue.residual) residual = slot.take(narrow, BankHalf::kUpper);
  if (shape.epilogue.row_scales) row_scales = slot.take(rows * 4, BankHalf::kUpper);
  if (shape.out != DType::kF32) out = slot.take(narrow, BankHalf::kUpper);
  slot_bytes = slot.slot_bytes();
  slots = plan.take_ring(slot, kSlots);
  scratch = plan.take(wide, BankHalf::kUpper);
  if (splits) {
    UbPlan part(machine);
    part.take(shape.sides() * wide);
    part_bytes = part.slot_bytes();
    parts = plan.take_ring(part, kSlots, BankHalf::kUpper);
  }
  zero = plan.take(4);
  skipped = plan.take(4);
  bytes = plan.bytes();
}

int64_t finish_ub_bytes(const GemmShape& shape, int64_t tile_n, bool splits,
                        const Machine& machine) {
  return FinishUb(shape, tile_n, 1, splits, machine).bytes;
}

GemmVectors::GemmVectors(const GemmShape& shape, const GemmTiles& tiles, const GemmLinks& links,
                         const Machine& machine, Launch& launch)
    : shape_(shape),
      tiles_(tiles),
      links_(links),
      machine_(machine),
      launch_(launch),
      most_rows_(rows_that_fit(shape, tiles, machine)),
      ub_(shape, tiles.tile_n, most_rows_, tiles.parts > 1, machine) {
  const UbRing ring = add_ring(launch, "piece", kSlots);
  in_full_ = ring.full;
  in_done_ = ring.done;
  in_free_ = ring.free;
  if (tiles.parts == 1) return;
  part_full_ = launch.add_flag({"part_full", FlagScope::kCore, FlagMeaning::kData, Memory::kUb, 0});
  part_free_ =
      launch.add_flag({"part_free", FlagScope::kCore, FlagMeaning::kSpace, Memory::kUb, kSlots});
}

void GemmVectors::add_tile(const GemmCube::Work& work, int64_t slot_row,
                           std::span<CoreProgram> group, std::span<int64_t> before) {
  for (int half = 0; half < links_.halves; ++half) {
    const auto h = static_cast<size_t>(half);
    const int64_t first = work.rows * half / links_.halves;
    const int64_t end = work.rows * (half + 1) / links_.halves;
    if (first == end)
      add_piece({0, 1, 0, work.cols, slot_row, 0}, {half, true, true, true}, group[h]);
    for (int64_t row = first; row < end; row += most_rows_) {
      const int64_t rows = std::min(most_rows_, end - row);
      add_piece({work.row + row, rows, work.col, work.cols, slot_row + row, before[h]++},
                {half, row == first, row + rows == end}, group[h]);
    }
  }
}

void GemmVectors::add_reduction() {
  const int64_t most_cores = machine_.cores.aic * links_.halves;
  const int64_t columns = ceil_div(shape_.n, tiles_.tile_n);
  // As many pieces as there are cores, where there are rows enough.
  const int64_t rows =
      std::clamp<int64_t>(ceil_div(shape_.m, ceil_div(most_cores, columns)), 1, most_rows_);
  const int64_t pieces = columns * ceil_div(shape_.m, rows);
  const size_t first = launch_.cores.size();
  add_vector_cores(launch_, machine_, static_cast<size_t>(std::min(pieces, most_cores)));
  const std::span<CoreProgram> cores = std::span(launch_.cores).subspan(first);
  size_t next = 0;
  for (int64_t row = 0; row < shape_.m; row += rows) {
    for (int64_t col = 0; col < shape_.n; col += tiles_.tile_n) {
      CoreProgram& core = cores[next++ % cores.size()];
      const auto before = static_cast<int64_t>(core.tasks.size());
      add_piece({row, std::min(rows, shape_.m - row), col, std::min(tiles_.tile_n, shape_.n - col),
                 row, before},
                {0, before == 0, false}, core);
    }
  }
}

void GemmVectors::add_piece(const Piece& piece, const Variant& variant, CoreProgram& core) {
  const int64_t sums_col = tiles_.parts > 1 ? piece.col : 0;
  core.add(template_of(variant),
           {piece.row, piece.rows, piece.col, piece.cols, piece.sums_row, sums_col, piece.before});
}

int GemmVectors::template_of(const Variant& variant) {
  const auto [entry, is_new] = templates_.try_emplace(variant, 0);
  if (!is_new) return entry->second;
  Template body;
  body.name = "finish";
  body.kind = CoreKind::kAiv;
  body.bindings = kBindings;
  if (variant.skips) {
    const Tile nowhere = ub_tile(ub_.skipped, 1, 1, 0, DType::kF32);
    const Instruction take =
        load_tile(gm_tile(links_.sums, Expr::binding(kSumsRow), 0, 1, 1), nowhere);
    const auto h = static_cast<size_t>(variant.half);
    body.prologue = {setting(waiting(take, links_.sums_ready[h]), links_.sums_free[h])};
  } else {
    add_work(body, variant);
  }
  entry->second = launch_.add_template(std::move(body));
  return entry->second;
}

void GemmVectors::add_work(Template& body, const Variant& variant) const {
  add_loads(body.prologue, variant);
  if (tiles_.parts > 1) add_parts(body);
  std::vector<Instruction> work = finishing();
  if (tiles_.parts == 1) work.front() = waiting(work.front(), in_full_);
  if (work.empty()) {
    body.body.back() = setting(body.body.back(), in_done_, When::kLast);
  } else {
    work.back() = setting(work.back(), in_done_);
  }
  body.epilogue = std::move(work);
  const Tile result = in_slot(shape_.out == DType::kF32 ? ub_.value : ub_.out, shape_.out);
  body.epilogue.push_back(
      setting(waiting(store_tile(result, gm_tile(2, Expr::binding(kRow), Expr::binding(kCol),
                                                 Expr::binding(kRows), Expr::binding(kCols))),
                      in_done_),
              in_free_));
}

/// Sums of each side, then what else the piece needs.
void GemmVectors::add_loads(std::vector<Instruction>& list, const Variant& variant) const {
  const Expr rows = Expr::binding(kRows);
  const Expr cols = Expr::binding(kCols);
  const int64_t side_cols = tiles_.parts > 1 ? shape_.n : tiles_.tile_n;
  for (int64_t side = 0; side < shape_.sides(); ++side) {
    list.push_back(load_tile(gm_tile(links_.sums, Expr::binding(kSumsRow),
                                     Expr::binding(kSumsCol) + side * side_cols, rows, cols),
                             in_slot(side == 0 ? ub_.value : ub_.up, DType::kF32)));
  }
  const auto h = static_cast<size_t>(variant.half);
  list.front() = waiting(list.front(), in_free_);
  if (variant.is_first) {
    list.front() =
        waiting(list.front(), tiles_.parts > 1 ? links_.all_summed : links_.sums_ready[h]);
  }
  if (variant.is_last) list.back() = setting(list.back(), links_.sums_free[h]);
  if (shape_.epilogue.residual) {
    list.push_back(
        load_tile(gm_tile(links_.residual, Expr::binding(kRow), Expr::binding(kCol), rows, cols),
                  in_slot(ub_.residual, shape_.out)));
  }
  if (shape_.epilogue.row_scales) {
    Tile column = in_slot(ub_.row_scales, DType::kF32);
    column.cols = 1;
    column.stride = 0;
    list.push_back(load_tile(gm_tile(links_.row_scales, Expr::binding(kRow), 0, rows, 1), column));
  }
  // With split-K the flag of the parts, which come after, speaks for all loads.
  if (tiles_.parts == 1) list.back() = setting(list.back(), in_full_);
}

/// Adds the second and further parts of the depth, in their order.
void GemmVectors::add_parts(Template& body) const {
  body.count = tiles_.parts - 1;
  const Expr ring = Expr::ring(Expr::binding(kBefore) * (tiles_.parts - 1) + Expr::index(), kSlots);
  const int64_t side_bytes = ub_.part_bytes / shape_.sides();
  std::vector<Instruction> sums;
  for (int64_t side = 0; side < shape_.sides(); ++side) {
    const Expr row = Expr::binding(kSumsRow) + (Expr::index() + 1) * shape_.m;
    const Tile part = ub_tile(ring * ub_.part_bytes + (ub_.parts + side * side_bytes),
                              Expr::binding(kRows), Expr::binding(kCols), ub_.stride, DType::kF32);
    const Tile value = in_slot(side == 0 ? ub_.value : ub_.up, DType::kF32);
    body.body.push_back(
        load_tile(gm_tile(links_.sums, row, Expr::binding(kSumsCol) + side * shape_.n,
                          Expr::binding(kRows), Expr::binding(kCols)),
                  part));
    sums.push_back(vector_op(VectorOp::kAdd, value, value, part));
  }
  body.body.front() = waiting(body.body.front(), part_free_);
  body.body.back() = setting(body.body.back(), part_full_);
  sums.front() = waiting(sums.front(), part_full_);
  sums.back() = setting(sums.back(), part_free_);
  body.body.insert(body.body.end(), sums.begin(), sums.end());
}

/// What is left to do with the sums, in the order of the epilogue.
std::vector<Instruction> GemmVectors::finishing() const {
  std::vector<Instruction> list;
  const Epilogue& epilogue = shape_.epilogue;
  const Tile value = in_slot(ub_.value, DType::kF32);
  const Tile up = in_slot(ub_.up, DType::kF32);
  const Tile room = scratch();
  if (epilogue.row_scales) {
    Tile column = in_slot(ub_.row_scales, DType::kF32);
    column.cols = 1;
    column.stride = 0;
    list.push_back(vector_op(VectorOp::kMul, value, value, column));
    if (shape_.sides() > 1) list.push_back(vector_op(VectorOp::kMul, up, up, column));
  }
  if (epilogue.activation == Activation::kRelu && tiles_.parts > 1) {
    const Tile zero = ub_tile(ub_.zero, 1, 1, 0, DType::kF32);
    list.push_back(scalar_op(VectorOp::kDup, zero, {}, 0));
    list.push_back(vector_op(VectorOp::kMax, value, value, zero));
  }
  if (epilogue.activation == Activation::kGelu) {
    list.push_back(vector_op(VectorOp::kMul, room, value, value));
    list.push_back(scalar_op(VectorOp::kMuls, room, room, -kGeluCubic));
    list.push_back(scalar_op(VectorOp::kAdds, room, room, -kGeluLinear));
    list.push_back(vector_op(VectorOp::kMul, room, room, value));
  }
  if (epilogue.activation == Activation::kSiluMul) {
    list.push_back(scalar_op(VectorOp::kMuls, room, value, -1));
  }
  if (epilogue.activation == Activation::kGelu || epilogue.activation == Activation::kSiluMul) {
    list.push_back(vector_op(VectorOp::kExp, room, room));
    list.push_back(scalar_op(VectorOp::kAdds, room, room, 1));
    list.push_back(vector_op(VectorOp::kDiv, value, value, room));
  }
  if (shape_.sides() > 1) list.push_back(vector_op(VectorOp::kMul, value, value, up));
  if (epilogue.residual) {
    const Tile residual = in_slot(ub_.residual, shape_.out);
    const bool wide = shape_.out == DType::kF32;
    if (!wide) list.push_back(vector_op(VectorOp::kConvert, room, residual));
    list.push_back(vector_op(VectorOp::kAdd, value, value, wide ? residual : room));
  }
  if (shape_.out != DType::kF32) {
    list.push_back(vector_op(VectorOp::kConvert, in_slot(ub_.out, shape_.out), value));
  }
  return list;
}

/// A tile of the piece in its slot of the ring.
Tile GemmVectors::in_slot(int64_t offset, DType type) const {
  const Expr slot = Expr::ring(Expr::binding(kBefore), kSlots) * ub_.slot_bytes;
  return ub_tile(slot + (ub_.slots + offset), Expr::binding(kRows), Expr::binding(kCols),
                 type == DType::kF32 ? ub_.stride : ub_.out_stride, type);
}

Tile GemmVectors::scratch() const {
  return ub_tile(ub_.scratch, Expr::binding(kRows), Expr::binding(kCols), ub_.stride, DType::kF32);
}

}  // namespace tilewright
