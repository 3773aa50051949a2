#include "kernels/native/native_executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/integers.h"
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

/// Checks what the engine promises, and the ids, which come from outside.
void check_slice(const SequenceSlice& slice, const Capacity& capacity) {
  TW_CHECK(slice.tokens >= 1 && slice.context >= 0, "a slice has tokens");
  TW_CHECK(slice.drafts >= 0 && slice.drafts < slice.tokens, "drafts follow a token");
  TW_CHECK(std::ssize(slice.ids) == slice.tokens, "functional mode needs the tokens");
  const int64_t end = slice.context + slice.tokens;
  TW_CHECK(ceil_div(end, capacity.block_size) <= std::ssize(slice.blocks),
           "the blocks cover the tokens");
  for (const int32_t block : slice.blocks) {
    TW_CHECK(block >= 0 && block < capacity.kv_blocks, "a block exists");
  }
  for (const int32_t id : slice.ids) {
    if (id >= 0 && id < capacity.vocab) continue;
    throw Error(ErrorKind::kFailed,
                fmt::format("request {}: token {} is not in the model's vocabulary of {}",
                            slice.request, id, capacity.vocab));
  }
}

void check_copy(const BlockCopy& copy, const Capacity& capacity) {
  TW_CHECK(copy.from >= 0 && copy.from < capacity.kv_blocks && copy.to >= 0 &&
               copy.to < capacity.kv_blocks && copy.from != copy.to,
           "a block is copied into another");
  TW_CHECK(copy.tokens >= 0 && copy.tokens <= capacity.block_size, "a block holds the tokens");
}

void check_numbers(std::span<const float> logits, int64_t request) {
  if (std::all_of(logits.begin(), logits.end(), [](float value) { return std::isfinite(value); })) {
    return;
  }
  throw Error(ErrorKind::kFailed,
              fmt::format("request {}: its logits are not finite; either the model's numbers do "
                          "not fit f32, or KV was read that nobody wrote",
                          request));
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
  for (const SequenceSlice& slice : batch.slices) check_slice(slice, capacity_);
  for (const BlockCopy& copy : batch.copies) check_copy(copy, capacity_);
  pass_->copy_blocks(batch.copies);
  const std::span<const float> logits = pass_->run(batch);

  Execution result;
  result.start_ns = result.accepts_next_ns = result.end_ns = ready_ns;
  size_t at = 0;
  for (const SequenceSlice& slice : batch.slices) {
    if (!slice.samples) continue;
    const auto count = static_cast<size_t>((slice.drafts + 1) * capacity_.vocab);
    const std::span<const float> rows = logits.subspan(at, count);
    at += count;
    check_numbers(rows, slice.request);
    const std::vector<int32_t> tokens = verify(
        rows, capacity_.vocab, slice.ids.last(static_cast<size_t>(slice.drafts)), slice.sampling,
        static_cast<uint64_t>(slice.request), slice.context + slice.tokens - slice.drafts);
    result.tokens.insert(result.tokens.end(), tokens.begin(), tokens.end());
    result.token_counts.push_back(std::ssize(tokens));
  }
  if (batch.wants_logits) result.logits.assign(logits.begin(), logits.end());
  return result;
}

RepeatedExecution NativeExecutor::repeat_decode(const Batch&, int64_t, int64_t, int64_t, int64_t) {
  check_failed(__FILE__, __LINE__, "functional", "a functional step needs the tokens of the last");
}

}  // namespace tilewright
