#include "kernels/attention/decode_vector.h"

#include <cmath>
#include <limits>

#include "kernels/vector/reduce.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

DecodeVector::DecodeVector(const DecodeLayout& layout, const DecodeFlags& between,
                           const Machine& machine, Launch& launch)
    : layout_(layout), between_(between), numbers_(layout), machine_(machine) {
  const auto flag = [&](const char* name, FlagMeaning meaning, int64_t initial) {
    return launch.add_flag(
        {name, FlagScope::kCore, meaning, Memory::kUb, static_cast<int>(initial)});
  };
  if (layout.config.vector_scores) {
    q_full_ = flag("q_full", FlagMeaning::kData, 0);
    q_free_ = flag("q_free", FlagMeaning::kSpace, 2);
    k_full_ = flag("k_full", FlagMeaning::kData, 0);
    k_free_ = flag("k_free", FlagMeaning::kSpace, layout.config.buffers);
  } else {
    s_full_ = flag("ub_s_full", FlagMeaning::kData, 0);
    s_free_ = flag("ub_s_free", FlagMeaning::kSpace, 1);
  }
  p_full_ = flag("ub_p_full", FlagMeaning::kData, 0);
  p_free_ = flag("ub_p_free", FlagMeaning::kSpace, 1);
}

Tile DecodeVector::rows(int64_t offset, const Expr& cols, int64_t stride, DType type) const {
  return ub_tile(offset, layout_.group, cols, stride, type);
}

Tile DecodeVector::score_rows() const {
  return rows(layout_.scores, Expr::binding(kColumns), layout_.columns, DType::kF32);
}

Expr DecodeVector::work_row() const {
  return Expr::ring(Expr::binding(kTasksBefore), layout_.slots) * layout_.group +
         Expr::binding(kWorkRow);
}

void DecodeVector::emit_query(std::vector<Instruction>& list) const {
  const int64_t dim = layout_.shape.dim;
  const Expr slot = Expr::ring(Expr::binding(kTasksBefore), 2) * layout_.ub_query_slot;
  const Tile query = ub_tile(slot + layout_.queries, layout_.group, dim, 0, layout_.shape.type);
  const Tile wide = rows(layout_.wide_query, dim, 0, DType::kF32);
  list.push_back(setting(
      waiting(load_tile(gm_tile(kDecodeQ, Expr::binding(kQueryRow), 0, layout_.group, dim), query),
              q_free_),
      q_full_));
  list.push_back(setting(waiting(round_op(wide, query), q_full_), q_free_));
  list.push_back(scalar_op(VectorOp::kMuls, wide, wide, 1.0 / std::sqrt(static_cast<double>(dim))));
  if (layout_.has_gaps) {
    list.push_back(
        scalar_op(VectorOp::kDup, score_rows(), {}, -std::numeric_limits<double>::infinity()));
  }
}

void DecodeVector::emit_scores(std::vector<Instruction>& list, const DecodeTile& tile) const {
  const int64_t dim = layout_.shape.dim;
  const DType type = layout_.shape.type;
  const Expr slot = Expr::ring(Expr::binding(kTilesBefore) + tile.number, layout_.config.buffers) *
                        layout_.key_slot +
                    layout_.keys;
  for (int64_t piece = 0; piece < tile.pieces; ++piece) {
    const Tile to = ub_tile(slot + piece * layout_.tiling.piece * dim * layout_.width,
                            numbers_.piece_rows(tile, piece), dim, 0, type);
    Instruction load = load_tile(numbers_.piece(kDecodeK, tile, piece), to);
    if (piece == 0) load = waiting(load, k_free_);
    list.push_back(piece + 1 == tile.pieces ? setting(load, k_full_) : load);
  }
  const Expr tokens = numbers_.tokens(tile);
  const Tile keys = ub_tile(slot, tokens, dim, 0, type);
  const Tile wide = ub_tile(layout_.wide, tokens, dim, dim, DType::kF32);
  const Tile product = ub_tile(layout_.product, tokens, dim, dim, DType::kF32);
  list.push_back(setting(waiting(round_op(wide, keys), k_full_), k_free_));
  for (int64_t head = 0; head < layout_.group; ++head) {
    const Tile query = ub_tile(layout_.wide_query + head * dim * 4, 1, dim, 0, DType::kF32);
    const Tile scores =
        ub_tile(numbers_.column(tile) * 4 + (layout_.scores + head * layout_.columns * 4), tokens,
                1, 0, DType::kF32);
    list.push_back(vector_op(VectorOp::kMul, product, wide, query));
    reduce_rows(list, VectorOp::kRowSum, product, dim, scores, layout_.product, machine_);
  }
}

