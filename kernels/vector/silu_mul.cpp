#include "kernels/vector/silu_mul.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

/// A slot holds a tile of gate, which becomes the output, and one of up.
struct SiluPlan {
  SiluPlan(const Problem& problem, const VectorTile& tile, const Machine& machine) : plan(machine) {
    const DType type = problem.types[0];
    stride = plan.stride(tile.cols, type);
    wide_stride = plan.stride(tile.cols, DType::kF32);
    const int64_t tile_bytes = plan.tile_bytes(tile.rows, tile.cols, type);
    const int64_t wide_bytes = plan.tile_bytes(tile.rows, tile.cols, DType::kF32);
    UbPlan slot(machine);
    slot.take(tile_bytes);
    up = slot.take(tile_bytes, type == DType::kF16 ? BankHalf::kLower : BankHalf::kUpper);
    slot_bytes = slot.slot_bytes();
    slots = plan.take_ring(slot, tile.buffers);
    // The scratch meets the value: the wide tile, or the gate's.
    const bool half = type != DType::kF32;
    if (half) wide = plan.take(wide_bytes, BankHalf::kUpper);
    scratch = plan.take(wide_bytes, half ? BankHalf::kLower : BankHalf::kUpper);
  }

  UbPlan plan;
  int64_t stride = 0, wide_stride = 0, slot_bytes = 0, up = 0;
  int64_t slots = 0, wide = 0, scratch = 0;
};

enum Binding { kRow, kCol, kUpCol, kRows, kCols, kSlot, kBindings };

/// gate = silu(gate) * up in f32; halves are widened to `value` and `scratch`.
void add_silu(const Tile& gate, const Tile& up, const Tile& value, const Tile& scratch,
              std::vector<Instruction>& list) {
  const bool half = gate.type != DType::kF32;
  if (half) list.push_back(vector_op(VectorOp::kConvert, value, gate));
  list.push_back(scalar_op(VectorOp::kMuls, scratch, value, -1));
  list.push_back(vector_op(VectorOp::kExp, scratch, scratch));
  list.push_back(scalar_op(VectorOp::kAdds, scratch, scratch, 1));
  list.push_back(vector_op(VectorOp::kDiv, value, value, scratch));
  if (half) list.push_back(vector_op(VectorOp::kConvert, scratch, up));
  list.push_back(vector_op(VectorOp::kMul, value, value, half ? scratch : up));
  if (half) list.push_back(vector_op(VectorOp::kConvert, gate, value));
}

/// The same of f16, of which a repeat holds twice as many. Only the exponential and its sum need
/// the range of f32; their inverse root r fits f16, and (gate r) (up r) neither overflows nor
/// vanishes before the result does.
void add_half_silu(const Tile& gate, const Tile& up, const Tile& value, const Tile& scratch,
                   std::vector<Instruction>& list) {
  Tile root = value;
  root.type = DType::kF16;
  root.stride = 2 * root.stride;
  list.push_back(scalar_op(VectorOp::kMuls, root, gate, -1));
  list.push_back(vector_op(VectorOp::kConvert, scratch, root));
  list.push_back(vector_op(VectorOp::kExp, scratch, scratch));
  list.push_back(scalar_op(VectorOp::kAdds, scratch, scratch, 1));
  list.push_back(vector_op(VectorOp::kRsqrt, scratch, scratch));
  list.push_back(vector_op(VectorOp::kConvert, root, scratch));
  list.push_back(vector_op(VectorOp::kMul, gate, gate, root));
  list.push_back(vector_op(VectorOp::kMul, root, up, root));
  list.push_back(vector_op(VectorOp::kMul, gate, gate, root));
}

TileTemplates add_silu_templates(Launch& launch, const SiluPlan& at, const UbRing& ring,
                                 DType type) {
  const Expr rows = Expr::binding(kRows);
  const Expr cols = Expr::binding(kCols);
  const Tile gate = ub_tile(Expr::binding(kSlot), rows, cols, at.stride, type);
  const Tile up = ub_tile(Expr::binding(kSlot) + at.up, rows, cols, at.stride, type);
  const Tile scratch = ub_tile(at.scratch, rows, cols, at.wide_stride, DType::kF32);
  const bool half = type != DType::kF32;
  const Tile value = half ? ub_tile(at.wide, rows, cols, at.wide_stride, DType::kF32) : gate;
  const auto gm = [&](int tensor, int col) {
    return gm_tile(tensor, Expr::binding(kRow), Expr::binding(col), rows, cols);
  };

  Template load;
  load.name = "load";
  Template work;
  work.name = "tile";
  for (Template* part : {&load, &work}) {
    part->kind = CoreKind::kAiv;
    part->bindings = kBindings;
  }
  load.prologue = {waiting(load_tile(gm(0, kCol), gate), ring.free),
                   setting(load_tile(gm(0, kUpCol), up), ring.full)};
  std::vector<Instruction>& list = work.prologue;
  type == DType::kF16 ? add_half_silu(gate, up, value, scratch, list)
                      : add_silu(gate, up, value, scratch, list);
  list.front() = waiting(list.front(), ring.full);
  list.back() = setting(list.back(), ring.done);
  list.push_back(setting(waiting(store_tile(gate, gm(1, kCol)), ring.done), ring.free));
  TileTemplates templates;
  templates.load = launch.add_template(std::move(load));
  templates.work = launch.add_template(std::move(work));
  return templates;
}

