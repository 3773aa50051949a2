#include "kernels/fused/fused_kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/integers.h"
#include "kernels/fused/hoist.h"
#include "kernels/fused/nest_instructions.h"
#include "kernels/fused/nest_program.h"
#include "kernels/fused/split_nest.h"
#include "kernels/fused/tensor_pitch.h"
#include "kernels/fused/tile_estimate.h"
#include "kernels/gemm/gemm.h"
#include "simulator/cost.h"
#include "simulator/memory.h"

namespace tilewright {

namespace {

/// Tasks that cores can work on side by side.
int64_t task_count(const PlannedNest& nest) {
  int64_t tasks = 1;
  for (size_t axis = 0; axis < nest.program.extents.size(); ++axis) {
    if (!nest.program.is_sequential[axis]) tasks *= tile_count(nest.program, nest.tiles, axis);
  }
  return tasks;
}

/// By array: it comes from an earlier level, and lies in L2.
std::vector<bool> arrays_in_l2(const VecProgram& program, const std::vector<int32_t>& made) {
  std::vector<bool> in_l2(program.arrays.size(), false);
  for (const VecPart* part : {&program.body, &program.end}) {
    for (const VecTransfer& load : part->loads) {
      in_l2[static_cast<size_t>(load.array)] =
          is_partial(load.op) || std::ranges::binary_search(made, load.op);
    }
  }
  return in_l2;
}

/// The best plan of a nest over the ways to run along its reduced axes. `made`: ops of the kernel.
std::optional<PlannedNest> plan_nest(const Region& region, const LoopNest& nest,
                                     const Machine& machine, const std::vector<int32_t>& made) {
  std::optional<PlannedNest> best;
  for (const std::vector<int>& sequential : sequential_choices(region, nest)) {
    VecProgram program = lower_nest(region, nest, sequential);
    std::optional<TilePlan> tiles = plan_tiles(program, machine, arrays_in_l2(program, made));
    if (!tiles) continue;
    if (best && best->tiles.estimated_ticks <= tiles->estimated_ticks) continue;
    if (tiles->hoists) program = hoisted(program, full_axes(program, tiles->tile));
    best = PlannedNest{nest.level, std::move(program), std::move(*tiles)};
  }
  return best;
}

/// A reduce of the nest whose result is read in it again, and which is not staged yet: what to
/// stage when the nest does not fit. The one with the longest rows.
std::optional<int32_t> reduce_to_stage(const Region& region, const LoopNest& nest,
                                       const std::vector<int32_t>& staged) {
  std::optional<int32_t> found;
  double longest = 0;
  for (const NestStep& step : nest.steps) {
    if (region.role(step.op) != OpRole::kReduce || std::ranges::binary_search(staged, step.op)) {
      continue;
    }
    const auto is_read = [&](const NestStep& reader) {
      return std::ranges::any_of(reader.operands, [&](const NestOperand& operand) {
        return operand.array == step.result;
      });
    };
    if (std::ranges::none_of(nest.steps, is_read)) continue;
    const int32_t source = region.computation().op(step.op).operands[0];
    const double length = static_cast<double>(region.elements(source)) /
                          static_cast<double>(region.elements(step.op));
    if (!found || length > longest) {
      found = step.op;
      longest = length;
    }
  }
  return found;
}

void add_traffic(const Region& region, FusedKernel& kernel) {
  // Each array once, as far as it is read.
  std::map<std::pair<int32_t, int64_t>, int64_t> read;  // (op, offset) -> bytes
  for (const PlannedNest& nest : kernel.nests) {
    if (nest.product) {
      for (const int32_t op : {nest.product->matrices.a, nest.product->matrices.b}) {
        read[{op, 0}] = region.bytes(op);
      }
    }
    for (const VecPart* part : nest.program.parts()) {
      for (const VecTransfer& load : part->loads) {
        const VecArray& array = nest.program.arrays[static_cast<size_t>(load.array)];
        int64_t bytes = bytes_of(array.type);
        for (const int axis : array.axes) bytes *= nest.program.extents[static_cast<size_t>(axis)];
        int64_t& most = read[{load.op, load.offset}];
        most = std::max(most, bytes);
      }
    }
  }
  for (const auto& entry : read) {
    const int32_t op = entry.first.first;
    const bool is_own = is_partial(op) || std::ranges::binary_search(kernel.ops.ops, op);
    if (!is_own) kernel.read_bytes += entry.second;
  }
  for (const int32_t op : kernel.ops.outputs) {
    const bool in_place = updated_in_memory(region, kernel.ops, op) >= 0;
    const int64_t written = in_place ? written_elements(region, op) : region.elements(op);
    kernel.write_bytes += region.bytes(op) / region.elements(op) * written;
  }
  for (const int32_t op : kernel.workspace) {
    kernel.workspace_bytes +=
        is_partial(op) ? 4 * elements_in_memory(region, kernel, op) : region.bytes(op);
  }
}

/// A nest as it is, or as two levels that share its sums among the cores where that is faster.
struct NestChoice {
  PlannedNest first = {};
  std::optional<PlannedNest> second = std::nullopt;
  double ticks = 0;
};

std::optional<NestChoice> choose_nest(const Region& region, const LoopNest& nest,
                                      const Machine& machine, const std::vector<int32_t>& made) {
  std::optional<NestChoice> best;
  if (std::optional<PlannedNest> whole = plan_nest(region, nest, machine, made)) {
    const double ticks = whole->tiles.estimated_ticks;
    best = NestChoice{std::move(*whole), std::nullopt, ticks};
  }
  const int64_t cores = machine.cores.aic * machine.cores.aiv_per_aic;
  const auto barrier = static_cast<double>(to_ticks(machine.sync.barrier_cycles));
  if (best && (2 * task_count(best->first) > cores || best->ticks < 4 * barrier)) return best;
  for (const std::vector<int>& sequential : sequential_choices(region, nest)) {
    const std::optional<SplitNest> split = split_nest(region, nest, sequential, cores);
    if (!split) continue;
    std::optional<PlannedNest> parts = plan_nest(region, split->parts, machine, made);
    std::optional<PlannedNest> rest = plan_nest(region, split->rest, machine, made);
    if (!parts || !rest) continue;
    const double ticks = parts->tiles.estimated_ticks + rest->tiles.estimated_ticks + barrier;
    if (best && best->ticks <= ticks) continue;
    best = NestChoice{std::move(*parts), std::move(*rest), ticks};
  }
  return best;
}

/// Whether two programs do the same on axes of the same meaning.
bool is_alike(const VecProgram& a, const VecProgram& b) {
  const auto same_steps = [](const VecPart& x, const VecPart& y) {
    return x.loads.size() == y.loads.size() && x.stores.size() == y.stores.size() &&
           std::ranges::equal(x.steps, y.steps, {}, &VecStep::op, &VecStep::op);
  };
  const auto same_axes = [](const VecArray& x, const VecArray& y) {
    return x.axes == y.axes && x.type == y.type;
  };
  return a.extents.size() == b.extents.size() && a.is_sequential == b.is_sequential &&
         a.is_whole == b.is_whole && std::ranges::equal(a.arrays, b.arrays, same_axes) &&
         same_steps(a.once, b.once) &&
         same_steps(a.begin, b.begin) && same_steps(a.body, b.body) && same_steps(a.end, b.end);
}

/// The plan of a nest in the way of another one.
std::optional<PlannedNest> plan_nest_like(const Region& region, const LoopNest& nest,
                                          const Machine& machine, const PlannedNest& like) {
  for (const std::vector<int>& sequential : sequential_choices(region, nest)) {
    VecProgram program = lower_nest(region, nest, sequential);
    if (program.extents.size() != like.program.extents.size()) continue;
    if (like.tiles.hoists) program = hoisted(program, full_axes(like.program, like.tiles.tile));
    if (!is_alike(program, like.program)) continue;
    std::optional<TilePlan> tiles = plan_tiles_like(program, machine, like.program, like.tiles);
    if (tiles) return PlannedNest{nest.level, std::move(program), std::move(*tiles)};
  }
  return std::nullopt;
}

/// Whether a nest leaves partial sums for another level.
bool makes_partials(const PlannedNest& nest) {
  for (const VecPart* part : {&nest.program.body, &nest.program.end}) {
    for (const VecTransfer& store : part->stores) {
      if (is_partial(store.op)) return true;
    }
  }
  return false;
}

/// A nest in two levels, the first in the way of another one.
struct SplitLike {
  PlannedNest parts = {};
  LoopNest rest = {};
};
std::optional<SplitLike> split_like(const Region& region, const LoopNest& nest,
                                    const Machine& machine, const PlannedNest& like) {
  // As many parts as before or fewer, as the new extents have divisors.
  const int64_t most = machine.cores.aic * machine.cores.aiv_per_aic;
  for (const std::vector<int>& sequential : sequential_choices(region, nest)) {
    std::optional<SplitNest> split = split_nest(region, nest, sequential, most);
    if (!split) continue;
    std::optional<PlannedNest> parts = plan_nest_like(region, split->parts, machine, like);
    if (parts) return SplitLike{*std::move(parts), std::move(split->rest)};
  }
  return std::nullopt;
}

/// A dot on all cube cores.
PlannedNest plan_product(const Region& region, const LoopNest& nest, const Machine& machine,
                         const ProductConfig& config) {
  const int32_t op = nest.steps.front().op;
  const Problem problem = product_problem(region, op);
  std::optional<Config> chosen;
  if (config) chosen = config(problem);
  const GemmKernel gemm;
  if (!chosen) chosen = gemm.default_config(problem, machine);
  PlannedNest planned;
  planned.level = nest.level;
  planned.tiles.estimated_ticks = gemm_estimate_us(problem, *chosen, machine) *
                                  static_cast<double>(kTicksPerCycle) * machine.cores.clock_mhz;
  planned.product = PlannedProduct{op, product_of(region, op), problem, *std::move(chosen)};
  return planned;
}

/// The nests of a plan with their tiles; none, with an op to stage, where one does not fit.
class KernelPlanner {
 public:
  KernelPlanner(const Region& region, const FusedOps& ops, const Machine& machine,
                const ProductConfig& config)
      : region_(region), machine_(machine), config_(config) {
    kernel_.ops = ops;
  }