void DecodeVector::load_scores(std::vector<Instruction>& list, int lane) const {
  const Tile scores = score_rows();
  const Tile from = gm_tile(kDecodeScores, work_row(), 0, layout_.group, Expr::binding(kColumns));
  Instruction load = waiting(waiting(load_tile(from, scores), between_.s_ready[lane]), s_free_);
  list.push_back(setting(setting(load, between_.s_free[lane]), s_full_));
  const double scale = 1.0 / std::sqrt(static_cast<double>(layout_.shape.dim));
  list.push_back(waiting(scalar_op(VectorOp::kMuls, scores, scores, scale), s_full_));
}

void DecodeVector::emit_softmax(std::vector<Instruction>& list,
                                const DecodeVariant& variant) const {
  const Tile scores = score_rows();
  const Tile maximum = column(layout_.maximum);
  const Tile sum = column(layout_.row_sum);
  list.push_back(vector_op(VectorOp::kRowMax, maximum, scores));
  list.push_back(scalar_op(VectorOp::kDup, column(layout_.lowest), {}, kLowestScore));
  list.push_back(vector_op(VectorOp::kMax, maximum, maximum, column(layout_.lowest)));
  list.push_back(vector_op(VectorOp::kSub, scores, scores, maximum));
  list.push_back(vector_op(VectorOp::kExp, scores, scores));
  list.push_back(vector_op(VectorOp::kRowSum, sum, scores));
  if (!variant.part) list.push_back(vector_op(VectorOp::kDiv, scores, scores, sum));
  const Tile probabilities =
      rows(layout_.probabilities, Expr::binding(kColumns), layout_.columns, layout_.shape.type);
  Instruction convert = waiting(round_op(probabilities, scores), p_free_);
  list.push_back(layout_.config.vector_scores ? convert : setting(convert, s_free_));
  if (variant.part) {
    constexpr int64_t kHalf = KvReduction::kStatColumns / 2;
    const Tile stored = rows(layout_.stored, kHalf, KvReduction::kStatColumns, DType::kF32);
    list.push_back(vector_op(VectorOp::kCopy, stored, maximum));
    list.push_back(vector_op(VectorOp::kCopy, columns_of(stored, kHalf, kHalf), sum));
  }
  list.back() = setting(list.back(), p_full_);
}

void DecodeVector::store_results(std::vector<Instruction>& list,
                                 const DecodeVariant& variant) const {
  const Tile probabilities =
      rows(layout_.probabilities, Expr::binding(kColumns), layout_.columns, layout_.shape.type);
  const Tile to =
      gm_tile(kDecodeProbabilities, work_row(), 0, layout_.group, Expr::binding(kColumns));
  list.push_back(setting(
      waiting(waiting(store_tile(probabilities, to), p_full_), between_.p_free[variant.lane]),
      between_.p_ready[variant.lane]));
  if (variant.part) {
    const Tile stored = rows(layout_.stored, KvReduction::kStatColumns, 0, DType::kF32);
    list.push_back(
        store_tile(stored, gm_tile(kDecodePartial, Expr::binding(kPartRow), layout_.shape.dim,
                                   layout_.group, KvReduction::kStatColumns)));
  }
  list.back() = setting(list.back(), p_free_);
  if (variant.last_part) list.back() = setting(list.back(), between_.parts_done);
}

Template DecodeVector::task(const DecodeVariant& variant) const {
  Template body;
  body.kind = CoreKind::kAiv;
  body.bindings = kBindings;
  if (layout_.config.vector_scores) {
    body.name = "qk_softmax";
    emit_query(body.prologue);
    numbers_.for_each_tile(body, variant,
                           [&](auto& list, const DecodeTile& tile) { emit_scores(list, tile); });
  } else {
    body.name = "softmax";
    load_scores(body.epilogue, variant.lane);
  }
  emit_softmax(body.epilogue, variant);
  store_results(body.epilogue, variant);
  return body;
}

Template DecodeVector::fetch() const {
  Template body;
  body.name = "fetch_q";
  body.kind = CoreKind::kAiv;
  body.bindings = kBindings;
  // Nobody reads the bytes in UB, so loads may follow each other to the same place.
  const Tile to = rows(layout_.fetched, layout_.shape.dim, 0, layout_.shape.type);
  body.prologue.push_back(load_tile(
      gm_tile(kDecodeQ, Expr::binding(kQueryRow), 0, layout_.group, layout_.shape.dim), to));
  return body;
}

}  // namespace tilewright
