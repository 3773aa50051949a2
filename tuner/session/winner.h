#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/space/measurement.h"
#include "core/space/space.h"

namespace tilewright {

/// A config with its time, as far as choosing between configs needs to know.
struct Contender {
  Config config;
  double time_us = 0;
  double spread_us = 0;     ///< standard error of time_us; 0: exact
  int64_t repetitions = 1;  ///< behind time_us
};

Contender contender(const Config& config, const Measurement& measurement);

/// Probability that the true time of `a` is below that of `b`: 1, 0 or 1/2 (equal) where both are
/// exact, otherwise by Welch's test (confidence_below).
double confidence_of(const Contender& a, const Contender& b);

/// A challenger takes the place of an incumbent only when it is faster with this confidence: of
/// searches in which all configs are equally fast, at most one in twenty replaces the incumbent.
constexpr double kConfidence = 0.95;

/// Chooses the winner of a search. The least time wins; of equal times the smaller footprint, then
/// the config that comes first by its values. An incumbent (the winner of an earlier session, then
/// the baseline) stays the winner unless another config is faster with kConfidence: so equal times
/// never change a winner, and neither does noise.
class WinnerChoice {
 public:
  using Footprint = std::function<int64_t(const Config&)>;
  explicit WinnerChoice(Footprint footprint) : footprint_(std::move(footprint)) {}

  /// `incumbency`: 0 for a config that is no incumbent, 1 for the first of them, and so on. Each
  /// config once. Returns whether it has the least time so far.
  bool add(const Contender& contender, int incumbency);

  struct Verdict {
    Contender winner;
    std::optional<Contender> runner_up;  ///< the fastest of the others
    /// That the winner is faster than the runner-up; 1 without one.
    double confidence = 1;
  };
  std::optional<Verdict> verdict() const;

  /// The least time; 0 when there is none.
  double best_us() const { return fastest_.empty() ? 0 : fastest_.front().time_us; }

 private:
  bool better(const Contender& a, const Contender& b) const;
  /// That the fastest is faster than an incumbent, given that it is the fastest of so many.
  double confidence_over(const Contender& incumbent) const;

  Footprint footprint_;
  std::vector<Contender> fastest_;  ///< the first two
  struct Incumbent {
    int place = 0;
    Contender contender;
  };
  std::vector<Incumbent> incumbents_;
  int64_t challengers_ = 0;
  // Relative variance of one repetition, over all that were repeated: sum and degrees of freedom.
  double noise_squares_ = 0;
  double noise_degrees_ = 0;
};

}  // namespace tilewright
