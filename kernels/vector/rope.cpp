#include "kernels/vector/rope.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/base/error.h"
#include "kernels/vector/cache_slots.h"
#include "kernels/vector/vector_builder.h"

namespace tilewright {

namespace {

enum Tensors { kQkv, kCosSin, kQ, kK, kV };
enum Binding { kRow, kRows, kSlot, kTable, kBindings };

/// Heads that are rotated together: enough for long instructions, and for few of them, since SCALAR
/// issues a tile's before it comes to the next load; few enough that their f32 values stay small.
constexpr int64_t kGroup = 32;

/// Tables that UB holds at once.
constexpr int64_t kTableBuffers = 2;

struct RopePlan {
  RopePlan(const Problem& problem, const VectorTile& tile, const Machine& machine) : plan(machine) {
    const DType type = problem.types[0];
    const int64_t dim = problem.size("dim");
    const int64_t half = dim / 2;
    const int64_t group = std::min(kGroup, problem.size("heads"));
    // Cosines and sines come for many tokens at a time: one token's are so few bytes that the
    // latency of GM would count for each tile.
    table_rows = tile.rows;
    while (table_rows * dim * 4 < 2 * machine.mte2.lookahead_burst_bytes) table_rows *= 2;
    table_bytes = plan.tile_bytes(table_rows, dim, DType::kF32);
    // Halves of heads meet cosines, sines and their own products. Sines meet the products, too:
    // slots between them bring them into different banks.
    UbPlan factor(machine);
    factor.take(half * 4);
    factor_stride = factor.slot_bytes() / 4;
    factors = plan.take(factor.slot_bytes() + factor.bytes(), BankHalf::kUpper);
    tables = plan.take(kTableBuffers * table_bytes);
    UbPlan slot(machine);
    slot.take(plan.tile_bytes(tile.rows, tile.cols, type));
    slot_bytes = slot.slot_bytes();
    const bool narrow = type != DType::kF32;
    slots = plan.take_ring(slot, tile.buffers, narrow ? BankHalf::kUpper : BankHalf::kLower);
    if (narrow) {
      // Products fill the gaps between halves of heads that all begin in the lower half.
      UbPlan row(machine);
      row.take(half * 4);
      const int64_t product = row.take(half * 4, BankHalf::kUpper);
      value_stride = row.slot_bytes() / 4;
      values = plan.take(2 * group * row.slot_bytes(), BankHalf::kLower);
      first = values + product;
      second = first + row.slot_bytes();
      product_stride = 2 * value_stride;
    } else {
      const int64_t product_bytes = plan.tile_bytes(group, half, DType::kF32);
      first = plan.take(product_bytes, BankHalf::kUpper);
      second = plan.take(product_bytes, BankHalf::kUpper);
      product_stride = half;
    }
  }

  UbPlan plan;
  int64_t slot_bytes = 0, table_bytes = 0, table_rows = 0;
  int64_t tables = 0, slots = 0;
  int64_t factors = 0, factor_stride = 0;  ///< a token's cosines, then its sines
  int64_t values = 0, value_stride = 0;    ///< f32 of 16-bit heads, left and right halves in turn
  int64_t first = 0, second = 0, product_stride = 0;
};

class RopeBuilder {
 public:
  RopeBuilder(const Problem& problem, const VectorTile& tile, const Machine& machine)
      : at_(problem, tile, machine),
        tile_(tile),
        machine_(machine),
        type_(problem.types[0]),
        rows_(problem.size("rows")),
        heads_(problem.size("heads")),
        kv_heads_(problem.size("kv_heads")),
        dim_(problem.size("dim")) {
    launch_.name = problem.text();
    launch_.flops = 3.0 * static_cast<double>(rows_) * static_cast<double>(heads_ * dim_);
    const int64_t slots = slot_count(rows_);
    const int64_t kv = kv_heads_ * dim_;
    const int64_t q = (heads_ - kv_heads_) * dim_;
    launch_.add_tensor({"qkv", type_, Layout::kNd, rows_, tile.cols, 1, tile.cols});
    launch_.add_tensor({"cos_sin", DType::kF32, Layout::kNd, rows_, dim_, 1, dim_});
    launch_.add_tensor({"q", type_, Layout::kNd, rows_, q, 1, q});
    launch_.add_tensor({"k", type_, Layout::kNd, slots, kv, 1, kv});
    launch_.add_tensor({"v", type_, Layout::kNd, slots, kv, 1, kv});
    launch_.add_table(scatter_slots(rows_));
    ring_ = add_ring(launch_, "tile", tile.buffers);
    table_ring_ = add_ring(launch_, "table", kTableBuffers);
  }

