#include "tuner/session/problem_search.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/random.h"

namespace tilewright {

namespace {

/// A problem's random stream does not depend on which other problems the session has.
uint64_t seed_of(const Problem& problem, uint64_t session_seed) {
  return mix_bits(session_seed, Hasher().add(problem.text()).value());
}

}  // namespace

ProblemSearch::ProblemSearch(const TuneProblem& problem, const TuneOptions& options,
                             const TuneHooks& hooks)
    : problem_(problem),
      hooks_(hooks),
      max_evaluations_(options.max_evaluations > 0 ? options.max_evaluations
                                                   : std::numeric_limits<int64_t>::max()),
      index_(problem.space) {
  first_.push_back(problem.baseline);
  for (const Config& seed : problem.seeds) {
    if (std::ranges::find(first_, seed) == first_.end()) first_.push_back(seed);
  }
  const auto outside =
      std::ranges::count_if(first_, [&](const Config& config) { return !index_.rank_of(config); });
  planned_ = std::min(max_evaluations_, outside + index_.size());
  if (index_.size() > 0) {
    strategy_ = make_strategy(
        options.strategy,
        {.space = &index_, .seed = seed_of(problem.problem, options.seed), .budget = planned_});
  }
  result_.problem = &problem;
}

std::vector<Candidate> ProblemSearch::next(size_t at_most) {
  std::vector<Candidate> batch;
  const size_t room =
      static_cast<size_t>(std::min(static_cast<int64_t>(at_most), max_evaluations_ - handed_out_));
  while (batch.size() < room && first_handed_out_ < first_.size()) {
    batch.push_back({first_[first_handed_out_], first_handed_out_ == 0 ? "baseline" : "seed"});
    ++first_handed_out_;
  }
  // The strategy hears of baseline and seeds before it is asked, so it never proposes them.
  if (batch.empty() && room > 0 && strategy_) {
    for (const Proposal& proposal : strategy_->ask(room)) {
      batch.push_back({index_.config(proposal.rank), proposal.proposer});
    }
  }
  handed_out_ += std::ssize(batch);
  if (batch.empty()) {
    result_.complete = true;
    planned_ = handed_out_;
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

void ProblemSearch::tell(const Candidate& candidate, const Measurement& measurement,
                         bool from_cache) {
  const Config& config = candidate.config;
  (from_cache ? result_.cache_hits : result_.evaluations) += 1;
  if (const auto rank = index_.rank_of(config)) {
    strategy_->tell({*rank, measurement.status, measurement.time_us}, candidate.proposer);
  }
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
