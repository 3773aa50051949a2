#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/machine/machine.h"
#include "core/model/model_config.h"
#include "core/model/ops.h"
#include "core/plan/plan.h"
#include "core/serving/executor.h"
#include "core/space/problem.h"
#include "kernels/gemm/row_table.h"

namespace tilewright {

/// The problem of kernel `gemm` that a GEMM op of a model is: the model's type, weights in the
/// fractal format, rows rounded up to kRowMultiple.
Problem gemm_problem(const ModelConfig& model, const ModelOp& op);

struct ModelExecutorOptions {
  /// Winning configs; null: every kernel's untuned default. Must outlive the executor.
  const Plan* plan = nullptr;
  int64_t block_size = 128;               ///< tokens in a KV block
  int64_t kv_blocks = 0;                  ///< 0: what the memory leaves
  int64_t max_model_len = 0;              ///< 0: the model's max_positions
  int64_t max_num_batched_tokens = 2048;  ///< sizes the peak of activations
  double memory_utilization = 0.9;        ///< share of HBM that the engine may use
};

/// Where the device's memory goes.
struct MemoryBudget {
  int64_t usable_bytes = 0;
  int64_t weight_bytes = 0;
  int64_t activation_bytes = 0;  ///< peak of a step of max_num_batched_tokens
  int64_t kv_bytes = 0;
};

/// Executes batches of a model on one simulated NPU, in timing mode: every op of a step is a launch
/// of its kernel, timed by the simulator. Times of equal ops are remembered: GEMMs by rows, vector
/// ops by size, attention by the exact contexts of the batch.
///
/// Error (infeasible) when weights and activations leave no room for a KV block, saying how much is
/// missing, or when the plan holds a config that is not legal on the machine; Error (failed) for an
/// architecture with ops that no kernel computes yet.
class ModelExecutor : public Executor {
 public:
  ModelExecutor(const ModelConfig& model, const Machine& machine, ModelExecutorOptions options);
  ~ModelExecutor() override;

  Capacity capacity() const override;
  Execution execute(const Batch& batch, int64_t ready_ns) override;
  RepeatedExecution repeat_decode(const Batch& batch, int64_t ready_ns, int64_t limit,
                                  int64_t until_ns, int64_t gap_ns) override;

  const MemoryBudget& memory() const;
  /// How many launches were simulated, and how many times came from memory.
  int64_t simulated_launches() const;
  int64_t remembered_launches() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tilewright
