#include "kernels/vector/moe_route.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/base/error.h"
#include "kernels/vector/reduce.h"
#include "kernels/vector/sort.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

constexpr int64_t kMostExperts = 1024;
constexpr int64_t kMostChosen = 32;

/// Takes the place of a maximum of -inf, so that x - maximum is -inf and not NaN.
const double kLowest = -largest_finite(DType::kF32);

/// Takes the place of a sum of zeros; any other sum is 1 at least.
constexpr double kNoSum = 0x1p-64;

enum Tensors { kLogits, kWeight, kExpert };
enum Binding { kRow, kRows, kSlot, kBindings };

/// A slot holds a tile of logits and the results. Rows of f32 logits are padded to whole runs of
/// the sorter.
struct RoutePlan {
  RoutePlan(const Problem& problem, const VectorTile& tile, const Machine& machine)
      : plan(machine) {
    const DType type = problem.types[0];
    padded = padded_records(tile.cols);
    const int64_t k = problem.size("k");
    stride = plan.stride(tile.cols, type);
    chosen_stride = plan.stride(k, DType::kF32);
    UbPlan slot(machine);
    slot.take(plan.tile_bytes(tile.rows, tile.cols, type));
    weights = slot.take(plan.tile_bytes(tile.rows, k, DType::kF32));
    experts = slot.take(plan.tile_bytes(tile.rows, k, DType::kI32));
    slot_bytes = slot.slot_bytes();
    slots = plan.take_ring(slot, tile.buffers);
    wide = plan.take(tile.rows * padded * 4, BankHalf::kUpper);
    numbers = plan.take(padded * 4);
    columns = plan.take(2 * chosen_stride * 4);
    room = take_sort_room(plan, tile.rows, padded);
    chosen = plan.take(plan.tile_bytes(tile.rows, k, DType::kF32));
    reduced = plan.take(reduce_bytes(machine, tile.rows, tile.cols, DType::kF32));
    maxima = plan.take(tile.rows * 4);
    sums = plan.take(tile.rows * 4);
  }

  UbPlan plan;
  SortRoom room;
  int64_t padded = 0, stride = 0, chosen_stride = 0, slot_bytes = 0, weights = 0, experts = 0;
  int64_t slots = 0, wide = 0, numbers = 0, columns = 0, chosen = 0, reduced = 0;
  int64_t maxima = 0, sums = 0;
};

class RouteBuilder {
 public:
  RouteBuilder(const Problem& problem, const VectorTile& tile, const Machine& machine)
      : at_(problem, tile, machine),
        machine_(machine),
        type_(problem.types[0]),
        experts_(problem.size("experts")),
        k_(problem.size("k")),
        normalised_(problem.size("normalised") == 1) {}

  /// The numbers of the experts, and where keys and payloads are in records.
  Template constants() const {
    Template body;
    body.name = "constants";
    body.kind = CoreKind::kAiv;
    body.prologue = {scalar_op(VectorOp::kIndex, numbers(), {}, 0)};
    add_record_columns(body.prologue, columns(), ub_tile(at_.sums, 1, k_, 0, DType::kF32));
    return body;
  }

  Template tile(const UbRing& ring) const {
    const Tile x = ub_tile(Expr::binding(kSlot), rows(), experts_, at_.stride, type_);
    const Tile weights = chosen_tile(Expr::binding(kSlot) + at_.weights, DType::kF32);
    const Tile experts = chosen_tile(Expr::binding(kSlot) + at_.experts, DType::kI32);
    const Tile wide = ub_tile(at_.wide, rows(), at_.padded, at_.padded, DType::kF32);
    Template body;
    body.name = "tokens";
    body.kind = CoreKind::kAiv;
    body.bindings = kBindings;
    std::vector<Instruction>& list = body.prologue;
    const Tile from = gm_tile(kLogits, Expr::binding(kRow), 0, rows(), experts_);
    list.push_back(setting(waiting(load_tile(from, x), ring.free), ring.full));
    list.push_back(scalar_op(VectorOp::kDup, wide, {}, -std::numeric_limits<double>::infinity()));
    const Tile real = columns_of(wide, 0, experts_);
    list.push_back(
        waiting(vector_op(type_ == DType::kF32 ? VectorOp::kCopy : VectorOp::kConvert, real, x),
                ring.full));
    const Tile records = sort_rows(list, wide, numbers(), at_.padded, k_, at_.room);
    const Tile chosen = chosen_tile(at_.chosen, DType::kF32);
    list.push_back(pick_part(chosen, records, columns(), 1));
    list.push_back(vector_op(VectorOp::kConvert, experts, chosen));
    list.push_back(pick_part(chosen, records, columns(), 0));
    add_weights(list, real, chosen, weights);
    list.back() = setting(list.back(), ring.done);
    const auto to = [&](int tensor) { return gm_tile(tensor, Expr::binding(kRow), 0, rows(), k_); };
    list.push_back(waiting(store_tile(weights, to(kWeight)), ring.done));
    list.push_back(setting(store_tile(experts, to(kExpert)), ring.free));
    return body;
  }

