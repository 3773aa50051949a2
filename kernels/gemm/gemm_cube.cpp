#include "kernels/gemm/gemm_cube.h"

#include <algorithm>

#include "core/base/integers.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

enum Binding {
  kRow,
  kCol,
  kRows,
  kCols,
  kDepth,         ///< first column of A
  kWeightRow,     ///< first row of B
  kChannel,       ///< of the first column, among biases and scales
  kCount,         ///< whole chunks
  kChunksBefore,  ///< that the core has done: the place in the ring of L1
  kStepsBefore,
  kTilesBefore,
  kSumsRow,
  kBindings
};

int64_t value_or(const Config& config, const char* name, int64_t fallback) {
  return config.has(name) ? config.at(name) : fallback;
}

}  // namespace

GemmTiles::GemmTiles(const GemmShape& shape, const Config& config, const Machine& machine)
    : tile_m(round_up(config.at("tile_m"), 16)),
      tile_n(round_up(config.at("tile_n"), shape.column_unit())),
      chunk(config.at("tile_k")),
      step(config.at("tile_k0")),
      l1_buffers(config.at("l1_buffers")),
      l0_buffers(value_or(config, "l0_buffers", 2)),
      l0c_buffers(config.at("l0c_buffers")),
      parts(value_or(config, "split_k", 1)),
      swizzle(config.at("swizzle")),
      core_rows(value_or(config, "core_rows", 0)),
      cores(value_or(config, "cores", 0)) {
  if (cores == 0) cores = machine.cores.aic;
}

GemmCube::GemmCube(const GemmShape& shape, const GemmTiles& tiles, const GemmLinks& links,
                   Launch& launch)
    : shape_(shape),
      tiles_(tiles),
      links_(links),
      launch_(launch),
      width_(bytes_of(shape.type)),
      sides_(shape.sides()),
      sum_type_(accumulator_of(shape.type)) {
  const auto flag = [&](const char* name, FlagMeaning meaning, Memory space, int64_t initial) {
    return launch_.add_flag({name, FlagScope::kCore, meaning, space, static_cast<int>(initial)});
  };
  l1_full_ = flag("l1_full", FlagMeaning::kData, Memory::kL1, 0);
  l1_free_ = flag("l1_free", FlagMeaning::kSpace, Memory::kL1, tiles.l1_buffers);
  l0_full_ = flag("l0_full", FlagMeaning::kData, Memory::kL0A, 0);
  l0_free_ = flag("l0_free", FlagMeaning::kSpace, Memory::kL0A, tiles.l0_buffers);
  c_full_ = flag("l0c_full", FlagMeaning::kData, Memory::kL0C, 0);
  c_free_ = flag("l0c_free", FlagMeaning::kSpace, Memory::kL0C, tiles.l0c_buffers);
  if (links.bias < 0 && links.scales < 0) return;
  channels_full_ = flag("channels_full", FlagMeaning::kData, Memory::kL1, 0);
  channels_free_ = flag("channels_free", FlagMeaning::kSpace, Memory::kL1, 1);
  if (links.bias >= 0) {
    bt_free_ = flag("bt_free", FlagMeaning::kSpace, Memory::kBt, 1);
  }
  if (links.scales >= 0) {
    fb_free_ = flag("fb_free", FlagMeaning::kSpace, Memory::kFb, tiles.l0c_buffers);
  }
}

int64_t GemmCube::a_bytes() const {
  return tiles_.tile_m * tiles_.chunk * width_;
}

int64_t GemmCube::b_bytes() const {
  return tiles_.tile_n * tiles_.chunk * width_;
}

