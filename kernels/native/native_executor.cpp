#include "kernels/native/native_executor.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/serving/functional.h"
#include "kernels/native/native_pass.h"

namespace tilewright {

namespace {

constexpr int64_t kMaxBlocks = int64_t{1} << 31;
constexpr int64_t kMaxBlockSize = 1 << 20;

double kv_bytes(const ModelConfig& model, const NativeOptions& options) {
  double heads = 0;
  for (int64_t rank = 0; rank < options.parallel.tp; ++rank) {
    heads += static_cast<double>(kv_heads(model, options.parallel.tp, rank).count);
  }
  return static_cast<double>(options.kv_blocks) * static_cast<double>(options.block_size) *
         static_cast<double>(model.layers) * heads * 2 * static_cast<double>(model.head_dim) *
         static_cast<double>(sizeof(float));
}

void check_options(const ModelConfig& model, const NativeOptions& options) {
  check_parallel(model, options.parallel);
  if (options.kv_blocks < 1 || options.kv_blocks >= kMaxBlocks || options.block_size < 1 ||
      options.block_size > kMaxBlockSize) {
    throw Error(ErrorKind::kUsage, fmt::format("{} KV blocks of {} tokens: both must be at least 1",
                                               options.kv_blocks, options.block_size));
  }
  if (model.head_dim % 2 != 0) {
    throw Error(ErrorKind::kFailed,
                fmt::format("{}: head_dim {} is odd and cannot be rotated by halves", model.name,
                            model.head_dim));
  }
  const double weights = native_weight_bytes(model);
  const double kv = kv_bytes(model, options);
  if (weights + kv > options.max_bytes) {
    throw Error(ErrorKind::kInfeasible,
                fmt::format("{}: {} of weights in f32 and {} of KV are more than the {} that the "
                            "native executor takes; use a smaller model or fewer KV blocks",
                            model.name, format_bytes(weights), format_bytes(kv),
                            format_bytes(options.max_bytes)));
  }
}

}  // namespace

NativeExecutor::NativeExecutor(const Checkpoint& checkpoint, const NativeOptions& options) {
  const ModelConfig& model = checkpoint.model();
  check_options(model, options);
  capacity_.kv_blocks = options.kv_blocks;
  capacity_.block_size = options.block_size;
  capacity_.max_model_len = options.max_model_len > 0
                                ? std::min(options.max_model_len, model.max_positions)
                                : model.max_positions;
  capacity_.max_in_flight = options.parallel.pp;
  capacity_.vocab = model.vocab;
  capacity_.functional = true;
  pass_ = std::make_unique<NativePass>(
      model, load_native_weights(checkpoint, options.parallel.tp),
      PassShape{options.kv_blocks, options.block_size, options.parallel});
}

NativeExecutor::~NativeExecutor() = default;

Capacity NativeExecutor::capacity() const {
  return capacity_;
}

Execution NativeExecutor::execute(const Batch& batch, int64_t ready_ns) {
  check_functional_batch(batch, capacity_);
  pass_->copy_blocks(batch.copies);
  const std::span<const float> logits = pass_->run(batch);
  Execution result;
  result.start_ns = result.accepts_next_ns = result.end_ns = ready_ns;
  add_tokens(batch, capacity_, logits, result);
  return result;
}

RepeatedExecution NativeExecutor::repeat_decode(const Batch&, int64_t, int64_t, int64_t, int64_t) {
  check_failed(__FILE__, __LINE__, "functional", "a functional step needs the tokens of the last");
}

}  // namespace tilewright