 private:
  static Expr rows() { return Expr::binding(kRows); }
  Tile numbers() const { return ub_tile(at_.numbers, 1, at_.padded, 0, DType::kF32); }
  Tile columns() const { return ub_tile(at_.columns, 2, k_, at_.chosen_stride, DType::kI32); }
  Tile chosen_tile(const Expr& offset, DType type) const {
    return ub_tile(offset, rows(), k_, at_.chosen_stride, type);
  }

  /// weights = exp(chosen - largest) / sum of all, or of the chosen.
  void add_weights(std::vector<Instruction>& list, const Tile& logits, const Tile& chosen,
                   const Tile& weights) const {
    const Tile maxima = ub_tile(at_.maxima, rows(), 1, 0, DType::kF32);
    const Tile sums = ub_tile(at_.sums, rows(), 1, 0, DType::kF32);
    list.push_back(scalar_op(VectorOp::kDup, maxima, {}, kLowest));
    list.push_back(vector_op(VectorOp::kMax, maxima, maxima, columns_of(chosen, 0, 1)));
    list.push_back(vector_op(VectorOp::kSub, chosen, chosen, maxima));
    list.push_back(vector_op(VectorOp::kExp, chosen, chosen));
    if (normalised_) {
      reduce_rows(list, VectorOp::kRowSum, chosen, k_, sums, at_.reduced, machine_);
    } else {
      list.push_back(vector_op(VectorOp::kSub, logits, logits, maxima));
      list.push_back(vector_op(VectorOp::kExp, logits, logits));
      reduce_rows(list, VectorOp::kRowSum, logits, experts_, sums, at_.reduced, machine_);
    }
    list.push_back(scalar_op(VectorOp::kDup, maxima, {}, kNoSum));
    list.push_back(vector_op(VectorOp::kMax, sums, sums, maxima));
    list.push_back(vector_op(VectorOp::kDiv, weights, chosen, sums));
  }

  RoutePlan at_;
  const Machine& machine_;
  DType type_;
  int64_t experts_, k_;
  bool normalised_;
};

}  // namespace

std::string MoeRouteKernel::summary() const {
  return "the k experts of each token and their weights: softmax and top-k of router logits";
}

std::vector<SizeInfo> MoeRouteKernel::sizes() const {
  return {{"rows", "tokens"},
          {"experts", "logits of a token"},
          {"k", "experts chosen for a token", 2},
          {"normalised", "1: weights of the chosen sum to 1; 0: softmax over all", 1, 0}};
}

void MoeRouteKernel::check_sizes(const Problem& problem) const {
  const int64_t experts = problem.size("experts");
  const int64_t k = problem.size("k");
  if (experts > kMostExperts || k > kMostChosen || k > experts) {
    throw Error(ErrorKind::kUsage,
                fmt::format("moe_route chooses k of at most {} experts, k at most {} and not more "
                            "than experts; got experts={}, k={}",
                            kMostExperts, kMostChosen, experts, k));
  }
  if (problem.size("normalised") > 1) {
    throw Error(ErrorKind::kUsage,
                fmt::format("moe_route: normalised is 0 or 1, got {}", problem.size("normalised")));
  }
}

