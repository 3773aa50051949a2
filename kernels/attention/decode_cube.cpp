#include "kernels/attention/decode_cube.h"

#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

Instruction move_tile(const Tile& from, const Tile& to, bool transpose) {
  Instruction move;
  move.opcode = Opcode::kMove;
  move.transpose = transpose;
  move.a = from;
  move.dst = to;
  return move;
}

Instruction multiply(const Tile& a, const Tile& b, const Tile& c, Accumulate accumulate) {
  Instruction product;
  product.opcode = Opcode::kMmad;
  product.accumulate = accumulate;
  product.a = a;
  product.b = b;
  product.dst = c;
  return product;
}

Instruction drain(const Tile& from, const Tile& to, DType type) {
  Instruction fixpipe;
  fixpipe.opcode = Opcode::kFixpipe;
  fixpipe.a = from;
  fixpipe.dst = to;
  fixpipe.dst.type = type;
  return fixpipe;
}

}  // namespace

DecodeCube::DecodeCube(const DecodeLayout& layout, const DecodeFlags& between, Launch& launch)
    : layout_(layout), between_(between), numbers_(layout) {
  const auto flag = [&](const char* name, FlagMeaning meaning, Memory space, int64_t initial) {
    return launch.add_flag({name, FlagScope::kCore, meaning, space, static_cast<int>(initial)});
  };
  const auto pair = [&](const std::string& name, Memory space, int64_t slots, int& full,
                        int& free) {
    full = flag((name + "_full").c_str(), FlagMeaning::kData, space, 0);
    free = flag((name + "_free").c_str(), FlagMeaning::kSpace, space, slots);
  };
  pair("kv", Memory::kL1, layout.kv_slots, kv_full_, kv_free_);
  pair("p", Memory::kL1, kProbabilitySlots, p_full_, p_free_);
  pair("l0", Memory::kL0B, 2, l0_full_, l0_free_);
  pair("o", Memory::kL0C, 2, o_full_, o_free_);
  if (layout.config.vector_scores) return;
  pair("q", Memory::kL1, 2, q_full_, q_free_);
  l0q_free_ = flag("l0q_free", FlagMeaning::kSpace, Memory::kL0A, 2);
  pair("s", Memory::kL0C, 2, s_full_, s_free_);
}

Expr DecodeCube::tile_ring(const DecodeTile& tile, int64_t slots) const {
  return Expr::ring(Expr::binding(kTilesBefore) + tile.number, slots);
}

Expr DecodeCube::kind_ring(const DecodeTile& tile, int64_t slots) const {
  return Expr::ring(Expr::binding(kKindTilesBefore) + tile.number, slots);
}

Expr DecodeCube::work_row() const {
  return Expr::ring(Expr::binding(kLaneTasksBefore), layout_.slots) * layout_.group +
         Expr::binding(kWorkRow);
}

Tile DecodeCube::l1(const Expr& offset, const Expr& rows, const Expr& cols, int64_t stride) const {
  Tile tile = l0(Memory::kL1, offset, rows, cols);
  tile.stride = stride;
  tile.layout = Layout::kZn;
  return tile;
}

Tile DecodeCube::l0(Memory space, const Expr& offset, const Expr& rows, const Expr& cols) const {
  Tile tile;
  tile.space = space;
  tile.offset = offset;
  tile.rows = rows;
  tile.cols = cols;
  tile.type = layout_.shape.type;
  tile.layout = space == Memory::kL0A ? Layout::kZz : Layout::kNz;
  return tile;
}

Tile DecodeCube::l0c(const Expr& offset, const Expr& cols) const {
  Tile tile = l0(Memory::kL0C, offset, layout_.group, cols);
  tile.type = DType::kF32;
  tile.layout = Layout::kZn;
  return tile;
}

void DecodeCube::load_tile_of(std::vector<Instruction>& list, int tensor,
                              const DecodeTile& tile) const {
  const Expr slot = tile_ring(tile, layout_.kv_slots) * layout_.kv_slot + layout_.kv_base;
  for (int64_t piece = 0; piece < tile.pieces; ++piece) {
    // Rows of a fractal column are 32 bytes apart.
    const Tile to = l1(slot + piece * layout_.tiling.piece * 32, numbers_.piece_rows(tile, piece),
                       layout_.shape.dim, layout_.tile_rows);
    Instruction load = load_tile(numbers_.piece(tensor, tile, piece), to);
    if (piece == 0) load = waiting(load, kv_free_);
    list.push_back(piece + 1 == tile.pieces ? setting(load, kv_full_) : load);
  }
}

void DecodeCube::emit_query(std::vector<Instruction>& list) const {
  const int64_t dim = layout_.shape.dim;
  const Expr ring = Expr::ring(Expr::binding(kKindTasksBefore), 2);
  const Tile query = l1(ring * layout_.query_slot, layout_.group, dim, layout_.query_rows);
  const Tile from = gm_tile(kDecodeQ, Expr::binding(kRow), 0, layout_.group, dim);
  list.push_back(setting(waiting(load_tile(from, query), q_free_), q_full_));
  const Tile to =
      l0(Memory::kL0A, ring * layout_.l0_query_slot + layout_.l0_query, layout_.group, dim);
  list.push_back(
      setting(waiting(waiting(move_tile(query, to, false), q_full_), l0q_free_), q_free_));
}

