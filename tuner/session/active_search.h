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
};

/// By place in the session, so in a fixed order.
using ActiveSearches = std::map<size_t, ActiveSearch>;

/// Trials that counted.
struct ReplayCounts {
  int64_t measured = 0;
  int64_t screened = 0;
};

/// Tells a search what an interrupted run tried for its problem, in order.
ReplayCounts replay(ActiveSearch& active, std::span<const ReplayedTrial> trials);

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
