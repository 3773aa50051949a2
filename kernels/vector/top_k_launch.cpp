#include "kernels/vector/top_k_launch.h"

#include <algorithm>
#include <limits>

#include "core/base/integers.h"
#include "kernels/vector/reduce.h"
#include "kernels/vector/top_k_plan.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

/// Maxima that are sorted at the top.
constexpr int64_t kMostAtTop = 1024;

constexpr int64_t kBlockBytes = 32;

constexpr double kMinusInf = -std::numeric_limits<double>::infinity();

/// Bindings of a task: the row that is searched, how many pieces the core has loaded before, where
/// results go, and the row that they are of.
enum Binding { kRow, kPlace, kResult, kFound, kBindings };

Tile row_tile(const Expr& offset, int64_t cols, DType type = DType::kF32) {
  return ub_tile(offset, 1, cols, 0, type);
}

}  // namespace

TopKPlan::TopKPlan(const Problem& problem, const VectorTile& tile, const Machine& machine)
    : plan(machine) {
  const DType type = problem.types[0];
  const int64_t cols = problem.size("cols");
  compared = type == DType::kBF16 ? DType::kF32 : type;
  k = problem.size("k");
  kept = round_up(k, 4);
  block = machine.buffers.ub_align / bytes_of(compared);
  candidates = kept * block;
  // Maxima of a piece begin at whole blocks.
  piece = round_up(tile.cols, block * block);
  for (int64_t size = ceil_div(cols, block); true; size = ceil_div(size, block)) {
    level_sizes.push_back(size);
    if (size <= kMostAtTop) break;
  }
  level_places.assign(level_sizes.size(), 0);
  level_places.back() = padded_records(std::max(level_sizes.back(), kept));
  for (size_t level = level_sizes.size() - 1; level > 0; --level) {
    level_places[level - 1] = level_places[level] * block;
  }
  gap = kBlockBytes;
  UbPlan slot(machine);
  slot.take(piece * bytes_of(type) + 2 * gap);
  slot_bytes = slot.slot_bytes();
  slots = plan.take_ring(slot, tile.buffers);
  if (compared != type) wide = plan.take(piece * 4, BankHalf::kUpper);
  for (const int64_t count : level_places) {
    levels.push_back(plan.take(count * bytes_of(compared), BankHalf::kUpper));
  }
  const int64_t sorted = std::max(level_places.back(), candidates);
  const int64_t few = padded_records(kept);
  room = take_sort_room(plan, 1, sorted);
  const auto row = [&](int64_t count) { return plan.take(count * 4); };
  numbers = row(sorted);
  keys = row(sorted);
  gathered = row(candidates);
  found = row(candidates);
  children = row(candidates);
  local = row(candidates);
  places = row(candidates);
  chosen = row(few);
  negated = row(few);
  columns = row(2 * round_up(kept, 8));
  one = row(kTopKConstants * 8);
  values = row(few);
  ids = row(few);
  params = row(kSampleParams * kParamStride);
  shares = plan.take(plan.tile_bytes(k, k, DType::kF32));
  sums = row(few);
  flags = row(few);
  scalars = row(8 * 8);
  result_row = round_up(few * 4, kBlockBytes);
  result_bytes = 2 * result_row + kBlockBytes;
  results = plan.take(kResultBuffers * result_bytes);
}

namespace {

class TopKBuilder {
 public:
  TopKBuilder(const Problem& problem, const VectorTile& tile, const Machine& machine, bool draws)
      : at_(problem, tile, machine),
        tile_(tile),
        machine_(machine),
        draws_(draws),
        type_(problem.types[0]),
        rows_(problem.size("rows")),
        cols_(problem.size("cols")) {
    launch_.name = problem.text();
    launch_.flops = static_cast<double>(rows_ * cols_);
    launch_.add_tensor({"logits", type_, Layout::kNd, rows_, cols_, 1, at_.piece});
    launch_.add_tensor({"value", DType::kF32, Layout::kNd, rows_, at_.k, 1, at_.k});
    launch_.add_tensor({"id", DType::kI32, Layout::kNd, rows_, at_.k, 1, at_.k});
    ring_ = add_ring(launch_, "piece", tile.buffers);
    results_ = add_ring(launch_, "result", kResultBuffers);
    if (!draws) return;
    const int64_t params = kSampleParams * kParamStride;
    launch_.add_tensor({"params", DType::kF32, Layout::kNd, rows_, params, 1, params});
    launch_.add_tensor({"token", DType::kI32, Layout::kNd, rows_, 1, 1, 1});
    params_ = add_ring(launch_, "params", 1);
  }

