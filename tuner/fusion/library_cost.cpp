#include <algorithm>

#include "core/base/error.h"
#include "core/graph/interpreter_work.h"
#include "kernels/gemm/gemm.h"
#include "tuner/fusion/fusion_cost.h"

namespace tilewright {

namespace {

struct DotSizes {
  int64_t batch = 1;
  int64_t m = 1;
  int64_t n = 1;
  int64_t k = 1;
};

DotSizes sizes_of(const Computation& computation, const Op& op) {
  const DotDimensions& dims = op.get<DotDimensions>();
  const Shape& left = computation.operand(op, 0).shape;
  const Shape& right = computation.operand(op, 1).shape;
  DotSizes sizes;
  for (const int64_t dim : dims.lhs_batch) sizes.batch *= left.dims[static_cast<size_t>(dim)];
  for (const int64_t dim : dims.lhs_contracting) sizes.k *= left.dims[static_cast<size_t>(dim)];
  const int64_t both = std::max<int64_t>(1, sizes.batch * sizes.k);
  sizes.m = element_count(left) / both;
  sizes.n = element_count(right) / both;
  return sizes;
}

std::string gemm_type(ElementType type) {
  switch (type) {
    case ElementType::kF16:
      return "f16";
    case ElementType::kBF16:
      return "bf16";
    case ElementType::kS8:
    case ElementType::kU8:
      return "i8";
    default:
      return "f32";
  }
}

/// us of the gemm kernel in its default config to first order, the matrices of a batch one below
/// the other, and the right sides that this leaves out read at the rate of HBM.
double dot_us(const Computation& computation, const Op& op, const Machine& machine) {
  const DotSizes sizes = sizes_of(computation, op);
  if (sizes.m * sizes.n * sizes.k * sizes.batch == 0) return 0;
  const GemmKernel gemm;
  ProblemRequest request;
  request.sizes = {{"m", sizes.m * sizes.batch}, {"n", sizes.n}, {"k", sizes.k}};
  request.dtype = gemm_type(computation.operand(op, 0).shape.type);
  const Problem problem = gemm.problem(request);
  const double others = static_cast<double>((sizes.batch - 1) * sizes.k * sizes.n) *
                        static_cast<double>(bytes_of(op.shape.type));
  return gemm_estimate_us(problem, gemm.default_config(problem, machine), machine) +
         others / (machine.hbm.gb_per_s * 1e3);
}

bool starts_others(HloOpcode opcode) {
  switch (opcode) {
    case HloOpcode::kWhile:
    case HloOpcode::kConditional:
    case HloOpcode::kCall:
    case HloOpcode::kAsyncUpdate:
    case HloOpcode::kAsyncDone:
    case HloOpcode::kCopyDone:
    case HloOpcode::kPartitionId:
    case HloOpcode::kReplicaId:
    case HloOpcode::kGetDimensionSize:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool is_launch(const Region& region, int32_t op) {
  return !starts_others(region.computation().op(op).opcode);
}

bool is_memory_launch(const Region& region, int32_t op) {
  return is_launch(region, op) && region.role(op) != OpRole::kCompute &&
         !is_collective(region.computation().op(op).opcode);
}

OpTraffic library_traffic(const Region& region, int32_t index) {
  const Op& op = region.computation().op(index);
  if (!is_launch(region, index)) return {};
  const int64_t made = region.bytes(index);
  switch (op.opcode) {
    case HloOpcode::kSlice:
    case HloOpcode::kDynamicSlice:
    case HloOpcode::kGather:
      return {made, made};
    case HloOpcode::kDynamicUpdateSlice:
    case HloOpcode::kScatter: {
      // In place: only what is replaced moves.
      const auto update = static_cast<size_t>(
          op.opcode == HloOpcode::kScatter ? op.operands.size() - 1 : size_t{1});
      const int64_t bytes = region.bytes(op.operands[update]);
      return {bytes, bytes};
    }
    default: {
      OpTraffic traffic{0, made};
      for (const int32_t input : region.inputs(index)) traffic.read += region.bytes(input);
      return traffic;
    }
  }
}

double RegionCost::library_us(int32_t index) {
  const Region& region = graph_->region();
  if (!is_launch(region, index)) return 0;
  const auto [entry, is_new] = cost_->library_.try_emplace(hash_.of_op(index));
  if (!is_new) return entry->second;
  const Machine& machine = cost_->machine();
  const Computation& computation = region.computation();
  const Op& op = computation.op(index);
  const OpTraffic traffic = library_traffic(region, index);
  double us = cost_->memory_us(static_cast<double>(traffic.read + traffic.write), false);
  if (op.opcode == HloOpcode::kDot && why_no_product(region, index).empty()) {
    // As a launch of kernel `gemm`, timed like every other.
    const FusedOps alone{{index}, {index}};
    const std::optional<double> timed = timed_us(alone);
    us = (timed ? timed : estimated_us(alone)).value_or(us + cost_->launch_us()) -
         cost_->launch_us();
  } else if (op.opcode == HloOpcode::kDot) {
    us = std::max(us, dot_us(computation, op, machine));
  } else if (op.called.empty()) {
    const double flops = own_flops(computation, op, {});
    const DType type = op.opcode == HloOpcode::kConvolution ? DType::kF16 : DType::kF32;
    us = std::max(us, flops / machine.peak_flops(type) * 1e6);
  }
  entry->second = us + cost_->launch_us();
  return entry->second;
}

}  // namespace tilewright