void GemmCube::add(const Work& work, Progress& before, CoreProgram& core) {
  const int64_t chunks = ceil_div(shape_.k, tiles_.chunk);
  const int64_t first = chunks * work.part / tiles_.parts;
  const int64_t end = chunks * (work.part + 1) / tiles_.parts;
  const int64_t rest = end == chunks ? shape_.k % tiles_.chunk : 0;
  const int64_t count = end - first - (rest > 0 ? 1 : 0);
  const int64_t depth = first * tiles_.chunk;
  const bool bias = links_.bias >= 0 && work.part == 0;
  core.add(template_of({count > 0, rest, bias, work.is_last}),
           {work.row, work.col, work.rows, work.cols, depth,
            work.expert * shape_.stored_k() + depth, work.expert * sides_ * shape_.n + work.col,
            count, before.chunks, before.steps, before.tiles, work.sums_row});
  before.chunks += end - first;
  before.steps += count * (tiles_.chunk / tiles_.step) + ceil_div(rest, tiles_.step);
  ++before.tiles;
}

int GemmCube::template_of(const Variant& variant) {
  const auto [entry, is_new] = templates_.try_emplace(variant, 0);
  if (!is_new) return entry->second;
  Template body;
  body.name = "tile";
  body.kind = CoreKind::kAic;
  body.bindings = kBindings;
  body.count = Expr::binding(kCount);
  add_channels(body.prologue, variant.bias);
  const bool has_rest = variant.rest > 0;
  add_chunk(body.body, {tiles_.chunk, Expr::index(), true, !has_rest, true, variant.bias});
  if (has_rest) {
    add_chunk(body.epilogue,
              {variant.rest, Expr::binding(kCount), !variant.full, true, false, variant.bias});
  }
  add_drains(body.epilogue, variant);
  entry->second = launch_.add_template(std::move(body));
  return entry->second;
}

/// Biases and scales of the tile's columns, to BT and FB. Products wait for moves that come after
/// these on MTE1, and the drain for the products: no flag of their own need say that they are
/// there.
void GemmCube::add_channels(std::vector<Instruction>& list, bool bias) const {
  std::vector<Instruction> moves;
  for (int64_t side = 0; bias && side < sides_; ++side) {
    list.push_back(load_channels(links_.bias, side, biases(Memory::kL1, side)));
    moves.push_back(move(biases(Memory::kL1, side), biases(Memory::kBt, side)));
    if (side == 0) moves.back() = waiting(moves.back(), bt_free_);
  }
  for (int64_t side = 0; links_.scales >= 0 && side < sides_; ++side) {
    list.push_back(load_channels(links_.scales, side, scales(Memory::kL1, side)));
    moves.push_back(move(scales(Memory::kL1, side), scales(Memory::kFb, side)));
    if (side == 0) moves.back() = waiting(moves.back(), fb_free_);
  }
  if (moves.empty()) return;
  list.front() = waiting(list.front(), channels_free_);
  list.back() = setting(list.back(), channels_full_);
  moves.front() = waiting(moves.front(), channels_full_);
  moves.back() = setting(moves.back(), channels_free_);
  list.insert(list.end(), moves.begin(), moves.end());
}

/// Loads one K chunk into L1 and multiplies it step by step.
void GemmCube::add_chunk(std::vector<Instruction>& list, const Chunk& chunk) const {
  list.push_back(waiting(load_a(chunk), l1_free_));
  for (int64_t side = 0; side < sides_; ++side) list.push_back(load_b(chunk, side));
  list.back() = setting(list.back(), l1_full_);
  for (int64_t s = 0; s < ceil_div(chunk.depth, tiles_.step); ++s) add_step(list, chunk, s);
}