  Launch build() {
    const int constants_id = launch_.add_template(constants());
    const int search_id = launch_.add_template(search());
    const int both_ids[2] = {launch_.add_template(search_and_collect(true)),
                             launch_.add_template(search_and_collect(false))};
    const int collect_id = launch_.add_template(collect());
    VectorTile whole = tile_;
    whole.rows = 1;
    whole.cols = cols_;
    const int64_t pieces = ceil_div(cols_, at_.piece);
    const auto dealt = deal_pieces(rows_, cols_, whole, 1);
    add_vector_cores(launch_, machine_, dealt.size());
    for (size_t core = 0; core < dealt.size(); ++core) {
      const std::vector<Piece>& own = dealt[core];
      CoreProgram& program = launch_.cores[core];
      program.add(constants_id, {});
      program.add(search_id, {own[0].row, 0, 0, 0});
      int64_t before = pieces;
      const auto result = [&](size_t row) {
        return at_.results + static_cast<int64_t>(row) % kResultBuffers * at_.result_bytes;
      };
      for (size_t i = 1; i < own.size(); ++i) {
        program.add(both_ids[core % 2], {own[i].row, before, result(i - 1), own[i - 1].row});
        before += 2 * pieces;
      }
      program.add(collect_id, {0, before, result(own.size() - 1), own.back().row});
    }
    return std::move(launch_);
  }

 private:
  Tile constant(TopKConstant which) const { return row_tile(at_.one + which * kBlockBytes, 1); }
  Tile columns() const {
    return ub_tile(at_.columns, 2, at_.kept, round_up(at_.kept, 8), DType::kI32);
  }
  Tile level(size_t number, int64_t count) const {
    return row_tile(at_.levels[number - 1], count, at_.compared);
  }
  Expr slot_of(const Expr& position) const {
    return Expr::ring(Expr::binding(kPlace) + position, tile_.buffers) * at_.slot_bytes + at_.slots;
  }

  /// What no row changes: numbers, padding and the -inf round each slot.
  Template constants() const {
    Template body;
    body.name = "constants";
    body.kind = CoreKind::kAiv;
    std::vector<Instruction>& list = body.prologue;
    const int64_t numbers = std::max(at_.level_places.back(), at_.candidates);
    list.push_back(scalar_op(VectorOp::kIndex, row_tile(at_.numbers, numbers), {}, 0));
    add_record_columns(list, columns(), row_tile(at_.values, at_.kept));
    const auto fill = [&](const Tile& tile, double value) {
      list.push_back(scalar_op(VectorOp::kDup, tile, {}, value));
    };
    const int64_t few = padded_records(at_.kept);
    fill(row_tile(at_.chosen, few), 0);
    fill(row_tile(at_.negated, few), kMinusInf);
    fill(constant(kMinusOne), -1);
    fill(constant(kPieceEnd), static_cast<double>(at_.piece));
    fill(constant(kColumnEnd), static_cast<double>(cols_));
    fill(constant(kLowestNumber), -largest_finite(DType::kF32));
    for (size_t number = 1; number <= at_.levels.size(); ++number) {
      fill(level(number, at_.level_places[number - 1]), kMinusInf);
    }
    const int64_t block = at_.gap / bytes_of(type_);
    for (int64_t slot = 0; slot < tile_.buffers; ++slot) {
      const int64_t place = at_.slots + slot * at_.slot_bytes;
      fill(row_tile(place, block, type_), kMinusInf);
      fill(row_tile(place + at_.gap + at_.piece * bytes_of(type_), block, type_), kMinusInf);
    }
    return body;
  }

  Template pass(const char* name) const {
    Template body;
    body.name = name;
    body.kind = CoreKind::kAiv;
    body.bindings = kBindings;
    body.count = cols_ / at_.piece;
    return body;
  }

  /// Loads a piece of the row that `row` binds as the core's piece at `position`.
  Instruction load(int row, const Expr& position, const Expr& piece, int64_t cols) const {
    const Tile data = row_tile(slot_of(position) + at_.gap, cols, type_);
    const Tile from = gm_tile(kTopLogits, Expr::binding(row), piece * at_.piece, 1, cols);
    return setting(waiting(load_tile(from, data), ring_.free), ring_.full);
  }

  /// Calls add(list, piece, cols) for the pieces of a row.
  template <typename Add>
  void add_pieces(Template& body, Add add) const {
    add(body.body, Expr::index(), at_.piece);
    const int64_t rest = cols_ % at_.piece;
    if (rest > 0) add(body.epilogue, Expr(cols_ / at_.piece), rest);
  }

