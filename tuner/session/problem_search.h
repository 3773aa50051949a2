#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "tuner/search/strategy.h"
#include "tuner/session/search_analysis.h"
#include "tuner/session/session.h"
#include "tuner/session/space_limits.h"
#include "tuner/session/winner.h"

namespace tilewright {

/// A config to try, and who proposed it: "baseline", "seed", "earlier", "neighbour", "incumbent",
/// or a part of the strategy.
struct Candidate {
  Config config;
  std::string_view proposer;
};

/// What a session knows of a problem before it is searched.
struct Foreknowledge {
  /// Configs that were fast for like problems, tried after the baseline.
  std::vector<Candidate> hints;
  /// The winner of an earlier session, if it still holds.
  std::optional<Config> incumbent;
  /// Configs that failed or worked for other problems.
  std::vector<std::pair<Config, AttemptStatus>> elsewhere;
};

/// How a result came about.
enum class ResultKind {
  kMeasured,
  kCached,
  kScreened,  ///< estimated from a cheaper evaluator: tells the strategy, never wins
};

/// The search of one problem within a session: what to try next, what is best, when it ends.
class ProblemSearch {
 public:
  /// `space` is that of the problem.
  ProblemSearch(const TuneProblem& problem, std::unique_ptr<SpaceIndex> space,
                const TuneOptions& options, Foreknowledge foreknowledge);

  /// At most `at_most` trials that were not handed out before: baseline, hints, seeds, then the
  /// strategy's, at the end the incumbent if nobody else proposed it. Empty when the search has
  /// ended.
  std::vector<Candidate> next(size_t at_most);

  /// The result of a trial that next() handed out, in that order.
  void tell(const Candidate& candidate, const Measurement& measurement, ResultKind kind);

  /// The result of a trial of an interrupted session, before the first next(): as if next() had
  /// handed it out and it had been told. Configs that are no longer in the space are ignored, those
  /// told before as well.
  void replay(const Candidate& candidate, const Measurement& measurement, ResultKind kind);

  /// Forgets what next() handed out without having been told the result.
  void take_back();

  /// Goes on with other options, or in a narrower space, with a fresh strategy that is told
  /// everything so far. False, and nothing happens, when the space would be empty.
  bool change(const TuneOptions& options, const SpaceLimits& limits);

  /// Configs that will be tried, at most.
  int64_t planned() const { return planned_; }
  int64_t tried() const { return handed_out_; }
  bool has_tried(const Config& config) const;
  const SpaceIndex& space() const { return *index_; }

  /// The expected gain of as many trials again as in the last half of those so far, as a fraction.
  /// A doubling of the trials is expected to gain what the last one gained, which counts three
  /// quarters, and what those before it gained, each three quarters of what is left; before the
  /// first one anything could have been gained, so that it is never 0. As many trials again as in
  /// the last half are log2(1.5) of a doubling. 1 before there is anything to judge by: 16 trials
  /// behind baseline, hints and seeds, or 5 for each parameter with several values, if that is
  /// more.
  double expected_gain() const;

  /// What was found so far.
  TunedProblem result() const;
  /// The winner, and the fastest of the other configs that are slower by at most `within`, kNear in
  /// all.
  std::vector<Config> near_winners(double within) const;
  static constexpr size_t kNear = 3;
  /// What its trials say of the parameters and of the estimate.
  SearchAnalysis analysis() const;
  double best_us() const { return winner_.best_us(); }
  double baseline_us() const { return baseline_us_; }

 private:
  struct Tried {
    Config config;
    std::string_view proposer;
    AttemptStatus status = AttemptStatus::kOk;
    double time_us = 0;
    double spread_us = 0;
    int64_t repetitions = 1;
    bool is_exact = true;
  };
  size_t least_trials() const;
  void begin_strategy();
  void plan_first();
  bool may_win(const Config& config) const;
  int incumbency_of(const Config& config) const;
  void mark(const Config& config);
  void learn(const Tried& tried);
  int64_t room() const;
  bool ended() const;
  std::optional<Candidate> next_first();
  std::optional<Candidate> last_incumbent() const;

  const TuneProblem& problem_;
  TuneOptions options_;
  Foreknowledge foreknowledge_;
  int64_t planned_ = 0;
  std::unique_ptr<SpaceIndex> index_;
  std::unique_ptr<Strategy> strategy_;  // null when the space is empty
  std::vector<Candidate> first_;        // baseline, hints and seeds, each once
  size_t first_handed_out_ = 0;
  int64_t handed_out_ = 0;
  std::unordered_set<int64_t> ranks_;    // handed out
  std::set<std::string> outside_texts_;  // the same, of configs outside the space
  std::vector<Tried> history_;
  std::vector<double> best_after_;  // each of history_; 0 while nothing worked
  bool limited_ = false;            // the baseline is outside a space that a user narrowed
  WinnerChoice winner_;
  double baseline_us_ = 0;
  int64_t evaluations_ = 0;
  int64_t cache_hits_ = 0;
  int64_t screened_ = 0;
  int64_t failures_ = 0;
  std::string failure_;
  bool complete_ = false;
};

}  // namespace tilewright