  std::optional<FusedKernel> plan(const NestPlan& plan, const std::vector<int32_t>& staged) {
    kernel_.workspace = plan.workspace;
    size_t next = 0;
    // Levels of the plan; a level whose sums are taken in two has one more behind it.
    for (int level = 0; next < plan.nests.size(); ++level) {
      std::vector<PlannedNest> seconds;
      for (; next < plan.nests.size() && plan.nests[next].level == level; ++next) {
        if (is_dot(region_, plan.nests[next].steps.front().op)) {
          add(plan_product(region_, plan.nests[next], machine_, config_));
          continue;
        }
        std::optional<NestChoice> choice =
            choose_nest(region_, plan.nests[next], machine_, kernel_.ops.ops);
        if (!choice) {
          refuse(plan.nests[next], staged);
          return std::nullopt;
        }
        add(std::move(choice->first));
        if (choice->second) seconds.push_back(std::move(*choice->second));
      }
      ++kernel_.levels;
      if (seconds.empty()) continue;
      for (PlannedNest& second : seconds) add(std::move(second));
      ++kernel_.levels;
    }
    finish();
    return std::move(kernel_);
  }
  int32_t to_stage() const { return to_stage_; }

  /// The nests in the way of those of another kernel; none where one cannot be.
  std::optional<FusedKernel> plan_like(const NestPlan& plan, const FusedKernel& like) {
    kernel_.workspace = plan.workspace;
    size_t next = 0, next_like = 0;
    const auto take_like = [&](bool is_product) -> const PlannedNest* {
      if (next_like == like.nests.size()) return nullptr;
      const PlannedNest& nest = like.nests[next_like++];
      const bool fits = nest.level == kernel_.levels && nest.product.has_value() == is_product;
      return fits ? &nest : nullptr;
    };
    for (int level = 0; next < plan.nests.size(); ++level) {
      std::vector<LoopNest> rests;
      for (; next < plan.nests.size() && plan.nests[next].level == level; ++next) {
        const LoopNest& nest = plan.nests[next];
        const bool is_product = is_dot(region_, nest.steps.front().op);
        const PlannedNest* model = take_like(is_product);
        if (model == nullptr) return std::nullopt;
        if (is_product) {
          add(plan_product(region_, nest, machine_, config_));
        } else if (makes_partials(*model)) {
          std::optional<SplitLike> split = split_like(region_, nest, machine_, *model);
          if (!split) return std::nullopt;
          add(std::move(split->parts));
          rests.push_back(std::move(split->rest));
        } else {
          std::optional<PlannedNest> planned = plan_nest_like(region_, nest, machine_, *model);
          if (!planned) return std::nullopt;
          add(*std::move(planned));
        }
      }
      ++kernel_.levels;
      if (rests.empty()) continue;
      for (const LoopNest& rest : rests) {
        const PlannedNest* model = take_like(false);
        if (model == nullptr) return std::nullopt;
        std::optional<PlannedNest> planned = plan_nest_like(region_, rest, machine_, *model);
        if (!planned) return std::nullopt;
        add(*std::move(planned));
      }
      ++kernel_.levels;
    }
    if (next_like != like.nests.size()) return std::nullopt;
    finish();
    return std::move(kernel_);
  }

