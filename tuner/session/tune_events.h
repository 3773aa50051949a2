#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/space/measurement.h"
#include "core/space/problem.h"
#include "core/space/space.h"
#include "tuner/session/space_limits.h"

namespace tilewright {

/// How far a session is.
struct TuneProgress {
  int64_t done = 0;
  int64_t total = 0;  ///< an upper bound until every space has been walked
  int64_t evaluations = 0;
  int64_t cache_hits = 0;
  std::string problem;  ///< of the last result
  double best_us = 0;   ///< best of that problem so far; 0 when nothing worked
  double baseline_us = 0;
};

enum class TuneEventKind {
  kProblemBegin,  ///< the search of a problem begins
  kTrial,         ///< a config has its result
  kNewBest,       ///< right after its kTrial
  kRoundEnd,      ///< all that was asked at once has its results; they are committed
  kProblemEnd,    ///< the search of a problem has ended
  kPhase,         ///< `text` says what the session does now
  kControl,       ///< `text` says what became of a command
};

/// What a session reports while it runs. Pointers and views live during the call.
struct TuneEvent {
  TuneEventKind kind = TuneEventKind::kTrial;
  size_t place = 0;                  ///< of the problem in the session
  const Problem* problem = nullptr;  ///< null for kRoundEnd, kPhase and kControl
  const Config* config = nullptr;    ///< of kTrial and kNewBest
  std::string_view proposer = {};    ///< of kTrial and kNewBest
  /// Of kTrial and kNewBest; where `screened`, what the cheaper evaluator made of it.
  const Measurement* measurement = nullptr;
  bool from_cache = false;
  bool screened = false;  ///< too slow by a cheaper evaluator to be measured exactly
  double best_us = 0;     ///< of the problem so far; 0 when nothing worked
  double baseline_us = 0;
  int64_t tried = 0;    ///< configs of the problem so far
  int64_t planned = 0;  ///< configs of the problem in all, at most
  std::string_view text = {};
};

/// What somebody who watches a session may want of it.
struct TuneCommand {
  enum class Kind {
    kPause,     ///< nothing new starts until kResume
    kResume,    ///< go on
    kStop,      ///< end, with everything kept
    kBudget,    ///< `evaluations` of each problem from now on; 0: no limit
    kStrategy,  ///< `text` names the strategy that goes on, told everything so far
    kLimit,     ///< `limits` narrow the spaces of problems that are not finished
  };
  Kind kind = Kind::kStop;
  int64_t evaluations = 0;
  std::string text = {};
  SpaceLimits limits = {};
};

}  // namespace tilewright