  /// The first pass over a row: maxima of blocks, and from them the candidates.
  Template search() const {
    Template body = pass("search");
    add_pieces(body, [&](std::vector<Instruction>& list, const Expr& piece, int64_t cols) {
      add_maxima(list, piece, piece, cols);
    });
    descend(body.epilogue);
    return body;
  }

  /// The first pass over a row beside the second one over the row before, piece by piece. Where
  /// half of the cores begin with the one and half with the other, half of them read from HBM while
  /// the others read from L2.
  Template search_and_collect(bool searches_first) const {
    Template body = pass("search_and_collect");
    const int64_t search_at = searches_first ? 0 : 1;
    add_params_load(body.prologue);
    add_pieces(body, [&](std::vector<Instruction>& list, const Expr& piece, int64_t cols) {
      if (searches_first) add_maxima(list, piece * 2 + search_at, piece, cols);
      add_candidates(list, piece * 2 + (1 - search_at), piece, cols);
      if (!searches_first) add_maxima(list, piece * 2 + search_at, piece, cols);
    });
    add_results(body.epilogue);
    descend(body.epilogue);
    return body;
  }

  /// The second pass over a core's last row.
  Template collect() const {
    Template body = pass("collect");
    add_params_load(body.prologue);
    add_pieces(body, [&](std::vector<Instruction>& list, const Expr& piece, int64_t cols) {
      add_candidates(list, piece, piece, cols);
    });
    add_results(body.epilogue);
    return body;
  }

  void add_params_load(std::vector<Instruction>& list) const {
    if (!draws_) return;
    const int64_t count = kSampleParams * kParamStride;
    const Tile from = gm_tile(kTopParams, Expr::binding(kFound), 0, 1, count);
    list.push_back(
        setting(waiting(load_tile(from, row_tile(at_.params, count)), params_.free), params_.full));
  }

  void add_maxima(std::vector<Instruction>& list, const Expr& position, const Expr& piece,
                  int64_t cols) const {
    list.push_back(load(kRow, position, piece, cols));
    Tile source = row_tile(slot_of(position) + at_.gap, cols, type_);
    const size_t first = list.size();
    if (at_.compared != type_) {
      const Tile wide = row_tile(at_.wide, cols);
      list.push_back(vector_op(VectorOp::kConvert, wide, source));
      source = wide;
    }
    const Tile maxima =
        row_tile(piece * (at_.piece / at_.block * bytes_of(at_.compared)) + at_.levels[0],
                 ceil_div(cols, at_.block), at_.compared);
    list.push_back(block_op(VectorOp::kBlockMax, maxima, source, machine_));
    list[first] = setting(waiting(list[first], ring_.full), ring_.free);
  }

  /// The maxima of the upper levels, and from the top level to the candidates' columns, in
  /// ascending order.
  void descend(std::vector<Instruction>& list) const {
    const size_t top = at_.levels.size();
    for (size_t number = 1; number < top; ++number) {
      list.push_back(block_op(VectorOp::kBlockMax, level(number + 1, at_.level_sizes[number]),
                              level(number, at_.level_sizes[number - 1]), machine_));
    }
    const int64_t count = at_.level_places.back();
    const Tile keys = row_tile(at_.keys, count);
    list.push_back(vector_op(widen(), keys, level(top, count)));
    choose(list, sort_rows(list, keys, row_tile(at_.numbers, count), count, at_.kept, at_.room));
    const Tile children = row_tile(at_.children, at_.candidates);
    for (size_t number = top; true; --number) {
      add_children(list);
      if (number == 1) break;
      // Maxima of the level below, of the chosen blocks.
      const Tile places = row_tile(at_.places, at_.candidates, DType::kI32);
      const Tile below = level(number - 1, at_.level_places[number - 2]);
      const Tile found = row_tile(at_.gathered, at_.candidates, at_.compared);
      const Tile found_keys = row_tile(at_.keys, at_.candidates);
      list.push_back(vector_op(VectorOp::kConvert, places, children));
      list.push_back(vector_op(VectorOp::kGather, found, below, places));
      list.push_back(vector_op(widen(), found_keys, found));
      choose(list, sort_rows(list, found_keys, children, at_.candidates, at_.kept, at_.room));
    }
    // Columns beyond the row's end are nowhere.
    const Tile local = row_tile(at_.local, at_.candidates);
    const Tile inside = row_tile(at_.gathered, at_.candidates);
    list.push_back(vector_op(VectorOp::kLess, inside, children, constant(kColumnEnd)));
    list.push_back(scalar_op(VectorOp::kAdds, local, children, 1));
    list.push_back(vector_op(VectorOp::kMul, local, local, inside));
    list.push_back(scalar_op(VectorOp::kAdds, local, local, -1));
    list.push_back(scalar_op(VectorOp::kDup, row_tile(at_.found, at_.candidates), {}, kMinusInf));
  }

