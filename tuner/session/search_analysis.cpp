#include "tuner/session/search_analysis.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/base/statistics.h"

namespace tilewright {

namespace {

constexpr int kSweeps = 40;
/// Weight of the assumption that a value has no effect, in trials.
constexpr double kRidge = 0.5;

/// The terms of one parameter.
struct Effect {
  std::vector<size_t> level;  ///< of each trial
  std::vector<double> term;   ///< of each level
};

double variance(std::span<const double> values) {
  const double deviation = standard_deviation(values);
  return deviation * deviation;
}

std::vector<double> terms_of(const Effect& effect) {
  std::vector<double> terms;
  for (const size_t level : effect.level) terms.push_back(effect.term[level]);
  return terms;
}

/// Fits a parameter's terms to `residual`, which is what the others leave and becomes what it
/// leaves itself.
void fit(Effect& effect, std::vector<double>& residual) {
  struct Level {
    double sum = 0;
    double weight = kRidge;
  };
  std::vector<Level> levels(effect.term.size());
  for (size_t i = 0; i < residual.size(); ++i) {
    residual[i] += effect.term[effect.level[i]];
    levels[effect.level[i]].sum += residual[i];
    levels[effect.level[i]].weight += 1;
  }
  for (size_t level = 0; level < levels.size(); ++level) {
    effect.term[level] = levels[level].sum / levels[level].weight;
  }
  for (size_t i = 0; i < residual.size(); ++i) residual[i] -= effect.term[effect.level[i]];
}

/// Fits all terms, each to what the other parameters leave; `residual` without all of them.
void backfit(std::vector<Effect>& effects, std::vector<double>& residual) {
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    for (Effect& effect : effects) fit(effect, residual);
  }
}

/// Position of the parameter in the configs, with what was seen of its values.
struct Seen {
  ParameterSummary summary;
  Effect effect;
};

std::vector<Seen> see(const std::vector<AnalysedTrial>& trials) {
  std::vector<Seen> parameters;
  for (size_t p = 0; p < trials.front().config.values.size(); ++p) {
    std::map<int64_t, std::vector<double>> times;
    for (const AnalysedTrial& trial : trials) {
      times[trial.config.values[p].second].push_back(trial.time_us);
    }
    if (times.size() < 2) continue;
    Seen& seen = parameters.emplace_back();
    seen.summary.name = trials.front().config.values[p].first;
    std::map<int64_t, size_t> levels;
    for (auto& [value, list] : times) {
      levels.emplace(value, levels.size());
      std::ranges::sort(list);
      seen.summary.values.push_back({value, std::ssize(list), list.front(), percentile(list, 50)});
    }
    seen.effect.term.resize(levels.size());
    for (const AnalysedTrial& trial : trials) {
      seen.effect.level.push_back(levels.at(trial.config.values[p].second));
    }
  }
  return parameters;
}

void add_shares(SearchAnalysis& analysis, const std::vector<AnalysedTrial>& trials) {
  std::vector<Seen> seen = see(trials);
  std::vector<double> logs;
  for (const AnalysedTrial& trial : trials) logs.push_back(std::log(trial.time_us));
  const double total = variance(logs);
  const double centre = mean(logs);
  for (double& value : logs) value -= centre;
  std::vector<Effect> effects;
  for (Seen& each : seen) effects.push_back(std::move(each.effect));
  backfit(effects, logs);
  // Terms of parameters that were tried together share what they explain by their own variances.
  const double left = total > 0 ? std::min(1.0, variance(logs) / total) : 0;
  double sum = 0;
  for (const Effect& effect : effects) sum += variance(terms_of(effect));
  for (size_t p = 0; p < seen.size(); ++p) {
    if (sum > 0) seen[p].summary.share = (1 - left) * variance(terms_of(effects[p])) / sum;
    analysis.parameters.push_back(std::move(seen[p].summary));
  }
  analysis.together = left;
  std::ranges::stable_sort(analysis.parameters, std::greater<>(), &ParameterSummary::share);
}

}  // namespace

SearchAnalysis analyse(std::vector<AnalysedTrial> trials) {
  SearchAnalysis analysis;
  analysis.trials = std::ssize(trials);
  if (trials.empty()) return analysis;
  add_shares(analysis, trials);
  const bool estimated =
      std::ranges::all_of(trials, [](const AnalysedTrial& t) { return t.estimate_us > 0; });
  if (estimated && trials.size() >= kLeastForCorrelation) {
    std::vector<double> estimates, times;
    for (const AnalysedTrial& trial : trials) {
      estimates.push_back(trial.estimate_us);
      times.push_back(trial.time_us);
    }
    analysis.estimate_correlation = rank_correlation(estimates, times);
  }
  std::ranges::stable_sort(trials, {}, &AnalysedTrial::time_us);
  trials.resize(std::min(trials.size(), kTopTrials));
  analysis.top = std::move(trials);
  return analysis;
}

}  // namespace tilewright
