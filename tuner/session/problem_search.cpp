#include "tuner/session/problem_search.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/random.h"

namespace tilewright {

namespace {

/// Asks in a row that bring nothing new before a strategy counts as ended.
constexpr int kMaxFruitlessAsks = 100;

/// A problem's random stream does not depend on which other problems the session has.
uint64_t seed_of(const Problem& problem, uint64_t session_seed) {
  return mix_bits(session_seed, Hasher().add(problem.text()).value());
}

/// Whether the strategy will come to propose `config`, too.
bool is_in(const Space& space, const Config& config) {
  const auto same_name = [](const auto& value, const Parameter& parameter) {
    return value.first == parameter.name;
  };
  return std::ranges::equal(config.values, space.parameters(), same_name) &&
         space.violation(config).empty();
}

}  // namespace

ProblemSearch::ProblemSearch(const TuneProblem& problem, const TuneOptions& options,
                             const TuneHooks& hooks)
    : problem_(problem),
      hooks_(hooks),
      max_evaluations_(options.max_evaluations > 0 ? options.max_evaluations
                                                   : std::numeric_limits<int64_t>::max()),
      strategy_(
          make_strategy(options.strategy, problem.space, seed_of(problem.problem, options.seed))) {
  first_.push_back(problem.baseline);
  for (const Config& seed : problem.seeds) {
    if (std::ranges::find(first_, seed) == first_.end()) first_.push_back(seed);
  }
  const auto outside = std::ranges::count_if(
      first_, [&](const Config& config) { return !is_in(problem.space, config); });
  planned_ = std::min(max_evaluations_, outside + strategy_->size());
  result_.problem = &problem;
}

int64_t ProblemSearch::budget_left() const {
  return max_evaluations_ - std::ssize(tried_);
}

std::vector<Config> ProblemSearch::next(size_t at_most, const Remembered& remembered) {
  std::vector<Config> batch;
  const auto room = [&] {
    return std::min(static_cast<int64_t>(at_most) - std::ssize(batch), budget_left());
  };
  while (room() > 0 && first_handed_out_ < first_.size()) {
    batch.push_back(first_[first_handed_out_++]);
    tried_.insert(batch.back().text());
  }
  int fruitless = 0;
  bool ended = false;
  while (room() > 0 && fruitless < kMaxFruitlessAsks && !ended) {
    const std::vector<Config> asked = strategy_->ask(static_cast<size_t>(room()));
    ended = asked.empty();
    const size_t before = batch.size();
    for (const Config& config : asked) {
      if (tried_.insert(config.text()).second) {
        batch.push_back(config);
      } else if (const auto known = remembered(config)) {
        strategy_->tell(config, *known);
      }
    }
    fruitless = batch.size() == before ? fruitless + 1 : 0;
  }
  if (batch.empty()) {
    result_.complete = true;
    planned_ = std::ssize(tried_);
  }
  return batch;
}

ProblemSearch::Rank ProblemSearch::rank_of(const Config& config, double time_us) const {
  const auto place = std::ranges::find(first_, config) - first_.begin();
  return {time_us, static_cast<size_t>(place),
          hooks_.footprint ? hooks_.footprint(problem_.problem, config) : 0, config};
}

bool ProblemSearch::Rank::better_than(const Rank& other) const {
  return std::tie(time_us, incumbency, footprint, config.values) <
         std::tie(other.time_us, other.incumbency, other.footprint, other.config.values);
}

void ProblemSearch::tell(const Config& config, const Measurement& measurement, bool from_cache) {
  (from_cache ? result_.cache_hits : result_.evaluations) += 1;
  strategy_->tell(config, measurement);
  if (measurement.status != AttemptStatus::kOk) {
    if (result_.failures++ == 0) result_.failure = measurement.reason;
    return;
  }
  if (config == problem_.baseline) result_.baseline_us = measurement.time_us;
  Rank rank = rank_of(config, measurement.time_us);
  const bool wins = !best_ || rank.better_than(*best_);
  const double beaten = wins ? (best_ ? best_->time_us : 0) : measurement.time_us;
  if (beaten > 0 && (result_.runner_up_us == 0 || beaten < result_.runner_up_us)) {
    result_.runner_up_us = beaten;
  }
  if (!wins) return;
  best_ = std::move(rank);
  result_.found = true;
  result_.config = config;
  result_.time_us = measurement.time_us;
}

}  // namespace tilewright
