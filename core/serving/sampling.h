#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tilewright {

/// How the next token is chosen from logits, with vLLM's names and meanings.
struct SamplingParams {
  double temperature = 0;  ///< 0: greedy, the first of the largest
  int64_t top_k = 0;       ///< 0: all
  double top_p = 1;
  uint64_t seed = 0;

  bool greedy() const { return temperature == 0; }
  bool operator==(const SamplingParams&) const = default;
};

/// The token at `position` (its index in prompt + output) of request `request`. Random numbers are
/// a function of (seed, request, position) alone, so neither batching nor preemption changes a
/// token.
int32_t sample(std::span<const float> logits, const SamplingParams& params, uint64_t request,
               int64_t position);

/// Verifies drafts against the model: `logits` holds drafts + 1 rows of `vocab`, row i after the
/// i-th draft's predecessor; `position` is that of the first draft. Greedy: drafts are accepted
/// while each is the first of the largest. Sampled: a draft x that was proposed for certain is
/// accepted with the model's probability p(x), otherwise the token is drawn from p without x
/// (Leviathan et al. 2023, algorithm 1, with q = 1 at x). Answers with the accepted drafts and one
/// more token.
std::vector<int32_t> verify(std::span<const float> logits, int64_t vocab,
                            std::span<const int32_t> drafts, const SamplingParams& params,
                            uint64_t request, int64_t position);

}  // namespace tilewright
