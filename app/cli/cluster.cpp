#include "app/cli/cluster.h"

#include <fmt/format.h>

#include <utility>

#include "app/cli/clock.h"
#include "app/cli/command.h"
#include "app/cli/evaluator_arguments.h"
#include "app/cli/foreign_target.h"
#include "app/cli/interrupt.h"
#include "core/base/error.h"
#include "tuner/session/remote_evaluation.h"

namespace tilewright {

namespace {

/// An evaluator with the machine that it needs.
class EvaluatorWithMachine : public Evaluator {
 public:
  EvaluatorWithMachine(const Arguments& arguments, Machine machine)
      : machine_(std::move(machine)),
        evaluator_(make_evaluator(arguments, machine_, problems_of(arguments))) {}

  std::string id() const override { return evaluator_->id(); }
  Measurement evaluate(const Problem& problem, const Config& config) const override {
    return evaluator_->evaluate(problem, config);
  }

 private:
  /// Only those of files have values that are no numbers.
  static std::vector<TuneProblem> problems_of(const Arguments& arguments) {
    std::vector<TuneProblem> problems;
    if (!is_foreign_file(arguments.positionals()[0])) return problems;
    for (ForeignProblem& each : read_foreign_target(arguments).problems) {
      problems.push_back(std::move(each.problem));
    }
    return problems;
  }

  Machine machine_;
  std::unique_ptr<Evaluator> evaluator_;
};

}  // namespace

Cluster::Cluster(const Context& context) : console_(context.console()) {
  const int started = context.globals().processes;
  if (started == 1) return;
  link_ = MpiLink::join();
  if (link_->size() != started) {
    throw Error(ErrorKind::kFailed,
                fmt::format("{} processes were started together, but MPI joins {}: use the mpirun "
                            "of the MPI that tilewright was built with (docs/cluster.md)",
                            started, link_->size()));
  }
  if (is_worker()) return;
  team_ = std::make_unique<WorkerTeam>(*link_, LeaseRule(), wall_seconds,
                                       [&context](const std::string& line) { context.warn(line); });
}

Cluster::~Cluster() {
  if (!team_ || team_->dismiss()) return;
  link_->leave_alone();
  if (interrupted()) {
    console_.message(
        "tilewright: mpirun ends a job that lost a process, unless it is started with "
        "--enable-recovery");
  }
}

bool Cluster::is_worker() const {
  return link_ && link_->rank() > 0;
}

int Cluster::work(const Arguments& arguments) {
  const EvaluatorMaker maker = [&](const std::string& machine) {
    return std::make_unique<EvaluatorWithMachine>(arguments,
                                                  parse_machine(machine, "rank 0", true));
  };
  if (!serve_evaluations(*link_, maker, wall_seconds)) link_->leave_alone();
  return kExitOk;
}

std::unique_ptr<EvaluationPool> Cluster::pool(const Evaluator& evaluator, const Machine& machine,
                                              int jobs) {
  // What stands in a table is not worth sending to other processes.
  const bool is_local = !team_ || evaluator.id().starts_with("table/");
  if (is_local) return std::make_unique<ThreadEvaluation>(evaluator, jobs, wall_seconds);
  return std::make_unique<RemoteEvaluation>(*team_, evaluator, machine_json(machine));
}

}  // namespace tilewright
