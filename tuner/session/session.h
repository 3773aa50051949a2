#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/space/measurement.h"
#include "core/space/problem.h"
#include "core/space/space.h"
#include "db/store.h"
#include "tuner/session/evaluation_pool.h"

namespace tilewright {

/// One problem of a session with what may be tried for it.
struct TuneProblem {
  Problem problem;
  Space space;
  Config baseline;               ///< tried first, always
  std::vector<std::string> ops;  ///< names of the model's ops that have this problem
  std::vector<Config> seeds;     ///< tried right after the baseline
};

struct TuneOptions {
  std::string strategy = "exhaustive";
  /// Configs tried for each problem, baseline, seeds and cache hits included: so a second run of
  /// the same tuning tries the same configs. 0: no limit.
  int64_t max_evaluations = 0;
  double max_seconds = 0;  ///< of the whole session, by TuneHooks::seconds; 0: no limit
  uint64_t seed = 0;
  /// Configs asked of one problem at once. It decides what an adaptive strategy knows when it is
  /// asked, so it is a property of the session and never of the number of threads.
  size_t batch = 8;
};

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

/// What the session asks and reports on its way. Every one may be empty. All are called on the
/// caller's thread, except stop, which any thread calls, one at a time, and seconds, which must be
/// thread-safe.
struct TuneHooks {
  std::function<bool()> stop;         ///< true (Ctrl-C): finish what is in flight, save, return
  std::function<double()> seconds;    ///< a clock for max_seconds
  std::function<std::string()> date;  ///< for the rows
  std::function<void(const TuneProgress&)> progress;
  /// On-chip bytes of a config, to prefer the smaller of two equally fast ones.
  std::function<int64_t(const Problem&, const Config&)> footprint;
};

struct TunedProblem {
  const TuneProblem* problem = nullptr;
  bool found = false;  ///< false: nothing worked, or the session stopped before the baseline
  Config config;
  double time_us = 0;
  double baseline_us = 0;   ///< 0 when the baseline failed
  double runner_up_us = 0;  ///< best time of another config; 0 when there is none
  int64_t evaluations = 0;  ///< new ones
  int64_t cache_hits = 0;
  int64_t failures = 0;   ///< tried configs without a time
  std::string failure;    ///< reason of the first of them
  bool complete = false;  ///< the search ended by itself or by max_evaluations

  /// Baseline time / best time; 0 when either failed.
  double gain() const { return found && time_us > 0 ? baseline_us / time_us : 0; }
  /// How much slower the runner-up is, as a fraction of the best time; 0 when there is none.
  double margin() const { return runner_up_us > 0 ? runner_up_us / time_us - 1 : 0; }
};

struct TuneResult {
  std::vector<TunedProblem> problems;  ///< in the given order
  int64_t evaluations = 0;
  int64_t cache_hits = 0;
  bool interrupted = false;  ///< stop() said so
  bool out_of_time = false;  ///< max_seconds were over
};

/// The key of a measurement but for the evaluator, which the session fills in.
using KeyMaker = std::function<MeasurementKey(const Problem&, const Config&)>;

/// Searches the best config of every problem and keeps everything: asks the store first, evaluates
/// what is new in the pool (never one key twice), records each result as soon as it and all
/// asked before it are there, and saves the winners under `run_id` (begun by the caller, who also
/// ends it). Results and rows do not depend on the pool.
///
/// The winner is the config with the least time. Among equal times the baseline wins, then a seed
/// (the earlier one), then the smaller footprint, then the config that comes first by its values.
TuneResult tune(std::span<const TuneProblem> problems, const KeyMaker& key_of, EvaluationPool& pool,
                Store& store, int64_t run_id, const TuneOptions& options, const TuneHooks& hooks);

}  // namespace tilewright