  Launch build() {
    table_template_ = launch_.add_template(load_table());
    for (bool first : {false, true}) {
      for (bool last : {false, true}) {
        rotate_templates_[first][last] = launch_.add_template(rotate(first, last));
      }
    }
    scatter_template_ = launch_.add_template(scatter());
    // A core's tokens are one run; tiles are counted from its beginning.
    VectorTile run = tile_;
    run.rows = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(rows_)));
    const auto dealt = deal_pieces(rows_, tile_.cols, run, 1);
    add_vector_cores(launch_, machine_, dealt.size());
    for (size_t core = 0; core < dealt.size(); ++core) {
      add_tasks(launch_.cores[core], dealt[core].front());
    }
    return std::move(launch_);
  }

 private:
  void add_tasks(CoreProgram& core, const Piece& run) const {
    for (int64_t done = 0; done < run.rows; done += tile_.rows) {
      const int64_t row = run.row + done;
      const int64_t rows = std::min(tile_.rows, run.rows - done);
      const int64_t slot = at_.slots + done / tile_.rows % tile_.buffers * at_.slot_bytes;
      const int64_t in_table = done % at_.table_rows;
      const int64_t table = at_.tables + done / at_.table_rows % kTableBuffers * at_.table_bytes;
      if (in_table == 0) {
        core.add(table_template_, {row, std::min(at_.table_rows, run.rows - done), 0, table});
      }
      const bool last = in_table + rows == at_.table_rows || done + rows == run.rows;
      core.add(rotate_templates_[in_table == 0][last],
               {row, rows, slot, table + in_table * dim_ * 4});
      core.add(scatter_template_, {row, rows, slot, 0});
    }
  }

  /// Loads cosines and sines of the tokens of some tiles.
  Template load_table() const {
    Template body;
    body.name = "table";
    body.kind = CoreKind::kAiv;
    body.bindings = kBindings;
    const Expr rows = Expr::binding(kRows);
    const Tile table = ub_tile(Expr::binding(kTable), rows, dim_, dim_, DType::kF32);
    const Instruction load = load_tile(gm_tile(kCosSin, Expr::binding(kRow), 0, rows, dim_), table);
    body.prologue = {setting(waiting(load, table_ring_.free), table_ring_.full)};
    return body;
  }

  Template new_template(const char* name) const {
    Template body;
    body.name = name;
    body.kind = CoreKind::kAiv;
    body.bindings = kBindings;
    body.count = Expr::binding(kRows);
    return body;
  }
  int64_t row_bytes() const { return tile_.cols * bytes_of(type_); }

  /// Loads a tile of tokens, rotates them one by one and stores the queries. The first tile of a
  /// table waits for it, the last one frees it.
  Template rotate(bool first, bool last) const {
    const Expr rows = Expr::binding(kRows);
    const Tile tile = ub_tile(Expr::binding(kSlot), rows, tile_.cols, tile_.cols, type_);
    Template body = new_template("rotate");
    const Instruction load =
        load_tile(gm_tile(kQkv, Expr::binding(kRow), 0, rows, tile_.cols), tile);
    body.prologue = {setting(waiting(load, ring_.free), ring_.full)};
    body.body.push_back(copy_table_row());
    for (int64_t head = 0; head < heads_; head += kGroup) {
      rotate_heads(body.body, head, std::min(kGroup, heads_ - head));
    }
    body.body.front() = waiting(body.body.front(), ring_.full, When::kFirst);
    body.body.back() = setting(body.body.back(), ring_.done, When::kLast);
    if (first) body.body.front() = waiting(body.body.front(), table_ring_.full, When::kFirst);
    if (last) body.body.back() = setting(body.body.back(), table_ring_.free, When::kLast);
    const int64_t q = (heads_ - kv_heads_) * dim_;
    body.epilogue = {
        waiting(store_tile(columns_of(tile, 0, q), gm_tile(kQ, Expr::binding(kRow), 0, rows, q)),
                ring_.done)};
    return body;
  }

  /// Takes the token's cosines and sines to where they meet neither half of a head: in the table
  /// they lie side by side, for every token elsewhere.
  Instruction copy_table_row() const {
    const int64_t half = dim_ / 2;
    const Expr row = Expr::binding(kTable) + Expr::index() * (dim_ * 4);
    return vector_op(VectorOp::kCopy, ub_tile(at_.factors, 2, half, at_.factor_stride, DType::kF32),
                     ub_tile(row, 2, half, half, DType::kF32));
  }

