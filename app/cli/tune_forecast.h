#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "app/cli/tune_target.h"
#include "db/store.h"
#include "tuner/evaluate/evaluator.h"

namespace tilewright {

/// How the number of planned evaluations is to be read.
enum class ForecastBound {
  kAtMost,
  kAtLeast,  ///< problems that share configs try those of each other, too, and new ones between
  kAbout,    ///< the same, but the budget may end it before
};
/// "at most", "at least", "about".
std::string_view name_of(ForecastBound bound);

/// Where the seconds of a forecast come from.
enum class ForecastSource { kDatabase, kProbe, kUnknown };
/// "database", "probe", "unknown".
std::string_view name_of(ForecastSource source);

/// What a tuning would have to do.
struct TuneForecast {
  std::string target;
  int64_t problems = 0;
  int64_t legal = 0;    ///< configs of all problems, after --within
  int64_t planned = 0;  ///< that would be tried
  ForecastBound bound = ForecastBound::kAtMost;
  int64_t cached = 0;  ///< of those, as many as the database has results for
  double seconds = 0;  ///< of one thread, about; 0 where the source is unknown
  ForecastSource source = ForecastSource::kDatabase;  ///< of nothing, the database knows all

  /// Adds another tuning to the sums.
  void add(const TuneForecast& other);
};

/// Counts what the session would do. `evaluators` are those that time configs, the first one what
/// may win; `store` may be null. An evaluation takes what evaluations of the problem took before,
/// by the database; where it has none, what some configs take now, spread over the problems, unless
/// a command times them. Others take as long as those of the nearest problem in the list.
TuneForecast forecast(const TuneTarget& target, const TuneOptions& options,
                      std::span<const Evaluator* const> evaluators, Store* store);

}  // namespace tilewright
