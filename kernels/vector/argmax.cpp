#include "kernels/vector/argmax.h"

#include <algorithm>
#include <optional>

#include "core/base/integers.h"
#include "core/base/random.h"
#include "kernels/vector/reduce.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

/// Elements of a combining tile: 8 KiB for the maxima and for the places.
constexpr int64_t kCombineElements = 2048;

/// Slots of x, the maxima of blocks and what is found in the best of them, results of a tile (a
/// ring of their own, so that a slot of x is free as soon as it has been read), and the tiles of
/// the second stage.
struct ArgmaxPlan {
  ArgmaxPlan(const Problem& problem, const VectorTile& tile, const Machine& machine)
      : plan(machine) {
    const DType type = problem.types[0];
    stride = plan.stride(tile.cols, type);
    UbPlan slot(machine);
    slot.take(plan.tile_bytes(tile.rows, tile.cols, type));
    slot_bytes = slot.slot_bytes();
    slots = plan.take_ring(slot, tile.buffers);
    // The vector unit compares f16 and f32; bf16 is widened first.
    compared = type == DType::kBF16 ? DType::kF32 : type;
    compared_stride = plan.stride(tile.cols, compared);
    const bool widened = type == DType::kBF16;
    if (widened) {
      wide = plan.take(plan.tile_bytes(tile.rows, tile.cols, compared), BankHalf::kUpper);
    }
    block = machine.buffers.ub_align / bytes_of(compared);
    const int64_t count = ceil_div(tile.cols, block);
    block_stride = plan.stride(count, compared);
    blocks = plan.take(plan.tile_bytes(tile.rows, count, compared),
                       widened ? BankHalf::kLower : BankHalf::kUpper);
    best_blocks = plan.take(tile.rows * 4);
    origins_of_best = plan.take(tile.rows * 4);
    columns = plan.take(tile.rows * block * 4, BankHalf::kLower);
    whole_columns = plan.take(tile.rows * block * 4, BankHalf::kUpper);
    found = plan.take(tile.rows * block * bytes_of(compared));
    last_column = plan.take(4);
    lanes = plan.take(block * 4);
    result_bytes = plan.tile_bytes(1, tile.rows, DType::kF32);
    maxima = plan.take(tile.buffers * result_bytes);
    places = plan.take(tile.buffers * result_bytes);
    indices = plan.take(tile.buffers * result_bytes);

    pieces = ceil_div(problem.size("cols"), tile.cols);
    if (pieces == 1) return;
    const int64_t share = ceil_div(problem.size("rows"), tile.cores);
    combined_rows = std::max<int64_t>(1, std::min(share, kCombineElements / pieces));
    piece_stride = plan.stride(pieces, DType::kF32);
    const int64_t bytes = plan.tile_bytes(combined_rows, pieces, DType::kF32);
    all_maxima = plan.take(bytes, BankHalf::kLower);
    all_places = plan.take(bytes, BankHalf::kUpper);
    numbers = plan.take(std::max<int64_t>(8, pieces) * 4, BankHalf::kUpper);
    origins = plan.take(std::max<int64_t>(8, pieces) * 4, BankHalf::kLower);
    best = plan.take(combined_rows * 4);
    best_wide = plan.take(std::max<int64_t>(8, combined_rows) * 4);
  }

  UbPlan plan;
  DType compared = DType::kF32;
  int64_t stride = 0, compared_stride = 0, slot_bytes = 0, result_bytes = 0;
  int64_t slots = 0, wide = 0, maxima = 0, places = 0, indices = 0;
  int64_t block = 0, block_stride = 0;  ///< elements of 32 bytes; of the maxima of blocks
  int64_t blocks = 0, best_blocks = 0, origins_of_best = 0, columns = 0, whole_columns = 0;
  int64_t found = 0, last_column = 0, lanes = 0;
  int64_t pieces = 1, combined_rows = 0, piece_stride = 0;
  int64_t all_maxima = 0, all_places = 0, numbers = 0, origins = 0, best = 0, best_wide = 0;
};

enum Tensors { kX, kIndex, kMaximum, kPlace };
enum PieceBinding { kRow, kCol, kPiece, kRows, kCols, kSlot, kResult, kPieceBindings };
enum CombineBinding { kFirstRow, kCombinedRows, kCombineBindings };

class ArgmaxBuilder {
 public:
  ArgmaxBuilder(const Problem& problem, const VectorTile& tile, const Machine& machine)
      : at_(problem, tile, machine),
        tile_(tile),
        machine_(machine),
        type_(problem.types[0]),
        rows_(problem.size("rows")),
        cols_(problem.size("cols")) {
    launch_.name = problem.text();
    launch_.flops = static_cast<double>(rows_) * static_cast<double>(cols_);
    granule_ = sector_rows(tile, type_);
    launch_.add_tensor({"x", type_, Layout::kNd, rows_, cols_, granule_, tile.cols});
    launch_.add_tensor({"index", DType::kI32, Layout::kNd, rows_, 1, granule_, 1});
    ring_ = add_ring(launch_, "tile", tile.buffers);
    results_ = add_ring(launch_, "result", tile.buffers);
  }

