#pragma once

#include <memory>

#include "core/machine/machine.h"
#include "core/model/checkpoint.h"
#include "core/serving/executor.h"
#include "kernels/simulated/simulated_weights.h"

namespace tilewright {

class SimulatedPass;

struct SimulatedOptions {
  int64_t kv_blocks = 0;      ///< >= 1
  int64_t block_size = 16;    ///< >= 1
  int64_t max_model_len = 0;  ///< 0: the model's max_positions, which it is cut to
  bool timed = true;          ///< false: tokens alone, which takes less time; every step takes 0 ns
  double max_bytes = 4.0 * (int64_t{1} << 30);  ///< of weights and KV together
};

/// Runs a checkpoint's numbers on one simulated NPU: every op of a step is a launch of our kernel
/// with its default config, run on real bytes by the functional simulator; the same launch gives
/// the op's time. All in the checkpoint's type (f32, f16 or bf16; the halves accumulate in f32).
/// Tokens are chosen on the host from the logits.
///
/// Dense models and mixtures of experts (Mixtral's) with grouped-query attention over all tokens
/// and heads of a multiple of 16 elements, on one chip. Launches whose tables come with the batch
/// (gather, kv_write) are timed with the kernel's own, scattered ones; attention is timed for the
/// very batch.
class SimulatedExecutor : public Executor {
 public:
  /// Error (failed) for an architecture with ops that it does not execute, and from `source`;
  /// (infeasible) when attention fits no tile of the machine or memory exceeds max_bytes; (usage)
  /// for sizes below 1.
  SimulatedExecutor(const ModelConfig& model, const WeightSource& source, const Machine& machine,
                    const SimulatedOptions& options);
  SimulatedExecutor(const Checkpoint& checkpoint, const Machine& machine,
                    const SimulatedOptions& options);
  ~SimulatedExecutor() override;

  Capacity capacity() const override;

  /// Every slice brings its ids. Errors: as check_functional_batch() and add_tokens().
  Execution execute(const Batch& batch, int64_t ready_ns) override;

  /// Never called: the tokens of a step are the input of the next.
  RepeatedExecution repeat_decode(const Batch& batch, int64_t ready_ns, int64_t limit,
                                  int64_t until_ns, int64_t gap_ns) override;

 private:
  Capacity capacity_;
  std::unique_ptr<SimulatedPass> pass_;
  int64_t free_ns_ = 0;  ///< when the device has done all that it was given
};

}  // namespace tilewright
