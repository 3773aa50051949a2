#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/space/measurement.h"
#include "core/space/problem.h"
#include "core/space/space.h"
#include "db/store.h"
#include "tuner/session/evaluation_pool.h"
#include "tuner/session/search_analysis.h"
#include "tuner/session/tune_events.h"

namespace tilewright {

/// What a fused problem is instead of: a problem of the same session, and launches behind it.
struct TuneApart {
  std::string problem;   ///< text of the other problem
  double others_us = 0;  ///< of the launches that fusion saves, less those that it adds
};

/// One problem of a session with what may be tried for it.
struct TuneProblem {
  Problem problem;
  Space space;
  Config baseline;               ///< tried first, always
  std::vector<std::string> ops;  ///< names of the model's ops that have this problem
  std::vector<Config> seeds;     ///< tried after the baseline and what like problems suggest
  /// First-order time of a config in us, to rank by; empty where there is none.
  std::function<double(const Config&)> estimate = {};
  /// On-chip bytes of a config, to prefer the smaller of two equally fast ones; may be empty.
  std::function<int64_t(const Config&)> footprint = {};
  /// A user narrowed the space: what is outside it may be measured, but never wins.
  bool limited = false;
  /// Of a fused problem: it has a winner only where its best config is faster than the best of the
  /// other problem and the launches behind it.
  std::optional<TuneApart> apart = std::nullopt;
  /// Every config that may win, where `space` is what is left of them after estimates.
  std::optional<Space> legal = std::nullopt;

  /// Whether a config that is good for a like problem may win here.
  bool may_win(const Config& config) const {
    return (legal ? *legal : space).violation(config).empty();
  }
};

/// Of `tune`: does well whatever the space is like.
constexpr std::string_view kDefaultStrategy = "portfolio";

struct TuneOptions {
  std::string strategy = "exhaustive";
  /// Configs tried for each problem, baseline, seeds, incumbent and cache hits included: so a
  /// second run of the same tuning tries the same configs. 0: no limit.
  int64_t max_evaluations = 0;
  double max_seconds = 0;  ///< of the whole session, by TuneHooks::seconds; 0: no limit
  /// A search ends when as many trials again as in the last half of it are expected to gain less
  /// than this fraction (ProblemSearch::expected_gain); 0: it does not.
  double min_gain = 0;
  uint64_t seed = 0;
  /// Configs asked of one problem at once. It decides what an adaptive strategy knows when it is
  /// asked, so it is a property of the session and never of the number of threads.
  size_t batch = 8;
  /// Start with configs that were fast for like problems (docs/tuner.md, "Transfer").
  bool transfer = false;
  /// A run of which the session is the continuation: what it tried counts as tried here, in the
  /// same order, as far as it is still in the spaces; 0: none.
  int64_t resumed_run = 0;
  /// The last run of the same session: its winners are the incumbents, where they still hold; 0:
  /// none.
  int64_t earlier_run = 0;
  /// A cheaper evaluator of the same problems, which decides what is worth the pool (docs/tuner.md,
  /// "Fidelity"); null: everything is. It outlives the session.
  EvaluationPool* screening = nullptr;
  /// Whether the cheaper evaluator can time a config, and for less; empty: always.
  std::function<bool(const Problem&, const Config&)> can_screen = {};
  /// Problems that differ in m alone share configs: the winners become the smallest table of ranges
  /// in which none is slower than with the best config known for it by more than this fraction
  /// (docs/tuner.md, "Families"). Empty: every problem keeps its own winner.
  std::optional<double> max_regret = std::nullopt;
  bool analyse = false;  ///< fill TunedProblem::analysis in
};

/// What the session asks and reports on its way. Every one may be empty. All are called on the
/// caller's thread, except stop, which any thread calls, one at a time, and seconds, which must be
/// thread-safe.
struct TuneHooks {
  std::function<bool()> stop;         ///< true (Ctrl-C): finish what is in flight, save, return
  std::function<double()> seconds;    ///< a clock for max_seconds
  std::function<std::string()> date;  ///< for the rows
  std::function<void(const TuneProgress&)> progress;
  std::function<void(const TuneEvent&)> event;
  /// What is wanted of the session, asked for before each round. While it is paused (`paused`) it
  /// asks again and again, so this may wait for the next command.
  std::function<std::vector<TuneCommand>(bool paused)> control;
};

struct TunedProblem {
  const TuneProblem* problem = nullptr;
  bool found = false;  ///< false: nothing worked, or the session stopped before the baseline
  Config config;
  double time_us = 0;
  double baseline_us = 0;   ///< 0 when the baseline failed
  double runner_up_us = 0;  ///< best time of another config; 0 when there is none
  double spread_us = 0;     ///< standard error of time_us; 0 where it is exact
  double confidence = 1;    ///< that the winner is faster than the runner-up (confidence_of)
  /// Of a member of a family: how much slower its config is than the best known for it, as a
  /// fraction; time_us is then that of the family's config.
  std::optional<double> regret = std::nullopt;
  int64_t evaluations = 0;  ///< new ones
  int64_t cache_hits = 0;
  int64_t screened = 0;   ///< too slow by a cheaper evaluator
  int64_t failures = 0;   ///< tried configs without a time
  std::string failure;    ///< reason of the first of them
  bool complete = false;  ///< the search ended by itself or by max_evaluations