int64_t MoeRouteKernel::ub_bytes(const Problem& problem, const VectorTile& tile,
                                 const Machine& machine) const {
  return RoutePlan(problem, tile, machine).plan.bytes();
}

Launch MoeRouteKernel::build(const Problem& problem, const Config& config,
                             const Machine& machine) const {
  const VectorTile tile = tile_of(problem, config);
  const DType type = problem.types[0];
  const int64_t rows = problem.size("rows");
  const int64_t experts = problem.size("experts");
  const int64_t k = problem.size("k");
  const int64_t granule = sector_rows(tile, type);
  const RoutePlan at(problem, tile, machine);
  Launch launch;
  launch.name = problem.text();
  launch.flops = 3.0 * static_cast<double>(rows * experts);
  launch.add_tensor({"logits", type, Layout::kNd, rows, experts, granule, experts});
  launch.add_tensor({"weight", DType::kF32, Layout::kNd, rows, k, granule, k});
  launch.add_tensor({"expert", DType::kI32, Layout::kNd, rows, k, granule, k});
  const UbRing ring = add_ring(launch, "tile", tile.buffers);
  const RouteBuilder builder(problem, tile, machine);
  const int constants = launch.add_template(builder.constants());
  const int tokens = launch.add_template(builder.tile(ring));

  const auto dealt = deal_pieces(rows, experts, tile, granule);
  add_vector_cores(launch, machine, dealt.size());
  for (size_t core = 0; core < dealt.size(); ++core) {
    launch.cores[core].add(constants, {});
    int64_t before = 0;
    for (const Piece& piece : dealt[core]) {
      const int64_t slot = at.slots + before++ % tile.buffers * at.slot_bytes;
      launch.cores[core].add(tokens, {piece.row, piece.rows, slot});
    }
  }
  return launch;
}

void MoeRouteKernel::fill_inputs(const Problem&, const Launch& launch, const InputValues& values,
                                 GmImage& image) const {
  fill_tensor(launch, kLogits, -4, 4, values, image);
}

std::vector<ExpectedTensor> MoeRouteKernel::reference(const Problem& problem, const Launch& launch,
                                                      const GmImage& inputs) const {
  const int64_t rows = problem.size("rows");
  const int64_t experts = problem.size("experts");
  const int64_t k = problem.size("k");
  const bool normalised = problem.size("normalised") == 1;
  const std::vector<float> logits = read_tensor(launch.tensors[kLogits], inputs[kLogits]);
  const double unit = rounding_unit(DType::kF32);
  ExpectedTensor weight{kWeight, rows, k, {}, 4 * subnormal_error(DType::kF32), 4 * unit};
  ExpectedTensor expert{kExpert, rows, k, {}, 0, 0};
  std::vector<int64_t> order(static_cast<size_t>(experts));
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = logits.data() + r * experts;
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t x, int64_t y) { return row[x] > row[y]; });
    const double most = std::max(kLowest, static_cast<double>(row[order[0]]));
    const auto term_of = [&](int64_t e) { return std::exp(static_cast<double>(row[e]) - most); };
    // A difference rounds once, which its exponential multiplies by.
    const auto error_of = [&](int64_t e) {
      const double term = term_of(e);
      return term > 0 ? term * (most - static_cast<double>(row[e]) + 4) * unit : 0.0;
    };
    double sum = 0, moved = 0;
    for (int64_t i = 0; i < (normalised ? k : experts); ++i) {
      sum += term_of(order[static_cast<size_t>(i)]);
      moved += error_of(order[static_cast<size_t>(i)]);
    }
    const double sum_moved = sum > 0 ? moved / sum + sum_error(128) : 0;
    for (int64_t i = 0; i < k; ++i) {
      const int64_t chosen = order[static_cast<size_t>(i)];
      const double term = term_of(chosen);
      expert.values.push_back(static_cast<double>(chosen));
      weight.values.push_back(sum > 0 ? term / sum : 0);
      weight.errors.push_back(sum > 0 ? (error_of(chosen) + term * sum_moved) / sum : 0);
    }
  }
  return {weight, expert};
}

}  // namespace tilewright
