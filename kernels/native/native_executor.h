#pragma once

#include <cstdint>
#include <memory>

#include "core/model/checkpoint.h"
#include "core/model/parallel.h"
#include "core/serving/executor.h"

namespace tilewright {

class NativePass;

/// How the native executor is set up.
struct NativeOptions {
  int64_t kv_blocks = 0;      ///< >= 1
  int64_t block_size = 16;    ///< >= 1
  int64_t max_model_len = 0;  ///< 0: the model's max_position_embeddings, which it is cut to
  Parallel parallel = {};
  double max_bytes = 16.0 * (int64_t{1} << 30);  ///< of weights and KV together
};

/// Runs a checkpoint's numbers on the CPU: tokens and logits, no time (every batch starts and ends
/// when it is ready). All in f32 on one thread; one product for each linear layer over all tokens
/// of the batch, whatever they are there for. A token's numbers do not depend on what else is in
/// the batch, on how its sequence was cut into chunks or on where its KV lies: the bits are the
/// same. Ranks and stages are executed one after the other with their shares of weights and KV, and
/// partial sums are added in order of rank.
class NativeExecutor : public Executor {
 public:
  /// Errors: as Checkpoint::read() and check_parallel(); infeasible when weights and KV are larger
  /// than options.max_bytes; usage for sizes below 1.
  NativeExecutor(const Checkpoint& checkpoint, const NativeOptions& options);
  ~NativeExecutor() override;

  Capacity capacity() const override;

  /// Every slice brings its ids. Error (failed) for a token outside the vocabulary, and when logits
  /// are no numbers: the weights overflow f32, or a block was read before it was written.
  Execution execute(const Batch& batch, int64_t ready_ns) override;

  /// Never called: the tokens of a step are the input of the next.
  RepeatedExecution repeat_decode(const Batch& batch, int64_t ready_ns, int64_t limit,
                                  int64_t until_ns, int64_t gap_ns) override;

 private:
  Capacity capacity_;
  std::unique_ptr<NativePass> pass_;
};

}  // namespace tilewright
