#include "tuner/session/session_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tilewright {

namespace {

bool is_of(const MeasurementKey& key, const Series& series) {
  return key.kernel == series.kernel && key.kernel_revision == series.kernel_revision &&
         key.machine_fingerprint == series.machine_fingerprint;
}

/// Proposers whose trials come before the strategy is asked.
bool is_hint(std::string_view proposer) {
  return proposer == "earlier" || proposer == "neighbour";
}

/// Not of the search of a problem but of the table of a family.
bool is_of_family(std::string_view proposer) {
  return proposer == "family" || proposer == "probe";
}

/// Of a trial on one machine.
std::string text_of(const MeasurementKey& key, std::string_view proposer) {
  return fmt::format("{}\n{}\n{}\n{}\n{}", key.kernel_revision, key.problem, key.config,
                     key.evaluator, proposer);
}

}  // namespace

bool is_before_strategy(std::string_view proposer) {
  return is_hint(proposer) || proposer == "baseline" || proposer == "seed";
}

SessionHistory::SessionHistory(Store& store, int64_t resumed_run, int64_t earlier_run) {
  if (resumed_run > 0) load(store, resumed_run, resumed_);
  for (const auto& [problem, trials] : resumed_) {
    for (const StoredTrial& trial : trials) {
      resumed_keys_.insert(text_of(trial.key, trial.proposer));
    }
  }
  if (earlier_run > 0) {
    load(store, earlier_run, earlier_);
    winners_ = store.load_winners(earlier_run);
    machine_ = store.load_run(earlier_run).machine_fingerprint;
  }
}

void SessionHistory::load(Store& store, int64_t run,
                          std::map<std::string, std::vector<StoredTrial>>& into) {
  for (StoredTrial& trial : store.trials(run)) {
    into[trial.key.problem].push_back(std::move(trial));
  }
}

std::vector<ReplayedTrial> SessionHistory::trials(const Series& series, const Space& space,
                                                  const std::vector<std::string>& evaluators) {
  std::vector<ReplayedTrial> replayed;
  const auto found = resumed_.find(series.problem);
  if (found == resumed_.end()) return replayed;
  std::set<std::pair<std::string_view, bool>> seen;
  for (const StoredTrial& trial : found->second) {
    const auto evaluator = std::ranges::find(evaluators, trial.key.evaluator);
    if (!is_of(trial.key, series) || evaluator == evaluators.end()) continue;
    if (is_of_family(trial.proposer)) continue;
    const auto config = space.try_parse(trial.key.config);
    if (!config) continue;
    if (!seen.emplace(trial.key.config, trial.proposer == "screening").second) continue;
    replayed.push_back({*config, kept(trial.proposer), &trial.measurement,
                        static_cast<size_t>(evaluator - evaluators.begin())});
  }
  return replayed;
}

bool SessionHistory::has(const MeasurementKey& key, std::string_view proposer) const {
  return !resumed_keys_.empty() && resumed_keys_.contains(text_of(key, proposer));
}

std::optional<std::vector<Candidate>> SessionHistory::hints(const Series& series,
                                                            const Space& space) {
  for (const auto* run : {&resumed_, &earlier_}) {
    const auto found = run->find(series.problem);
    if (found == run->end()) continue;
    const std::vector<StoredTrial>& trials = found->second;
    const auto past = [](const StoredTrial& trial) {
      return !is_hint(trial.proposer) && trial.proposer != "baseline" &&
             trial.proposer != "screening";
    };
    // What a run on another machine or by another evaluator began with is not what this one did.
    const auto is_timed_alike = [&](const StoredTrial& trial) {
      return is_of(trial.key, series) && trial.key.evaluator == series.evaluator;
    };
    if (std::ranges::none_of(trials, past) || std::ranges::none_of(trials, is_timed_alike)) {
      continue;
    }
    std::vector<Candidate> hints;
    for (const StoredTrial& trial : trials) {
      if (!is_of(trial.key, series) || !is_hint(trial.proposer)) continue;
      const auto config = space.try_parse(trial.key.config);
      if (config) hints.push_back({*config, kept(trial.proposer)});
    }
    return hints;
  }
  return std::nullopt;
}

std::optional<Config> SessionHistory::incumbent(const Series& series, const Space& space) const {
  for (const Winner& winner : winners_) {
    // The config of a family's range need not have been tried by the search of this problem.
    if (winner.worst_regret) continue;
    if (winner.problem == series.problem && winner.kernel == series.kernel &&
        winner.kernel_revision == series.kernel_revision && winner.evaluator == series.evaluator &&
        machine_ == series.machine_fingerprint) {
      return space.try_parse(winner.config);
    }
  }
  return std::nullopt;
}

}  // namespace tilewright
