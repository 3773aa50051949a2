#include "kernels/vector/map.h"

#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

enum Binding { kRow, kCol, kRows, kCols, kSlot, kBindings };

/// Tiles of a slot in the order of the tensors: inputs meet the first work tile, which begins in
/// the other half of the bank groups.
struct MapPlan {
  MapPlan(const std::vector<MapTensor>& tensors, int work_tiles, const VectorTile& tile,
          const Machine& machine)
      : plan(machine) {
    UbPlan slot(machine);
    for (const MapTensor& tensor : tensors) {
      const int64_t rows = tensor.one_row ? 1 : tile.rows;
      places.push_back(slot.take(plan.tile_bytes(rows, tile.cols, tensor.type), BankHalf::kLower));
      strides.push_back(plan.stride(tile.cols, tensor.type));
    }
    slot_bytes = slot.slot_bytes();
    slots = plan.take_ring(slot, tile.buffers);
    wide_stride = plan.stride(tile.cols, DType::kF32);
    for (int i = 0; i < work_tiles; ++i) {
      work.push_back(plan.take(plan.tile_bytes(tile.rows, tile.cols, DType::kF32),
                               i % 2 == 0 ? BankHalf::kUpper : BankHalf::kLower));
    }
  }

  UbPlan plan;
  std::vector<int64_t> places;  ///< in a slot
  std::vector<int64_t> strides;
  std::vector<int64_t> work;
  int64_t slot_bytes = 0, slots = 0, wide_stride = 0;
};

}  // namespace

std::vector<SizeInfo> MapKernel::sizes() const {
  return {{"rows", "rows (tokens)"}, {"cols", "columns of each tensor"}};
}

int64_t MapKernel::ub_bytes(const Problem& problem, const VectorTile& tile,
                            const Machine& machine) const {
  return MapPlan(tensors(problem), work_tiles(problem), tile, machine).plan.bytes();
}

Launch MapKernel::build(const Problem& problem, const Config& config,
                        const Machine& machine) const {
  const VectorTile tile = tile_of(problem, config);
  const std::vector<MapTensor> all = tensors(problem);
  const MapPlan at(all, work_tiles(problem), tile, machine);
  const int64_t rows = problem.size("rows");
  const int64_t cols = problem.size("cols");
  int64_t granule = 1;
  for (const MapTensor& tensor : all) granule = std::max(granule, sector_rows(tile, tensor.type));
  Launch launch;
  launch.name = problem.text();
  launch.flops = flops_per_element() * static_cast<double>(rows * cols);
  for (const MapTensor& tensor : all) {
    launch.add_tensor({tensor.name, tensor.type, Layout::kNd, tensor.one_row ? 1 : rows, cols,
                       tensor.one_row ? 1 : granule, tile.cols});
  }
  const UbRing ring = add_ring(launch, "tile", tile.buffers);

  Template load;
  load.name = "load";
  Template body;
  body.name = "tile";
  for (Template* part : {&load, &body}) {
    part->kind = CoreKind::kAiv;
    part->bindings = kBindings;
  }
  std::vector<Tile> tiles;
  std::vector<Instruction> loads, computed, stores;
  for (size_t t = 0; t < all.size(); ++t) {
    const Expr count = all[t].one_row ? Expr(1) : Expr::binding(kRows);
    tiles.push_back(ub_tile(Expr::binding(kSlot) + at.places[t], count, Expr::binding(kCols),
                            at.strides[t], all[t].type));
    const Tile gm = gm_tile(static_cast<int>(t), all[t].one_row ? Expr(0) : Expr::binding(kRow),
                            Expr::binding(kCol), count, Expr::binding(kCols));
    if (all[t].output) stores.push_back(store_tile(tiles[t], gm));
    if (!all[t].output) loads.push_back(load_tile(gm, tiles[t]));
  }
  std::vector<Tile> work;
  for (const int64_t place : at.work) {
    work.push_back(
        ub_tile(place, Expr::binding(kRows), Expr::binding(kCols), at.wide_stride, DType::kF32));
  }
  compute(tiles, work, computed);
  loads.front() = waiting(loads.front(), ring.free);
  loads.back() = setting(loads.back(), ring.full);
  computed.front() = waiting(computed.front(), ring.full);
  computed.back() = setting(computed.back(), ring.done);
  stores.front() = waiting(stores.front(), ring.done);
  stores.back() = setting(stores.back(), ring.free);
  load.prologue = std::move(loads);
  body.prologue = std::move(computed);
  body.prologue.insert(body.prologue.end(), stores.begin(), stores.end());
  TileTemplates templates;
  templates.load = launch.add_template(std::move(load));
  templates.work = launch.add_template(std::move(body));

  const auto dealt = deal_pieces(rows, cols, tile, granule);
  add_vector_cores(launch, machine, dealt.size());
  for (size_t core = 0; core < dealt.size(); ++core) {
    std::vector<std::vector<int64_t>> dealt_tiles;
    int64_t before = 0;
    for (const Piece& piece : dealt[core]) {
      const int64_t slot = at.slots + before++ % tile.buffers * at.slot_bytes;
      dealt_tiles.push_back({piece.row, piece.col, piece.rows, piece.cols, slot});
    }
    add_tiles(launch.cores[core], templates, dealt_tiles, tile.buffers);
  }
  return launch;
}

}  // namespace tilewright
