#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/cli/context.h"
#include "core/machine/machine.h"
#include "tuner/evaluate/evaluator.h"
#include "tuner/session/evaluation_pool.h"
#include "tuner/session/mpi_link.h"
#include "tuner/session/worker_team.h"

namespace tilewright {

/// The processes that mpirun or srun started together for one command. Rank 0 runs the command; the
/// others evaluate for it and print nothing. A normal start is a cluster of one, which never
/// touches MPI and evaluates on threads.
class Cluster {
 public:
  /// Joins the others, if there are any. Error (failed) in a build without MPI, and where MPI joins
  /// other processes than the launcher started.
  explicit Cluster(const Context& context);
  /// Sends the workers home.
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  bool is_worker() const;
  /// The work of a worker: evaluators are those that its command line asks for, on the machines
  /// that rank 0 names. Returns the exit status.
  int work(const Arguments& arguments);

  /// Where a session evaluates: on the workers, or on `jobs` threads. `evaluator` is the one that
  /// the command line asks for on `machine`; it and the cluster outlive the pool.
  std::unique_ptr<EvaluationPool> pool(const Evaluator& evaluator, const Machine& machine,
                                       int jobs);

 private:
  const Console& console_;
  std::unique_ptr<MpiLink> link_;     // empty: alone
  std::unique_ptr<WorkerTeam> team_;  // of rank 0
};

}  // namespace tilewright