void DecodeCube::emit_scores(std::vector<Instruction>& list, const DecodeTile& tile,
                             int lane) const {
  const int64_t dim = layout_.shape.dim;
  const Expr tokens = numbers_.tokens(tile);
  load_tile_of(list, kDecodeK, tile);
  const Tile keys = l1(tile_ring(tile, layout_.kv_slots) * layout_.kv_slot + layout_.kv_base,
                       tokens, dim, layout_.tile_rows);
  const Tile right = l0(Memory::kL0B, tile_ring(tile, 2) * layout_.kv_slot, dim, tokens);
  Instruction move = waiting(waiting(move_tile(keys, right, true), kv_full_), l0_free_);
  list.push_back(setting(setting(move, kv_free_), l0_full_));
  const Expr query = Expr::ring(Expr::binding(kKindTasksBefore), 2) * layout_.l0_query_slot;
  const Tile sums = l0c(kind_ring(tile, 2) * layout_.score_slot, tokens);
  Instruction product =
      waiting(waiting(multiply(l0(Memory::kL0A, query + layout_.l0_query, layout_.group, dim),
                               right, sums, Accumulate::kNever),
                      l0_full_),
              s_free_);
  product = setting(setting(product, l0_free_), s_full_);
  list.push_back(tile.is_last ? setting(product, l0q_free_) : product);
  const Tile to = gm_tile(kDecodeScores, work_row(), numbers_.column(tile), layout_.group, tokens);
  Instruction store = setting(waiting(drain(sums, to, DType::kF32), s_full_), s_free_);
  if (tile.is_first) store = waiting(store, between_.s_free[lane], When::kFirst);
  list.push_back(tile.is_last ? setting(store, between_.s_ready[lane]) : store);
}

void DecodeCube::emit_values(std::vector<Instruction>& list, const DecodeTile& tile,
                             const DecodeVariant& variant) const {
  const int64_t dim = layout_.shape.dim;
  const Expr tokens = numbers_.tokens(tile);
  // Values come first: they need not wait for probabilities.
  load_tile_of(list, kDecodeV, tile);
  const Tile from =
      gm_tile(kDecodeProbabilities, work_row(), numbers_.column(tile), layout_.group, tokens);
  const Tile p = l1(kind_ring(tile, kProbabilitySlots) * layout_.p_slot + layout_.p_base,
                    layout_.group, tokens, layout_.query_rows);
  Instruction load = setting(waiting(load_tile(from, p), p_free_), p_full_);
  if (tile.is_first) load = waiting(load, between_.p_ready[variant.lane], When::kFirst);
  list.push_back(tile.is_last ? setting(load, between_.p_free[variant.lane]) : load);
  const Tile left = l0(Memory::kL0A, tile_ring(tile, 2) * layout_.p_slot, layout_.group, tokens);
  list.push_back(setting(waiting(waiting(move_tile(p, left, false), p_full_), l0_free_), p_free_));
  const Tile values = l1(tile_ring(tile, layout_.kv_slots) * layout_.kv_slot + layout_.kv_base,
                         tokens, dim, layout_.tile_rows);
  const Tile right = l0(Memory::kL0B, tile_ring(tile, 2) * layout_.kv_slot, tokens, dim);
  list.push_back(
      setting(setting(waiting(move_tile(values, right, false), kv_full_), kv_free_), l0_full_));
  const Expr slot = Expr::ring(Expr::binding(kKindTasksBefore), 2) * layout_.out_slot;
  const Accumulate accumulate = !tile.is_last     ? Accumulate::kUnlessFirst
                                : variant.several ? Accumulate::kAlways
                                                  : Accumulate::kNever;
  Instruction product = setting(
      waiting(multiply(left, right, l0c(slot + layout_.out_base, dim), accumulate), l0_full_),
      l0_free_);
  if (tile.is_first) product = waiting(product, o_free_, When::kFirst);
  list.push_back(tile.is_last ? setting(product, o_full_) : product);
}

void DecodeCube::drain_values(std::vector<Instruction>& list, const DecodeVariant& variant) const {
  const Expr slot = Expr::ring(Expr::binding(kKindTasksBefore), 2) * layout_.out_slot;
  const Tile to = gm_tile(variant.part ? kDecodePartial : kDecodeOut, Expr::binding(kRow), 0,
                          layout_.group, layout_.shape.dim);
  const DType type = variant.part ? DType::kF32 : layout_.shape.type;
  Instruction store = drain(l0c(slot + layout_.out_base, layout_.shape.dim), to, type);
  store = setting(waiting(store, o_full_), o_free_);
  list.push_back(variant.last_part ? setting(store, between_.parts_done) : store);
}

Template DecodeCube::scores(const DecodeVariant& variant) const {
  Template body;
  body.name = "qk";
  body.bindings = kBindings;
  emit_query(body.prologue);
  numbers_.for_each_tile(body, variant, [&](auto& list, const DecodeTile& tile) {
    emit_scores(list, tile, variant.lane);
  });
  return body;
}

Template DecodeCube::values(const DecodeVariant& variant) const {
  Template body;
  body.name = "sv";
  body.bindings = kBindings;
  numbers_.for_each_tile(
      body, variant, [&](auto& list, const DecodeTile& tile) { emit_values(list, tile, variant); });
  drain_values(body.epilogue, variant);
  return body;
}

}  // namespace tilewright