/// Sector width of the input. Tiles of gate begin at multiples of the tile's width, those of up at
/// `cols` further: a common divisor keeps every tile in whole sectors. When it is less than an L2
/// line, lines of 512 bytes: the two tiles that share one then fetch it once, as in the machine.
int64_t input_sector(int64_t tile_cols, int64_t cols, DType type) {
  return std::max(std::gcd(tile_cols, cols), std::min<int64_t>(tile_cols, 512 / bytes_of(type)));
}

}  // namespace

std::string SiluMulKernel::summary() const {
  return "out = silu(gate) * up: SwiGLU, the gated activation of the MLP";
}

std::vector<SizeInfo> SiluMulKernel::sizes() const {
  return {{"rows", "rows (tokens)"},
          {"cols", "columns of the output; the input has twice as many"}};
}

int64_t SiluMulKernel::ub_bytes(const Problem& problem, const VectorTile& tile,
                                const Machine& machine) const {
  return SiluPlan(problem, tile, machine).plan.bytes();
}

Launch SiluMulKernel::build(const Problem& problem, const Config& config,
                            const Machine& machine) const {
  const VectorTile tile = tile_of(problem, config);
  const SiluPlan at(problem, tile, machine);
  const DType type = problem.types[0];
  const int64_t rows = problem.size("rows");
  const int64_t cols = problem.size("cols");
  const int64_t granule = sector_rows(tile, type);
  Launch launch;
  launch.name = problem.text();
  launch.flops = 5.0 * static_cast<double>(rows) * static_cast<double>(cols);
  launch.add_tensor(
      {"in", type, Layout::kNd, rows, 2 * cols, granule, input_sector(tile.cols, cols, type)});
  launch.add_tensor({"out", type, Layout::kNd, rows, cols, granule, tile.cols});
  const UbRing ring = add_ring(launch, "tile", tile.buffers);
  const TileTemplates templates = add_silu_templates(launch, at, ring, type);

  const auto dealt = deal_pieces(rows, cols, tile, granule, true);
  add_vector_cores(launch, machine, dealt.size());
  for (size_t core = 0; core < dealt.size(); ++core) {
    std::vector<std::vector<int64_t>> tiles;
    int64_t before = 0;
    for (const Piece& piece : dealt[core]) {
      const int64_t slot = at.slots + before++ % tile.buffers * at.slot_bytes;
      tiles.push_back({piece.row, piece.col, piece.col + cols, piece.rows, piece.cols, slot});
    }
    add_tiles(launch.cores[core], templates, tiles, tile.buffers);
  }
  return launch;
}

void SiluMulKernel::fill_inputs(const Problem&, const Launch& launch, const InputValues& values,
                                GmImage& image) const {
  fill_tensor(launch, 0, -8, 8, values, image);
}

std::vector<ExpectedTensor> SiluMulKernel::reference(const Problem& problem, const Launch& launch,
                                                     const GmImage& inputs) const {
  const int64_t rows = problem.size("rows");
  const int64_t cols = problem.size("cols");
  const std::vector<float> in = read_tensor(launch.tensors[0], inputs[0]);
  const DType type = problem.types[0];
  // Six f32 operations, each within two roundings; in f16 those of the inverse root, which both
  // factors take, of the factors and of their product.
  const double half = type == DType::kF16 ? 4 * rounding_unit(type) : 0;
  ExpectedTensor out{1,
                     rows,
                     cols,
                     std::vector<double>(static_cast<size_t>(rows * cols)),
                     subnormal_error(type),
                     rounding_unit(type) + half + 12 * 0x1p-24};
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = in.data() + r * 2 * cols;
    for (int64_t c = 0; c < cols; ++c) {
      const double gate = row[c];
      const double up = row[cols + c];
      out.values[static_cast<size_t>(r * cols + c)] = gate / (1 + std::exp(-gate)) * up;
      if (type != DType::kF16) continue;
      // The root and both factors may be subnormal.
      const double root = 1 / std::sqrt(1 + std::exp(-gate));
      const double subnormal = subnormal_error(type);
      const double gate_error = subnormal * (std::abs(gate) + 1);
      const double up_error = subnormal * (std::abs(up) + 1);
      out.errors.push_back(gate_error * (std::abs(up) * root + up_error) +
                           up_error * std::abs(gate) * root);
    }
  }
  return {out};
}

}  // namespace tilewright
