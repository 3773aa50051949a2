#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/space/space.h"

namespace tilewright {

/// A config of a search that has a time.
struct AnalysedTrial {
  Config config;
  double time_us = 0;
  double estimate_us = 0;  ///< first-order, before it was tried; 0 where there is none
  std::string proposer;
};

/// What was seen of one value of a parameter.
struct ValueSummary {
  int64_t value = 0;
  int64_t tried = 0;
  double best_us = 0;
  double median_us = 0;
};

/// How much a parameter matters.
struct ParameterSummary {
  std::string name;
  /// Share of the variance of the logarithm of the times that the values of this parameter explain
  /// on their own, 0 to 1.
  double share = 0;
  std::vector<ValueSummary> values;  ///< those tried, ascending
};

/// What the trials of a search say: which parameters matter, the fastest configs, and how far the
/// estimate may be trusted. A search looks at what is fast, so its trials are no fair sample of the
/// space: it is a summary of what was seen.
struct SearchAnalysis {
  std::vector<ParameterSummary> parameters;  ///< those with several values tried, by share
  /// Of that variance, what no parameter explains on its own: parameters acting together.
  double together = 0;
  std::vector<AnalysedTrial> top;  ///< the fastest, at most kTopTrials
  /// Spearman's, between estimates and times; empty without estimates or with fewer than
  /// kLeastForCorrelation trials.
  std::optional<double> estimate_correlation;
  int64_t trials = 0;
};

constexpr size_t kTopTrials = 10;
constexpr size_t kLeastForCorrelation = 3;

/// Fits log time = constant + one term for each value of each parameter (least squares with a small
/// ridge, by backfitting). Configs with a time > 0 and with one list of parameters.
SearchAnalysis analyse(std::vector<AnalysedTrial> trials);

}  // namespace tilewright
