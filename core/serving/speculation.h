#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/serving/options.h"
#include "core/workload/workload.h"

namespace tilewright {

/// Counts of vLLM's spec_decode metrics.
struct SpeculationStats {
  int64_t num_drafts = 0;  ///< verifications, of one request in one step
  int64_t draft_tokens = 0;
  int64_t accepted_tokens = 0;
  std::vector<int64_t> accepted_per_position;  ///< verifications that accepted that draft

  /// accepted / draft tokens; 0 without any.
  double acceptance_rate() const;
  /// 1 + accepted tokens / verifications; 0 without any.
  double mean_acceptance_length() const;

  bool operator==(const SpeculationStats&) const = default;
};

/// Prompt lookup: the longest suffix of `context` of `min` to `max` tokens that occurs earlier, in
/// its earliest occurrence; the up to `count` tokens that follow there, or none. Linear in the
/// context (the prefix function of Knuth, Morris and Pratt over the reversed context).
std::vector<int32_t> propose_by_lookup(std::span<const int32_t> context, int64_t min, int64_t max,
                                       int64_t count);

/// Share of the verifications that accept each of `count` drafts if their mean is length - 1 and
/// each is accepted with the same chance after its predecessors: a, a^2, ... with that sum.
std::vector<double> rates_of_length(double length, int64_t count);

/// Drafts of the requests that have some, and what becomes of them in timing mode. The workload
/// must outlive this.
class Speculation {
 public:
  /// Error (usage) for options that make no sense, or that the mode or the workload cannot follow.
  Speculation(const SpeculativeOptions& options, const Workload& workload, bool is_functional);

  DraftMethod method() const { return options_.method; }
  bool is_on() const { return options_.method != DraftMethod::kNone; }
  int64_t most() const { return options_.num_speculative_tokens; }

  /// Proposes up to `most` drafts to follow the `known` first tokens of a request, and answers how
  /// many there are. `ids` are its tokens in functional mode. Not for a draft model, which sets
  /// them.
  int64_t propose(int64_t request, int64_t known, std::span<const int32_t> ids, int64_t most);
  void set(int64_t request, std::vector<int32_t> drafts);
  std::span<const int32_t> drafts(int64_t request) const {
    return drafts_[static_cast<size_t>(request)];
  }

  /// Timing mode: how many of the `count` drafts behind `generated` output tokens are accepted: as
  /// many as equal the recorded output, or a number drawn from the rates with (seed, request,
  /// generated).
  int64_t accepted(int64_t request, int64_t generated, int64_t count) const;

  void count(int64_t drafts, int64_t accepted);
  const SpeculationStats& stats() const { return stats_; }

  /// The request has ended.
  void forget(int64_t request);

 private:
  void check(const Workload& workload, bool is_functional) const;
  bool is_recorded(const Request& request) const {
    return !request.prompt_ids.empty() && !request.output_ids.empty();
  }

  const SpeculativeOptions options_;
  const Workload& workload_;
  bool is_functional_;
  std::vector<double> rates_;
  std::vector<std::vector<int32_t>> drafts_;
  std::vector<std::vector<int32_t>> recorded_;  // prompt and output, once it was needed
  SpeculationStats stats_;
};

}  // namespace tilewright
