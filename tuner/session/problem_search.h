#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tuner/search/strategy.h"
#include "tuner/session/session.h"

namespace tilewright {

/// A config to try, and who proposed it: "baseline", "seed", or a part of the strategy.
struct Candidate {
  Config config;
  std::string_view proposer;
};

/// The search of one problem within a session: what to try next, what is best, when it ends.
class ProblemSearch {
 public:
  ProblemSearch(const TuneProblem& problem, const TuneOptions& options, const TuneHooks& hooks);

  /// At most `at_most` trials that were not handed out before: baseline, seeds, then the
  /// strategy's. Empty when the search has ended.
  std::vector<Candidate> next(size_t at_most);

  /// The result of a trial that next() handed out, in that order.
  void tell(const Candidate& candidate, const Measurement& measurement, bool from_cache);

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

  const TuneProblem& problem_;
  const TuneHooks& hooks_;
  int64_t max_evaluations_;  // INT64_MAX when there is no limit
  int64_t planned_ = 0;
  SpaceIndex index_;
  std::unique_ptr<Strategy> strategy_;  // null when the space is empty
  std::vector<Config> first_;           // baseline and seeds, each once
  size_t first_handed_out_ = 0;
  int64_t handed_out_ = 0;
  std::optional<Rank> best_;
  TunedProblem result_;
};

}  // namespace tilewright