  Launch build() {
    const auto dealt = deal_pieces(rows_, cols_, tile_, granule_);
    add_vector_cores(launch_, machine_, dealt.size());
    if (at_.pieces > 1) add_second_stage(static_cast<int>(dealt.size()));
    // Tiles of the last, narrower piece of a row are folded otherwise; the last tile of a core also
    // tells the barrier.
    const int lanes_template = launch_.add_template(lanes());
    for (size_t core = 0; core < dealt.size(); ++core) {
      launch_.cores[core].add(lanes_template, {});
      for (size_t i = 0; i < dealt[core].size(); ++i) {
        const Piece& piece = dealt[core][i];
        const auto place = static_cast<int64_t>(i) % tile_.buffers;
        launch_.cores[core].add(
            tile_template(piece.cols, i + 1 == dealt[core].size()),
            {piece.row, piece.col, piece.col / tile_.cols, piece.rows, piece.cols,
             at_.slots + place * at_.slot_bytes, place * at_.result_bytes});
      }
    }
    if (at_.pieces > 1) deal_second_stage();
    return std::move(launch_);
  }

 private:
  /// The template for tiles of that width, made on first use.
  int tile_template(int64_t cols, bool last) {
    std::optional<int>& known = templates_[cols == tile_.cols ? 0 : 1][last ? 1 : 0];
    if (!known) known = launch_.add_template(tile_of_width(cols, last));
    return *known;
  }

  Tile column(int64_t base, DType type) const {
    return ub_tile(Expr::binding(kResult) + base, Expr::binding(kRows), 1, 0, type);
  }

  /// The first maximum of each row of `source`: its column goes to `place`, itself to `maximum`.
  /// Maxima of blocks of 32 bytes tell the first block that holds it, whose elements are looked at
  /// by themselves; those of a last, shorter block repeat its last one. Returns the
  /// position of the last instruction that reads the source.
  size_t find_maximum(std::vector<Instruction>& list, const Tile& source, int64_t cols,
                      const Tile& place, const Tile& maximum) const {
    const int64_t count = ceil_div(cols, at_.block);
    const auto of_rows = [&](int64_t offset, DType type) {
      return ub_tile(offset, source.rows, 1, 0, type);
    };
    const auto of_block = [&](int64_t offset, DType type) {
      return ub_tile(offset, source.rows, at_.block, at_.block, type);
    };
    const Tile blocks = ub_tile(at_.blocks, source.rows, count, at_.block_stride, at_.compared);
    const Tile best = of_rows(at_.best_blocks, DType::kI32);
    const Tile origin = of_rows(at_.origins_of_best, DType::kF32);
    const Tile columns = of_block(at_.columns, DType::kF32);
    const Tile whole_columns = of_block(at_.whole_columns, DType::kI32);
    const Tile found = of_block(at_.found, at_.compared);
    const Tile last = ub_tile(at_.last_column, 1, 1, 0, DType::kF32);
    const Tile lanes = ub_tile(at_.lanes, 1, at_.block, 0, DType::kF32);
    list.push_back(block_op(VectorOp::kBlockMax, blocks, source, machine_));
    list.push_back(vector_op(VectorOp::kRowArgMax, best, blocks));
    list.push_back(vector_op(VectorOp::kConvert, origin, best));
    list.push_back(scalar_op(VectorOp::kMuls, origin, origin, static_cast<double>(at_.block)));
    list.push_back(vector_op(VectorOp::kAdd, columns, origin, lanes));
    list.push_back(scalar_op(VectorOp::kDup, last, {}, static_cast<double>(cols - 1)));
    list.push_back(vector_op(VectorOp::kMin, columns, columns, last));
    list.push_back(vector_op(VectorOp::kConvert, whole_columns, columns));
    list.push_back(vector_op(VectorOp::kGather, found, source, whole_columns));
    const size_t last_read = list.size() - 1;
    list.push_back(vector_op(VectorOp::kRowArgMax, best, found));
    list.push_back(vector_op(VectorOp::kConvert, place, best));
    list.push_back(vector_op(VectorOp::kAdd, place, place, origin));
    list.push_back(vector_op(VectorOp::kRowMax, maximum, found));
    return last_read;
  }

