#include "tuner/session/worker_team.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tuner/session/evaluation_messages.h"

namespace tilewright {

namespace {

using Kind = EvaluationMessage::Kind;

/// The median needs no more; a session may have millions of evaluations.
constexpr size_t kDurationsKept = 1001;

}  // namespace

WorkerTeam::WorkerTeam(MessageLink& link, LeaseRule rule, std::function<double()> seconds,
                       std::function<void(const std::string&)> note)
    : link_(link),
      rule_(rule),
      seconds_(std::move(seconds)),
      note_(std::move(note)),
      workers_(static_cast<size_t>(link.size())) {}

bool WorkerTeam::has_usable() const {
  return std::any_of(workers_.begin() + 1, workers_.end(),
                     [](const Worker& worker) { return worker.is_usable(); });
}

int64_t WorkerTeam::number_of(const std::string& text, const std::string& id) {
  const auto known = std::ranges::find_if(evaluators_, [&](const EvaluatorEntry& entry) {
    return entry.text == text && entry.id == id;
  });
  if (known != evaluators_.end()) return known - evaluators_.begin();
  evaluators_.push_back({text, id});
  return std::ssize(evaluators_) - 1;
}

void WorkerTeam::send_task(int rank, int64_t task, int64_t evaluator, const std::string& problem,
                           const std::string& config) {
  Worker& to = worker(rank);
  for (; to.told <= evaluator; ++to.told) {
    const EvaluatorEntry& entry = evaluators_[static_cast<size_t>(to.told)];
    EvaluationMessage description;
    description.kind = Kind::kEvaluator;
    description.number = to.told;
    description.id = entry.id;
    description.text = entry.text;
    link_.send(rank, encode(description));
  }
  EvaluationMessage message;
  message.kind = Kind::kTask;
  message.number = evaluator;
  message.task = task;
  message.problem = problem;
  message.config = config;
  link_.send(rank, encode(message));
  to.is_busy = true;
}

void WorkerTeam::lose(int rank, const std::string& reason) {
  worker(rank).is_lost = true;
  if (note_) note_(fmt::format("worker {} {}", rank, reason));
}

int64_t WorkerTeam::reserve_tasks(size_t count) {
  return std::exchange(next_task_, next_task_ + static_cast<int64_t>(count));
}

void WorkerTeam::add_duration(double seconds) {
  if (durations_.size() == kDurationsKept) return;
  durations_.insert(std::ranges::upper_bound(durations_, seconds), seconds);
}

double WorkerTeam::lease_seconds() const {
  const double median = durations_.empty() ? 0 : durations_[durations_.size() / 2];
  return std::max(rule_.min_seconds, rule_.medians * median);
}

bool WorkerTeam::dismiss() {
  bool all_there = true;
  for (int rank = 1; rank < size(); ++rank) {
    all_there = all_there && worker(rank).is_usable() && !link_.is_lost(rank);
  }
  EvaluationMessage leave;
  leave.kind = all_there ? Kind::kLeave : Kind::kLeaveLost;
  for (int rank = 1; rank < size(); ++rank) link_.send(rank, encode(leave));
  return all_there;
}

}  // namespace tilewright
