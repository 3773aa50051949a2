#include "kernels/executor/op_times.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <span>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/integers.h"
#include "kernels/collective/closed_form.h"
#include "kernels/gemm/gemm.h"
#include "simulator/timing.h"

namespace tilewright {

namespace {

ProblemRequest request_of(DType type, std::map<std::string, int64_t> sizes) {
  ProblemRequest request;
  request.sizes = std::move(sizes);
  request.dtype = std::string(name_of(type));
  return request;
}

ProblemRequest gemm_request(const ModelConfig& model, const ModelOp& op, int64_t rows) {
  ProblemRequest request = request_of(op.quantized ? DType::kI8 : model.dtype,
                                      {{"m", rows}, {"n", op.columns}, {"k", op.depth}});
  request.layout = "nz";
  request.epilogue = op.epilogue;
  if (op.quantized) {
    request.out_dtype = std::string(name_of(model.dtype));
    request.epilogue = op.epilogue.empty() ? "dequant_token" : "dequant_token+" + op.epilogue;
  }
  return request;
}

/// Half of the vector cores, two tiles under way in each, tiles of 16 KiB or the largest that fit:
/// transfers and sums hide each other, and the time grows evenly with the bytes (all cores with one
/// tile each reach the same rate at some sizes and miss it by 30 % at others). Of the exchanges the
/// fastest by closed_form(), which knows full meshes alone; on other fabrics the untuned default.
Config exchange_config(const CollectiveKernel& kernel, const Problem& problem,
                       const Machine& machine) {
  constexpr int64_t kTileBytes = 16384;
  const Config standard = kernel.default_config(problem, machine);
  if (machine.fabric.topology != Topology::kFullMesh) return standard;
  const Space space = kernel.space(problem, machine);
  const int64_t cores = std::max<int64_t>(1, machine.cores.aic * machine.cores.aiv_per_aic / 2);
  std::map<int64_t, Config> by_exchange;  // with the largest tile
  for (const Config& config : space.enumerate()) {
    if (config.at("depth") != 1 || config.at("buffers") != 2 || config.at("cores") != cores ||
        config.at("tile_bytes") > kTileBytes) {
      continue;
    }
    const auto [known, is_new] = by_exchange.try_emplace(config.at("algorithm"), config);
    if (!is_new && config.at("tile_bytes") > known->second.at("tile_bytes")) known->second = config;
  }
  Config best = standard;
  double least = closed_form(kernel, problem, standard, machine).total();
  for (const auto& [exchange, config] : by_exchange) {
    const double us = closed_form(kernel, problem, config, machine).total();
    if (us >= least) continue;
    least = us;
    best = config;
  }
  return best;
}

bool is_collective(OpKind kind) {
  return kind == OpKind::kAllReduce || kind == OpKind::kAllGather || kind == OpKind::kSend;
}

int64_t bit_floor(int64_t value) {
  return static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(value)));
}

/// Rows of a GEMM's tiles.
int64_t tile_rows(const Config& config) {
  const auto tile =
      std::ranges::find(config.values, "tile_m", &std::pair<std::string, int64_t>::first);
  return tile == config.values.end() ? 1 : tile->second;
}

/// Rows between which a collective's time is a line: a power of two and its double. Beyond some
/// MB all links are busy all the time, and the last line goes on.
RowNodes collective_nodes(const ModelOp& op, int64_t ranks) {
  constexpr int64_t kMostElements = int64_t{1} << 24;  // of all ranks
  const int64_t most = std::max(
      2 * kRowMultiple, bit_floor(std::max<int64_t>(1, kMostElements / (op.columns * ranks))));
  const int64_t below = std::clamp<int64_t>(bit_floor(op.rows), 1, most / 2);
  return {below, 2 * below};
}

}  // namespace

RowNodes row_nodes(int64_t rows) {
  constexpr int64_t kFine = 64;
  const int64_t step = rows <= kFine ? kRowMultiple : bit_floor(rows) / 2;
  const int64_t above = round_up(rows, step);
  return {above == rows ? above : std::max(step, above - step), above};
}

Problem gemm_problem(const ModelConfig& model, const ModelOp& op) {
  TW_CHECK(op.kind == OpKind::kGemm, "only a GEMM op has a GEMM problem");
  return find_kernel("gemm").problem(gemm_request(model, op, round_up(op.rows, kRowMultiple)));
}

OpTimes::OpTimes(const ModelConfig& model, const Machine& machine, const OpLowering& lowering,
                 OpMemo& memo)
    : model_(model),
      machine_(machine),
      lowering_(lowering),
      memo_(memo),
      fingerprint_(machine.fingerprint()) {
  if (!lowering_.plan) return;
  check_plan();
  index_plan();
}