  /// The config with the labels of its values.
  std::string config_text() const { return problem->space.text(config); }

  /// Baseline time / best time; 0 when either failed.
  double gain() const { return found && time_us > 0 ? baseline_us / time_us : 0; }
  SearchAnalysis analysis;  ///< empty unless asked for

  /// How much slower the runner-up is, as a fraction of the best time; 0 when there is none, and
  /// where a config that members of a family share is slower than it; below 0 only when an
  /// incumbent won because noise does not tell them apart.
  double margin() const {
    if (runner_up_us <= 0) return 0;
    const double margin = runner_up_us / time_us - 1;
    return margin < 0 && (regret || spread_us <= 0) ? 0 : margin;
  }
};

/// One config for all rows within [m_min, m_max].
struct FamilyRangeResult {
  int64_t m_min = 1;
  int64_t m_max = 1;
  Config config;
  double time_us = 0;       ///< at m_max
  double worst_regret = 0;  ///< of its members
};

/// The smallest table of ranges for problems that differ in m alone.
struct FamilyTable {
  Problem problem;  ///< the first of them
  size_t members = 0;
  std::vector<FamilyRangeResult> ranges;  ///< ascending, without gaps from m = 1 on
  double worst_regret = 0;
  double mean_regret = 0;
};

struct TuneResult {
  std::vector<TunedProblem> problems;  ///< in the given order
  std::vector<FamilyTable> families;   ///< with TuneOptions::max_regret
  int64_t evaluations = 0;
  int64_t cache_hits = 0;
  int64_t screened = 0;
  int64_t replayed = 0;      ///< trials of the run that was resumed, cache hits and screened
  bool interrupted = false;  ///< stop() said so
  bool out_of_time = false;  ///< max_seconds were over
};

/// Of a fused problem: whether its best config is faster than what it is instead of, with the best
/// known for that in the result; false where that has none. True of other problems.
bool beats_apart(const TunedProblem& tuned, const TuneResult& result);

/// The row of a problem's winner; `key` is that of its config.
Winner winner_row(const TunedProblem& tuned, const MeasurementKey& key);

/// The key of a measurement but for the evaluator, which the session fills in.
using KeyMaker = std::function<MeasurementKey(const Problem&, const Config&)>;

/// Searches the best config of every problem and keeps everything: asks the store first, evaluates
/// what is new in the pool (never one key twice), records each result as soon as it and all
/// asked before it are there, and saves the winners under `run_id` (begun by the caller, who also
/// ends it). Results and rows do not depend on the pool.
///
/// The winner is chosen by WinnerChoice: the least time; of equal times the incumbent, then the
/// smaller footprint, then the config that comes first by its values.
TuneResult tune(std::span<const TuneProblem> problems, const KeyMaker& key_of, EvaluationPool& pool,
                Store& store, int64_t run_id, const TuneOptions& options, const TuneHooks& hooks);

}  // namespace tilewright
