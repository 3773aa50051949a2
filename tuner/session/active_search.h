#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tuner/session/fidelity_ladder.h"
#include "tuner/session/problem_search.h"
#include "tuner/session/session_history.h"
#include "tuner/session/trial_runner.h"
#include "tuner/session/tune_events.h"

namespace tilewright {

/// Who proposes what a cheaper evaluator is to look at.
constexpr std::string_view kScreening = "screening";

/// A problem that a session is searching.
struct ActiveSearch {
  std::unique_ptr<ProblemSearch> search;
  FidelityLadder ladder;
  bool has_ended = false;
  /// What an interrupted run tried of it, in order. The first `told` were told as they are; the
  /// others are those of its last round: their configs are to be asked again, so that what follows
  /// is asked as it would have been without the break.
  std::vector<ReplayedTrial> past = {};
  size_t told = 0;
};

/// By place in the session, so in a fixed order.
using ActiveSearches = std::map<size_t, ActiveSearch>;

/// Trials that counted.
struct ReplayCounts {
  int64_t measured = 0;
  int64_t screened = 0;
};

/// Tells searches what an interrupted run tried for their problems (`past`), in order, but for
/// the last round of at most `batch` configs each: a search of which more rounds are known than of
/// the others is in the last round, which may have been cut off anywhere.
ReplayCounts replay(ActiveSearches& searches, size_t batch);

/// The next configs of a search. What is left of its past is told (`counts`), as far as the search
/// does not ask for just that.
std::vector<Candidate> next(ActiveSearch& active, size_t batch, ReplayCounts& counts);

/// Tells what is left of the past, and takes back what was handed out without having been told.
ReplayCounts settle(ActiveSearch& active);

/// Whether the result of a config is part of the past; it then counts as told.
bool settle(ActiveSearch& active, const Config& config);

/// What may not win by the times of a cheaper evaluator, `found` (one for each that is asked, empty
/// where it was not looked at), gets them as its answer: `screened`, from `evaluator`. The baseline
/// does not, nor what it could not time. Whether the exact time is known already does not count:
/// a session must go the same way when it is run again.
void screen(ActiveSearches& searches, std::vector<AskedTrial>& asked,
            std::span<const std::optional<Measurement>> found, const std::string& evaluator);

/// An event about a problem as its search stands.
TuneEvent event_of(const ActiveSearch& active, size_t place, const Problem& problem,
                   TuneEventKind kind);

/// Goes on with other options and in narrower spaces. Returns why that was not done: a space would
/// be left empty, or (Error) a strategy or parameter is unknown; empty when it was.
std::string change(ActiveSearches& searches, const TuneOptions& options, const SpaceLimits& limits);

}  // namespace tilewright
