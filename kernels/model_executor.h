#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/machine/machine.h"
#include "core/model/model_config.h"
#include "core/model/parallel.h"
#include "core/plan/plan.h"
#include "core/serving/executor.h"
#include "kernels/executor/lowering.h"
#include "kernels/executor/memory_budget.h"
#include "kernels/executor/op_memo.h"
#include "kernels/executor/op_times.h"

namespace tilewright {

struct ModelExecutorOptions {
  /// Winning configs; null: every kernel's untuned default. Must outlive the executor.
  const Plan* plan = nullptr;
  int64_t block_size = 128;               ///< tokens in a KV block
  int64_t kv_blocks = 0;                  ///< 0: what the memory leaves
  int64_t max_model_len = 0;              ///< 0: the model's max_positions
  int64_t max_num_batched_tokens = 2048;  ///< sizes the peak of activations
  double memory_utilization = 0.9;        ///< share of HBM that the engine may use
  Parallel parallel = {};
  Lowering lowering = Lowering::kXyserve;
  Quantization quantization = Quantization::kNone;
  bool enforce_eager = false;  ///< every op sent by itself, no captured graphs
  /// Tokens of captured graphs; empty: 1, 2, 4, and multiples of 8 up to 512.
  std::vector<int64_t> cudagraph_capture_sizes = {};
  int64_t all_reduce_parts = 1;  ///< 1: all-reduces run by themselves (executor/step_price.h)
  int64_t expert_skew = 0;       ///< rows of experts: shares 1 / rank^(skew / 100); 0: even
  /// Times to share with other executors; null: this one has its own.
  std::shared_ptr<OpMemo> memo = {};
};

/// A step as it was timed and as it is when every launch is simulated as it stands, ns.
struct StepAudit {
  int64_t fast_ns = 0;
  int64_t simulated_ns = 0;
};

/// What an op of a step launches.
struct StepLaunch {
  std::string op;     ///< as in Execution::ops
  int64_t calls = 0;  ///< in the step
  Problem problem;
  Config config;
  bool is_tuned = false;  ///< the config is the plan's
};

/// Executes batches of a model on tp x pp simulated NPUs, in timing mode: every op of a step is a
/// launch of its kernel, timed by the simulator and remembered (docs/model.md, "Serving steps").
///
/// A step of decodes or verifications of one length replays the captured graph of the smallest size
/// that holds its tokens, padded to it; every other step is sent op by op. Batches go through the
/// stages of a pipeline one behind the other; one that is ready before the last one was begins a
/// new run with idle stages.
///
/// Error (infeasible) when weights and activations leave no room for a KV block, saying how much is
/// missing, when the fabric joins too few chips, or when the plan holds a config that is not legal
/// on the machine; Error (usage) when the model cannot be spread so.
class ModelExecutor : public Executor {
 public:
  ModelExecutor(const ModelConfig& model, const Machine& machine, ModelExecutorOptions options);
  ~ModelExecutor() override;

  Capacity capacity() const override;
  Execution execute(const Batch& batch, int64_t ready_ns) override;
  RepeatedExecution repeat_decode(const Batch& batch, int64_t ready_ns, int64_t limit,
                                  int64_t until_ns, int64_t gap_ns) override;

  /// The launches that a batch is, by op and stage in the order of their first execution; what
  /// several layers launch stands there once. Attention has one length for all prefills, decodes
  /// and verifications each, the mean (and with it the untuned default); copies of KV are left out.
  std::vector<StepLaunch> launches(const Batch& batch) const;

  /// How far the time of a step by itself is from that of its launches, simulated one by one.
  StepAudit audit(const Batch& batch);

  const MemoryBudget& memory() const;
  /// Tokens of the graphs that are captured, ascending; empty in eager mode.
  const std::vector<int64_t>& capture_sizes() const;
  const OpMemo& memo() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tilewright