  /// Rotates `count` heads of the token at the loop index, in place.
  void rotate_heads(std::vector<Instruction>& list, int64_t head, int64_t count) const {
    const int64_t half = dim_ / 2;
    const Expr token =
        Expr::binding(kSlot) + Expr::index() * row_bytes() + head * dim_ * bytes_of(type_);
    const bool narrow = type_ != DType::kF32;
    // Halves of heads, and the same in f32.
    const Tile heads = ub_tile(token, 2 * count, half, half, type_);
    const Tile values =
        narrow ? ub_tile(at_.values, 2 * count, half, at_.value_stride, DType::kF32) : heads;
    const auto every_second = [&](const Tile& tile, int64_t which) {
      return ub_tile(tile.offset + which * tile.stride * 4, count, half, 2 * tile.stride,
                     DType::kF32);
    };
    const Tile x1 = every_second(values, 0);
    const Tile x2 = every_second(values, 1);
    const Tile first = ub_tile(at_.first, count, half, at_.product_stride, DType::kF32);
    const Tile second = ub_tile(at_.second, count, half, at_.product_stride, DType::kF32);
    const Tile cos = ub_tile(at_.factors, 1, half, half, DType::kF32);
    const Tile sin = ub_tile(at_.factors + at_.factor_stride * 4, 1, half, half, DType::kF32);
    if (narrow) list.push_back(vector_op(VectorOp::kConvert, values, heads));
    list.push_back(vector_op(VectorOp::kMul, first, x1, sin));
    list.push_back(vector_op(VectorOp::kMul, second, x2, sin));
    list.push_back(vector_op(VectorOp::kMul, x1, x1, cos));
    list.push_back(vector_op(VectorOp::kMul, x2, x2, cos));
    list.push_back(vector_op(VectorOp::kSub, x1, x1, second));
    list.push_back(vector_op(VectorOp::kAdd, x2, x2, first));
    if (narrow) list.push_back(vector_op(VectorOp::kConvert, heads, values));
  }

  /// Stores K and V of each token of a rotated tile to its slot. MTE3 works in order: it has waited
  /// for the rotation before it stored the queries.
  Template scatter() const {
    const int64_t kv = kv_heads_ * dim_;
    const Expr slot = Expr::table(0, Expr::binding(kRow) + Expr::index());
    const Expr row = Expr::binding(kSlot) + Expr::index() * row_bytes();
    const Tile token = ub_tile(row, 1, tile_.cols, tile_.cols, type_);
    Template body = new_template("scatter");
    body.body = {
        store_tile(columns_of(token, (heads_ - kv_heads_) * dim_, kv), gm_tile(kK, slot, 0, 1, kv)),
        setting(store_tile(columns_of(token, heads_ * dim_, kv), gm_tile(kV, slot, 0, 1, kv)),
                ring_.free, When::kLast)};
    return body;
  }

  Launch launch_;
  RopePlan at_;
  VectorTile tile_;
  const Machine& machine_;
  DType type_;
  int64_t rows_, heads_, kv_heads_, dim_;
  UbRing ring_, table_ring_;
  int table_template_ = -1, scatter_template_ = -1;
  int rotate_templates_[2][2] = {};
};

}  // namespace

std::string RopeKernel::summary() const {
  return "rotates query and key heads and writes K and V to the paged cache";
}

std::vector<SizeInfo> RopeKernel::sizes() const {
  return {{"rows", "tokens"},
          {"heads", "query and key heads together"},
          {"kv_heads", "heads of K, and of V"},
          {"dim", "elements of a head, a multiple of 16", 128}};
}

void RopeKernel::check_sizes(const Problem& problem) const {
  const int64_t heads = problem.size("heads");
  const int64_t kv_heads = problem.size("kv_heads");
  const int64_t dim = problem.size("dim");
  if (dim % 16 != 0) {
    throw Error(ErrorKind::kUsage, fmt::format("rope needs dim in multiples of 16, got {}", dim));
  }
  if (heads <= kv_heads) {
    throw Error(ErrorKind::kUsage,
                fmt::format("rope: heads={} counts query and key heads together, so it must be "
                            "more than kv_heads={}",
                            heads, kv_heads));
  }
  if ((heads + kv_heads) > kMaxVectorSize / dim) {
    throw Error(ErrorKind::kUsage,
                fmt::format("rope: {} heads of {} elements make rows of more than {} elements",
                            heads + kv_heads, dim, kMaxVectorSize));
  }
}