 private:
  void add(PlannedNest nest) {
    nest.level = kernel_.levels;
    kernel_.peak_ub_bytes = std::max(kernel_.peak_ub_bytes, nest.tiles.ub_bytes);
    kernel_.nests.push_back(std::move(nest));
  }

  void refuse(const LoopNest& nest, const std::vector<int32_t>& staged) {
    const std::optional<int32_t> stage = reduce_to_stage(region_, nest, staged);
    if (!stage) {
      throw Error(ErrorKind::kInfeasible,
                  fmt::format("{} needs more than the {} bytes of UB however its axes are cut",
                              region_.computation().op(nest.steps.front().op).name,
                              machine_.buffers.ub_bytes));
    }
    to_stage_ = *stage;
  }

  /// Adds what transfers lose by rows in memory that suit others of the same array.
  void add_unsuited() {
    std::map<int32_t, int64_t> pitches;
    for (PlannedNest& nest : kernel_.nests) {
      if (nest.product) continue;
      double ticks = 0;
      for (const VecPart* part : {&nest.program.body, &nest.program.end}) {
        for (const auto* list : {&part->loads, &part->stores}) {
          for (const VecTransfer& transfer : *list) {
            const auto [pitch, is_new] = pitches.try_emplace(transfer.op, 0);
            if (is_new) pitch->second = pitch_of(region_, kernel_, transfer.op);
            const PieceShape shape = transfer_shape(nest, transfer, nest.tiles.tile, pitch->second);
            ticks += unsuited_ticks(nest.program, nest.tiles, machine_, transfer,
                                    list == &part->loads, static_cast<double>(shape.count()));
          }
        }
      }
      nest.tiles.estimated_ticks += ticks;
    }
  }

