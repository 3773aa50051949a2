#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/serving/request.h"

namespace tilewright {

/// A value that occurs `count` times: gaps between tokens are shared by all requests of a step.
struct Sample {
  double value = 0;
  int64_t count = 1;
};

/// Whether a request came to an end of its own: neither rejected nor stopped from outside.
bool is_completed(const RequestRecord& request);

/// Times of one completed request, in ns. Those that begin with its first step are -1 in a record
/// that does not say when that was.
struct RequestTimes {
  double ttft = 0;  ///< arrival to first token
  double e2el = 0;  ///< arrival to last token
  /// (e2el - ttft) / (output tokens - 1); 0 with one token
  double tpot = 0;
  double queue = -1;      ///< arrival to first scheduled
  double prefill = -1;    ///< first scheduled to first token
  double decode = 0;      ///< first to last token
  double inference = -1;  ///< first scheduled to last token
};

RequestTimes times_of(const RequestRecord& request, std::span<const int64_t> step_end_ns);

/// Gaps between the times at which a request's tokens came, in ns, in order. Tokens of one step
/// come together, so that a step with accepted drafts ends one gap.
std::vector<int64_t> gaps_of(const RequestRecord& request, std::span<const int64_t> step_end_ns);

/// Gaps of all completed requests, and how many tokens they got in each step. Costs time for runs
/// and steps, not for tokens.
class StepTokens {
 public:
  explicit StepTokens(std::span<const int64_t> step_end_ns);

  void add(const RequestRecord& request);
  std::vector<Sample> gaps() const;
  std::vector<int64_t> tokens() const;

 private:
  std::span<const int64_t> step_end_ns_;
  // Tokens of one run share their gaps with every other request of the same steps, so gaps and
  // tokens are counted by step: as differences between one step and the next.
  std::vector<int64_t> gap_changes_;
  std::vector<int64_t> token_changes_;
  std::vector<Sample> gaps_between_runs_;
};

}  // namespace tilewright
