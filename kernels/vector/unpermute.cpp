#include "kernels/vector/unpermute.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/random.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

/// Experts of a token, at most: each has a tile in a slot.
constexpr int64_t kMostExperts = 16;

enum Tensors { kExpertRows, kWeight, kOut };
enum Binding { kRow, kCol, kRows, kCols, kSlot, kWeights, kBindings };

/// Weights that UB holds at once: tables of so many tokens at least, since a tile's are so few
/// bytes that the latency of GM would count for each.
constexpr int64_t kTableRows = 64;
constexpr int64_t kTableBuffers = 2;

/// f32 of a block of UB. A weight fills one, so that the weights of any tile begin aligned.
constexpr int64_t kLanes = 8;

/// Place of the row of each token's j-th expert: a permutation of rows * k, token by token.
std::vector<int64_t> draw_places(const Problem& problem) {
  std::vector<int64_t> places(static_cast<size_t>(problem.size("rows") * problem.size("k")));
  std::iota(places.begin(), places.end(), 0);
  Random random(Hasher().add(problem.text()).value());
  for (size_t left = places.size(); left > 1; --left) {
    std::swap(places[left - 1], places[random.below(left)]);
  }
  return places;
}

/// A slot holds a tile of each expert's rows; the first expert's becomes the result. The f32 sum
/// meets each expert's f32 rows. Weights lie token by token in a table, and are taken apart into a
/// column for each expert.
struct UnpermutePlan {
  UnpermutePlan(const Problem& problem, const VectorTile& tile, const Machine& machine)
      : plan(machine) {
    const DType type = problem.types[0];
    const int64_t k = problem.size("k");
    const bool half = type != DType::kF32;
    stride = plan.stride(tile.cols, type);
    wide_stride = plan.stride(tile.cols, DType::kF32);
    UbPlan slot(machine);
    for (int64_t j = 0; j < k; ++j) {
      experts.push_back(slot.take(plan.tile_bytes(tile.rows, tile.cols, type),
                                  half || j == 0 ? BankHalf::kLower : BankHalf::kUpper));
    }
    slot_bytes = slot.slot_bytes();
    slots = plan.take_ring(slot, tile.buffers);
    table_rows = std::max(tile.rows, kTableRows);
    table_bytes = plan.tile_bytes(1, table_rows * k, DType::kF32);
    tables = plan.take(kTableBuffers * table_bytes);
    numbers = plan.take(table_rows * 4);
    zeros = plan.take(kLanes * 4);
    column_bytes = table_rows * kLanes * 4;
    firsts = plan.take(column_bytes);
    moved = plan.take(column_bytes);
    places = plan.take(column_bytes);
    weights = plan.take(kTableBuffers * k * column_bytes);
    if (!half) return;
    const int64_t wide_bytes = plan.tile_bytes(tile.rows, tile.cols, DType::kF32);
    sum = plan.take(wide_bytes, BankHalf::kUpper);
    if (k > 1) wide = plan.take(wide_bytes, BankHalf::kLower);
  }

  UbPlan plan;
  int64_t stride = 0, wide_stride = 0, slot_bytes = 0, slots = 0, sum = 0, wide = 0;
  int64_t table_rows = 0, table_bytes = 0, tables = 0;
  int64_t numbers = 0, zeros = 0, column_bytes = 0, weights = 0;
  int64_t firsts = 0, moved = 0, places = 0;  ///< of a token's weights in a table
  std::vector<int64_t> experts;               ///< in a slot
};

Tile lanes_tile(int64_t place, const Expr& rows, DType type) {
  return ub_tile(place, rows, kLanes, kLanes, type);
}

