#include "kernels/executor/memory_budget.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

/// Bytes of a step's largest intermediate tensors: input and output of the FFN's two GEMMs beside
/// the residual stream, its norm and the packed queries, keys and values.
int64_t activation_bytes(const ModelConfig& model, int64_t tp, int64_t tokens) {
  const int64_t width = std::max(model.intermediate, model.expert_intermediate);
  const int64_t ffn = 3 * ffn_rows(width, tp, 0).count;
  const int64_t heads = query_heads(model, tp, 0).count + 2 * kv_heads(model, tp, 0).count;
  return tokens * (ffn + 4 * model.hidden + heads * model.head_dim) * bytes_of(model.dtype);
}

[[noreturn]] void refuse(const ModelConfig& model, const Machine& machine,
                         const MemoryRequest& request, const MemoryBudget& budget,
                         int64_t asked_bytes) {
  const auto size = [](int64_t bytes) { return format_bytes(static_cast<double>(bytes)); };
  const int64_t missing =
      budget.weight_bytes + budget.activation_bytes + asked_bytes - budget.usable_bytes;
  const bool is_split = request.parallel.tp * request.parallel.pp > 1;
  throw Error(ErrorKind::kInfeasible,
              fmt::format("{} does not fit {}{}: {} weights + {} activations + {} KV cache exceed "
                          "the usable {} by {}; use a smaller model, more chips (--tp, --pp), "
                          "fewer --kv-blocks or a smaller --max-num-batched-tokens",
                          model.name, machine.name, is_split ? " (each chip)" : "",
                          size(budget.weight_bytes), size(budget.activation_bytes),
                          size(asked_bytes), size(budget.usable_bytes), size(missing)));
}

}  // namespace

MemoryPlan plan_memory(const ModelConfig& model, const Machine& machine,
                       const MemoryRequest& request) {
  MemoryPlan plan;
  plan.kv_blocks = INT64_MAX;
  int64_t block_bytes = 0;
  for (int64_t stage = 0; stage < request.parallel.pp; ++stage) {
    const RankLayout layout{request.parallel, stage, request.quantized};
    MemoryBudget budget;
    budget.usable_bytes =
        static_cast<int64_t>(request.utilization * static_cast<double>(machine.hbm.capacity_bytes));
    budget.weight_bytes = rank_weight_bytes(model, layout);
    budget.activation_bytes =
        activation_bytes(model, request.parallel.tp, request.max_num_batched_tokens);
    const int64_t left = budget.usable_bytes - budget.weight_bytes - budget.activation_bytes;
    const int64_t bytes = request.block_size * rank_kv_bytes_per_token(model, layout);
    const int64_t fitting = left > 0 ? left / bytes : 0;
    const int64_t asked = std::max<int64_t>(1, request.kv_blocks);
    if (fitting < asked) refuse(model, machine, request, budget, asked * bytes);
    if (fitting >= plan.kv_blocks) continue;
    plan = {budget, fitting};
    block_bytes = bytes;
  }
  if (request.kv_blocks > 0) plan.kv_blocks = request.kv_blocks;
  plan.budget.kv_bytes = plan.kv_blocks * block_bytes;
  return plan;
}

}  // namespace tilewright
