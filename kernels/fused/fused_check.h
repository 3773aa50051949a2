#pragma once

#include <cstdint>

#include "core/graph/op_graph.h"
#include "core/graph/value.h"
#include "kernels/fused/fused_kernel.h"
#include "kernels/kernel.h"

namespace tilewright {

/// A graph of its own with the ops of a kernel: its parameters are what the kernel reads, in the
/// order of `inputs`, its root is the tuple of what it leaves.
struct KernelGraph {
  OpGraph graph = {};
  std::vector<int32_t> inputs = {};  ///< ops of the region
  /// By op of the graph's entry: the op of the region; -1 for the root.
  std::vector<int32_t> sources = {};
};
KernelGraph graph_of(const Region& region, const FusedOps& ops);

/// What a kernel leaves, by output, when its launch runs on these inputs of its own graph.
std::vector<Value> run_fused_kernel(const Region& region, const FusedKernel& kernel,
                                    const Machine& machine, const KernelGraph& alone,
                                    const std::vector<Value>& inputs);

/// Runs the kernel's launch on made-up inputs and compares what it leaves with what the interpreter
/// computes exactly from the same inputs. An element may be off by `relative` of the largest in its
/// array, since intermediate results are f32 here and exact there; by 8e-3 where 16-bit floats hold
/// it or lie in memory on the way to it; and by what follows where that lets something jump, such
/// as rounding to whole numbers (interpret_with_slack). Where that is not enough, also by what the
/// element changes when the inputs move by 2^-20 of themselves.
CheckResult check_fused_kernel(const Region& region, const FusedKernel& kernel,
                               const Machine& machine, uint64_t seed, double relative = 1e-4);

}  // namespace tilewright
