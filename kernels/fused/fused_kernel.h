#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/machine/machine.h"
#include "core/space/problem.h"
#include "core/space/space.h"
#include "kernels/fused/fused_ops.h"
#include "kernels/fused/nests.h"
#include "kernels/fused/tile_plan.h"
#include "kernels/fused/vec_program.h"
#include "simulator/launch.h"

namespace tilewright {

/// A dot as the cube cores compute it: kernel `gemm` with a config.
struct PlannedProduct {
  int32_t op = -1;
  MatrixProduct matrices = {};
  Problem problem = {};
  Config config = {};
};

/// A nest with the sizes of its tiles, or a product.
struct PlannedNest {
  int level = 0;
  VecProgram program = {};
  TilePlan tiles = {};  ///< of a product estimated_ticks alone
  std::optional<PlannedProduct> product = std::nullopt;
};

/// A stitched kernel: everything that its launch is made of.
struct FusedKernel {
  FusedOps ops = {};
  std::vector<PlannedNest> nests = {};  ///< by level
  std::vector<int32_t> workspace =
      {};  ///< ops whose results, or partial sums, go through memory between levels, ascending
  std::vector<int32_t> staged = {};  ///< reduces of NestOptions
  int levels = 0;
  int64_t peak_ub_bytes = 0;  ///< of a core
  int64_t workspace_bytes = 0;
  int64_t read_bytes = 0;      ///< of arrays that were in memory before, each once
  int64_t write_bytes = 0;     ///< of outputs
  double estimated_ticks = 0;  ///< without launch and dispatch

  int barriers() const { return levels > 0 ? levels - 1 : 0; }
};

/// The config of a product; the kernel's own default where there is none.
using ProductConfig = std::function<std::optional<Config>(const Problem&)>;

/// Plans the kernel of some ops. Error (infeasible) names the op whose tile does not fit UB however
/// it is cut.
FusedKernel plan_fused_kernel(const Region& region, const FusedOps& ops, const Machine& machine,
                              const ProductConfig& config = {});

/// The kernel of the same ops at other shapes with the decisions of `like`, of whose reduces those
/// of `staged` are staged: the same levels and nests, which axes are whole, walked one after
/// another, or shared among cores in parts, and tiles as plan_tiles_like() scales them. None where
/// the shapes do not allow the same.
std::optional<FusedKernel> plan_kernel_like(const Region& region, const FusedOps& ops,
                                            const Machine& machine, const FusedKernel& like,
                                            const std::vector<int32_t>& staged);

/// The problem of kernel `gemm` that a dot is (why_no_product() has nothing against it).
Problem product_problem(const Region& region, int32_t dot);

/// Elements of the array that holds an op's result in memory, or its partial sums (split_nest.h).
/// An iota lies there once along its dimension.
int64_t elements_in_memory(const Region& region, const FusedKernel& kernel, int32_t op);

/// The launch of a planned kernel, and which tensor of it holds the result of which op.
struct FusedLaunch {
  Launch launch = {};
  std::map<int32_t, int> tensors = {};
};
/// Start indices of dynamic slices and updates, by op, as they are when the launch runs.
using SliceStarts = std::map<int32_t, std::vector<int64_t>>;

/// Windows whose start indices are not given begin at 0.
FusedLaunch build_fused_launch(const Region& region, const FusedKernel& kernel,
                               const Machine& machine, const SliceStarts& starts = {});

}  // namespace tilewright