  Template tile_of_width(int64_t cols, bool last) const {
    const Expr rows = Expr::binding(kRows);
    const Tile x = ub_tile(Expr::binding(kSlot), rows, cols, at_.stride, type_);
    const bool widened = at_.compared != type_;
    const Tile source =
        widened ? ub_tile(at_.wide, rows, cols, at_.compared_stride, at_.compared) : x;
    const Tile index = column(at_.indices, DType::kI32);
    Template body;
    body.name = last ? "last_tile" : "tile";
    body.kind = CoreKind::kAiv;
    body.bindings = kPieceBindings;
    std::vector<Instruction>& list = body.prologue;
    Instruction load =
        load_tile(gm_tile(kX, Expr::binding(kRow), Expr::binding(kCol), rows, cols), x);
    list.push_back(setting(waiting(load, ring_.free), ring_.full));
    if (widened) list.push_back(vector_op(VectorOp::kConvert, source, x));
    const Tile place = column(at_.places, DType::kF32);
    const size_t last_read =
        find_maximum(list, source, cols, place, column(at_.maxima, DType::kF32));
    list[widened ? 1 : last_read] = setting(list[widened ? 1 : last_read], ring_.free);
    if (at_.pieces == 1) list.push_back(vector_op(VectorOp::kConvert, index, place));
    list[1] = waiting(waiting(list[1], ring_.full), results_.free);
    list.back() = setting(list.back(), results_.done);
    add_result_stores(list, index, last);
    return body;
  }

  void add_result_stores(std::vector<Instruction>& list, const Tile& index, bool last) const {
    const auto gm = [](int tensor, const Expr& col) {
      return gm_tile(tensor, Expr::binding(kRow), col, Expr::binding(kRows), 1);
    };
    if (at_.pieces == 1) {
      list.push_back(
          setting(waiting(store_tile(index, gm(kIndex, 0)), results_.done), results_.free));
      return;
    }
    const Expr piece = Expr::binding(kPiece);
    list.push_back(
        waiting(store_tile(column(at_.maxima, DType::kF32), gm(kMaximum, piece)), results_.done));
    list.push_back(
        setting(store_tile(column(at_.places, DType::kF32), gm(kPlace, piece)), results_.free));
    if (last) list.back() = setting(list.back(), barrier_);
  }

  void add_second_stage(int producers) {
    for (const char* name : {"maximum", "place"}) {
      launch_.add_tensor({name, DType::kF32, Layout::kNd, rows_, at_.pieces, granule_, 1});
    }
    barrier_ = launch_.add_flag(
        {"all_pieces", FlagScope::kLaunch, FlagMeaning::kData, Memory::kGm, 0, producers});
    combine_ring_ = add_ring(launch_, "combine", 1);
    numbers_template_ = launch_.add_template(numbers());
    first_combine_ = launch_.add_template(combine(true));
    combine_ = launch_.add_template(combine(false));
  }

  /// Writes 0, 1, 2, ... to `numbers` and the first column of each piece to `origins`.
  Template numbers() const {
    Template body;
    body.name = "numbers";
    body.kind = CoreKind::kAiv;
    const Tile all = ub_tile(at_.numbers, 1, at_.pieces, 0, DType::kF32);
    const Tile origins = ub_tile(at_.origins, 1, at_.pieces, 0, DType::kF32);
    body.prologue = {scalar_op(VectorOp::kIndex, all, {}, 0),
                     scalar_op(VectorOp::kMuls, origins, all, static_cast<double>(tile_.cols))};
    return body;
  }

  /// The numbers of a block's elements, for all tiles of a core.
  Template lanes() const {
    Template body;
    body.name = "lanes";
    body.kind = CoreKind::kAiv;
    body.prologue = {
        scalar_op(VectorOp::kIndex, ub_tile(at_.lanes, 1, at_.block, 0, DType::kF32), {}, 0)};
    return body;
  }

