#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "core/space/measurement.h"
#include "core/space/problem.h"
#include "core/space/space.h"
#include "tuner/evaluate/evaluator.h"

namespace tilewright {

/// One evaluation that a session wants.
struct EvaluationTask {
  const Problem* problem = nullptr;
  Config config;
};

struct Evaluated {
  Measurement measurement;
  double wall_us = 0;
};

/// Where the evaluations of a session run: on threads of this process, or on the processes of
/// several machines.
class EvaluationPool {
 public:
  virtual ~EvaluationPool() = default;

  /// What measures, wherever it runs.
  virtual const Evaluator& evaluator() const = 0;

  /// Evaluates the tasks and calls done(i, ...) on the calling thread in the order of the tasks, as
  /// soon as it and all before it have finished. Once stop() says true nothing new starts, what is
  /// in flight finishes, unless its evaluator gives up (EvaluationStopped). Returns how many were
  /// done. A task that throws an Error is a failed measurement (measured()).
  virtual size_t run(std::span<const EvaluationTask> tasks,
                     const std::function<void(size_t, const Evaluated&)>& done,
                     const std::function<bool()>& stop) = 0;
};

/// One evaluation, whatever happens: an Error thrown is taken for a failure, infeasible when it
/// says so and runtime otherwise; a success without a finite, positive time is none.
Measurement measured(const Evaluator& evaluator, const Problem& problem, const Config& config);

/// On `jobs` threads, the caller's one of them.
class ThreadEvaluation : public EvaluationPool {
 public:
  /// `seconds`: a thread-safe clock for the wall time of evaluations; may be empty. The evaluator
  /// outlives the pool.
  ThreadEvaluation(const Evaluator& evaluator, int jobs, std::function<double()> seconds);

  const Evaluator& evaluator() const override { return evaluator_; }
  size_t run(std::span<const EvaluationTask> tasks,
             const std::function<void(size_t, const Evaluated&)>& done,
             const std::function<bool()>& stop) override;

 private:
  const Evaluator& evaluator_;
  int jobs_;
  std::function<double()> seconds_;
};

}  // namespace tilewright
