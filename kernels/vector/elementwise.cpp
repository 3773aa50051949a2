#include "kernels/vector/elementwise.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

constexpr int64_t kMostTensors = 8;

enum Binding { kRow, kCol, kRows, kCols, kSlot, kBindings };

/// A slot holds one tile of each input and output. The first input's tile takes the sum; it is also
/// the first output. It meets all the others, so those begin in the other half of the bank groups.
struct ElementwisePlan {
  ElementwisePlan(const Problem& problem, const VectorTile& tile, const Machine& machine)
      : plan(machine) {
    stride = plan.stride(tile.cols, problem.types[0]);
    const int64_t tile_bytes = plan.tile_bytes(tile.rows, tile.cols, problem.types[0]);
    const int64_t count = problem.size("reads") + problem.size("writes") - 1;
    UbPlan slot(machine);
    for (int64_t i = 0; i < count; ++i) {
      tiles.push_back(slot.take(tile_bytes, i == 0 ? BankHalf::kLower : BankHalf::kUpper));
    }
    slot_bytes = slot.slot_bytes();
    slots = plan.take_ring(slot, tile.buffers);
  }

  UbPlan plan;
  int64_t stride = 0, slot_bytes = 0, slots = 0;
  std::vector<int64_t> tiles;  ///< places in a slot
};

Template elementwise_template(const Problem& problem, const ElementwisePlan& at,
                              const UbRing& ring) {
  const DType type = problem.types[0];
  const auto reads = static_cast<int>(problem.size("reads"));
  const auto writes = static_cast<int>(problem.size("writes"));
  const Expr rows = Expr::binding(kRows);
  const Expr cols = Expr::binding(kCols);
  const auto ub = [&](int position) {
    return ub_tile(Expr::binding(kSlot) + at.tiles[static_cast<size_t>(position)], rows, cols,
                   at.stride, type);
  };
  const auto gm = [&](int tensor) {
    return gm_tile(tensor, Expr::binding(kRow), Expr::binding(kCol), rows, cols);
  };

  Template body;
  body.name = "tile";
  body.kind = CoreKind::kAiv;
  body.bindings = kBindings;
  std::vector<Instruction>& list = body.prologue;
  for (int i = 0; i < reads; ++i) list.push_back(load_tile(gm(i), ub(i)));
  list.front() = waiting(list.front(), ring.free);
  list.back() = setting(list.back(), ring.full);
  const size_t first = list.size();
  for (int i = 1; i < reads; ++i) list.push_back(vector_op(VectorOp::kAdd, ub(0), ub(0), ub(i)));
  for (int j = 1; j < writes; ++j)
    list.push_back(scalar_op(VectorOp::kMuls, ub(reads + j - 1), ub(0), j + 1));
  if (list.size() == first) list.push_back(scalar_op(VectorOp::kMuls, ub(0), ub(0), 1));
  list[first] = waiting(list[first], ring.full);
  list.back() = setting(list.back(), ring.done);
  const size_t stores = list.size();
  for (int j = 0; j < writes; ++j)
    list.push_back(store_tile(ub(j == 0 ? 0 : reads + j - 1), gm(reads + j)));
  list[stores] = waiting(list[stores], ring.done);
  list.back() = setting(list.back(), ring.free);
  return body;
}

}  // namespace

std::string ElementwiseKernel::summary() const {
  return "sums of inputs written to outputs: a plain stream through UB";
}

std::vector<SizeInfo> ElementwiseKernel::sizes() const {
  return {{"rows", "rows of each tensor"},
          {"cols", "columns of each tensor"},
          {"reads", "input tensors", 1},
          {"writes", "output tensors", 1}};
}

void ElementwiseKernel::check_sizes(const Problem& problem) const {
  for (const char* size : {"reads", "writes"}) {
    if (problem.size(size) <= kMostTensors) continue;
    throw Error(ErrorKind::kUsage, fmt::format("elementwise has at most {} {}, got {}",
                                               kMostTensors, size, problem.size(size)));
  }
}

int64_t ElementwiseKernel::ub_bytes(const Problem& problem, const VectorTile& tile,
                                    const Machine& machine) const {
  return ElementwisePlan(problem, tile, machine).plan.bytes();
}

Launch ElementwiseKernel::build(const Problem& problem, const Config& config,
                                const Machine& machine) const {
  const VectorTile tile = tile_of(problem, config);
  const DType type = problem.types[0];
  const int64_t rows = problem.size("rows");
  const int64_t cols = problem.size("cols");
  const int64_t granule = sector_rows(tile, type);
  Launch launch;
  launch.name = problem.text();
  launch.flops = static_cast<double>(problem.size("reads") + problem.size("writes") - 2) *
                 static_cast<double>(rows) * static_cast<double>(cols);
  for (const char* side : {"in", "out"}) {
    const int64_t count = problem.size(side[0] == 'i' ? "reads" : "writes");
    for (int64_t i = 0; i < count; ++i) {
      launch.add_tensor(
          {fmt::format("{}{}", side, i), type, Layout::kNd, rows, cols, granule, tile.cols});
    }
  }
  const ElementwisePlan at(problem, tile, machine);
  const UbRing ring = add_ring(launch, "tile", tile.buffers);
  launch.add_template(elementwise_template(problem, at, ring));

  const auto dealt = deal_pieces(rows, cols, tile, granule);
  add_vector_cores(launch, machine, dealt.size());
  for (size_t core = 0; core < dealt.size(); ++core) {
    int64_t before = 0;
    for (const Piece& piece : dealt[core]) {
      const int64_t slot = at.slots + before++ % tile.buffers * at.slot_bytes;
      launch.cores[core].add(0, {piece.row, piece.col, piece.rows, piece.cols, slot});
    }
  }
  return launch;
}

void ElementwiseKernel::fill_inputs(const Problem& problem, const Launch& launch,
                                    const InputValues& values, GmImage& image) const {
  for (int i = 0; i < static_cast<int>(problem.size("reads")); ++i)
    fill_tensor(launch, i, 0, 1, values, image);
}

std::vector<ExpectedTensor> ElementwiseKernel::reference(const Problem& problem,
                                                         const Launch& launch,
                                                         const GmImage& inputs) const {
  const int64_t rows = problem.size("rows");
  const int64_t cols = problem.size("cols");
  const auto reads = static_cast<int>(problem.size("reads"));
  const DType type = problem.types[0];
  std::vector<double> sums(static_cast<size_t>(rows * cols));
  for (int i = 0; i < reads; ++i) {
    const auto input = static_cast<size_t>(i);
    const std::vector<float> in = read_tensor(launch.tensors[input], inputs[input]);
    for (size_t e = 0; e < sums.size(); ++e) sums[e] += static_cast<double>(in[e]);
  }
  // Inputs are not negative, so that nothing cancels: one rounding for each operation.
  const double relative = (reads + 1) * rounding_unit(type) * (1 + rounding_unit(type));
  std::vector<ExpectedTensor> expected;
  for (int j = 0; j < static_cast<int>(problem.size("writes")); ++j) {
    std::vector<double> values = sums;
    for (double& value : values) value *= j + 1;
    expected.push_back({reads + j, rows, cols, std::move(values),
                        reads * (j + 1) * subnormal_error(type), relative});
  }
  return expected;
}

}  // namespace tilewright