void GemmCube::add_step(std::vector<Instruction>& list, const Chunk& chunk, int64_t number) const {
  const int64_t from = number * tiles_.step;
  const int64_t depth = std::min(tiles_.step, chunk.depth - from);
  const bool first = number == 0;
  const bool last = from + depth == chunk.depth;
  const Expr ring =
      Expr::ring(Expr::binding(kStepsBefore) + chunk.number * (tiles_.chunk / tiles_.step) + number,
                 tiles_.l0_buffers);
  const Tile a0{.space = Memory::kL0A,
                .offset = ring * (tiles_.tile_m * tiles_.step * width_),
                .rows = Expr::binding(kRows),
                .cols = depth,
                .type = shape_.type,
                .layout = Layout::kZz};
  Instruction move_a = waiting(move(a_chunk(chunk, from, depth), a0), l0_free_);
  if (first) move_a = waiting(move_a, l1_full_);
  list.push_back(move_a);
  std::vector<Instruction> products;
  for (int64_t side = 0; side < sides_; ++side) {
    const int64_t b0_bytes = tiles_.tile_n * tiles_.step * width_;
    const Tile b0{.space = Memory::kL0B,
                  .offset = ring * (sides_ * b0_bytes) + side * b0_bytes,
                  .rows = depth,
                  .cols = Expr::binding(kCols),
                  .type = shape_.type,
                  .layout = Layout::kNz};
    list.push_back(move(b_chunk(chunk, side, from, depth), b0));
    Instruction& multiply = products.emplace_back();
    multiply.opcode = Opcode::kMmad;
    multiply.a = a0;
    multiply.b = b0;
    multiply.dst = sums(side);
    if (!first || !chunk.opens) continue;
    multiply.accumulate = chunk.in_body ? Accumulate::kUnlessFirst : Accumulate::kNever;
    if (chunk.bias) multiply.bias = biases(Memory::kBt, side);
  }
  list.back() = setting(list.back(), l0_full_);
  if (last) list.back() = setting(list.back(), l1_free_);
  products.front() = waiting(products.front(), l0_full_);
  products.back() = setting(products.back(), l0_free_);
  if (first && chunk.opens) {
    products.front() = waiting(products.front(), c_free_, When::kFirst);
    if (chunk.bias) {
      products.back() = setting(products.back(), bt_free_, When::kFirst);
    }
  }
  if (last && chunk.ends) products.back() = setting(products.back(), c_full_, When::kLast);
  list.insert(list.end(), products.begin(), products.end());
}

void GemmCube::add_drains(std::vector<Instruction>& list, const Variant& variant) const {
  const size_t first = list.size();
  const bool to_vectors = links_.sums >= 0;
  for (int64_t side = 0; side < sides_; ++side) {
    Instruction& fixpipe = list.emplace_back();
    fixpipe.opcode = Opcode::kFixpipe;
    fixpipe.a = sums(side);
    if (links_.scales >= 0) fixpipe.b = scales(Memory::kFb, side);
    fixpipe.relu = shape_.epilogue.activation == Epilogue::Activation::kRelu && tiles_.parts == 1;
    const Expr slot = Expr::ring(Expr::binding(kTilesBefore), kSumsSlots) * tiles_.tile_m;
    const Expr rows = Expr::binding(kRows);
    const Expr cols = Expr::binding(kCols);
    if (!to_vectors) {
      fixpipe.dst = gm_tile(2, Expr::binding(kRow), Expr::binding(kCol), rows, cols);
    } else if (tiles_.parts > 1) {
      fixpipe.dst = gm_tile(links_.sums, Expr::binding(kSumsRow),
                            Expr::binding(kCol) + side * shape_.n, rows, cols);
    } else {
      fixpipe.dst =
          gm_tile(links_.sums, slot + Expr::binding(kSumsRow), side * tiles_.tile_n, rows, cols);
    }
    fixpipe.dst.type = to_vectors ? DType::kF32 : shape_.out;
  }
  list[first] = waiting(list[first], c_full_);
  list.back() = setting(list.back(), c_free_);
  if (links_.scales >= 0) {
    list.back() = setting(list.back(), fb_free_);
  }
  for (int half = 0; tiles_.parts == 1 && half < links_.halves; ++half) {
    const auto h = static_cast<size_t>(half);
    list[first] = waiting(list[first], links_.sums_free[h]);
    list.back() = setting(list.back(), links_.sums_ready[h]);
  }
  if (variant.is_last && links_.all_summed >= 0) {
    list.back() = setting(list.back(), links_.all_summed);
  }
}

