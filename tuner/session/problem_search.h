#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tuner/search/strategy.h"
#include "tuner/session/session.h"

namespace tilewright {

/// The search of one problem within a session: what to try next, what is best, when it ends.
class ProblemSearch {
 public:
  ProblemSearch(const TuneProblem& problem, const TuneOptions& options, const TuneHooks& hooks);

  /// At most `at_most` configs that were not handed out before: baseline, seeds, then the
  /// strategy's. Empty when the search has ended. The strategy hears of its repeats again through
  /// `remembered`.
  using Remembered = std::function<std::optional<Measurement>(const Config&)>;
  std::vector<Config> next(size_t at_most, const Remembered& remembered);

  /// The result of a config that next() handed out, in that order.
  void tell(const Config& config, const Measurement& measurement, bool from_cache);

  /// Configs that will be tried, at most.
  int64_t planned() const { return planned_; }

  const TunedProblem& result() const { return result_; }
  TunedProblem take_result() { return std::move(result_); }

 private:
  /// What decides between configs, the smaller the better: time, place among baseline and seeds,
  /// footprint, values.
  struct Rank {
    double time_us = 0;
    size_t incumbency = 0;
    int64_t footprint = 0;
    Config config;
    bool better_than(const Rank& other) const;
  };
  Rank rank_of(const Config& config, double time_us) const;
  int64_t budget_left() const;

  const TuneProblem& problem_;
  const TuneHooks& hooks_;
  int64_t max_evaluations_;  // INT64_MAX when there is no limit
  int64_t planned_ = 0;
  std::unique_ptr<Strategy> strategy_;
  std::vector<Config> first_;  // baseline and seeds, each once
  size_t first_handed_out_ = 0;
  std::set<std::string> tried_;  // texts of all configs handed out
  std::optional<Rank> best_;
  TunedProblem result_;
};

}  // namespace tilewright
