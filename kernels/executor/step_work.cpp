#include "kernels/executor/step_work.h"

#include <algorithm>

namespace tilewright {

namespace {

/// Weights of a layer's attention; each meets every token once.
double attention_weights(const ModelConfig& model) {
  const auto hidden = static_cast<double>(model.hidden);
  const auto query = static_cast<double>(model.heads * model.head_dim);
  const auto output = static_cast<double>(model.heads * model.v_head_dim) * hidden;
  if (!model.is_mla())
    return hidden * (query + static_cast<double>(2 * model.kv_heads * model.head_dim)) + output;
  const auto rank = static_cast<double>(model.q_lora_rank);
  const double queries = rank > 0 ? rank * (hidden + query) : hidden * query;
  const double latent = hidden * static_cast<double>(model.kv_lora_rank + model.qk_rope_dim);
  const double absorbed = static_cast<double>(model.kv_lora_rank * model.heads) *
                          static_cast<double>(model.qk_nope_dim + model.v_head_dim);
  return queries + latent + absorbed + output;
}

/// Gate, up and down of all layers, with `experts` of the routed experts of each.
double ffn_weights(const ModelConfig& model, double experts) {
  const auto hidden = static_cast<double>(model.hidden);
  const int64_t dense = model.experts > 0 ? model.dense_layers : model.layers;
  const double of_dense =
      static_cast<double>(dense) * 3 * hidden * static_cast<double>(model.intermediate);
  const double of_expert = 3 * hidden * static_cast<double>(model.expert_intermediate);
  return of_dense + static_cast<double>(model.layers - dense) *
                        (experts + static_cast<double>(model.shared_experts)) * of_expert;
}

}  // namespace

StepSize step_size(const Batch& batch) {
  StepSize size;
  for (const SequenceSlice& slice : batch.slices) {
    const int64_t keys = slice.context + slice.tokens;
    size.tokens += slice.tokens;
    size.sampled += slice.samples ? slice.drafts + 1 : 0;
    size.keys += keys;
    size.token_keys += static_cast<double>(slice.tokens) * static_cast<double>(keys);
  }
  return size;
}

StepWork step_work(const ModelConfig& model, const StepSize& size, int64_t linear_bytes) {
  const auto layers = static_cast<double>(model.layers);
  const auto tokens = static_cast<double>(size.tokens);
  const auto width = static_cast<double>(bytes_of(model.dtype));
  const double attention = layers * attention_weights(model);
  const double head = static_cast<double>(model.hidden) * static_cast<double>(model.vocab);
  const int64_t pair = model.is_mla() ? 2 * model.kv_lora_rank + model.qk_rope_dim
                                      : model.head_dim + model.v_head_dim;
  const auto chosen = static_cast<double>(model.experts_per_token);
  const double busy = std::min(static_cast<double>(model.experts), tokens * chosen);

  StepWork work;
  work.flops = 2 * tokens * (attention + ffn_weights(model, chosen)) +
               2 * layers * static_cast<double>(model.heads * pair) * size.token_keys +
               2 * static_cast<double>(size.sampled) * head;
  work.weight_bytes = (attention + ffn_weights(model, busy)) * static_cast<double>(linear_bytes) +
                      (size.sampled > 0 ? head * width : 0);
  const auto per_token = static_cast<double>(model.kv_bytes_per_token());
  work.kv_read_bytes = static_cast<double>(size.keys) * per_token;
  work.kv_write_bytes = tokens * per_token;
  return work;
}

}  // namespace tilewright