int64_t RopeKernel::column_count(const Problem& problem) const {
  return (problem.size("heads") + problem.size("kv_heads")) * problem.size("dim");
}

int64_t RopeKernel::ub_bytes(const Problem& problem, const VectorTile& tile,
                             const Machine& machine) const {
  return RopePlan(problem, tile, machine).plan.bytes();
}

Launch RopeKernel::build(const Problem& problem, const Config& config,
                         const Machine& machine) const {
  return RopeBuilder(problem, tile_of(problem, config), machine).build();
}

void RopeKernel::fill_inputs(const Problem&, const Launch& launch, const InputValues& values,
                             GmImage& image) const {
  fill_tensor(launch, kQkv, -1, 1, values, image);
  fill_tensor(launch, kCosSin, -1, 1, values, image);
  // What the cache held before must survive in the slots of other tokens.
  fill_tensor(launch, kK, -1, 1, values, image);
  fill_tensor(launch, kV, -1, 1, values, image);
}

std::vector<ExpectedTensor> RopeKernel::reference(const Problem& problem, const Launch& launch,
                                                  const GmImage& inputs) const {
  const int64_t rows = problem.size("rows");
  const int64_t heads = problem.size("heads");
  const int64_t kv_heads = problem.size("kv_heads");
  const int64_t dim = problem.size("dim");
  const int64_t queries = heads - kv_heads;
  const int64_t kv = kv_heads * dim;
  const std::vector<int64_t> slots = scatter_slots(rows);
  const std::vector<float> qkv = read_tensor(launch.tensors[kQkv], inputs[kQkv]);
  const std::vector<float> table = read_tensor(launch.tensors[kCosSin], inputs[kCosSin]);
  const std::vector<float> old_k = read_tensor(launch.tensors[kK], inputs[kK]);
  const std::vector<float> old_v = read_tensor(launch.tensors[kV], inputs[kV]);
  const DType type = problem.types[0];
  // Two products and their difference, in f32, whatever the difference cancels: products that are
  // subnormal in f32 err by their own.
  const double absolute = subnormal_error(type) + 2 * subnormal_error(DType::kF32);
  const double relative = rounding_unit(type);
  const double pairs = sum_error(3);
  ExpectedTensor q{kQ, rows, queries * dim, {}, absolute, relative};
  q.values.resize(static_cast<size_t>(rows * queries * dim));
  q.errors.resize(q.values.size());
  ExpectedTensor k{kK, slot_count(rows), kv, {old_k.begin(), old_k.end()}, absolute, relative};
  k.errors.resize(k.values.size());
  ExpectedTensor v{kV, slot_count(rows), kv, {old_v.begin(), old_v.end()}, 0, 0};
  for (int64_t t = 0; t < rows; ++t) {
    const float* token = qkv.data() + t * (heads + kv_heads) * dim;
    const float* cos = table.data() + t * dim;
    const float* sin = cos + dim / 2;
    const int64_t slot = slots[static_cast<size_t>(t)];
    for (int64_t h = 0; h < heads; ++h) {
      ExpectedTensor& rotated = h < queries ? q : k;
      const int64_t at = h < queries ? (t * queries + h) * dim : slot * kv + (h - queries) * dim;
      double* out = rotated.values.data() + at;
      double* errors = rotated.errors.data() + at;
      for (int64_t i = 0; i < dim / 2; ++i) {
        const double x1 = token[h * dim + i];
        const double x2 = token[h * dim + dim / 2 + i];
        const double x1_cos = x1 * static_cast<double>(cos[i]);
        const double x2_sin = x2 * static_cast<double>(sin[i]);
        const double x2_cos = x2 * static_cast<double>(cos[i]);
        const double x1_sin = x1 * static_cast<double>(sin[i]);
        out[i] = x1_cos - x2_sin;
        out[dim / 2 + i] = x2_cos + x1_sin;
        errors[i] = pairs * (std::abs(x1_cos) + std::abs(x2_sin));
        errors[dim / 2 + i] = pairs * (std::abs(x2_cos) + std::abs(x1_sin));
      }
    }
    std::copy_n(token + heads * dim, kv, v.values.begin() + slot * kv);
  }
  return {q, k, v};
}

}  // namespace tilewright
