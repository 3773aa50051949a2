// What the slices of a step were, from the log of its run: the log has the sums of each step and
// the tokens of each request, and most steps follow from these.

#include <algorithm>

#include "app/tui/serve/serve_run.h"
#include "core/base/error.h"

namespace tilewright {

namespace {

/// Tokens that a request got in a step and before it.
struct TokensAt {
  int64_t now = 0;
  int64_t before = 0;
};

TokensAt tokens_at(const RequestRecord& request, int64_t step) {
  TokensAt tokens;
  for (const TokenRun& run : request.token_runs) {
    if (run.first_step > step) break;
    const int64_t passed = std::min(run.count, step - run.first_step);
    tokens.before += passed * run.tokens;
    if (passed < run.count) tokens.now = run.tokens;
  }
  return tokens;
}

SequenceSlice slice_of(int64_t request, int64_t context, int64_t tokens, bool samples) {
  SequenceSlice slice;
  slice.request = request;
  slice.context = std::max<int64_t>(0, context);
  slice.tokens = std::max<int64_t>(1, tokens);
  slice.samples = samples;
  return slice;
}

/// Those that got a token in the step: decodes, and prompts that ended in it.
struct Sampled {
  bool has_others = false;  ///< requests whose prompts go on behind the step
  std::vector<SequenceSlice> decodes;
  std::vector<SequenceSlice> prompts;
  int64_t prompt_tokens = 0;  ///< of whole prompts, but for what the prefix cache had
};

Sampled sampled_in(const ServeView& view, const StepRecord& record) {
  const int64_t step = record.first_step;
  Sampled sampled;
  for (size_t i = 0; i < view.record.requests.size(); ++i) {
    const RequestRecord& request = view.record.requests[i];
    const TokensAt tokens = tokens_at(request, step);
    if (tokens.now == 0) {
      const bool has_begun =
          request.first_scheduled_ns >= 0 && request.first_scheduled_ns <= record.start_ns;
      const bool has_ended = request.finish != FinishReason::kNone && request.token_runs.empty();
      sampled.has_others |= has_begun && tokens.before == 0 && !has_ended;
      continue;
    }
    if (tokens.before > 0) {
      sampled.decodes.push_back(
          slice_of(view.ids[i], request.prompt_tokens + tokens.before - 1, 1, true));
    } else {
      const int64_t left = request.prompt_tokens - request.cached_tokens;
      sampled.prompts.push_back(slice_of(view.ids[i], request.cached_tokens, left, true));
      sampled.prompt_tokens += left;
    }
  }
  return sampled;
}

void append(std::vector<SequenceSlice>& slices, const std::vector<SequenceSlice>& more) {
  slices.insert(slices.end(), more.begin(), more.end());
}

}  // namespace

StepBatch batch_of(const ServeView& view, size_t step) {
  TW_CHECK(step < view.record.steps.size(), "a step of the record");
  const StepRecord& record = view.record.steps[step];
  StepBatch known;
  const Sampled sampled = sampled_in(view, record);
  const auto decodes = std::ssize(sampled.decodes);
  const auto prompts = std::ssize(sampled.prompts);
  const bool has_drafts = record.verifies > 0;
  const bool has_all_decodes = !has_drafts && decodes == record.decodes;
  std::vector<SequenceSlice>& slices = known.batch.slices;
  if (has_all_decodes && prompts == 0 && record.prefill_tokens == 0) {
    append(slices, sampled.decodes);
  } else if (has_all_decodes && sampled.prompt_tokens == record.prefill_tokens) {
    append(slices, sampled.decodes);
    append(slices, sampled.prompts);
  } else if (has_all_decodes && prompts == 1 && !sampled.has_others &&
             sampled.prompt_tokens > record.prefill_tokens) {
    // The last chunk of one prompt; what is left of the step's tokens is all its own.
    const SequenceSlice& prompt = sampled.prompts.front();
    append(slices, sampled.decodes);
    slices.push_back(slice_of(prompt.request,
                              prompt.context + prompt.tokens - record.prefill_tokens,
                              record.prefill_tokens, true));
  } else {
    known.missing = has_drafts
                        ? "the log does not say how many drafts each request had in this step"
                        : "the log does not say how the prompts of this step shared its tokens";
    // As many tokens and samples, which is all that the other ops depend on.
    const int64_t samples = record.decodes + record.verifies + record.draft_tokens + prompts;
    const int64_t left = std::max<int64_t>(1, record.tokens - std::max<int64_t>(0, samples - 1));
    for (int64_t i = 1; i < samples; ++i) slices.push_back(slice_of(0, 0, 1, true));
    slices.push_back(slice_of(0, 0, left, samples > 0));
  }
  if (slices.empty()) slices.push_back(slice_of(0, 0, std::max<int64_t>(1, record.tokens), false));
  return known;
}

}  // namespace tilewright
