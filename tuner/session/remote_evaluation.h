#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "tuner/session/evaluation_pool.h"
#include "tuner/session/worker_team.h"

namespace tilewright {

/// On the workers of a job: rank 0 gives each a task at a time and takes the answers. The results
/// are those of threads, whatever happens to workers: what a lost one had is given to another, the
/// first answer to a task counts, and rank 0 evaluates itself when no worker is left. A task that
/// three workers died of is a failure (runtime).
class RemoteEvaluation : public EvaluationPool {
 public:
  /// `text` is what workers make the same evaluator of. Team and evaluator outlive the pool.
  RemoteEvaluation(WorkerTeam& team, const Evaluator& evaluator, std::string text);

  const Evaluator& evaluator() const override { return evaluator_; }
  size_t run(std::span<const EvaluationTask> tasks,
             const std::function<void(size_t, const Evaluated&)>& done,
             const std::function<bool()>& stop) override;

 private:
  WorkerTeam& team_;
  const Evaluator& evaluator_;
  std::string text_;
};

/// Makes the evaluator that a text describes; throws Error when it cannot.
using EvaluatorMaker = std::function<std::unique_ptr<Evaluator>(const std::string& text)>;

/// The work of every other rank: evaluates what rank 0 asks for until it says to leave, or is gone.
/// True when all processes of the job leave together.
bool serve_evaluations(MessageLink& link, const EvaluatorMaker& maker,
                       const std::function<double()>& seconds);

}  // namespace tilewright
