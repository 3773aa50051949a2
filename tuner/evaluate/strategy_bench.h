#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "db/formats/result_table.h"
#include "tuner/evaluate/methodology.h"
#include "tuner/search/strategy.h"

namespace tilewright {

/// A measured space that strategies are compared on: every config is known, so that a run of a
/// strategy is a replay.
class MeasuredSpace {
 public:
  /// Error (failed), naming `name`, when no config of the table worked.
  MeasuredSpace(std::string name, const ResultTable& table);

  const std::string& name() const { return name_; }
  const SpaceIndex& index() const { return index_; }
  const RandomBaseline& baseline() const { return *baseline_; }
  /// Nothing where the table does not state costs.
  const std::optional<SpaceCosts>& costs() const { return costs_; }
  const Observation& at(int64_t rank) const { return observations_[static_cast<size_t>(rank)]; }
  double cost_us(int64_t rank) const { return cost_us_[static_cast<size_t>(rank)]; }

 private:
  std::string name_;
  SpaceIndex index_;
  std::vector<Observation> observations_;  // by rank
  std::vector<double> cost_us_;
  std::optional<RandomBaseline> baseline_;
  std::optional<SpaceCosts> costs_;
};

struct BenchOptions {
  int seeds = 20;
  uint64_t first_seed = 1000;
  int64_t evaluations = 400;  ///< of each run, failures among them
  int64_t batch = 1;          ///< configs asked for at once
};

/// One run: asks the strategy until it has had all evaluations or proposes no more. It starts from
/// nothing but the space: no estimate, nothing learned elsewhere.
Trajectory run_strategy(const MeasuredSpace& space, const std::string& strategy, uint64_t seed,
                        const BenchOptions& options);

/// How a strategy did on a space. Keys of the maps are evaluations: 25, 50, 100, 200, 400, as far
/// as the runs go.
struct StrategyScore {
  std::map<int64_t, double> median_at;   ///< median over runs of optimum / best so far
  std::map<int64_t, double> within5_at;  ///< share of runs within 5 % of the optimum
  std::optional<double> score;           ///< evaluation_score()
  std::optional<double> time_score;
};

StrategyScore score_of(const MeasuredSpace& space, std::span<const Trajectory> runs,
                       const BenchOptions& options);

/// How a strategy did over spaces.
struct StrategySummary {
  std::map<int64_t, double> geomean_at;  ///< geometric mean of median_at
  std::optional<double> worst_at_100;    ///< least median_at of a space at 100 evaluations
  std::optional<double> score;           ///< mean
  std::optional<double> time_score;      ///< mean
};

StrategySummary summary_of(std::span<const StrategyScore> spaces);

}  // namespace tilewright
