#include "kernels/fused/reduced_check.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "core/graph/interpreter.h"
#include "core/graph/interpreter_work.h"
#include "core/graph/shrink_graph.h"
#include "kernels/fused/fused_check.h"
#include "simulator/hazards.h"

namespace tilewright {

namespace {

/// Extents that longer axes shrink to, from the largest on. They have divisors, and leave a shorter
/// tile behind several equal ones.
constexpr std::array<int64_t, 9> kExtents = {1026, 514, 258, 130, 66, 34, 18, 10, 6};

/// Cores that run a reduced kernel: fewer than it has tiles.
constexpr int64_t kCubeCores = 2;

double operations_of(const OpGraph& graph) {
  const InterpreterWork work = interpreter_work(graph);
  const InterpreterLimits limits;
  if (work.bytes > limits.bytes || work.flops > limits.flops) {
    return std::numeric_limits<double>::infinity();
  }
  return work.flops + work.bytes / 8;
}

/// New extents of axes: those above `most` become that, the longer ones longer. `in_blocks`:
/// multiples of 32 stay some of 8; odd ones stay odd.
GraphShrinker::Extents shrunk_extents(const std::vector<int64_t>& extents, int64_t most,
                                      bool in_blocks) {
  GraphShrinker::Extents shrunk;
  int64_t longer = std::ranges::count_if(extents, [&](int64_t extent) { return extent > most; });
  for (const int64_t extent : extents) {  // from the longest on
    if (extent <= most) continue;
    --longer;
    const bool has_blocks = in_blocks && extent % 32 == 0 && most > 8;
    const int64_t step = has_blocks ? 8 : 2;
    const int64_t base = has_blocks ? most / 8 * 8 : most - extent % 2;
    shrunk.push_back({extent, std::min(extent, base + step * longer)});
  }
  return shrunk;
}

/// Ops of the kernel's own graph by what they are in its region.
std::vector<int32_t> ops_in(const KernelGraph& alone, const std::vector<int32_t>& ops) {
  std::vector<int32_t> found;
  for (size_t i = 0; i < alone.sources.size(); ++i) {
    if (std::ranges::find(ops, alone.sources[i]) != ops.end()) {
      found.push_back(static_cast<int32_t>(i));
    }
  }
  return found;
}

Machine with_few_cores(const Machine& machine) {
  Machine few = machine;
  few.cores.aic = std::min<decltype(few.cores.aic)>(machine.cores.aic, kCubeCores);
  return few;
}

}  // namespace

double check_operations(const Region& region, const FusedOps& ops) {
  return operations_of(graph_of(region, ops).graph);
}

std::optional<ReducedKernel> reduced_kernel(const Region& region, const FusedKernel& kernel,
                                            const Machine& machine, double most_operations) {
  const KernelGraph alone = graph_of(region, kernel.ops);
  const FusedOps ops = {ops_in(alone, kernel.ops.ops), ops_in(alone, kernel.ops.outputs)};
  const std::vector<int32_t> staged = ops_in(alone, kernel.staged);
  const GraphShrinker shrinker(alone.graph);
  const std::vector<int64_t> extents = shrinker.extents();
  for (const int64_t most : kExtents) {
    for (const bool in_blocks : {false, true}) {
      std::optional<OpGraph> graph = shrinker.shrunk(shrunk_extents(extents, most, in_blocks));
      if (!graph || operations_of(*graph) > most_operations) continue;
      ReducedKernel reduced;
      reduced.graph = std::make_unique<OpGraph>(*std::move(graph));
      reduced.region = std::make_unique<Region>(*reduced.graph, reduced.graph->entry);
      std::optional<FusedKernel> planned =
          plan_kernel_like(*reduced.region, ops, with_few_cores(machine), kernel, staged);
      if (!planned) continue;
      reduced.kernel = *std::move(planned);
      return reduced;
    }
  }
  return std::nullopt;
}

std::optional<CheckResult> check_reduced_kernel(const Region& region, const FusedKernel& kernel,
                                                const Machine& machine, double most_operations,
                                                uint64_t seed) {
  const std::optional<ReducedKernel> reduced =
      reduced_kernel(region, kernel, machine, most_operations);
  if (!reduced) return std::nullopt;
  const Machine few = with_few_cores(machine);
  CheckResult result = check_fused_kernel(*reduced->region, reduced->kernel, few, seed);
  const std::vector<Hazard> hazards =
      find_hazards(build_fused_launch(*reduced->region, reduced->kernel, few).launch, few);
  if (!hazards.empty() && result.ok) {
    result.ok = false;
    result.first_failure = hazards.front().message;
  }
  return result;
}

}  // namespace tilewright
