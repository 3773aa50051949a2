#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/serving/sampling.h"

namespace tilewright {

/// Where drafts come from.
enum class DraftMethod : uint8_t {
  kNone,       ///< no speculation
  kNgram,      ///< prompt lookup: what followed the same tokens before
  kModel,      ///< a second executor with a smaller model
  kSynthetic,  ///< no tokens, only their number and how many are accepted (timing mode)
};

/// Speculative decoding, with vLLM's names.
struct SpeculativeOptions {
  DraftMethod method = DraftMethod::kNone;
  int64_t num_speculative_tokens = 0;  ///< most drafts of a request in a step, >= 1
  int64_t prompt_lookup_min = 5;       ///< shortest suffix that is looked up, >= 1
  int64_t prompt_lookup_max = 5;
  /// Which share of the drafted steps accepts its first, second, ... draft: not increasing, one for
  /// each draft; or none.
  std::vector<double> synthetic_acceptance_rates = {};
  /// Mean accepted drafts + 1, 1 to num_speculative_tokens + 1: each draft is accepted with the
  /// same chance once those before were. 0: not given.
  double synthetic_acceptance_length = 0;
  uint64_t seed = 0;  ///< of synthetic acceptance

  bool operator==(const SpeculativeOptions&) const = default;
};

/// How the output of a request is made, with vLLM's names. Only sampling, stopping and salt of
/// requests in functional mode: in timing mode a request has as many tokens as its trace says, and
/// only cache_salt counts.
struct GenerationParams {
  SamplingParams sampling = {};
  int64_t min_tokens = 0;  ///< before these, nothing ends the output
  bool ignore_eos = false;
  std::vector<int32_t> stop_token_ids = {};
  uint64_t cache_salt = 0;  ///< only requests with the same share prefixes
};

/// Knobs of the serving engine, with vLLM's names and meanings where it has them.
struct ServingOptions {
  int64_t max_num_batched_tokens = 2048;     ///< token budget of a step
  int64_t max_num_seqs = 256;                ///< most running requests
  int64_t long_prefill_token_threshold = 0;  ///< most tokens of one request in a step; 0: no limit
  /// Host work before each step (planning, sampling, input preparation): a step is handed over so
  /// long after the host began to plan it.
  int64_t host_overhead_ns = 0;
  /// Hand runs of unchanged decode steps to Executor::repeat_decode. The results are the same
  /// without; only the time that the simulation takes differs.
  bool fast_forward = true;

  std::string policy = "vllm";             ///< a name of policy_names()
  std::string scheduling_policy = "fcfs";  ///< or "priority": order of waiting, and victims
  bool enable_chunked_prefill = true;      ///< without, max_num_batched_tokens >= max_model_len
  bool scheduler_reserve_full_isl = true;  ///< admit only what fits whole, not its first chunk
  double watermark = 0;                    ///< share of the blocks that admissions leave free
  bool enable_prefix_caching = true;       ///< share full blocks of equal prefixes
  /// Reuse the beginning of a block that matches only partly, too, by copying it. Off: exactly
  /// vLLM's prefix cache.
  bool prefix_cache_tokens = true;
  /// Plan a step while the one before is executed, so that the host's work is hidden. Has no effect
  /// with speculation: what a step verifies is known only when the step before has ended. With
  /// several batches in flight (pipeline stages) the host is always ahead; a request is then
  /// planned again when its token has come.
  bool async_scheduling = false;

  SpeculativeOptions speculative = {};
  GenerationParams generation = {};
  std::vector<GenerationParams> request_generation = {};  ///< one for each request, or none
  std::vector<int32_t> eos_token_ids = {};

  /// What holds for a request of the workload.
  const GenerationParams& generation_of(int64_t request) const {
    return request_generation.empty() ? generation
                                      : request_generation[static_cast<size_t>(request)];
  }
};

}  // namespace tilewright
