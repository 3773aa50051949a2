#include "tuner/session/problem_search.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/random.h"

namespace tilewright {

namespace {

/// Trials behind the baseline and what follows it before expected_gain() judges by them, so many in
/// all and for each parameter that can change.
constexpr size_t kLeastTrials = 16;
constexpr size_t kLeastTrialsOfParameter = 5;
/// What a doubling of the trials gained counts so much against what all before it did.
constexpr double kWeightOfDoubling = 0.75;

/// A problem's random stream does not depend on which other problems the session has.
uint64_t seed_of(const Problem& problem, uint64_t session_seed) {
  return mix_bits(session_seed, Hasher().add(problem.text()).value());
}

int64_t most_evaluations(const TuneOptions& options) {
  return options.max_evaluations > 0 ? options.max_evaluations
                                     : std::numeric_limits<int64_t>::max();
}

}  // namespace

ProblemSearch::ProblemSearch(const TuneProblem& problem, std::unique_ptr<SpaceIndex> space,
                             const TuneOptions& options, Foreknowledge foreknowledge)
    : problem_(problem),
      options_(options),
      foreknowledge_(std::move(foreknowledge)),
      index_(std::move(space)),
      limited_(problem.limited),
      winner_(problem.footprint) {
  plan_first();
  begin_strategy();
}

void ProblemSearch::plan_first() {
  const auto add = [&](const Config& config, std::string_view proposer) {
    if (std::ranges::find(first_, config, &Candidate::config) == first_.end()) {
      first_.push_back({config, proposer});
    }
  };
  add(problem_.baseline, "baseline");
  for (const Candidate& hint : foreknowledge_.hints) add(hint.config, hint.proposer);
  // What the estimate likes best, in a third of the budget: the strategy needs the rest to learn.
  constexpr int64_t kShare = 3;
  constexpr int64_t kLeast = 8;
  const int64_t most = std::max(kLeast, most_evaluations(options_) / kShare);
  for (const Config& seed : problem_.seeds) {
    if (std::ranges::count(first_, "seed", &Candidate::proposer) == most) break;
    add(seed, "seed");
  }
}

void ProblemSearch::begin_strategy() {
  const auto outside = std::ranges::count_if(
      first_, [&](const Candidate& first) { return !index_->rank_of(first.config); });
  planned_ = std::max(handed_out_, std::min(most_evaluations(options_), outside + index_->size()));
  strategy_.reset();
  if (index_->size() == 0) return;
  SearchContext context;
  context.space = index_.get();
  context.seed = seed_of(problem_.problem, options_.seed);
  if (options_.max_evaluations > 0) context.budget = planned_;
  if (problem_.estimate) {
    context.estimate = [this](int64_t rank) { return problem_.estimate(index_->config(rank)); };
  }
  for (const auto& [config, status] : foreknowledge_.elsewhere) {
    if (const auto rank = index_->rank_of(config)) context.elsewhere.push_back({*rank, status, 0});
  }
  strategy_ = make_strategy(options_.strategy, std::move(context));
}

bool ProblemSearch::has_tried(const Config& config) const {
  if (const auto rank = index_->rank_of(config)) return ranks_.contains(*rank);
  return outside_texts_.contains(config.text());
}

void ProblemSearch::mark(const Config& config) {
  if (const auto rank = index_->rank_of(config)) {
    ranks_.insert(*rank);
  } else {
    outside_texts_.insert(config.text());
  }
  ++handed_out_;
}

/// Trials that are left for everything but the incumbent, which has the last one.
int64_t ProblemSearch::room() const {
  const int64_t left = most_evaluations(options_) - handed_out_;
  if (!last_incumbent()) return left;
  return handed_out_ == 0 ? std::max<int64_t>(left - 1, 1)
                          : left - 1;  // the baseline goes before it
}

bool ProblemSearch::ended() const {
  if (room() <= 0) return true;
  return options_.min_gain > 0 && expected_gain() < options_.min_gain;
}

std::optional<Candidate> ProblemSearch::next_first() {
  while (first_handed_out_ < first_.size()) {
    const Candidate& candidate = first_[first_handed_out_++];
    if (!has_tried(candidate.config)) return candidate;
  }
  return std::nullopt;
}

std::optional<Candidate> ProblemSearch::last_incumbent() const {
  const std::optional<Config>& incumbent = foreknowledge_.incumbent;
  if (!incumbent || has_tried(*incumbent) || !may_win(*incumbent)) return std::nullopt;
  return Candidate{*incumbent, "incumbent"};
}

std::vector<Candidate> ProblemSearch::next(size_t at_most) {
  std::vector<Candidate> batch;
  const auto hand_out = [&](Candidate candidate) {
    mark(candidate.config);
    batch.push_back(std::move(candidate));
  };
  if (!ended()) {
    const auto most = static_cast<size_t>(std::min(static_cast<int64_t>(at_most), room()));
    while (batch.size() < most) {
      std::optional<Candidate> first = next_first();
      if (!first) break;
      hand_out(std::move(*first));
    }
    // The strategy hears of these before it is asked, so it never proposes them.
    if (batch.empty() && strategy_) {
      for (const Proposal& proposal : strategy_->ask(most)) {
        hand_out({index_->config(proposal.rank), proposal.proposer});
      }
    }
  }
  if (batch.empty()) {
    const bool has_room = handed_out_ < most_evaluations(options_);
    if (std::optional<Candidate> incumbent = last_incumbent(); incumbent && has_room) {
      hand_out(std::move(*incumbent));
    }
    planned_ = handed_out_;
    complete_ = batch.empty();
  }
  return batch;
}

bool ProblemSearch::may_win(const Config& config) const {
  return !limited_ || index_->rank_of(config).has_value();
}

/// Of the configs that keep their place as the winner in case of doubt; 0: not one of them.
int ProblemSearch::incumbency_of(const Config& config) const {
  if (foreknowledge_.incumbent && config == *foreknowledge_.incumbent) return 1;
  return config == problem_.baseline ? 2 : 0;
}

void ProblemSearch::tell(const Candidate& candidate, const Measurement& measurement,
                         ResultKind kind) {
  (kind == ResultKind::kMeasured ? evaluations_
   : kind == ResultKind::kCached ? cache_hits_
                                 : screened_) += 1;
  Tried tried;
  tried.config = candidate.config;
  tried.proposer = candidate.proposer;
  tried.status = measurement.status;
  tried.time_us = measurement.time_us;
  tried.is_exact = kind != ResultKind::kScreened;
  const Contender noise = contender({}, measurement);
  tried.spread_us = noise.spread_us;
  tried.repetitions = noise.repetitions;
  if (measurement.status != AttemptStatus::kOk) {
    if (failures_++ == 0) failure_ = measurement.reason;
  } else if (tried.is_exact && candidate.config == problem_.baseline) {
    baseline_us_ = measurement.time_us;
  }
  learn(tried);
  history_.push_back(std::move(tried));
}

/// Tells strategy and choice of the winner.
void ProblemSearch::learn(const Tried& tried) {
  if (const auto rank = index_->rank_of(tried.config)) {
    strategy_->tell({*rank, tried.status, tried.time_us}, tried.proposer);
  }
  if (tried.status == AttemptStatus::kOk && tried.is_exact && may_win(tried.config)) {
    winner_.add({tried.config, tried.time_us, tried.spread_us, tried.repetitions},
                incumbency_of(tried.config));
  }
  best_after_.push_back(winner_.best_us());
}

void ProblemSearch::replay(const Candidate& candidate, const Measurement& measurement,
                           ResultKind kind) {
  const Config& config = candidate.config;
  const bool is_known = std::ranges::find(first_, config, &Candidate::config) != first_.end();
  if (has_tried(config) || (!is_known && !index_->rank_of(config))) return;
  mark(config);
  tell(candidate, measurement, kind);
  planned_ = std::max(planned_, handed_out_);
}

bool ProblemSearch::change(const TuneOptions& options, const SpaceLimits& limits) {
  if (!limits.empty()) {
    auto narrowed = std::make_unique<SpaceIndex>(limited(index_->space(), limits));
    if (narrowed->size() == 0) return false;
    index_ = std::move(narrowed);
    limited_ = true;
  }
  options_ = options;
  take_back();
  return true;
}

void ProblemSearch::take_back() {
  first_handed_out_ = 0;
  ranks_.clear();
  outside_texts_.clear();
  handed_out_ = 0;
  for (const Tried& tried : history_) mark(tried.config);
  winner_ = WinnerChoice(problem_.footprint);
  best_after_.clear();
  complete_ = false;
  begin_strategy();
  for (const Tried& tried : history_) learn(tried);
}

double ProblemSearch::expected_gain() const {
  const size_t count = best_after_.size();
  if (count < first_.size() + least_trials()) return 1;
  double gain = 1;
  // From the first doubling of the trials to the last one.
  for (auto halvings = static_cast<size_t>(std::bit_width(count)) - 1; halvings > 0; --halvings) {
    const double before = best_after_[(count >> halvings) - 1];
    const double after = best_after_[(count >> (halvings - 1)) - 1];
    const double of_doubling = before > 0 ? 1 - after / before : 1;
    gain += kWeightOfDoubling * (of_doubling - gain);
  }
  return gain * std::log2(1.5);
}

size_t ProblemSearch::least_trials() const {
  const auto parameters =
      std::ranges::count_if(index_->space().parameters(),
                            [](const Parameter& parameter) { return parameter.values.size() > 1; });
  return std::max(kLeastTrials, kLeastTrialsOfParameter * static_cast<size_t>(parameters));
}

TunedProblem ProblemSearch::result() const {
  TunedProblem result;
  result.problem = &problem_;
  result.baseline_us = baseline_us_;
  result.evaluations = evaluations_;
  result.cache_hits = cache_hits_;
  result.screened = screened_;
  result.failures = failures_;
  result.failure = failure_;
  result.complete = complete_;
  const auto verdict = winner_.verdict();
  if (!verdict) return result;
  result.found = true;
  result.config = verdict->winner.config;
  result.time_us = verdict->winner.time_us;
  result.spread_us = verdict->winner.spread_us;
  result.confidence = verdict->confidence;
  if (verdict->runner_up) result.runner_up_us = verdict->runner_up->time_us;
  return result;
}

std::vector<Config> ProblemSearch::near_winners(double within) const {
  const auto verdict = winner_.verdict();
  if (!verdict) return {};
  std::vector<const Tried*> near;
  for (const Tried& tried : history_) {
    const bool counts = tried.status == AttemptStatus::kOk && tried.is_exact &&
                        may_win(tried.config) && tried.config != verdict->winner.config;
    if (counts && tried.time_us <= verdict->winner.time_us * (1 + within)) near.push_back(&tried);
  }
  std::ranges::stable_sort(near, {}, &Tried::time_us);
  std::vector<Config> configs = {verdict->winner.config};
  for (size_t i = 0; i < near.size() && configs.size() < kNear; ++i) {
    configs.push_back(near[i]->config);
  }
  return configs;
}

SearchAnalysis ProblemSearch::analysis() const {
  std::vector<AnalysedTrial> trials;
  for (const Tried& tried : history_) {
    if (tried.status != AttemptStatus::kOk || !tried.is_exact) continue;
    trials.push_back({tried.config, tried.time_us,
                      problem_.estimate ? problem_.estimate(tried.config) : 0,
                      std::string(tried.proposer)});
  }
  return analyse(std::move(trials));
}

}  // namespace tilewright