  VectorOp widen() const {
    return at_.compared == DType::kF32 ? VectorOp::kCopy : VectorOp::kConvert;
  }

  /// The blocks of the first records, in ascending order: so equal elements of theirs stay in the
  /// order of columns.
  void choose(std::vector<Instruction>& list, const Tile& records) const {
    const Tile chosen = row_tile(at_.chosen, at_.kept);
    const int64_t few = padded_records(at_.kept);
    list.push_back(pick_part(chosen, records, columns(), 1));
    list.push_back(scalar_op(VectorOp::kMuls, row_tile(at_.negated, at_.kept), chosen, -1));
    const Tile sorted = sort_rows(list, row_tile(at_.negated, few), row_tile(at_.chosen, few), few,
                                  at_.kept, at_.room);
    list.push_back(pick_part(chosen, sorted, columns(), 1));
  }

  /// Places of the elements of the chosen blocks in the level below.
  void add_children(std::vector<Instruction>& list) const {
    const Tile chosen = row_tile(at_.chosen, at_.kept);
    list.push_back(scalar_op(VectorOp::kMuls, chosen, chosen, static_cast<double>(at_.block)));
    list.push_back(vector_op(
        VectorOp::kAdd, ub_tile(at_.children, at_.kept, at_.block, at_.block, DType::kF32),
        ub_tile(at_.chosen, at_.kept, 1, 0, DType::kF32), row_tile(at_.numbers, at_.block)));
  }

  /// The candidates that lie in a piece.
  void add_candidates(std::vector<Instruction>& list, const Expr& position, const Expr& piece,
                      int64_t cols) const {
    const Tile local = row_tile(at_.local, at_.candidates);
    const Tile inside = row_tile(at_.keys, at_.candidates);
    const Tile places = row_tile(at_.places, at_.candidates, DType::kI32);
    const Tile gathered = row_tile(at_.gathered, at_.candidates, type_);
    const Tile found = row_tile(at_.found, at_.candidates);
    const int64_t block = at_.gap / bytes_of(type_);
    // A whole piece with the -inf before and behind it; behind the last piece nothing is asked for.
    const int64_t seen = cols == at_.piece ? cols + 2 * block : cols + block;
    list.push_back(load(kFound, position, piece, cols));
    list.push_back(vector_op(VectorOp::kMax, inside, local, constant(kMinusOne)));
    list.push_back(vector_op(VectorOp::kMin, inside, inside, constant(kPieceEnd)));
    list.push_back(scalar_op(VectorOp::kAdds, inside, inside, static_cast<double>(block)));
    list.push_back(vector_op(VectorOp::kConvert, places, inside));
    const Instruction gather =
        vector_op(VectorOp::kGather, gathered, row_tile(slot_of(position), seen, type_), places);
    list.push_back(setting(waiting(gather, ring_.full), ring_.free));
    if (type_ != DType::kF32) list.push_back(vector_op(VectorOp::kConvert, inside, gathered));
    list.push_back(
        vector_op(VectorOp::kMax, found, found, type_ == DType::kF32 ? gathered : inside));
    list.push_back(scalar_op(VectorOp::kAdds, local, local, -static_cast<double>(at_.piece)));
  }

  void add_results(std::vector<Instruction>& list) const {
    const Tile records =
        sort_rows(list, row_tile(at_.found, at_.candidates), row_tile(at_.children, at_.candidates),
                  at_.candidates, at_.k, at_.room);
    const Expr result = Expr::binding(kResult);
    const Tile values = row_tile(result, at_.k);
    const Tile ids = row_tile(result + at_.result_row, at_.k, DType::kI32);
    const Tile numbers = row_tile(at_.ids, at_.k);
    Tile parts = columns();
    parts.cols = at_.k;
    list.push_back(waiting(pick_part(values, records, parts, 0), results_.free));
    list.push_back(pick_part(numbers, records, parts, 1));
    list.push_back(vector_op(VectorOp::kConvert, ids, numbers));
    const Tile token = row_tile(result + 2 * at_.result_row, 1, DType::kI32);
    if (draws_) draw(list, values, numbers, token);
    list.back() = setting(list.back(), results_.done);
    const auto store = [&](const Tile& from, int tensor, int64_t cols) {
      list.push_back(store_tile(from, gm_tile(tensor, Expr::binding(kFound), 0, 1, cols)));
    };
    const size_t first = list.size();
    store(values, kTopValue, at_.k);
    store(ids, kTopId, at_.k);
    if (draws_) store(token, kTopToken, 1);
    list[first] = waiting(list[first], results_.done);
    list.back() = setting(list.back(), results_.free);
  }

