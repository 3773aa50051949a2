#pragma once

#include <cstdint>

namespace tilewright {

/// Knobs of the serving engine, with vLLM's names and meanings.
struct ServingOptions {
  int64_t max_num_batched_tokens = 2048;     ///< token budget of a step
  int64_t max_num_seqs = 256;                ///< most running requests
  int64_t long_prefill_token_threshold = 0;  ///< most tokens of one request in a step; 0: no limit
  /// Host work before each step (planning, sampling, input preparation). It is not overlapped with
  /// the device: a step starts so long after the end of the one before.
  int64_t host_overhead_ns = 0;
  /// Hand runs of unchanged decode steps to Executor::repeat_decode. The results are the same
  /// without; only the time that the simulation takes differs.
  bool fast_forward = true;
};

}  // namespace tilewright