/// K columns of A from `from` of a chunk in L1. zN: a column of fractals further is a whole column
/// of fractals of the chunk.
Tile GemmCube::a_chunk(const Chunk& chunk, int64_t from, const Expr& depth) const {
  const Expr slot =
      Expr::ring(Expr::binding(kChunksBefore) + chunk.number, tiles_.l1_buffers) * a_bytes();
  return {.space = Memory::kL1,
          .offset = slot + from * width_ * tiles_.tile_m,
          .rows = Expr::binding(kRows),
          .cols = depth,
          .stride = tiles_.tile_m,
          .type = shape_.type,
          .layout = Layout::kZn};
}

/// K rows of one side of B from `from` of a chunk in L1. zN: a row further is 32 bytes.
Tile GemmCube::b_chunk(const Chunk& chunk, int64_t side, int64_t from, const Expr& depth) const {
  const Expr slot = Expr::ring(Expr::binding(kChunksBefore) + chunk.number, tiles_.l1_buffers) *
                    (sides_ * b_bytes());
  return {.space = Memory::kL1,
          .offset = slot + (tiles_.l1_buffers * a_bytes() + side * b_bytes() + from * 32),
          .rows = depth,
          .cols = Expr::binding(kCols),
          .stride = tiles_.chunk,
          .type = shape_.type,
          .layout = Layout::kZn};
}

Instruction GemmCube::load_a(const Chunk& chunk) const {
  return load_tile(
      gm_tile(0, Expr::binding(kRow), Expr::binding(kDepth) + chunk.number * tiles_.chunk,
              Expr::binding(kRows), chunk.depth),
      a_chunk(chunk, 0, chunk.depth));
}

Instruction GemmCube::load_b(const Chunk& chunk, int64_t side) const {
  return load_tile(
      gm_tile(1, Expr::binding(kWeightRow) + chunk.number * tiles_.chunk,
              Expr::binding(kCol) + side * shape_.stored_n(), chunk.depth, Expr::binding(kCols)),
      b_chunk(chunk, side, 0, chunk.depth));
}

Instruction GemmCube::load_channels(int tensor, int64_t side, const Tile& to) const {
  return load_tile(gm_tile(tensor, Expr::binding(kChannel) + side * shape_.n, 0, to.rows, to.cols),
                   to);
}

Instruction GemmCube::move(const Tile& from, const Tile& to) const {
  Instruction move;
  move.opcode = Opcode::kMove;
  move.a = from;
  move.dst = to;
  return move;
}

Tile GemmCube::biases(Memory space, int64_t side) const {
  const int64_t base =
      space == Memory::kL1 ? tiles_.l1_buffers * (a_bytes() + sides_ * b_bytes()) : 0;
  return {.space = space,
          .offset = base + side * tiles_.tile_n * 4,
          .rows = Expr::binding(kCols),
          .cols = 1,
          .type = sum_type_};
}

Tile GemmCube::scales(Memory space, int64_t side) const {
  const int64_t bytes = tiles_.tile_n * 8;
  const int64_t base =
      tiles_.l1_buffers * (a_bytes() + sides_ * b_bytes()) + sides_ * tiles_.tile_n * 4;
  const Expr slot =
      space == Memory::kL1
          ? Expr(base)
          : Expr::ring(Expr::binding(kTilesBefore), tiles_.l0c_buffers) * (sides_ * bytes);
  return {.space = space,
          .offset = slot + side * bytes,
          .rows = Expr::binding(kCols),
          .cols = 2,
          .type = DType::kF32};
}

Tile GemmCube::sums(int64_t side) const {
  const int64_t bytes = tiles_.tile_m * tiles_.tile_n * 4;
  const Expr slot = Expr::ring(Expr::binding(kTilesBefore), tiles_.l0c_buffers);
  return {.space = Memory::kL0C,
          .offset = slot * (sides_ * bytes) + side * bytes,
          .rows = Expr::binding(kRows),
          .cols = Expr::binding(kCols),
          .stride = tiles_.tile_m,
          .type = sum_type_,
          .layout = Layout::kZn};
}

}  // namespace tilewright
