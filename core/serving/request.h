#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace tilewright {

/// How a request ended; each has exactly one reason.
enum class FinishReason : uint8_t {
  kNone,      ///< not yet
  kLength,    ///< all its output tokens, or max_model_len reached
  kRejected,  ///< its prompt leaves no room for an output token (vLLM: ignored)
  kAborted,   ///< the run was stopped
};

/// "length", "rejected", "abort"; "" for kNone.
std::string_view name_of(FinishReason reason);

/// What the scheduler knows of a request. Every step tries to raise `computed` towards length().
struct RequestState {
  int64_t prompt = 0;
  int64_t output_limit = 0;  ///< output tokens after which it ends
  int64_t generated = 0;     ///< output tokens so far; they survive a preemption
  int64_t computed = 0;      ///< tokens whose KV is in `blocks`, or being computed
  std::vector<int32_t> blocks;
  FinishReason finish = FinishReason::kNone;

  int64_t scheduled = 0;   ///< tokens computed in all steps
  int64_t recomputed = 0;  ///< of those, tokens whose KV a preemption threw away
  int64_t preemptions = 0;

  int64_t length() const { return prompt + generated; }
};

/// Output tokens of `count` steps in a row, from step `first_step` on. A step gives one token, or
/// more where drafts were accepted; those of one step come together.
struct TokenRun {
  int64_t first_step = 0;
  int64_t count = 0;   ///< steps
  int64_t tokens = 1;  ///< of each step

  bool operator==(const TokenRun&) const = default;
};

/// What happened to a request. Times are virtual ns; -1: never.
struct RequestRecord {
  int64_t arrival_ns = 0;
  int64_t first_scheduled_ns = -1;
  int64_t prompt_tokens = 0;
  int64_t output_tokens = 0;  ///< made, not asked for
  int64_t scheduled_tokens = 0;
  int64_t recomputed_tokens = 0;
  int64_t preemptions = 0;
  FinishReason finish = FinishReason::kNone;
  /// When its tokens came: the times are those of the steps' ends (ServingResult::step_end_ns).
  std::vector<TokenRun> token_runs;

  bool operator==(const RequestRecord&) const = default;
};

}  // namespace tilewright
