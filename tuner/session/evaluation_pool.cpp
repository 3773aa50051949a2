#include "tuner/session/evaluation_pool.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/thread_pool.h"

namespace tilewright {

namespace {

Measurement failure(AttemptStatus status, std::string reason) {
  Measurement measurement;
  measurement.status = status;
  measurement.reason = std::move(reason);
  return measurement;
}

/// A success without a usable time is none.
Measurement validated(Measurement measurement) {
  if (measurement.status != AttemptStatus::kOk) {
    measurement.time_us = 0;
    return measurement;
  }
  if (std::isfinite(measurement.time_us) && measurement.time_us > 0) return measurement;
  return failure(AttemptStatus::kRuntime,
                 fmt::format("the evaluator gave a time of {} us", measurement.time_us));
}

}  // namespace

Measurement measured(const Evaluator& evaluator, const Problem& problem, const Config& config) {
  try {
    return validated(evaluator.evaluate(problem, config));
  } catch (const Error& error) {
    const bool infeasible = error.kind() == ErrorKind::kInfeasible;
    return failure(infeasible ? AttemptStatus::kInfeasible : AttemptStatus::kRuntime,
                   error.message());
  }
}

ThreadEvaluation::ThreadEvaluation(const Evaluator& evaluator, int jobs,
                                   std::function<double()> seconds)
    : evaluator_(evaluator), jobs_(jobs), seconds_(std::move(seconds)) {}

size_t ThreadEvaluation::run(std::span<const EvaluationTask> tasks,
                             const std::function<void(size_t, const Evaluated&)>& done,
                             const std::function<bool()>& stop) {
  std::vector<Evaluated> results(tasks.size());
  const auto now = [&] { return seconds_ ? seconds_() : 0.0; };
  const auto work = [&](size_t i) {
    const double before = now();
    results[i].measurement = measured(evaluator_, *tasks[i].problem, tasks[i].config);
    results[i].wall_us = (now() - before) * 1e6;
  };
  size_t count = 0;
  const auto deliver = [&](size_t i) {
    done(i, results[i]);
    count = i + 1;
  };
  try {
    parallel_in_order(tasks.size(), jobs_, work, deliver, stop);
  } catch (const EvaluationStopped&) {  // by the same wish that stop() tells
  }
  return count;
}

}  // namespace tilewright
