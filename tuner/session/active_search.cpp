#include "tuner/session/active_search.h"

#include <algorithm>

#include "core/base/error.h"

namespace tilewright {

namespace {

/// Rounds do not hold trials of two phases.
enum class Phase { kFirst, kStrategy, kIncumbent };

Phase phase_of(std::string_view proposer) {
  if (proposer == "incumbent") return Phase::kIncumbent;
  return is_before_strategy(proposer) ? Phase::kFirst : Phase::kStrategy;
}

/// Where the rounds of at most `batch` configs begin.
std::vector<size_t> rounds_of(std::span<const ReplayedTrial> trials, size_t batch) {
  std::vector<size_t> begins;
  Phase phase = Phase::kFirst;
  size_t in_round = 0;
  for (size_t i = 0; i < trials.size(); ++i) {
    if (trials[i].proposer == kScreening) continue;
    const Phase own = phase_of(trials[i].proposer);
    if (begins.empty() || own != phase || in_round == batch) {
      begins.push_back(i);
      in_round = 0;
    }
    phase = own;
    ++in_round;
  }
  return begins;
}

ReplayCounts tell_past(ActiveSearch& active, size_t last) {
  ReplayCounts counts;
  while (active.told < last) {
    const ReplayedTrial& trial = active.past[active.told++];
    Measurement measurement = *trial.measurement;
    const std::string text = trial.config.text();
    if (trial.proposer == kScreening) {
      if (measurement.time_us > 0) active.ladder.screened(text, measurement.time_us);
      continue;
    }
    const bool screened = trial.evaluator != 0;
    if (screened) measurement.time_us = active.ladder.predicted(measurement.time_us);
    const int64_t before = active.search->tried();
    active.search->replay({trial.config, trial.proposer}, measurement,
                          screened ? ResultKind::kScreened : ResultKind::kCached);
    if (!screened && measurement.time_us > 0) active.ladder.measured(text, measurement.time_us);
    (screened ? counts.screened : counts.measured) += active.search->tried() - before;
  }
  return counts;
}

bool asks_for_past(const ActiveSearch& active, std::span<const Candidate> candidates) {
  size_t at = 0;
  for (size_t i = active.told; i < active.past.size(); ++i) {
    if (active.past[i].proposer == kScreening) continue;
    if (at == candidates.size() || candidates[at++].config != active.past[i].config) return false;
  }
  return true;
}

}  // namespace

ReplayCounts replay(ActiveSearches& searches, size_t batch) {
  std::map<size_t, std::vector<size_t>> rounds;
  size_t most = 0;
  for (const auto& [place, active] : searches) {
    rounds[place] = rounds_of(active.past, batch);
    most = std::max(most, rounds[place].size());
  }
  ReplayCounts counts;
  for (auto& [place, active] : searches) {
    const std::vector<size_t>& begins = rounds[place];
    const bool is_last = most > 0 && begins.size() == most;
    const ReplayCounts told = tell_past(active, is_last ? begins.back() : active.past.size());
    counts.measured += told.measured;
    counts.screened += told.screened;
  }
  return counts;
}

std::vector<Candidate> next(ActiveSearch& active, size_t batch, ReplayCounts& counts) {
  std::vector<Candidate> candidates = active.search->next(batch);
  if (asks_for_past(active, candidates)) return candidates;
  counts = settle(active);
  return active.search->next(batch);
}

ReplayCounts settle(ActiveSearch& active) {
  if (active.told == active.past.size()) return {};
  active.search->take_back();
  return tell_past(active, active.past.size());
}

bool settle(ActiveSearch& active, const Config& config) {
  const auto is_other = [&](size_t i) { return active.past[i].proposer == kScreening; };
  while (active.told < active.past.size() && is_other(active.told)) ++active.told;
  if (active.told == active.past.size() || active.past[active.told].config != config) return false;
  ++active.told;
  return true;
}

void screen(ActiveSearches& searches, std::vector<AskedTrial>& asked,
            std::span<const std::optional<Measurement>> found, const std::string& evaluator) {
  const auto timed = [&](size_t i) { return found[i] && found[i]->status == AttemptStatus::kOk; };
  std::map<size_t, double> best;
  for (const auto& [place, active] : searches) best[place] = active.search->best_us();
  for (size_t i = 0; i < asked.size(); ++i) {
    if (!timed(i)) continue;
    FidelityLadder& ladder = searches.at(asked[i].problem).ladder;
    ladder.screened(asked[i].config.text(), found[i]->time_us);
    double& least = best[asked[i].problem];
    const double time_us = ladder.predicted(found[i]->time_us);
    if (least == 0 || time_us < least) least = time_us;
  }
  for (size_t i = 0; i < asked.size(); ++i) {
    if (!timed(i) || asked[i].proposer == "baseline") continue;
    const FidelityLadder& ladder = searches.at(asked[i].problem).ladder;
    const double limit = best[asked[i].problem] * (1 + ladder.slack());
    if (ladder.predicted(found[i]->time_us) > limit) asked[i].screened = {*found[i], evaluator};
  }
}

TuneEvent event_of(const ActiveSearch& active, size_t place, const Problem& problem,
                   TuneEventKind kind) {
  const ProblemSearch& search = *active.search;
  TuneEvent event;
  event.kind = kind;
  event.place = place;
  event.problem = &problem;
  event.best_us = search.best_us();
  event.baseline_us = search.baseline_us();
  event.tried = search.tried();
  event.planned = search.planned();
  return event;
}

std::string change(ActiveSearches& searches, const TuneOptions& options,
                   const SpaceLimits& limits) {
  try {
    check_strategy(options.strategy);
    for (const auto& [place, active] : searches) {
      if (SpaceIndex(limited(active.search->space().space(), limits)).size() > 0) continue;
      return "nothing of the space would be left; the limit is ignored";
    }
  } catch (const Error& error) {
    return error.message();
  }
  for (auto& [place, active] : searches) {
    if (!active.has_ended) active.search->change(options, limits);
  }
  return "";
}

}  // namespace tilewright
