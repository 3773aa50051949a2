#include "app/cli/tune_forecast.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <set>
#include <vector>

#include "app/cli/clock.h"
#include "app/cli/interrupt.h"
#include "core/space/space_index.h"
#include "tuner/evaluate/command_evaluator.h"
#include "tuner/session/evaluation_pool.h"
#include "tuner/session/family.h"

namespace tilewright {

namespace {

/// What proposing a config and keeping its result takes, by docs/performance.md: with models of
/// what is known, and without.
constexpr double kModelSeconds = 1e-3;
constexpr double kPlainSeconds = 1e-4;

/// Counts and costs of one problem.
struct ProblemForecast {
  int64_t legal = 0;
  int64_t planned = 0;
  int64_t cached = 0;
  std::optional<double> seconds;  ///< of an evaluation
};

Series series_of(const TuneTarget& target, const TuneProblem& each, const Evaluator& evaluator) {
  const MeasurementKey key = target.key(each.problem, each.baseline);
  return {key.kernel, key.kernel_revision, key.problem, key.machine_fingerprint, evaluator.id()};
}

/// Configs that a session would try and the database has results of.
int64_t count_known(const TuneTarget& target, const TuneProblem& each, const SpaceIndex& space,
                    std::span<const Evaluator* const> evaluators, Store& store) {
  std::set<std::string> configs;
  for (const Evaluator* evaluator : evaluators) {
    for (const KnownMeasurement& row : store.known(series_of(target, each, *evaluator))) {
      if (evaluator->is_outdated(row.measurement)) continue;
      const auto config = each.space.try_parse(row.config);
      if (config && (*config == each.baseline || space.rank_of(*config))) {
        configs.insert(row.config);
      }
    }
  }
  return std::ssize(configs);
}

/// The mean time of the baseline and of some configs of the space; the baseline alone where it is
/// slow, as others may be slower by far.
double probe(const TuneProblem& each, const Evaluator& evaluator) {
  constexpr double kSlow = 0.02;
  constexpr int64_t kConfigs = 3;
  const double begin = wall_seconds();
  measured(evaluator, each.problem, each.baseline);
  const double baseline = wall_seconds() - begin;
  if (baseline > kSlow) return baseline;
  const SpaceIndex space(each.space);
  const int64_t configs = std::min(kConfigs, space.size());
  for (int64_t i = 0; i < configs; ++i) {
    const int64_t rank = space.size() / (2 * configs) * (2 * i + 1);
    measured(evaluator, each.problem, space.config(rank));
  }
  return (wall_seconds() - begin) / static_cast<double>(1 + configs);
}

/// Costs of problems that have none, from what is tried of a few of them. True when any was.
bool probe_some(const TuneTarget& target, const Evaluator& evaluator,
                std::vector<ProblemForecast>& each) {
  constexpr size_t kProblems = 5;
  if (is_command_evaluator(evaluator.id())) return false;
  const size_t probes = std::min(kProblems, each.size());
  bool probed = false;
  for (size_t i = 0; i < probes && !interrupted(); ++i) {
    const size_t place = probes == 1 ? 0 : i * (each.size() - 1) / (probes - 1);
    if (each[place].seconds || each[place].cached >= each[place].planned) continue;
    each[place].seconds = probe(target.problems[place], evaluator);
    probed = true;
  }
  return probed;
}

/// What an evaluation of the problem at `place` takes: as of the nearest one where it is known.
std::optional<double> seconds_at(const std::vector<ProblemForecast>& each, size_t place) {
  for (size_t distance = 0; distance < each.size(); ++distance) {
    if (place >= distance && each[place - distance].seconds) return each[place - distance].seconds;
    const size_t above = place + distance;
    if (above < each.size() && each[above].seconds) return each[above].seconds;
  }
  return std::nullopt;
}

ForecastBound bound_of(const TuneTarget& target, const TuneOptions& options) {
  if (!options.max_regret || families_of(target.problems).empty()) return ForecastBound::kAtMost;
  const bool may_end = options.max_seconds > 0 || options.min_gain > 0;
  return may_end ? ForecastBound::kAbout : ForecastBound::kAtLeast;
}

std::vector<ProblemForecast> count(const TuneTarget& target, const TuneOptions& options,
                                   std::span<const Evaluator* const> evaluators, Store* store) {
  std::vector<ProblemForecast> counted;
  for (const TuneProblem& each : target.problems) {
    if (interrupted()) break;
    ProblemForecast& problem = counted.emplace_back();
    const SpaceIndex space(each.space);
    problem.legal = space.size() + (space.rank_of(each.baseline) ? 0 : 1);
    problem.planned = options.max_evaluations > 0 ? std::min(options.max_evaluations, problem.legal)
                                                  : problem.legal;
    if (store == nullptr) continue;
    problem.cached =
        std::min(problem.planned, count_known(target, each, space, evaluators, *store));
    problem.seconds = store->mean_wall_seconds(series_of(target, each, *evaluators.front()));
  }
  return counted;
}

}  // namespace

std::string_view name_of(ForecastBound bound) {
  constexpr std::string_view kNames[] = {"at most", "at least", "about"};
  return kNames[static_cast<size_t>(bound)];
}

std::string_view name_of(ForecastSource source) {
  constexpr std::string_view kNames[] = {"database", "probe", "unknown"};
  return kNames[static_cast<size_t>(source)];
}

void TuneForecast::add(const TuneForecast& other) {
  if (problems == 0) {
    bound = other.bound;
  } else if (bound != other.bound && other.problems > 0) {
    bound = ForecastBound::kAbout;
  }
  problems += other.problems;
  legal += other.legal;
  planned += other.planned;
  cached += other.cached;
  source = std::max(source, other.source);
  seconds = source == ForecastSource::kUnknown ? 0 : seconds + other.seconds;
}

TuneForecast forecast(const TuneTarget& target, const TuneOptions& options,
                      std::span<const Evaluator* const> evaluators, Store* store) {
  std::vector<ProblemForecast> each = count(target, options, evaluators, store);
  TuneForecast all;
  all.target = target.label;
  all.bound = bound_of(target, options);
  if (probe_some(target, *evaluators.front(), each)) all.source = ForecastSource::kProbe;
  const bool has_models = options.strategy != "exhaustive" && options.strategy != "random";
  for (size_t i = 0; i < each.size(); ++i) {
    const ProblemForecast& problem = each[i];
    ++all.problems;
    all.legal += problem.legal;
    all.planned += problem.planned;
    all.cached += problem.cached;
    const auto trials = static_cast<double>(problem.planned);
    all.seconds += trials * (has_models ? kModelSeconds : kPlainSeconds);
    const auto fresh = static_cast<double>(problem.planned - problem.cached);
    if (fresh <= 0) continue;
    const std::optional<double> seconds = seconds_at(each, i);
    if (!seconds) all.source = ForecastSource::kUnknown;
    all.seconds += fresh * seconds.value_or(0);
  }
  if (all.source == ForecastSource::kUnknown) all.seconds = 0;
  return all;
}

}  // namespace tilewright