  Tile param(SampleParam which) const { return row_tile(at_.params + which * kParamStride * 4, 1); }
  Tile scalar(int64_t which, DType type = DType::kF32) const {
    return row_tile(at_.scalars + which * kBlockBytes, 1, type);
  }

  /// to = from[place], a single number of a row of k.
  void pick(std::vector<Instruction>& list, const Tile& to, const Tile& from,
            const Tile& place) const {
    const Tile whole = scalar(7, DType::kI32);
    list.push_back(vector_op(VectorOp::kConvert, whole, place));
    list.push_back(vector_op(VectorOp::kGather, to, from, whole));
  }

  /// Draws a token from values in descending order. Row i of `shares` holds the exponentials up to
  /// the i-th: its sum is the cumulative one.
  void draw(std::vector<Instruction>& list, const Tile& values, const Tile& numbers,
            const Tile& token) const {
    const int64_t k = at_.k;
    const Tile scaled = row_tile(at_.values, k);
    const Tile sums = row_tile(at_.sums, k);
    const Tile flags = row_tile(at_.flags, k);
    const Tile shares =
        ub_tile(at_.shares, k, k, UbPlan(machine_).stride(k, DType::kF32), DType::kF32);
    list.push_back(waiting(vector_op(VectorOp::kMul, scaled, values, param(kInverseTemperature)),
                           params_.full));
    list.push_back(vector_op(VectorOp::kMax, scaled, scaled, constant(kLowestNumber)));
    list.push_back(vector_op(VectorOp::kCopy, scalar(0), row_tile(at_.values, 1)));
    list.push_back(vector_op(VectorOp::kSub, scaled, scaled, scalar(0)));
    Instruction triangle = vector_op(VectorOp::kMask, shares, scaled);
    triangle.scalar_expr = 1;
    list.push_back(triangle);
    list.push_back(vector_op(VectorOp::kExp, shares, shares));
    list.push_back(vector_op(VectorOp::kRowSum, ub_tile(at_.sums, k, 1, 0, DType::kF32), shares));
    // The nucleus ends with the first sum of at least p times the one of the row's own k.
    const Tile last_of_row = scalar(1);
    const Tile total = scalar(2);
    const Tile last = scalar(3);
    list.push_back(scalar_op(VectorOp::kAdds, last_of_row, param(kRowK), -1));
    pick(list, total, sums, last_of_row);
    list.push_back(vector_op(VectorOp::kMul, total, total, param(kNucleus)));
    list.push_back(vector_op(VectorOp::kLess, flags, sums, total));
    list.push_back(vector_op(VectorOp::kRowSum, last, flags));
    list.push_back(vector_op(VectorOp::kMin, last, last, last_of_row));
    // The token is the first whose sum is above the random share of the nucleus.
    const Tile target = scalar(4);
    const Tile drawn = scalar(5);
    pick(list, target, sums, last);
    list.push_back(
        setting(vector_op(VectorOp::kMul, target, target, param(kUniformNumber)), params_.free));
    list.push_back(vector_op(VectorOp::kLess, flags, target, sums));
    list.push_back(vector_op(VectorOp::kRowSum, drawn, flags));
    list.push_back(scalar_op(VectorOp::kMuls, drawn, drawn, -1));
    list.push_back(scalar_op(VectorOp::kAdds, drawn, drawn, static_cast<double>(k)));
    list.push_back(vector_op(VectorOp::kMin, drawn, drawn, last));
    const Tile number = scalar(6);
    pick(list, number, numbers, drawn);
    list.push_back(vector_op(VectorOp::kConvert, token, number));
  }

  TopKPlan at_;
  VectorTile tile_;
  const Machine& machine_;
  bool draws_;
  DType type_;
  int64_t rows_, cols_;
  Launch launch_;
  UbRing ring_, results_, params_;
};

}  // namespace

int64_t top_k_ub_bytes(const Problem& problem, const VectorTile& tile, const Machine& machine) {
  return TopKPlan(problem, tile, machine).plan.bytes();
}

Launch build_top_k_launch(const Problem& problem, const VectorTile& tile, const Machine& machine,
                          bool draws) {
  return TopKBuilder(problem, tile, machine, draws).build();
}

}  // namespace tilewright