  /// Tasks of a level's nests are dealt out to the cores as the launch does it, each nest's evenly
  /// and what is left over to those that have the least to do. Products run on cores of their own,
  /// one after another.
  double level_ticks(int level) const {
    const int64_t cores = machine_.cores.aic * machine_.cores.aiv_per_aic;
    std::vector<double> busy(static_cast<size_t>(cores), 0);
    double products = 0;
    for (const PlannedNest& nest : kernel_.nests) {
      if (nest.level != level) continue;
      if (nest.product) {
        products += nest.tiles.estimated_ticks;
        continue;
      }
      const int64_t tasks = task_count(nest);
      const double each = nest.tiles.estimated_ticks / static_cast<double>(ceil_div(tasks, cores));
      std::ranges::sort(busy);
      for (int64_t core = 0; core < cores; ++core) {
        const int64_t own = tasks / cores + (core < tasks % cores ? 1 : 0);
        busy[static_cast<size_t>(core)] += each * static_cast<double>(own);
      }
    }
    return products + std::ranges::max(busy);
  }

  void finish() {
    std::set<int32_t> partials;
    for (const PlannedNest& nest : kernel_.nests) {
      for (const VecPart* part : {&nest.program.body, &nest.program.end}) {
        for (const VecTransfer& store : part->stores) {
          if (is_partial(store.op)) partials.insert(store.op);
        }
      }
    }
    kernel_.workspace.insert(kernel_.workspace.begin(), partials.begin(), partials.end());
    add_unsuited();
    for (int level = 0; level < kernel_.levels; ++level)
      kernel_.estimated_ticks += level_ticks(level);
    kernel_.estimated_ticks +=
        static_cast<double>(kernel_.barriers() * to_ticks(machine_.sync.barrier_cycles));
    add_traffic(region_, kernel_);
    for (const PlannedNest& nest : kernel_.nests) {
      if (!nest.product) continue;
      for (const int32_t op :
           {nest.product->matrices.a, nest.product->matrices.b, nest.product->op}) {
        if (has_whole_rows(region_, kernel_, op)) continue;
        throw Error(
            ErrorKind::kInfeasible,
            fmt::format("{} multiplies matrices whose rows others of the kernel cut elsewhere",
                        region_.computation().op(nest.product->op).name));
      }
    }
  }

