#include "kernels/vector/vector_builder.h"

#include <algorithm>

#include "core/base/error.h"

namespace tilewright {

namespace {

void add_use(std::array<FlagUse, Instruction::kMaxFlags>& uses, FlagUse use) {
  const auto place =
      std::find_if(uses.begin(), uses.end(), [](const FlagUse& u) { return u.flag < 0; });
  TW_CHECK(place != uses.end(), "an instruction has at most four flags");
  *place = use;
}

}  // namespace

UbRing add_ring(Launch& launch, const std::string& name, int64_t buffers) {
  const auto flag = [&](const char* suffix, FlagMeaning meaning, int64_t initial) {
    return launch.add_flag(
        {name + suffix, FlagScope::kCore, meaning, Memory::kUb, static_cast<int>(initial)});
  };
  return {flag("_full", FlagMeaning::kData, 0), flag("_done", FlagMeaning::kData, 0),
          flag("_free", FlagMeaning::kSpace, buffers)};
}

Tile gm_tile(int tensor, const Expr& row, const Expr& col, const Expr& rows, const Expr& cols) {
  Tile tile;
  tile.space = Memory::kGm;
  tile.tensor = tensor;
  tile.row = row;
  tile.col = col;
  tile.rows = rows;
  tile.cols = cols;
  return tile;
}

Tile ub_tile(const Expr& offset, const Expr& rows, const Expr& cols, int64_t stride, DType type) {
  Tile tile;
  tile.space = Memory::kUb;
  tile.offset = offset;
  tile.rows = rows;
  tile.cols = cols;
  tile.stride = stride;
  tile.type = type;
  return tile;
}

Tile columns_of(const Tile& tile, int64_t col, int64_t cols) {
  Tile part = tile;
  part.offset = part.offset + col * bytes_of(tile.type);
  part.cols = cols;
  return part;
}

Tile in_halves(Tile column) {
  column.type = DType::kF16;
  return column;
}

Instruction load_tile(const Tile& from, const Tile& to) {
  Instruction load;
  load.opcode = Opcode::kLoad;
  load.a = from;
  load.a.type = to.type;
  load.dst = to;
  return load;
}

Instruction store_tile(const Tile& from, const Tile& to) {
  Instruction store;
  store.opcode = Opcode::kStore;
  store.a = from;
  store.dst = to;
  store.dst.type = from.type;
  return store;
}

Instruction vector_op(VectorOp op, const Tile& dst, const Tile& a) {
  Instruction instruction;
  instruction.opcode = Opcode::kVector;
  instruction.vector_op = op;
  instruction.dst = dst;
  instruction.a = a;
  return instruction;
}

Instruction vector_op(VectorOp op, const Tile& dst, const Tile& a, const Tile& b) {
  Instruction instruction = vector_op(op, dst, a);
  instruction.b = b;
  return instruction;
}

Instruction round_op(const Tile& dst, const Tile& a) {
  return vector_op(dst.type == a.type ? VectorOp::kCopy : VectorOp::kConvert, dst, a);
}

Instruction scalar_op(VectorOp op, const Tile& dst, const Tile& a, double scalar) {
  Instruction instruction = vector_op(op, dst, a);
  instruction.scalar = scalar;
  return instruction;
}

Instruction waiting(Instruction instruction, int flag, When when) {
  add_use(instruction.waits, {flag, when});
  return instruction;
}

Instruction setting(Instruction instruction, int flag, When when) {
  add_use(instruction.sets, {flag, when});
  return instruction;
}

Instruction setting_peer(Instruction instruction, int flag, int chip) {
  add_use(instruction.sets, {flag, When::kAlways, chip});
  return instruction;
}

void add_vector_cores(Launch& launch, const Machine& machine, size_t count) {
  for (size_t core = 0; core < count; ++core) {
    CoreProgram program;
    program.kind = CoreKind::kAiv;
    program.group = static_cast<int>(core % static_cast<size_t>(machine.cores.aic));
    launch.cores.push_back(std::move(program));
  }
}

void add_tiles(CoreProgram& core, const TileTemplates& templates,
               const std::vector<std::vector<int64_t>>& tiles, int64_t buffers, size_t loaded) {
  for (size_t tile = 0; tile < tiles.size(); ++tile) {
    const size_t end = std::min(tiles.size(), tile + static_cast<size_t>(buffers));
    for (; loaded < end; ++loaded) core.add(templates.load, tiles[loaded]);
    const bool first = tile == 0 && templates.first_work >= 0;
    core.add(first ? templates.first_work : templates.work, tiles[tile]);
  }
}

}  // namespace tilewright
