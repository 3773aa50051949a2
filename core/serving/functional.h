#pragma once

#include <span>

#include "core/serving/executor.h"

namespace tilewright {

// What executors that compute tokens have in common: they differ in how they come to the logits.

/// Checks what a functional executor relies on: slices with their ids, blocks that exist and cover
/// the tokens, copies within blocks. Error (failed) for an id outside the vocabulary, which comes
/// from outside; all else is the engine's promise.
void check_functional_batch(const Batch& batch, const Capacity& capacity);

/// Rows of logits that a batch yields.
int64_t logit_rows(const Batch& batch);

/// Samples and verifies: `logits` holds logit_rows() rows of capacity.vocab. Fills tokens,
/// token_counts and, where the batch wants them, logits. Error (failed) for logits that are no
/// numbers.
void add_tokens(const Batch& batch, const Capacity& capacity, std::span<const float> logits,
                Execution& execution);

}  // namespace tilewright
