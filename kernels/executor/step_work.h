#pragma once

#include <cstdint>

#include "core/model/model_config.h"
#include "core/serving/executor.h"

namespace tilewright {

/// What a step's size is made of, as far as its work depends on it.
struct StepSize {
  int64_t tokens = 0;
  int64_t sampled = 0;    ///< rows of logits
  int64_t keys = 0;       ///< sum over slices of context + tokens
  double token_keys = 0;  ///< sum over slices of tokens * (context + tokens)
};

StepSize step_size(const Batch& batch);

/// The model FLOPs and bytes of a step, all chips together, by the analytic formulas of vLLM (a
/// multiply-add counts as two; T tokens, D hidden, q and kv heads of d elements, width F):
///
///   a layer   2 T D (q + 2 kv) d  projections,  2 T D q d  output,
///             2 q d sum(tokens x keys) each for scores and values,  6 T D F of a gated FFN
///   logits    2 D vocab on sampled positions
///
/// Latent attention counts its own projections, and scores and values in the latent space. Routed
/// experts count for the tokens that chose them. Weights are read once a step, of experts those
/// that have a token when tokens spread as evenly as they can; `linear_bytes` is the width of a
/// layer's weights. KV of each slice is read once a step, that of its new tokens included.
StepWork step_work(const ModelConfig& model, const StepSize& size, int64_t linear_bytes);

}  // namespace tilewright