/// The place of each token's first weight in a table.
Template place_template(const UnpermutePlan& at, int64_t k) {
  Template body;
  body.name = "places";
  body.kind = CoreKind::kAiv;
  const Tile numbers = ub_tile(at.numbers, 1, at.table_rows, 0, DType::kF32);
  const Tile zeros = ub_tile(at.zeros, 1, kLanes, 0, DType::kF32);
  body.prologue = {scalar_op(VectorOp::kIndex, numbers, {}, 0),
                   scalar_op(VectorOp::kMuls, numbers, numbers, static_cast<double>(k)),
                   scalar_op(VectorOp::kDup, zeros, {}, 0),
                   vector_op(VectorOp::kAdd, lanes_tile(at.firsts, at.table_rows, DType::kF32),
                             ub_tile(at.numbers, at.table_rows, 1, 0, DType::kF32), zeros)};
  return body;
}

enum TableBinding {
  kFirstRow,
  kTableRowCount,
  kTableWeights,
  kTablePlace,
  kTableColumns,
  kTableBindings
};

/// Loads the weights of the tokens of some tiles and takes them apart.
Template table_template(const UnpermutePlan& at, const UbRing& ring, int64_t k) {
  Template body;
  body.name = "weights";
  body.kind = CoreKind::kAiv;
  body.bindings = kTableBindings;
  const Expr rows = Expr::binding(kTableRowCount);
  const Tile table = ub_tile(Expr::binding(kTablePlace), rows, k, k, DType::kF32);
  const Tile flat =
      ub_tile(Expr::binding(kTablePlace), 1, Expr::binding(kTableWeights), 0, DType::kF32);
  std::vector<Instruction>& list = body.prologue;
  list.push_back(setting(
      waiting(load_tile(gm_tile(kWeight, Expr::binding(kFirstRow), 0, rows, k), table), ring.free),
      ring.full));
  const Tile firsts = lanes_tile(at.firsts, rows, DType::kF32);
  const Tile moved = lanes_tile(at.moved, rows, DType::kF32);
  const Tile places = lanes_tile(at.places, rows, DType::kI32);
  // The table as one row, gathered as one row of all lanes.
  const auto one_row = [](Tile tile, const Expr& cols) {
    tile.rows = 1;
    tile.cols = cols;
    return tile;
  };
  for (int64_t j = 0; j < k; ++j) {
    const Tile column = ub_tile(Expr::binding(kTableColumns) + j * at.column_bytes, 1,
                                rows * kLanes, 0, DType::kF32);
    list.push_back(scalar_op(VectorOp::kAdds, moved, firsts, static_cast<double>(j)));
    list.push_back(vector_op(VectorOp::kConvert, places, moved));
    list.push_back(vector_op(VectorOp::kGather, column, flat, one_row(places, rows * kLanes)));
  }
  list[3] = waiting(list[3], ring.full);
  list.back() = setting(list.back(), ring.free);
  return body;
}

/// Loads the rows of a tile's tokens, expert by expert.
Template load_template(const UnpermutePlan& at, const UbRing& ring, const Problem& problem) {
  const int64_t k = problem.size("k");
  const DType type = problem.types[0];
  const Expr cols = Expr::binding(kCols);
  Template body;
  body.name = "load";
  body.kind = CoreKind::kAiv;
  body.bindings = kBindings;
  body.count = Expr::binding(kRows);
  for (int64_t j = 0; j < k; ++j) {
    const Expr place = Expr::table(0, Expr::binding(kRow) * k + Expr::index() * k + j);
    const Tile row = ub_tile(Expr::binding(kSlot) + Expr::index() * (at.stride * bytes_of(type)) +
                                 at.experts[static_cast<size_t>(j)],
                             1, cols, at.stride, type);
    body.body.push_back(load_tile(gm_tile(kExpertRows, place, Expr::binding(kCol), 1, cols), row));
  }
  body.body.front() = waiting(body.body.front(), ring.free, When::kFirst);
  body.body.back() = setting(body.body.back(), ring.full, When::kLast);
  return body;
}