/// Every GEMM config of the plan must be legal where it was tuned.
void OpTimes::check_plan() const {
  const Kernel& gemm = find_kernel("gemm");
  for (const PlanTable& table : lowering_.plan->tables) {
    if (table.kernel != gemm.name()) continue;
    for (const PlanRange& range : table.ranges) {
      ProblemRequest request =
          request_of(table.dtype, {{"m", range.m_max}, {"n", table.n}, {"k", table.k}});
      if (table.layouts.size() > 1) request.layout = table.layouts[1];
      request.epilogue = table.epilogue;
      if (table.dtype == DType::kI8) request.out_dtype = std::string(name_of(model_.dtype));
      const Problem problem = gemm.problem(request);
      const std::string why = gemm.space(problem, machine_).violation(range.config);
      if (why.empty()) continue;
      throw Error(ErrorKind::kInfeasible,
                  fmt::format("its config '{}' for {} (m {} to {}) cannot run on {}: {}",
                              range.config.text(), problem.text(), range.m_min, range.m_max,
                              machine_.name, why));
    }
  }
}

void OpTimes::index_plan() {
  /// More rows than any step has.
  constexpr int64_t kMostRows = 1 << 20;
  for (const PlanTable& table : lowering_.plan->tables) {
    if (table.kernel != "gemm") continue;
    const int64_t budget = std::min(table.ranges.back().m_max, kMostRows);
    gemm_tables_.try_emplace({table.dtype, table.n, table.k, table.epilogue},
                             GemmTable{RowTable(std::span<const PlanRange>(table.ranges), budget),
                                       table.ranges.back().m_max});
  }
}

Problem OpTimes::problem_of(const ModelOp& op, int64_t rows) const {
  const int64_t ranks = lowering_.parallel.tp;
  const auto vector = [&](const char* kernel, std::map<std::string, int64_t> sizes) {
    return find_kernel(kernel).problem(request_of(model_.dtype, std::move(sizes)));
  };
  switch (op.kind) {
    case OpKind::kGemm:
      return find_kernel(lowering_.lowering == Lowering::kLibrary ? "gemm_library" : "gemm")
          .problem(gemm_request(model_, op, rows));
    case OpKind::kGroupedGemm: {
      ProblemRequest request = gemm_request(model_, op, rows);
      request.sizes["experts"] = op.groups;
      if (op.name.starts_with("expert_")) request.sizes["skew"] = lowering_.expert_skew;
      return find_kernel("grouped_gemm").problem(request);
    }
    case OpKind::kGather:
      return vector("gather", {{"rows", rows}, {"cols", op.columns}, {"vocab", model_.vocab}});
    case OpKind::kRmsNorm:
      return vector("rms_norm", {{"rows", rows}, {"cols", op.columns}});
    case OpKind::kAddRmsNorm:
      return vector("add_rms_norm", {{"rows", rows}, {"cols", op.columns}});
    case OpKind::kRope: {
      const int64_t shared = model_.is_mla() ? 1 : kv_heads(model_, ranks, 0).count;
      return vector(
          "rope", {{"rows", rows}, {"heads", op.heads}, {"kv_heads", shared}, {"dim", op.columns}});
    }
    case OpKind::kSiluMul:
      return vector("silu_mul", {{"rows", rows}, {"cols", op.columns}});
    case OpKind::kRouter:
      return vector("moe_route", {{"rows", rows}, {"experts", op.columns}, {"k", op.groups}});
    case OpKind::kUnpermute:
      return vector("unpermute", {{"rows", rows}, {"cols", op.columns}, {"k", op.groups}});
    case OpKind::kAdd:
      return vector("elementwise", {{"rows", rows}, {"cols", op.columns}, {"reads", 2}});
    case OpKind::kQuantize:
      return vector("quantize", {{"rows", rows}, {"cols", op.columns}});
    case OpKind::kSample:
      return vector("argmax", {{"rows", rows}, {"cols", op.columns}});
    case OpKind::kAllReduce:
      return vector("all_reduce", {{"ranks", ranks}, {"elements", rows * op.columns}});
    case OpKind::kAllGather:
      return vector("all_gather", {{"ranks", ranks}, {"elements", rows * op.columns}});
    case OpKind::kSend:
      // Rank r of a stage and rank r of the next are `ranks` chips apart.
      return vector("send_recv", {{"ranks", ranks + 1}, {"elements", rows * op.columns}});
    case OpKind::kAttention:
      break;
  }
  TW_CHECK(false, "attention is timed by its contexts");
  return {};
}

Config OpTimes::config_of(const Problem& problem) const {
  const Kernel& kernel = find_kernel(problem.kernel);
  if (problem.kernel == "gemm") {
    const auto table = gemm_tables_.find(
        {problem.types[0], problem.size("n"), problem.size("k"), problem.epilogue});
    // A config was tuned at the largest m that it serves; virtual padding lets it run fewer rows.
    if (table != gemm_tables_.end()) return tuned_config(table->second, problem);
  }
  if (const auto* collective = dynamic_cast<const CollectiveKernel*>(&kernel))
    return exchange_config(*collective, problem, machine_);
  return kernel.default_config(problem, machine_);
}

