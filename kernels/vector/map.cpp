#include "kernels/vector/map.h"

#include <algorithm>

#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

enum Binding { kRow, kCol, kRows, kCols, kSlot, kShared, kBindings };

/// Tiles of a slot in the order of the tensors: inputs meet the first work tile, which begins in
/// the other half of the bank groups. Rows that are the same for all have slots of their own, since
/// they stay for all tiles of a core in their columns; they meet the second work tile.
struct MapPlan {
  MapPlan(const std::vector<MapTensor>& tensors, int work_tiles, const VectorTile& tile,
          const Machine& machine)
      : plan(machine) {
    UbPlan slot(machine), shared(machine);
    for (const MapTensor& tensor : tensors) {
      const int64_t rows = tensor.one_row ? 1 : tile.rows;
      const int64_t bytes = plan.tile_bytes(rows, tile.cols, tensor.type);
      places.push_back(tensor.one_row ? shared.take(bytes, BankHalf::kUpper)
                                      : slot.take(bytes, BankHalf::kLower));
      strides.push_back(plan.stride(tile.cols, tensor.type));
      shares = shares || tensor.one_row;
    }
    slot_bytes = slot.slot_bytes();
    slots = plan.take_ring(slot, tile.buffers);
    shared_bytes = shared.slot_bytes();
    if (shares) shared_slots = plan.take_ring(shared, tile.buffers);
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
  bool shares = false;  ///< there are rows for all
  int64_t shared_bytes = 0, shared_slots = 0;
};

/// Templates of a map. A core's first tile in its columns is loaded with the rows for all.
struct MapTemplates {
  int load = -1;
  int load_first = -1;
  int work = -1;
};

/// The tiles in UB in the order of the tensors, and what moves them.
struct MapMoves {
  std::vector<Tile> tiles;
  std::vector<Instruction> loads, shared_loads, stores;
};

MapMoves moves_of(const std::vector<MapTensor>& tensors, const MapPlan& at) {
  MapMoves moves;
  for (size_t t = 0; t < tensors.size(); ++t) {
    const bool shared = tensors[t].one_row;
    const Expr count = shared ? Expr(1) : Expr::binding(kRows);
    moves.tiles.push_back(ub_tile(Expr::binding(shared ? kShared : kSlot) + at.places[t], count,
                                  Expr::binding(kCols), at.strides[t], tensors[t].type));
    const Tile gm = gm_tile(static_cast<int>(t), shared ? Expr(0) : Expr::binding(kRow),
                            Expr::binding(kCol), count, Expr::binding(kCols));
    if (tensors[t].output) {
      moves.stores.push_back(store_tile(moves.tiles[t], gm));
    } else {
      (shared ? moves.shared_loads : moves.loads).push_back(load_tile(gm, moves.tiles[t]));
    }
  }
  return moves;
}

int add_template(Launch& launch, const char* name, std::vector<Instruction> list, int waited,
                 int set) {
  list.front() = waiting(list.front(), waited);
  list.back() = setting(list.back(), set);
  Template part;
  part.name = name;
  part.kind = CoreKind::kAiv;
  part.bindings = kBindings;
  part.prologue = std::move(list);
  return launch.add_template(std::move(part));
}

/// Gives a core its pieces: a load stands `buffers` - 1 pieces before its work, as in add_tiles().
/// Rows for all need no flags of their own: of as many slots as there are tiles, one is free when
/// the slot of its first tile is.
void add_pieces(CoreProgram& core, const MapTemplates& templates, const MapPlan& at,
                const std::vector<Piece>& pieces, int64_t buffers) {
  const auto changes = [&](size_t i) { return i == 0 || pieces[i].col != pieces[i - 1].col; };
  int64_t columns = 0;
  std::vector<std::vector<int64_t>> bound;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (changes(i)) ++columns;
    const int64_t slot = at.slots + static_cast<int64_t>(i) % buffers * at.slot_bytes;
    const int64_t shared = at.shared_slots + (columns - 1) % buffers * at.shared_bytes;
    bound.push_back({pieces[i].row, pieces[i].col, pieces[i].rows, pieces[i].cols, slot, shared});
  }
  size_t loaded = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const size_t end = std::min(pieces.size(), i + static_cast<size_t>(buffers));
    for (; loaded < end; ++loaded) {
      core.add(changes(loaded) ? templates.load_first : templates.load, bound[loaded]);
    }
    core.add(templates.work, bound[i]);
  }
}

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

  MapMoves moves = moves_of(all, at);
  std::vector<Instruction> computed;
  std::vector<Tile> work;
  for (const int64_t place : at.work) {
    work.push_back(
        ub_tile(place, Expr::binding(kRows), Expr::binding(kCols), at.wide_stride, DType::kF32));
  }
  compute(moves.tiles, work, computed);
  MapTemplates templates;
  templates.load = add_template(launch, "load", moves.loads, ring.free, ring.full);
  templates.load_first = templates.load;
  if (at.shares) {
    moves.shared_loads.insert(moves.shared_loads.end(), moves.loads.begin(), moves.loads.end());
    templates.load_first =
        add_template(launch, "load_first", moves.shared_loads, ring.free, ring.full);
  }
  computed.back() = setting(computed.back(), ring.done);
  moves.stores.front() = waiting(moves.stores.front(), ring.done);
  computed.insert(computed.end(), moves.stores.begin(), moves.stores.end());
  templates.work = add_template(launch, "tile", std::move(computed), ring.full, ring.free);

  const auto dealt = deal_pieces(rows, cols, tile, granule, !at.shares);
  add_vector_cores(launch, machine, dealt.size());
  for (size_t core = 0; core < dealt.size(); ++core) {
    add_pieces(launch.cores[core], templates, at, dealt[core], tile.buffers);
  }
  return launch;
}

}  // namespace tilewright
