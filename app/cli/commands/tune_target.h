#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "app/cli/cluster.h"
#include "app/cli/context.h"
#include "app/cli/shard.h"
#include "app/cli/tune_forecast.h"
#include "db/store.h"
#include "tuner/session/session.h"

namespace tilewright {

/// Where tunings run, one after another: over one database and one cluster.
struct TunePlace {
  Store& store;
  Cluster& cluster;
  Shard shard;
  /// How far a tuning is; empty: it shows that itself.
  std::function<void(const TuneProgress&)> progress;
};

/// What a tuning came to.
struct TuneOutcome {
  int64_t run = 0;  ///< 0: the shard has none of its problems
  std::string target;
  int64_t problems = 0;
  int64_t evaluations = 0;
  int64_t cache_hits = 0;
  int64_t failures = 0;
  double baseline_us = 0;  ///< summed as TuneSummary says
  double best_us = 0;
  bool interrupted = false;
  bool out_of_time = false;

  double gain() const { return best_us > 0 ? baseline_us / best_us : 0; }
};

/// Tunes what the arguments of a `tilewright tune` name and keeps it as a run; prints nothing but
/// notes. Throws Error as the command does.
TuneOutcome tune_target(Context& context, const TunePlace& place);

/// Counts the work without doing any of it; `store` may be null. Throws Error as the command does.
TuneForecast forecast_target(Context& context, Store* store, const Shard& shard);

/// `tilewright tune BATCH.json`.
int run_tune_batch(Context& context, Cluster& cluster, const Shard& shard);
/// `--dry-run` of a batch or of one target.
int run_tune_forecast(Context& context, const Shard& shard);

}  // namespace tilewright