/// Weighs and sums the tiles of a slot and stores the sum.
Template sum_template(const UnpermutePlan& at, const UbRing& ring, const Problem& problem) {
  const DType type = problem.types[0];
  const bool half = type != DType::kF32;
  const Expr rows = Expr::binding(kRows);
  const Expr cols = Expr::binding(kCols);
  const auto expert = [&](size_t j) {
    return ub_tile(Expr::binding(kSlot) + at.experts[j], rows, cols, at.stride, type);
  };
  const auto wide = [&](int64_t offset) {
    return ub_tile(offset, rows, cols, at.wide_stride, DType::kF32);
  };
  Template body;
  body.name = "sum";
  body.kind = CoreKind::kAiv;
  body.bindings = kBindings;
  std::vector<Instruction>& list = body.prologue;
  const Tile sum = half ? wide(at.sum) : expert(0);
  for (size_t j = 0; j < at.experts.size(); ++j) {
    const Tile values = j == 0 ? sum : half ? wide(at.wide) : expert(j);
    const Tile weight = ub_tile(Expr::binding(kWeights) + static_cast<int64_t>(j) * at.column_bytes,
                                rows, 1, kLanes, DType::kF32);
    if (half) list.push_back(vector_op(VectorOp::kConvert, values, expert(j)));
    list.push_back(vector_op(VectorOp::kMul, values, values, weight));
    if (j > 0) list.push_back(vector_op(VectorOp::kAdd, sum, sum, values));
  }
  if (half) list.push_back(vector_op(VectorOp::kConvert, expert(0), sum));
  list.front() = waiting(list.front(), ring.full);
  list.back() = setting(list.back(), ring.done);
  const Tile out = gm_tile(kOut, Expr::binding(kRow), Expr::binding(kCol), rows, cols);
  list.push_back(setting(waiting(store_tile(expert(0), out), ring.done), ring.free));
  return body;
}

/// Tokens whose weights are loaded at once: tiles of the same columns that follow each other.
struct Run {
  int64_t col = 0;
  int64_t row = 0;
  int64_t end = 0;
  int64_t weights = 0;  ///< place of their columns in UB
};

Run run_from(const std::vector<Piece>& pieces, size_t first, int64_t most_rows) {
  Run run = {pieces[first].col, pieces[first].row, pieces[first].row, 0};
  for (size_t i = first; i < pieces.size(); ++i) {
    const Piece& piece = pieces[i];
    const bool follows = piece.col == run.col && piece.row == run.end;
    if (!follows || piece.row + piece.rows > run.row + most_rows) break;
    run.end += piece.rows;
  }
  return run;
}

}  // namespace

std::string UnpermuteKernel::summary() const {
  return "out[t] = weighted sum of the rows of token t's k experts: the way back from experts";
}

std::vector<SizeInfo> UnpermuteKernel::sizes() const {
  return {{"rows", "tokens"}, {"cols", "columns (hidden size)"}, {"k", "experts of a token", 2}};
}

void UnpermuteKernel::check_sizes(const Problem& problem) const {
  if (problem.size("k") <= kMostExperts) return;
  throw Error(ErrorKind::kUsage, fmt::format("unpermute has at most {} experts of a token, got {}",
                                             kMostExperts, problem.size("k")));
}

int64_t UnpermuteKernel::ub_bytes(const Problem& problem, const VectorTile& tile,
                                  const Machine& machine) const {
  return UnpermutePlan(problem, tile, machine).plan.bytes();
}

