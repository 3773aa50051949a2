#include "kernels/vector/kv_write.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "kernels/vector/cache_slots.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

enum Tensors { kNewK, kNewV, kK, kV };
enum Binding { kRow, kCol, kRows, kCols, kSlot, kBindings };

/// Loads the tokens' tiles of K and V, side by side in a slot, and stores them row by row.
Template write_template(const UbRing& ring, int64_t v_place, int64_t stride, DType type) {
  const Expr rows = Expr::binding(kRows);
  const Expr cols = Expr::binding(kCols);
  const Expr col = Expr::binding(kCol);
  const Expr cache_row = Expr::table(0, Expr::binding(kRow) + Expr::index());
  const Expr row_offset = Expr::binding(kSlot) + Expr::index() * (stride * bytes_of(type));
  Template body;
  body.name = "tokens";
  body.kind = CoreKind::kAiv;
  body.bindings = kBindings;
  body.count = rows;
  const auto load = [&](int tensor, int64_t place) {
    return load_tile(gm_tile(tensor, Expr::binding(kRow), col, rows, cols),
                     ub_tile(Expr::binding(kSlot) + place, rows, cols, stride, type));
  };
  const auto store = [&](int tensor, int64_t place) {
    return store_tile(ub_tile(row_offset + place, 1, cols, stride, type),
                      gm_tile(tensor, cache_row, col, 1, cols));
  };
  body.prologue = {waiting(load(kNewK, 0), ring.free), setting(load(kNewV, v_place), ring.full)};
  body.body = {waiting(store(kK, 0), ring.full, When::kFirst),
               setting(store(kV, v_place), ring.free, When::kLast)};
  return body;
}

}  // namespace

std::string KvWriteKernel::summary() const {
  return "writes K and V of new tokens to their slots of the paged cache";
}

std::vector<SizeInfo> KvWriteKernel::sizes() const {
  return {{"rows", "new tokens"},
          {"kv_heads", "heads of K, and of V"},
          {"dim", "elements of a head", 128}};
}

void KvWriteKernel::check_sizes(const Problem& problem) const {
  if (problem.size("kv_heads") <= kMaxVectorSize / problem.size("dim")) return;
  throw Error(ErrorKind::kUsage,
              fmt::format("kv_write: {} heads of {} elements make rows of more "
                          "than {} elements",
                          problem.size("kv_heads"), problem.size("dim"), kMaxVectorSize));
}

int64_t KvWriteKernel::ub_bytes(const Problem& problem, const VectorTile& tile,
                                const Machine& machine) const {
  UbPlan plan(machine);
  plan.take(tile.buffers * 2 * plan.tile_bytes(tile.rows, tile.cols, problem.types[0]));
  return plan.bytes();
}

Launch KvWriteKernel::build(const Problem& problem, const Config& config,
                            const Machine& machine) const {
  const VectorTile tile = tile_of(problem, config);
  const DType type = problem.types[0];
  const int64_t rows = problem.size("rows");
  const int64_t cols = column_count(problem);
  const int64_t granule = sector_rows(tile, type);
  const UbPlan plan(machine);
  Launch launch;
  launch.name = problem.text();
  for (const char* name : {"k_new", "v_new"}) {
    launch.add_tensor({name, type, Layout::kNd, rows, cols, granule, tile.cols});
  }
  for (const char* name : {"k", "v"}) {
    launch.add_tensor({name, type, Layout::kNd, slot_count(rows), cols, 1, tile.cols});
  }
  const UbRing ring = add_ring(launch, "tile", tile.buffers);
  launch.add_table(scatter_slots(rows));
  const int64_t tile_bytes = plan.tile_bytes(tile.rows, tile.cols, type);
  launch.add_template(write_template(ring, tile_bytes, plan.stride(tile.cols, type), type));

  const auto dealt = deal_pieces(rows, cols, tile, granule);
  add_vector_cores(launch, machine, dealt.size());
  for (size_t core = 0; core < dealt.size(); ++core) {
    int64_t before = 0;
    for (const Piece& piece : dealt[core]) {
      const int64_t slot = before++ % tile.buffers * 2 * tile_bytes;
      launch.cores[core].add(0, {piece.row, piece.col, piece.rows, piece.cols, slot});
    }
  }
  return launch;
}

void KvWriteKernel::fill_inputs(const Problem&, const Launch& launch, const InputValues& values,
                                GmImage& image) const {
  // What the cache held before must survive in the slots of other tokens.
  for (const int tensor : {kNewK, kNewV, kK, kV}) fill_tensor(launch, tensor, -1, 1, values, image);
}

std::vector<ExpectedTensor> KvWriteKernel::reference(const Problem& problem, const Launch& launch,
                                                     const GmImage& inputs) const {
  const int64_t rows = problem.size("rows");
  const int64_t cols = column_count(problem);
  const std::vector<int64_t> slots = scatter_slots(rows);
  std::vector<ExpectedTensor> expected;
  for (const int cache : {kK, kV}) {
    const auto old_rows = static_cast<size_t>(cache);
    const auto new_rows = static_cast<size_t>(cache == kK ? kNewK : kNewV);
    const std::vector<float> before = read_tensor(launch.tensors[old_rows], inputs[old_rows]);
    const std::vector<float> added = read_tensor(launch.tensors[new_rows], inputs[new_rows]);
    ExpectedTensor tensor{cache, slot_count(rows), cols, {before.begin(), before.end()}, 0, 0};
    for (int64_t t = 0; t < rows; ++t) {
      std::copy_n(added.begin() + t * cols, cols,
                  tensor.values.begin() + slots[static_cast<size_t>(t)] * cols);
    }
    expected.push_back(std::move(tensor));
  }
  return expected;
}

}  // namespace tilewright
