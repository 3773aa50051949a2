#include "tuner/session/active_search.h"

#include "core/base/error.h"

namespace tilewright {

ReplayCounts replay(ActiveSearch& active, std::span<const ReplayedTrial> trials) {
  ReplayCounts counts;
  for (const ReplayedTrial& trial : trials) {
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