Launch UnpermuteKernel::build(const Problem& problem, const Config& config,
                              const Machine& machine) const {
  const VectorTile tile = tile_of(problem, config);
  const DType type = problem.types[0];
  const int64_t rows = problem.size("rows");
  const int64_t cols = problem.size("cols");
  const int64_t k = problem.size("k");
  const int64_t granule = sector_rows(tile, type);
  const UnpermutePlan at(problem, tile, machine);
  Launch launch;
  launch.name = problem.text();
  launch.flops = 2.0 * static_cast<double>(rows * cols) * static_cast<double>(k);
  launch.add_tensor({"expert_rows", type, Layout::kNd, rows * k, cols, 1, tile.cols});
  launch.add_tensor({"weight", DType::kF32, Layout::kNd, rows, k, granule, 1});
  launch.add_tensor({"out", type, Layout::kNd, rows, cols, granule, tile.cols});
  const UbRing ring = add_ring(launch, "tile", tile.buffers);
  launch.add_table(draw_places(problem));
  const UbRing table_ring = add_ring(launch, "weights", kTableBuffers);
  const int places = launch.add_template(place_template(at, k));
  const int table = launch.add_template(table_template(at, table_ring, k));
  const int load = launch.add_template(load_template(at, ring, problem));
  const int sum = launch.add_template(sum_template(at, ring, problem));

  const auto dealt = deal_pieces(rows, cols, tile, granule);
  add_vector_cores(launch, machine, dealt.size());
  for (size_t core = 0; core < dealt.size(); ++core) {
    CoreProgram& program = launch.cores[core];
    program.add(places, {});
    int64_t before = 0;
    int64_t tables = 0;
    Run run;
    for (size_t i = 0; i < dealt[core].size(); ++i) {
      const Piece& piece = dealt[core][i];
      if (piece.col != run.col || piece.row + piece.rows > run.end || i == 0) {
        run = run_from(dealt[core], i, at.table_rows);
        const int64_t buffer = tables++ % kTableBuffers;
        run.weights = at.weights + buffer * k * at.column_bytes;
        const int64_t count = run.end - run.row;
        program.add(table,
                    {run.row, count, count * k, at.tables + buffer * at.table_bytes, run.weights});
      }
      const int64_t slot = at.slots + before++ % tile.buffers * at.slot_bytes;
      for (const int template_id : {load, sum}) {
        program.add(template_id, {piece.row, piece.col, piece.rows, piece.cols, slot,
                                  run.weights + (piece.row - run.row) * kLanes * 4});
      }
    }
  }
  return launch;
}

void UnpermuteKernel::fill_inputs(const Problem&, const Launch& launch, const InputValues& values,
                                  GmImage& image) const {
  fill_tensor(launch, kExpertRows, -1, 1, values, image);
  fill_tensor(launch, kWeight, 0, 1, {values.seed, InputPattern::kUniform}, image);
}

std::vector<ExpectedTensor> UnpermuteKernel::reference(const Problem& problem, const Launch& launch,
                                                       const GmImage& inputs) const {
  const int64_t rows = problem.size("rows");
  const int64_t cols = problem.size("cols");
  const int64_t k = problem.size("k");
  const DType type = problem.types[0];
  const std::vector<float> from = read_tensor(launch.tensors[kExpertRows], inputs[kExpertRows]);
  const std::vector<float> weight = read_tensor(launch.tensors[kWeight], inputs[kWeight]);
  const std::vector<int64_t> places = draw_places(problem);
  ExpectedTensor out{
      kOut,
      rows,
      cols,
      std::vector<double>(static_cast<size_t>(rows * cols)),
      subnormal_error(type) + static_cast<double>(2 * k) * subnormal_error(DType::kF32),
      rounding_unit(type)};
  out.errors.resize(out.values.size());
  for (int64_t t = 0; t < rows; ++t) {
    for (int64_t j = 0; j < k; ++j) {
      const float* row = from.data() + places[static_cast<size_t>(t * k + j)] * cols;
      const auto w = static_cast<double>(weight[static_cast<size_t>(t * k + j)]);
      for (int64_t c = 0; c < cols; ++c) {
        const auto element = static_cast<size_t>(t * cols + c);
        const double product = w * static_cast<double>(row[c]);
        out.values[element] += product;
        out.errors[element] += sum_error(k + 1) * std::abs(product);
      }
    }
  }
  return {out};
}

}  // namespace tilewright
