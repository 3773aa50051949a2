#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace tilewright {

/// What one run of a strategy found, evaluation by evaluation.
struct Trajectory {
  std::vector<double> best_us;  ///< best time so far; infinity before the first that worked
  std::vector<double> cost_us;  ///< what it took since the start; empty where it is not known
};

/// What trying a config of a space costs: by it evaluations become time.
struct SpaceCosts {
  double median_us = 0;   ///< of all configs
  double valid_us = 0;    ///< mean of those that worked
  double invalid_us = 0;  ///< mean of those that failed; 0 when none did
  double invalid_share = 0;
};

/// The costs of configs, by whether they worked; nothing when none has a cost.
std::optional<SpaceCosts> space_costs(std::span<const double> valid,
                                      std::span<const double> invalid);

/// The times of a space and what random search makes of them: the baseline of Willemsen et al.,
/// "A methodology for comparing optimization algorithms for auto-tuning", FGCS 2024.
class RandomBaseline {
 public:
  /// Times of the configs that worked, in any order; at least one.
  explicit RandomBaseline(std::vector<double> times);

  double optimum() const { return times_.back(); }
  double median() const;
  int64_t size() const { return static_cast<int64_t>(times_.size()); }

  /// Evaluations that random search is expected to take for this fraction of the way from the
  /// median to the optimum: with i the number of configs worse than that, ceil(i / (N + 1 - i)).
  int64_t evaluations_for(double fraction) const;
  /// Expected best of so many draws without replacement: the time at place
  /// min(N - 1, round(k (N + 1) / (k + 1))) from the worst (0) to the best. At least one draw.
  double expected_best(int64_t evaluations) const;
  /// The same after so long a time.
  double expected_best_after(double us, const SpaceCosts& costs) const;

  /// The place of a time of the space between worst (0) and best (size() - 1), and back. Infinity
  /// is the worst.
  double place_of(double time_us) const;
  double time_at(double place) const;

 private:
  std::vector<double> times_;  // the worst first
};

/// Median over runs of optimum / best so far after so many evaluations; a run that stopped earlier
/// keeps its last value, one without anything that worked has 0.
double median_ratio(const RandomBaseline& baseline, std::span<const Trajectory> runs,
                    int64_t evaluations);

/// Share of the runs whose best is within `margin` (0.05: 5 %) of the optimum by then.
double share_within(const RandomBaseline& baseline, std::span<const Trajectory> runs,
                    int64_t evaluations, double margin);

/// The performance score: 0 is random search, 1 the optimum at once. The mean of (expected best of
/// random search - median of the runs) / (the same - optimum) over the evaluations from
/// evaluations_for(0.5) to min(most_evaluations, evaluations_for(0.95)); the median is taken of
/// places. Nothing where random search has found the optimum before that begins.
std::optional<double> evaluation_score(const RandomBaseline& baseline,
                                       std::span<const Trajectory> runs, int64_t most_evaluations);

/// The same over time: from the time of evaluations_for(0.5) median costs on, at 1,000 equal
/// distances; the runs together by isotonic regression of place on time, constant after the median
/// of their ends. Nothing without costs.
std::optional<double> time_score(const RandomBaseline& baseline, std::span<const Trajectory> runs,
                                 const SpaceCosts& costs, int64_t most_evaluations);

/// A non-decreasing sequence with the least sum of squared distances from `values`.
std::vector<double> isotonic(std::span<const double> values);

}  // namespace tilewright
