#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/cli/context.h"
#include "core/model/model_config.h"
#include "core/model/ops.h"
#include "tuner/session/session.h"

namespace tilewright {

/// How often each problem (by its text) is computed.
using CallCounts = std::map<std::string, int64_t>;

/// Calls of each GEMM problem of a model over all steps of a serving run, layers included, rows
/// rounded as gemm_problems() rounds them.
CallCounts count_calls(const ModelConfig& model, const std::map<int64_t, int64_t>& step_tokens,
                       const std::map<int64_t, int64_t>& step_samples, const RankLayout& layout);

/// What a tuning session came to: sums over its problems, each as often as it is computed.
struct TuneSummary {
  const TuneResult* result = nullptr;
  CallCounts calls;        ///< empty: every problem once
  double baseline_us = 0;  ///< 0 when a baseline failed
  double best_us = 0;      ///< over the problems with a winner
  int64_t found = 0;       ///< problems with a winner
  int64_t failures = 0;    ///< tried configs without a time

  int64_t calls_of(const TunedProblem& tuned) const;
  /// 0 when a baseline failed.
  double gain() const { return best_us > 0 ? baseline_us / best_us : 0; }
};

TuneSummary summarise(const TuneResult& result, CallCounts calls);

/// The keys evaluations, cache_hits, baseline_us, best_us, gain, ... and, if wanted, winners[].
void add_to_json(const TuneSummary& summary, bool with_winners, Json& json);

/// Every winner, those that take the most time first.
QueryResult winner_table(const TuneSummary& summary);

/// Problems of GEMMs with the op behind them, and in how many of them that is faster than apart.
struct FusedCount {
  int64_t problems = 0;
  int64_t faster = 0;
};
FusedCount count_fused(const TuneResult& result);

/// For people: what was done, the gain, the winners that take the most time, the ranges of
/// families, and what the trials of a single problem say. `run`: its number; `coverage`: a line
/// on how much was tried, or "".
std::string tune_text(const TuneSummary& summary, int64_t run, const std::string& coverage);

}  // namespace tilewright
