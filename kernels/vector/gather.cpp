#include "kernels/vector/gather.h"

#include "core/base/hash.h"
#include "core/base/random.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

enum Binding { kRow, kCol, kRows, kCols, kSlot, kBindings };

std::vector<int64_t> draw_indices(const Problem& problem) {
  Random random(Hasher().add(problem.text()).value());
  std::vector<int64_t> indices(static_cast<size_t>(problem.size("rows")));
  for (int64_t& index : indices) {
    index = static_cast<int64_t>(random.below(static_cast<uint64_t>(problem.size("vocab"))));
  }
  return indices;
}

/// One load a row, one store a tile.
Template gather_template(const UbRing& ring, int table, int64_t stride, DType type) {
  const Expr cols = Expr::binding(kCols);
  const Expr slot = Expr::binding(kSlot);
  const Tile row = ub_tile(slot + Expr::index() * (stride * bytes_of(type)), 1, cols, 0, type);
  const Tile tile = ub_tile(slot, Expr::binding(kRows), cols, stride, type);
  const Expr source = Expr::table(table, Expr::binding(kRow) + Expr::index());

  Template body;
  body.name = "rows";
  body.kind = CoreKind::kAiv;
  body.bindings = kBindings;
  body.count = Expr::binding(kRows);
  Instruction load = load_tile(gm_tile(0, source, Expr::binding(kCol), 1, cols), row);
  body.body = {setting(waiting(load, ring.free, When::kFirst), ring.full, When::kLast)};
  const Instruction store = store_tile(
      tile, gm_tile(1, Expr::binding(kRow), Expr::binding(kCol), Expr::binding(kRows), cols));
  body.epilogue = {setting(waiting(store, ring.full), ring.free)};
  return body;
}

}  // namespace

std::string GatherKernel::summary() const {
  return "out[i] = table[index[i]]: embedding lookup, permutation of rows";
}

std::vector<SizeInfo> GatherKernel::sizes() const {
  return {{"rows", "rows gathered (tokens)"},
          {"cols", "columns (hidden size)"},
          {"vocab", "rows of the table"}};
}

int64_t GatherKernel::ub_bytes(const Problem& problem, const VectorTile& tile,
                               const Machine& machine) const {
  UbPlan plan(machine);
  plan.take(tile.buffers * plan.tile_bytes(tile.rows, tile.cols, problem.types[0]));
  return plan.bytes();
}

Launch GatherKernel::build(const Problem& problem, const Config& config,
                           const Machine& machine) const {
  const VectorTile tile = tile_of(problem, config);
  const DType type = problem.types[0];
  const int64_t rows = problem.size("rows");
  const int64_t cols = problem.size("cols");
  const int64_t granule = sector_rows(tile, type);
  const UbPlan plan(machine);
  Launch launch;
  launch.name = problem.text();
  launch.add_tensor({"table", type, Layout::kNd, problem.size("vocab"), cols, 1, tile.cols});
  launch.add_tensor({"out", type, Layout::kNd, rows, cols, granule, tile.cols});
  const UbRing ring = add_ring(launch, "tile", tile.buffers);
  const int table = launch.add_table(draw_indices(problem));
  launch.add_template(gather_template(ring, table, plan.stride(tile.cols, type), type));

  const auto dealt = deal_pieces(rows, cols, tile, granule);
  add_vector_cores(launch, machine, dealt.size());
  const int64_t slot_bytes = plan.tile_bytes(tile.rows, tile.cols, type);
  for (size_t core = 0; core < dealt.size(); ++core) {
    int64_t before = 0;
    for (const Piece& piece : dealt[core]) {
      launch.cores[core].add(
          0, {piece.row, piece.col, piece.rows, piece.cols, before++ % tile.buffers * slot_bytes});
    }
  }
  return launch;
}

void GatherKernel::fill_inputs(const Problem&, const Launch& launch, const InputValues& values,
                               GmImage& image) const {
  fill_tensor(launch, 0, -1, 1, values, image);
}

std::vector<ExpectedTensor> GatherKernel::reference(const Problem& problem, const Launch& launch,
                                                    const GmImage& inputs) const {
  const int64_t rows = problem.size("rows");
  const int64_t cols = problem.size("cols");
  const std::vector<float> table = read_tensor(launch.tensors[0], inputs[0]);
  const std::vector<int64_t> indices = draw_indices(problem);
  ExpectedTensor out{1, rows, cols, {}, 0, 0};
  for (int64_t r = 0; r < rows; ++r) {
    const auto row = table.begin() + indices[static_cast<size_t>(r)] * cols;
    out.values.insert(out.values.end(), row, row + cols);
  }
  return {out};
}

}  // namespace tilewright
