#include "tuner/session/remote_evaluation.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/text.h"
#include "tuner/session/evaluation_messages.h"
#include "tuner/session/leases.h"

namespace tilewright {

namespace {

using Kind = EvaluationMessage::Kind;

/// Workers that may die of one task before it is taken for the cause.
constexpr int kWorkersATaskMayCost = 3;

Evaluated evaluate_here(const Evaluator& evaluator, const Problem& problem, const Config& config,
                        const std::function<double()>& seconds) {
  const double before = seconds();
  Evaluated evaluated;
  evaluated.measurement = measured(evaluator, problem, config);
  evaluated.wall_us = (seconds() - before) * 1e6;
  return evaluated;
}

/// One call of RemoteEvaluation::run().
class Round {
 public:
  Round(WorkerTeam& team, const Evaluator& evaluator, int64_t number,
        std::span<const EvaluationTask> tasks)
      : team_(team),
        evaluator_(evaluator),
        number_(number),
        tasks_(tasks),
        first_(team.reserve_tasks(tasks.size())),
        leases_(tasks.size()),
        results_(tasks.size()) {}

  size_t run(const std::function<void(size_t, const Evaluated&)>& done,
             const std::function<bool()>& stop) {
    size_t delivered = 0;
    for (;;) {
      bool moved = hear_all();
      look_after_workers();
      for (; delivered < tasks_.size() && leases_.is_answered(delivered); ++delivered) {
        done(delivered, results_[delivered]);
        moved = true;
      }
      if (delivered == tasks_.size()) return delivered;
      stopped_ = stopped_ || stop();
      if (stopped_ && !leases_.has_leases()) return delivered;
      if (!stopped_) moved = give_tasks() || moved;
      if (!moved) team_.link().pause();
    }
  }

 private:
  bool hear_all() {
    bool heard = false;
    while (const auto message = team_.link().receive()) {
      hear(message->from, decode_evaluation_message(message->bytes));
      heard = true;
    }
    return heard;
  }

  void hear(int rank, const EvaluationMessage& message) {
    WorkerTeam::Worker& worker = team_.worker(rank);
    worker.is_silent = false;
    worker.is_busy = false;
    if (message.kind == Kind::kRefused) {
      leases_.give_back(rank);
      team_.lose(rank, "cannot evaluate: " + printable(message.text, message.text.size()));
    } else if (message.kind == Kind::kStopped) {
      leases_.give_back(rank);
      stopped_ = true;
    } else if (message.kind == Kind::kAnswer) {
      team_.add_duration(message.evaluated.wall_us * 1e-6);
      const int64_t task = message.task - first_;
      if (task < 0 || task >= std::ssize(tasks_)) return;  // of an earlier round
      settle(static_cast<size_t>(task), message.evaluated);
    }
  }

  void settle(size_t task, Evaluated evaluated) {
    if (leases_.answer(task)) results_[task] = std::move(evaluated);
  }

  /// Takes back what the lost have, and what the silent had for too long.
  void look_after_workers() {
    for (int rank = 1; rank < team_.size(); ++rank) {
      if (team_.worker(rank).is_lost || !team_.link().is_lost(rank)) continue;
      team_.lose(rank, "is gone; others evaluate what it had");
      const auto lost = leases_.lose(rank);
      if (!lost || lost->workers < kWorkersATaskMayCost) continue;
      Evaluated failed;
      failed.measurement.status = AttemptStatus::kRuntime;
      failed.measurement.reason =
          fmt::format("{} workers died while they evaluated it", lost->workers);
      settle(lost->task, std::move(failed));
    }
    for (const int rank : leases_.expire(team_.now())) {
      team_.worker(rank).is_silent = true;
    }
  }

  /// False when nobody could take one, or there is none.
  bool give_tasks() {
    if (!leases_.has_waiting()) return false;
    if (!team_.has_usable()) return evaluate_one_here();
    bool given = false;
    for (int rank = 1; rank < team_.size(); ++rank) {
      const WorkerTeam::Worker& worker = team_.worker(rank);
      if (!worker.is_usable() || worker.is_busy) continue;
      const auto task = leases_.take(rank, team_.now(), team_.lease_seconds());
      if (!task) break;
      const EvaluationTask& work = tasks_[*task];
      team_.send_task(rank, first_ + static_cast<int64_t>(*task), number_, work.problem->text(),
                      work.config.text());
      given = true;
    }
    return given;
  }

