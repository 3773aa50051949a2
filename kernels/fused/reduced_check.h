#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "core/graph/op_graph.h"
#include "kernels/fused/fused_kernel.h"
#include "kernels/kernel.h"

namespace tilewright {

/// A kernel at shapes that are smaller in every way that the ops allow (GraphShrinker), made with
/// the decisions of the kernel that it stands for.
struct ReducedKernel {
  std::unique_ptr<OpGraph> graph = {};
  std::unique_ptr<Region> region = {};
  FusedKernel kernel = {};
};

/// The largest that takes the interpreter at most so many operations; none where extents that
/// cannot shrink take it more, or the smaller shapes do not allow the same decisions. `machine`:
/// what the kernel is made for.
std::optional<ReducedKernel> reduced_kernel(const Region& region, const FusedKernel& kernel,
                                            const Machine& machine, double most_operations);

/// Operations of the interpreter for the ops of a kernel, moved bytes counted by elements; infinite
/// where it would refuse them.
double check_operations(const Region& region, const FusedOps& ops);

/// Compares the reduced kernel with the interpreter (check_fused_kernel) on a part of the machine's
/// cores, so that they have several tiles each, and looks for hazards. None where there is none.
std::optional<CheckResult> check_reduced_kernel(const Region& region, const FusedKernel& kernel,
                                                const Machine& machine, double most_operations,
                                                uint64_t seed);

}  // namespace tilewright
