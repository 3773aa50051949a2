#include "kernels/simulated/simulated_executor.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/serving/functional.h"
#include "kernels/attention/attention.h"
#include "kernels/simulated/simulated_pass.h"
#include "kernels/vector/vector_kernel.h"
#include "simulator/memory.h"

namespace tilewright {

namespace {

[[noreturn]] void fail(ErrorKind kind, const ModelConfig& model, const std::string& why) {
  throw Error(kind, fmt::format("{} ({}): {}", model.name, model.architecture, why));
}

void check_model(const ModelConfig& model, int64_t max_model_len) {
  const auto refuse = [&](const std::string& why) { fail(ErrorKind::kFailed, model, why); };
  if (model.is_mla()) refuse("latent attention is not executed on the functional simulator");
  if (model.experts > 0 && (model.shared_experts > 0 || model.dense_layers > 0))
    refuse(
        "shared experts and dense layers beside experts are not executed on the functional "
        "simulator");
  if (model.head_dim % 16 != 0)
    refuse(
        fmt::format("heads of {} elements are not executed on the functional simulator; "
                    "multiples of 16 are",
                    model.head_dim));
  for (int64_t layer = 0; layer < model.layers; ++layer) {
    const int64_t window = model.window_of(layer);
    if (window == 0 || window >= max_model_len) continue;
    refuse(
        fmt::format("its window of {} tokens is shorter than sequences of up to {}, and "
                    "attention on the functional simulator sees all tokens; give a "
                    "max_model_len of at most the window",
                    window, max_model_len));
  }
}

void check_memory(const ModelConfig& model, const SimulatedOptions& options) {
  if (options.kv_blocks < 1 || options.block_size < 1) {
    throw Error(ErrorKind::kUsage, fmt::format("{} KV blocks of {} tokens: both must be at least 1",
                                               options.kv_blocks, options.block_size));
  }
  const double slots =
      static_cast<double>(options.kv_blocks) * static_cast<double>(options.block_size);
  const double rows = slots * static_cast<double>(model.kv_heads);
  const double kv = slots * static_cast<double>(model.kv_bytes_per_token());
  const auto weights = static_cast<double>(model.weight_bytes());
  if (rows > static_cast<double>(kMaxVectorSize)) {
    fail(ErrorKind::kInfeasible, model,
         fmt::format("{} KV blocks of {} tokens have more than {} rows of heads; give fewer",
                     options.kv_blocks, options.block_size, kMaxVectorSize));
  }
  if (kv + weights > options.max_bytes) {
    fail(ErrorKind::kInfeasible, model,
         fmt::format("{} of weights and {} of KV are more than the {} that the functional "
                     "simulator takes; use a smaller model or fewer KV blocks",
                     format_bytes(weights), format_bytes(kv), format_bytes(options.max_bytes)));
  }
}

}  // namespace

SimulatedExecutor::SimulatedExecutor(const ModelConfig& model, const WeightSource& source,
                                     const Machine& machine, const SimulatedOptions& options) {
  const int64_t longest = options.max_model_len > 0
                              ? std::min(options.max_model_len, model.max_positions)
                              : model.max_positions;
  check_model(model, longest);
  check_memory(model, options);
  // Says at once when the attention of this model fits no tile.
  attention_default({model.dtype, model.heads, model.kv_heads, model.head_dim, options.block_size},
                    false, machine);
  capacity_.kv_blocks = options.kv_blocks;
  capacity_.block_size = options.block_size;
  capacity_.max_model_len = longest;
  capacity_.vocab = model.vocab;
  capacity_.functional = true;
  if (options.timed) {
    capacity_.peak_flops = machine.peak_flops(model.dtype);
    capacity_.peak_bytes_per_s = hbm_bytes_per_cycle(machine) * machine.cores.clock_mhz * 1e6;
  }
  pass_ = std::make_unique<SimulatedPass>(
      model, load_simulated_weights(model, source, model.dtype),
      PassSetup{machine, model.dtype, options.kv_blocks, options.block_size, options.timed});
}

SimulatedExecutor::SimulatedExecutor(const Checkpoint& checkpoint, const Machine& machine,
                                     const SimulatedOptions& options)
    : SimulatedExecutor(
          checkpoint.model(), [&](const std::string& name) { return checkpoint.read(name); },
          machine, options) {}

SimulatedExecutor::~SimulatedExecutor() = default;

Capacity SimulatedExecutor::capacity() const {
  return capacity_;
}

Execution SimulatedExecutor::execute(const Batch& batch, int64_t ready_ns) {
  check_functional_batch(batch, capacity_);
  TW_CHECK(!batch.slices.empty(), "a batch has slices");
  pass_->copy_blocks(batch.copies);
  const std::vector<float> logits = pass_->run(batch);
  Execution execution;
  execution.ops = pass_->take_times();
  execution.start_ns = std::max(ready_ns, free_ns_);
  execution.end_ns = execution.start_ns;
  for (const OpTime& op : execution.ops) execution.end_ns += op.ns;
  execution.accepts_next_ns = free_ns_ = execution.end_ns;
  add_tokens(batch, capacity_, logits, execution);
  return execution;
}

RepeatedExecution SimulatedExecutor::repeat_decode(const Batch&, int64_t, int64_t, int64_t,
                                                   int64_t) {
  check_failed(__FILE__, __LINE__, "functional", "a functional step needs the tokens of the last");
}

}  // namespace tilewright