  /// With p the first piece that has the largest maximum, and q any piece, the largest of
  /// -(column of q's maximum) - 2^25 (q - p)^2 over q is minus the wanted column.
  Template combine(bool first) const {
    const Expr row = Expr::binding(kFirstRow);
    const Expr rows = Expr::binding(kCombinedRows);
    const auto matrix = [&](int64_t offset) {
      return ub_tile(offset, rows, at_.pieces, at_.piece_stride, DType::kF32);
    };
    const auto vector = [&](int64_t offset, DType type) {
      return ub_tile(offset, rows, 1, 0, type);
    };
    const Tile maxima = matrix(at_.all_maxima);
    const Tile places = matrix(at_.all_places);
    const Tile numbers = ub_tile(at_.numbers, 1, at_.pieces, 0, DType::kF32);
    const Tile origins = ub_tile(at_.origins, 1, at_.pieces, 0, DType::kF32);
    const Tile best = vector(at_.best, DType::kI32);
    const Tile best_wide = vector(at_.best_wide, DType::kF32);
    Template body;
    body.name = first ? "first_combine" : "combine";
    body.kind = CoreKind::kAiv;
    body.bindings = kCombineBindings;
    Instruction load =
        waiting(load_tile(gm_tile(kMaximum, row, 0, rows, at_.pieces), maxima), combine_ring_.free);
    body.prologue = {
        first ? waiting(load, barrier_) : load,
        setting(load_tile(gm_tile(kPlace, row, 0, rows, at_.pieces), places), combine_ring_.full),
        waiting(vector_op(VectorOp::kRowArgMax, best, maxima), combine_ring_.full),
        vector_op(VectorOp::kConvert, best_wide, best),
        vector_op(VectorOp::kSub, maxima, numbers, best_wide),
        vector_op(VectorOp::kMul, maxima, maxima, maxima),
        scalar_op(VectorOp::kMuls, maxima, maxima, -0x1p25),
        vector_op(VectorOp::kAdd, places, places, origins),
        vector_op(VectorOp::kSub, maxima, maxima, places),
        vector_op(VectorOp::kRowMax, best_wide, maxima),
        scalar_op(VectorOp::kMuls, best_wide, best_wide, -1),
        setting(vector_op(VectorOp::kConvert, best, best_wide), combine_ring_.done),
        setting(waiting(store_tile(best, gm_tile(kIndex, row, 0, rows, 1)), combine_ring_.done),
                combine_ring_.free)};
    return body;
  }

  void deal_second_stage() {
    VectorTile whole = tile_;
    whole.rows = at_.combined_rows;
    whole.cols = at_.pieces;
    whole.cores = static_cast<int64_t>(launch_.cores.size());
    const auto dealt = deal_pieces(rows_, at_.pieces, whole, 1);
    for (size_t core = 0; core < dealt.size(); ++core) {
      launch_.cores[core].add(numbers_template_, {});
      for (size_t i = 0; i < dealt[core].size(); ++i) {
        launch_.cores[core].add(i == 0 ? first_combine_ : combine_,
                                {dealt[core][i].row, dealt[core][i].rows});
      }
    }
  }

  Launch launch_;
  ArgmaxPlan at_;
  VectorTile tile_;
  const Machine& machine_;
  DType type_;
  int64_t rows_, cols_, granule_ = 1;
  UbRing ring_, results_, combine_ring_;
  int barrier_ = -1;
  int numbers_template_ = -1, first_combine_ = -1, combine_ = -1;
  std::optional<int> templates_[2][2];
};

}  // namespace

std::string ArgmaxKernel::summary() const {
  return "column of the first maximum of each row: greedy sampling";
}

std::vector<SizeInfo> ArgmaxKernel::sizes() const {
  return {{"rows", "rows (sequences)"}, {"cols", "columns (vocabulary)"}};
}

int64_t ArgmaxKernel::ub_bytes(const Problem& problem, const VectorTile& tile,
                               const Machine& machine) const {
  VectorTile planned = tile;
  // The space's rule does not know the cores; one core has the largest share of rows.
  if (planned.cores == 0) planned.cores = 1;
  return ArgmaxPlan(problem, planned, machine).plan.bytes();
}

Launch ArgmaxKernel::build(const Problem& problem, const Config& config,
                           const Machine& machine) const {
  return ArgmaxBuilder(problem, tile_of(problem, config), machine).build();
}

void ArgmaxKernel::fill_inputs(const Problem& problem, const Launch& launch,
                               const InputValues& values, GmImage& image) const {
  const int64_t rows = problem.size("rows");
  const int64_t cols = problem.size("cols");
  std::vector<float> filled = input_values(launch.tensors[kX].type, rows, cols, -1, 1, values, 0);
  // Every second row has its maximum twice, anywhere.
  Random random(mix_bits(values.seed, 1));
  if (values.pattern == InputPattern::kUniform) {
    for (int64_t r = 0; r < rows; r += 2) {
      for (int i = 0; i < 2; ++i) {
        const auto c = static_cast<int64_t>(random.below(static_cast<uint64_t>(cols)));
        filled[static_cast<size_t>(r * cols + c)] = 2;
      }
    }
  }
  image[kX] = write_tensor(launch.tensors[kX], filled);
}

std::vector<ExpectedTensor> ArgmaxKernel::reference(const Problem& problem, const Launch& launch,
                                                    const GmImage& inputs) const {
  const int64_t rows = problem.size("rows");
  const int64_t cols = problem.size("cols");
  const std::vector<float> x = read_tensor(launch.tensors[kX], inputs[kX]);
  ExpectedTensor index{kIndex, rows, 1, {}, 0, 0};
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = x.data() + r * cols;
    index.values.push_back(static_cast<double>(std::max_element(row, row + cols) - row));
  }
  return {index};
}

}  // namespace tilewright
