#include "tuner/evaluate/strategy_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/base/error.h"
#include "core/base/statistics.h"
#include "tuner/evaluate/table_evaluator.h"

namespace tilewright {

namespace {

constexpr int64_t kCheckpoints[] = {25, 50, 100, 200, 400};
constexpr int64_t kWorstAt = 100;
constexpr double kNear = 0.05;

/// Mean of what there is, nothing when a space has nothing.
std::optional<double> mean_of(std::span<const StrategyScore> spaces,
                              std::optional<double> StrategyScore::*member) {
  std::vector<double> values;
  for (const StrategyScore& space : spaces) {
    if (!(space.*member)) return std::nullopt;
    values.push_back(*(space.*member));
  }
  return values.empty() ? std::nullopt : std::optional(mean(values));
}

}  // namespace

MeasuredSpace::MeasuredSpace(std::string name, const ResultTable& table)
    : name_(std::move(name)),
      index_(table_space(table)),
      observations_(static_cast<size_t>(index_.size())),
      cost_us_(static_cast<size_t>(index_.size())) {
  std::vector<double> times;
  std::vector<double> valid_costs;
  std::vector<double> invalid_costs;
  for (const ResultRow& row : table.rows) {
    const std::optional<int64_t> rank = index_.rank_of(table.config(row));
    TW_CHECK(rank.has_value(), "a row is in the space of its table");
    observations_[static_cast<size_t>(*rank)] = {*rank, row.status, row.time_us};
    cost_us_[static_cast<size_t>(*rank)] = row.cost_us();
    const bool is_ok = row.status == AttemptStatus::kOk;
    (is_ok ? valid_costs : invalid_costs).push_back(row.cost_us());
    if (is_ok) times.push_back(row.time_us);
  }
  if (times.empty()) {
    throw Error(ErrorKind::kFailed, fmt::format("{}: no config of the table worked", name_));
  }
  baseline_.emplace(std::move(times));
  costs_ = space_costs(valid_costs, invalid_costs);
}

Trajectory run_strategy(const MeasuredSpace& space, const std::string& strategy, uint64_t seed,
                        const BenchOptions& options) {
  const int64_t budget = std::min(options.evaluations, space.index().size());
  const auto search = make_strategy(
      strategy,
      {.space = &space.index(), .seed = seed, .budget = budget, .estimate = {}, .elsewhere = {}});
  Trajectory run;
  double best = std::numeric_limits<double>::infinity();
  double cost = 0;
  while (std::ssize(run.best_us) < budget) {
    const int64_t left = budget - std::ssize(run.best_us);
    const std::vector<Proposal> batch =
        search->ask(static_cast<size_t>(std::min(options.batch, left)));
    if (batch.empty()) break;
    for (const Proposal& proposal : batch) {
      const Observation& found = space.at(proposal.rank);
      search->tell(found, proposal.proposer);
      if (found.status == AttemptStatus::kOk) best = std::min(best, found.time_us);
      cost += space.cost_us(proposal.rank);
      run.best_us.push_back(best);
      if (space.costs()) run.cost_us.push_back(cost);
    }
  }
  TW_CHECK(!run.best_us.empty(), "a strategy proposes a config of a space that has one");
  return run;
}

StrategyScore score_of(const MeasuredSpace& space, std::span<const Trajectory> runs,
                       const BenchOptions& options) {
  StrategyScore score;
  for (const int64_t at : kCheckpoints) {
    if (at > options.evaluations) continue;
    score.median_at[at] = median_ratio(space.baseline(), runs, at);
    score.within5_at[at] = share_within(space.baseline(), runs, at, kNear);
  }
  score.score = evaluation_score(space.baseline(), runs, options.evaluations);
  if (space.costs()) {
    score.time_score = time_score(space.baseline(), runs, *space.costs(), options.evaluations);
  }
  return score;
}

StrategySummary summary_of(std::span<const StrategyScore> spaces) {
  StrategySummary summary;
  TW_CHECK(!spaces.empty(), "a summary is over spaces");
  for (const auto& [at, ignored] : spaces.front().median_at) {
    double logs = 0;
    double worst = 1;
    for (const StrategyScore& space : spaces) {
      logs += std::log(space.median_at.at(at));
      worst = std::min(worst, space.median_at.at(at));
    }
    summary.geomean_at[at] = std::exp(logs / static_cast<double>(spaces.size()));
    if (at == kWorstAt) summary.worst_at_100 = worst;
  }
  summary.score = mean_of(spaces, &StrategyScore::score);
  summary.time_score = mean_of(spaces, &StrategyScore::time_score);
  return summary;
}

}  // namespace tilewright
