#pragma once

#include <cstdint>

#include "core/machine/machine.h"
#include "core/model/model_config.h"
#include "core/model/ops.h"

namespace tilewright {

/// Where a chip's device memory goes: the fullest chip's.
struct MemoryBudget {
  int64_t usable_bytes = 0;
  int64_t weight_bytes = 0;
  int64_t activation_bytes = 0;  ///< peak of a step of max_num_batched_tokens
  int64_t kv_bytes = 0;
};

/// What a budget is asked for.
struct MemoryRequest {
  Parallel parallel = {};
  bool quantized = false;
  int64_t max_num_batched_tokens = 0;
  double utilization = 0;  ///< share of HBM that the engine may use
  int64_t block_size = 0;  ///< tokens in a KV block
  int64_t kv_blocks = 0;   ///< 0: as many as fit
};

struct MemoryPlan {
  MemoryBudget budget;
  int64_t kv_blocks = 0;
};

/// Shares the memory of a chip out, as vLLM does: blocks = (usable - weights - peak activations) /
/// bytes of a block, on the stage of the pipeline that has room for the fewest. Error (infeasible)
/// when there is no room for a block, or for those asked for, saying how much is missing.
MemoryPlan plan_memory(const ModelConfig& model, const Machine& machine,
                       const MemoryRequest& request);

}  // namespace tilewright
