#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace tilewright {

/// How a request ended; each has exactly one reason.
enum class FinishReason : uint8_t {
  kNone,      ///< not yet
  kStop,      ///< an end-of-sequence or stop token (functional mode)
  kLength,    ///< all its output tokens, or max_model_len reached
  kRejected,  ///< its prompt leaves no room for an output token (vLLM: ignored)
  kAborted,   ///< the run was stopped
};

/// "stop", "length", "rejected", "abort"; "" for kNone.
std::string_view name_of(FinishReason reason);

/// Whether the request has all of its output.
inline bool is_complete(FinishReason reason) {
  return reason == FinishReason::kStop || reason == FinishReason::kLength;
}

/// What the scheduler knows of a request. Every step tries to raise `computed` towards goal().
struct RequestState {
  int64_t prompt = 0;
  int64_t output_limit = 0;  ///< output tokens after which it ends
  int64_t generated = 0;     ///< output tokens so far; they survive a preemption
  int64_t computed = 0;      ///< tokens that have KV, or get it in a step that is planned
  int64_t drafts = 0;        ///< tokens that the next step is to verify
  int64_t placeholders = 0;  ///< tokens that come from steps under way (asynchronous scheduling)
  int64_t room = 0;          ///< tokens that its blocks can hold
  int64_t next_full = 0;     ///< computed tokens from which on a block becomes shareable
  int64_t in_flight = 0;     ///< tokens in steps under way
  int64_t priority = 0;      ///< smaller goes first
  FinishReason finish = FinishReason::kNone;
  bool is_queued = false;

  int64_t scheduled = 0;    ///< tokens computed in all steps
  int64_t hits = 0;         ///< tokens that the prefix cache had, all admissions together
  int64_t recomputed = 0;   ///< tokens whose KV preemptions gave up, hits included
  int64_t rejected = 0;     ///< drafts that were wrong
  int64_t dropped = 0;      ///< tokens computed behind the end of the output
  int64_t preemptions = 0;  ///< also tells steps under way whether they are out of date

  int64_t length() const { return prompt + generated; }
  int64_t goal() const { return length() + drafts + placeholders; }
  /// Nothing is left of its prompt (and of what a preemption gave up) but one token, and drafts.
  bool decodes() const {
    const int64_t known = length() + placeholders;
    return known > prompt && known - computed <= 1;
  }
};

/// Output tokens that came `tokens` a step in `count` steps from `first_step` on.
struct TokenRun {
  int64_t first_step = 0;
  int64_t count = 0;
  int64_t tokens = 1;

  bool operator==(const TokenRun&) const = default;
};

/// What happened to a request. Times are virtual ns; -1: never.
struct RequestRecord {
  int64_t arrival_ns = 0;
  int64_t first_scheduled_ns = -1;
  int64_t prompt_tokens = 0;
  int64_t output_tokens = 0;  ///< made, not asked for
  /// Computed in all steps. When complete: prompt + output - 1 - cached + recomputed - preempted
  /// hits + rejected drafts + dropped.
  int64_t scheduled_tokens = 0;
  int64_t cached_tokens = 0;          ///< that the prefix cache had when it was first admitted
  int64_t recomputed_tokens = 0;      ///< given up by preemptions
  int64_t preempted_hit_tokens = 0;   ///< of those, what the prefix cache had when it came back
  int64_t rejected_draft_tokens = 0;  ///< verified, and wrong
  int64_t dropped_tokens = 0;         ///< computed behind the end of the output
  int64_t preemptions = 0;
  FinishReason finish = FinishReason::kNone;
  /// When its tokens came: the times are those of the steps' ends (ServingResult::step_end_ns).
  std::vector<TokenRun> token_runs;
  std::vector<int32_t> output_ids;  ///< functional mode

  bool operator==(const RequestRecord&) const = default;
};

}  // namespace tilewright
