#include "tuner/session/leases.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"

namespace tilewright {

namespace {
constexpr int kMostDoublings = 10;
}  // namespace

Leases::Leases(size_t tasks) : tasks_(tasks) {
  for (size_t i = 0; i < tasks; ++i) waiting_.insert(waiting_.end(), i);
}

std::optional<size_t> Leases::take(int worker, double now, double seconds) {
  TW_CHECK(std::ranges::find(leases_, worker, &Lease::worker) == leases_.end(),
           "a worker has one task at a time");
  if (waiting_.empty()) return std::nullopt;
  const size_t task = waiting_.extract(waiting_.begin()).value();
  const int doublings = std::min(tasks_[task].expired, kMostDoublings);
  leases_.push_back({worker, task, now + std::ldexp(seconds, doublings)});
  return task;
}

bool Leases::answer(size_t task) {
  std::erase_if(leases_, [&](const Lease& lease) { return lease.task == task; });
  waiting_.erase(task);
  if (tasks_[task].is_answered) return false;
  tasks_[task].is_answered = true;
  ++answered_;
  return true;
}

std::optional<Leases::Lost> Leases::lose(int worker) {
  const auto lease = std::ranges::find(leases_, worker, &Lease::worker);
  if (lease == leases_.end()) return std::nullopt;
  const size_t task = lease->task;
  give_back(worker);
  return Lost{task, ++tasks_[task].lost};
}

void Leases::give_back(int worker) {
  const auto lease = std::ranges::find(leases_, worker, &Lease::worker);
  if (lease == leases_.end()) return;
  waiting_.insert(lease->task);
  leases_.erase(lease);
}

std::vector<int> Leases::expire(double now) {
  std::vector<int> workers;
  for (const Lease& lease : leases_) {
    if (lease.until > now) continue;
    workers.push_back(lease.worker);
    ++tasks_[lease.task].expired;
  }
  for (const int worker : workers) give_back(worker);
  return workers;
}

}  // namespace tilewright
