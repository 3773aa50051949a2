#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/tui/tune/trial_table.h"
#include "core/space/space.h"
#include "tuner/evaluate/methodology.h"

namespace tilewright {

/// What may be tried for a problem.
struct TuneSpaces {
  Space legal;             ///< what its kernel allows
  Space searched;          ///< what a session looks at
  int64_t size = 0;        ///< configs of `searched`
  bool is_narrow = false;  ///< `searched` is known, and less than `legal`
};

/// What is known of one problem of a session. Never changed once it is shown.
struct TuneProblemView {
  std::string problem;  ///< canonical text
  std::string ops;      ///< of the model, joined by ','
  std::vector<Parameter> parameters;
  std::shared_ptr<const TuneSpaces> spaces;  ///< shared with who looks into them; null: not known
  TrialTable trials;
  int64_t tried = 0;
  int64_t planned = 0;  ///< at most; 0: not known
  int64_t cached = 0;
  int64_t screened = 0;
  int64_t failed = 0;
  double best_us = 0;   ///< 0: nothing worked yet
  int64_t best_at = 0;  ///< number of the try
  Config best;
  double baseline_us = 0;
  double bound_us = 0;  ///< that the machine cannot fall below; 0: none is known
  double regret = -1;   ///< of a config shared with other rows; below 0: it is its own
  bool has_ended = false;
  /// What random draws would be expected to find, once every config of the space has a result.
  std::shared_ptr<const RandomBaseline> random;  // shared by the views that follow

  /// Baseline time / best time; 0 while one is not known.
  double gain() const { return best_us > 0 ? baseline_us / best_us : 0; }
  Config config(size_t row) const;
  std::string config_text(const Config& config) const;
};

/// One line of what happened.
struct TuneLogLine {
  double seconds = 0;  ///< since the begin; below 0: not known
  int64_t tried = 0;   ///< configs of all problems by then
  std::string text;
  bool is_warning = false;
};

enum class TunePhase : uint8_t { kBeginning, kRunning, kPaused, kDone, kInterrupted, kFailed };
/// "running", ...
std::string_view name_of(TunePhase phase);

/// One config for a range of rows, of a session over a family.
struct TuneRangeView {
  int64_t m_min = 0;
  int64_t m_max = 0;
  std::string config;
  double worst_regret = 0;
};

/// A tuning at one moment: at work here, at work elsewhere, or over.
struct TuneView {
  int64_t run = 0;  ///< 0: it has none yet
  std::string label;
  std::string command;  ///< that makes it again
  std::string machine;  ///< name
  std::string evaluator;
  std::string strategy;  ///< empty: not known
  int64_t budget = 0;    ///< configs of each problem; 0: no limit, or not known
  TunePhase phase = TunePhase::kBeginning;
  std::string stage;          ///< what is under way before there is anything to try
  double stage_share = 0;     ///< of it that is done, 0 to 1
  bool is_elsewhere = false;  ///< another process is at it: it is read from the database
  bool is_left = false;       ///< it was followed there, and is no more
  int64_t process = 0;        ///< that one
  std::string date;           ///< of the begin, ISO 8601; empty of one that runs here
  double seconds = 0;         ///< that it has taken; 0: not known
  double per_second = 0;      ///< tries, of late; 0: not known
  int64_t tried = 0;
  int64_t planned = 0;   ///< of all problems, at most; 0: not known
  int64_t left_out = 0;  ///< tries beyond kMostTrialsKept, which no pane shows
  std::vector<std::shared_ptr<const TuneProblemView>> problems;  // shared by views that follow
  std::vector<TuneRangeView> ranges;
  std::vector<TuneLogLine> log;  ///< oldest first, at most kMostLogLines

  bool is_live() const { return phase <= TunePhase::kPaused; }
  /// Seconds until it is over, at most; below 0: not known.
  double seconds_left() const;
};

constexpr int64_t kMostTrialsKept = 100'000;
constexpr size_t kMostLogLines = 200;

}  // namespace tilewright