  const Region& region_;
  const Machine& machine_;
  const ProductConfig& config_;
  FusedKernel kernel_;
  int32_t to_stage_ = -1;
};

}  // namespace

Problem product_problem(const Region& region, int32_t dot) {
  const MatrixProduct product = product_of(region, dot);
  const Computation& computation = region.computation();
  const Op& op = computation.op(dot);
  const auto type_name = [](ElementType type) { return std::string(name_of(*npu_type_of(type))); };
  ProblemRequest request;
  request.sizes = {{"m", product.m}, {"n", product.n}, {"k", product.k}};
  request.dtype = type_name(computation.operand(op, 0).shape.type);
  request.out_dtype = type_name(op.shape.type);
  return GemmKernel().problem(request);
}

FusedKernel plan_fused_kernel(const Region& region, const FusedOps& ops, const Machine& machine,
                              const ProductConfig& config) {
  if (const std::string why = why_not_together(region, ops.ops); !why.empty()) {
    throw Error(ErrorKind::kInfeasible, why);
  }
  NestOptions options;
  while (true) {
    KernelPlanner planner(region, ops, machine, config);
    if (std::optional<FusedKernel> kernel =
            planner.plan(form_nests(region, ops, options), options.staged)) {
      kernel->staged = options.staged;
      return std::move(*kernel);
    }
    options.staged.push_back(planner.to_stage());
    std::ranges::sort(options.staged);
  }
}

std::optional<FusedKernel> plan_kernel_like(const Region& region, const FusedOps& ops,
                                            const Machine& machine, const FusedKernel& like,
                                            const std::vector<int32_t>& staged) {
  try {
    if (!why_not_together(region, ops.ops).empty()) return std::nullopt;
    const ProductConfig defaults;  // the planner keeps a reference
    KernelPlanner planner(region, ops, machine, defaults);
    std::optional<FusedKernel> kernel = planner.plan_like(form_nests(region, ops, {staged}), like);
    if (kernel) kernel->staged = staged;
    return kernel;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kInfeasible) throw;
    return std::nullopt;
  }
}

int64_t elements_in_memory(const Region& region, const FusedKernel& kernel, int32_t op) {
  if (!is_partial(op)) {
    const Op& made = region.computation().op(op);
    if (made.opcode != HloOpcode::kIota) return std::max<int64_t>(1, region.elements(op));
    return made.shape.dims[static_cast<size_t>(made.get<IotaDimension>().dimension)];
  }
  for (const PlannedNest& nest : kernel.nests) {
    for (const VecPart* part : {&nest.program.body, &nest.program.end}) {
      for (const VecTransfer& store : part->stores) {
        if (store.op != op) continue;
        int64_t elements = 1;
        for (const int axis : nest.program.arrays[static_cast<size_t>(store.array)].axes) {
          elements *= nest.program.extents[static_cast<size_t>(axis)];
        }
        return elements;
      }
    }
  }
  TW_CHECK(false, "partial sums are stored");
}

}  // namespace tilewright