  bool evaluate_one_here() {
    constexpr int kMyself = 0;
    const auto task = leases_.take(kMyself, team_.now(), team_.lease_seconds());
    if (!task) return false;
    const EvaluationTask& work = tasks_[*task];
    try {
      settle(*task, evaluate_here(evaluator_, *work.problem, work.config, team_.clock()));
    } catch (const EvaluationStopped&) {
      leases_.give_back(kMyself);
      stopped_ = true;
    }
    return true;
  }

  WorkerTeam& team_;
  const Evaluator& evaluator_;
  int64_t number_;
  std::span<const EvaluationTask> tasks_;
  int64_t first_;
  Leases leases_;
  std::vector<Evaluated> results_;
  bool stopped_ = false;
};

/// The side of a worker.
class EvaluationServer {
 public:
  EvaluationServer(MessageLink& link, const EvaluatorMaker& maker,
                   const std::function<double()>& seconds)
      : link_(link), maker_(maker), seconds_(seconds) {}

  void hear(const EvaluationMessage& message) {
    if (message.kind == Kind::kEvaluator) {
      make(message);
    } else if (message.kind == Kind::kTask) {
      answer(message);
    }
  }

 private:
  void refuse(std::string reason) {
    EvaluationMessage refusal;
    refusal.kind = Kind::kRefused;
    refusal.text = std::move(reason);
    link_.send(0, encode(refusal));
  }

  /// Another program or another file behind a path would measure something else under that key.
  void make(const EvaluationMessage& message) {
    std::unique_ptr<Evaluator>& made = evaluators_.emplace_back();
    try {
      made = maker_(message.text);
      if (made->id() == message.id) return;
      refuse(fmt::format("its evaluator is {}, not {}", made->id(), message.id));
      made.reset();
    } catch (const Error& error) {
      refuse(error.message());
    }
  }

  void answer(const EvaluationMessage& task) {
    const auto& evaluator = evaluators_.at(static_cast<size_t>(task.number));
    if (!evaluator) return;  // refused
    EvaluationMessage answer;
    answer.kind = Kind::kAnswer;
    answer.task = task.task;
    try {
      answer.evaluated = evaluate_here(*evaluator, parse_problem(task.problem),
                                       parse_config(task.config), seconds_);
    } catch (const EvaluationStopped&) {
      answer.kind = Kind::kStopped;
    }
    link_.send(0, encode(answer));
  }

  MessageLink& link_;
  const EvaluatorMaker& maker_;
  const std::function<double()>& seconds_;
  std::vector<std::unique_ptr<Evaluator>> evaluators_;  // by number; empty: refused
};

}  // namespace

RemoteEvaluation::RemoteEvaluation(WorkerTeam& team, const Evaluator& evaluator, std::string text)
    : team_(team), evaluator_(evaluator), text_(std::move(text)) {}

size_t RemoteEvaluation::run(std::span<const EvaluationTask> tasks,
                             const std::function<void(size_t, const Evaluated&)>& done,
                             const std::function<bool()>& stop) {
  return Round(team_, evaluator_, team_.number_of(text_, evaluator_.id()), tasks).run(done, stop);
}

bool serve_evaluations(MessageLink& link, const EvaluatorMaker& maker,
                       const std::function<double()>& seconds) {
  EvaluationServer server(link, maker, seconds);
  for (;;) {
    const auto received = link.receive();
    if (!received) {
      if (link.is_lost(0)) return false;
      link.pause();
      continue;
    }
    const EvaluationMessage message = decode_evaluation_message(received->bytes);
    if (message.kind == Kind::kLeave) return true;
    if (message.kind == Kind::kLeaveLost) return false;
    server.hear(message);
  }
}

}  // namespace tilewright
