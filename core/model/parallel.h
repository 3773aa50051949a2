#pragma once

#include <cstdint>

#include "core/model/model_config.h"

namespace tilewright {

/// How a model is spread over devices: `pp` stages of whole layers, each split over `tp` ranks.
struct Parallel {
  int64_t tp = 1;
  int64_t pp = 1;
};

/// A run of equal things: heads, rows, layers.
struct PartRange {
  int64_t first = 0;
  int64_t count = 0;
};

/// How tensor parallelism splits the weights of a layer (Megatron: one all-reduce after the output
/// projection and one after the FFN). Weights are [out, in]:
///   q, k, v       rows of whole heads; KV heads that are fewer than the ranks are replicated
///   o             columns, those of the rank's query heads; its bias counts once
///   gate, up      rows (of every expert); biases with them
///   down          columns (of every expert); its bias counts once
///   norms, router whole on every rank
///   embedding, lm_head  rows; the vocabulary is rounded up, so that the last ranks may have fewer

/// Error (usage) when the model cannot be spread so: tp must divide query heads and FFN width, and
/// KV heads must divide tp or be divided by it; every stage needs a layer.
void check_parallel(const ModelConfig& model, const Parallel& parallel);

/// Query heads of a rank.
PartRange query_heads(const ModelConfig& model, int64_t tp, int64_t rank);

/// KV heads of a rank: split, or, when there are fewer than ranks, the one that its query heads
/// use.
PartRange kv_heads(const ModelConfig& model, int64_t tp, int64_t rank);

/// Rows of an FFN of the given width.
PartRange ffn_rows(int64_t width, int64_t tp, int64_t rank);

/// Rows of embedding and lm_head.
PartRange vocab_rows(const ModelConfig& model, int64_t tp, int64_t rank);

/// Layers of a stage. As vLLM has it: what is left over goes to the stages before the last, from
/// the back, since the last has the lm_head to do.
PartRange stage_layers(const ModelConfig& model, int64_t pp, int64_t stage);

}  // namespace tilewright
