#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/attention/attention.h"

namespace tilewright {

/// One batch whose attention is compared.
struct AttentionCase {
  std::string result;  ///< of the paper that it belongs to: "prefix", "chunked", ...
  std::string model;
  std::string what;  ///< its sizes, in words
  AttentionShape shape;
  std::vector<AttentionSequence> sequences;
};

/// Heads of one of `ranks` ranks of a model, f16, KV blocks of 128 tokens.
AttentionShape rank_attention(std::string_view model, int64_t ranks);

/// The cases of XY-Serve's evaluation (docs/xyserve.md); `quick`: the smallest of each result.
std::vector<AttentionCase> attention_cases(bool quick);

/// A batch of `budget` tokens of a server that is kept busy with a generator's traffic. By Little's
/// law a request that needs p prompt and o output tokens leaves the batch `budget` x o / (p + o)
/// running sequences (means), at most `most_running`; each is drawn from the workload with a
/// probability proportional to its output, at a random place in it. Every other one verifies
/// `drafts` drafts, the others decode. What is left of the budget prefills new requests, the last
/// one in part.
std::vector<AttentionSequence> mixed_batch(std::string_view preset, int64_t budget,
                                           int64_t most_running, int64_t drafts, uint64_t seed);

}  // namespace tilewright