/// The table's config; for more rows than were tuned only where it does not look worse than the
/// default, by the first-order estimate.
Config OpTimes::tuned_config(const GemmTable& table, const Problem& problem) const {
  const int64_t m = problem.size("m");
  const Config& tuned = table.rows.at(m);
  if (m <= table.most_rows) return tuned;
  const Config standard = find_kernel(problem.kernel).default_config(problem, machine_);
  const bool is_worse =
      gemm_estimate_us(problem, tuned, machine_) > gemm_estimate_us(problem, standard, machine_);
  return is_worse ? standard : tuned;
}

bool OpTimes::is_tuned(const Problem& problem) const {
  return problem.kernel == "gemm" && gemm_tables_.contains({problem.types[0], problem.size("n"),
                                                            problem.size("k"), problem.epilogue});
}

int64_t OpTimes::simulated_ns(const ModelOp& op) const {
  const Problem problem = problem_of(op, op.rows);
  std::string key = fingerprint_ + ' ' + problem.text();
  // Configs of a plan are part of what the time depends on; others follow from the problem.
  if (is_tuned(problem)) key += ' ' + config_of(problem).text();
  return memo_.at(key, [&] {
    const Launch launch = find_kernel(problem.kernel).build(problem, config_of(problem), machine_);
    return machine_.ns_of_ticks(time_launch(launch, machine_, Fidelity::kAuto).ticks);
  });
}

int64_t OpTimes::gemm_ns(const ModelOp& op) const {
  constexpr int64_t kFewRows = 128;
  if (op.rows <= kFewRows) return simulated_ns(op);
  const Problem problem = problem_of(op, op.rows);
  // With a plan, what lies between depends on the configs of all ranges, which are quick to look
  // up.
  if (is_tuned(problem)) return gemm_on_stair(op, config_of(problem));
  return memo_.derived(fingerprint_ + " stair " + problem.text(),
                       [&] { return gemm_on_stair(op, config_of(problem)); });
}

int64_t OpTimes::gemm_on_stair(const ModelOp& op, const Config& config) const {
  constexpr int64_t kLeastStep = 64;
  const int64_t tile = tile_rows(config);
  if (tile < kLeastStep) return simulated_ns(op);
  ModelOp first = op;
  first.rows = (op.rows - 1) / tile * tile + kRowMultiple;
  ModelOp last = op;
  last.rows = round_up(op.rows, tile);
  const auto has_config = [&](const ModelOp& at) {
    return config_of(problem_of(at, at.rows)) == config;
  };
  if (first.rows >= op.rows || last.rows == op.rows || !has_config(first) || !has_config(last))
    return simulated_ns(op);
  const int64_t at_first = simulated_ns(first);
  return at_first +
         (simulated_ns(last) - at_first) * (op.rows - first.rows) / (last.rows - first.rows);
}

int64_t OpTimes::ns(const ModelOp& op) const {
  if (op.kind == OpKind::kGroupedGemm) return simulated_ns(op);
  if (op.kind == OpKind::kGemm) {
    ModelOp granules = op;
    granules.rows = round_up(op.rows, kRowMultiple);
    return gemm_ns(granules);
  }
  // A few rows take vector cores as long as a granule, the latency of one; links they do not.
  const bool is_exchange = is_collective(op.kind);
  const int64_t rows = is_exchange ? op.rows : std::max(op.rows, kRowMultiple);
  const RowNodes nodes =
      is_exchange ? collective_nodes(op, lowering_.parallel.tp) : row_nodes(rows);
  ModelOp at = op;
  at.rows = nodes.below;
  const int64_t below = simulated_ns(at);
  if (nodes.below == rows) return below;
  at.rows = nodes.above;
  const int64_t above = simulated_ns(at);
  return below + (above - below) * (rows - nodes.below) / (nodes.above - nodes.below);
}

OpLaunch OpTimes::launch_of(const ModelOp& op) const {
  int64_t rows = op.rows;
  if (op.kind == OpKind::kGemm) {
    rows = round_up(rows, kRowMultiple);
  } else if (op.kind != OpKind::kGroupedGemm && !is_collective(op.kind)) {
    rows = std::max(rows, kRowMultiple);
  }
  Problem problem = problem_of(op, rows);
  Config config = config_of(problem);
  const bool tuned = is_tuned(problem);
  return {std::move(problem), std::move(config), tuned};
}

int64_t OpTimes::move_ns(int64_t rows, int64_t columns) const {
  ModelOp op;
  op.kind = OpKind::kGather;
  op.rows = rows;
  op.columns = columns;
  return ns(op);
}

}  // namespace tilewright
