#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <vector>

namespace tilewright {

/// Which worker has which task, and for how long it may keep it. A task whose worker is lost or
/// does not answer in time goes to another one; the first answer counts. Plain bookkeeping: times
/// are the caller's seconds.
class Leases {
 public:
  explicit Leases(size_t tasks);

  /// The first task that nobody works on, until `now` + `seconds` (twice as long for each time that
  /// it ran out before); empty when there is none. The worker has no lease.
  std::optional<size_t> take(int worker, double now, double seconds);

  /// A task was answered, by whomever. False when it had been before.
  bool answer(size_t task);

  /// The worker is gone. Returns how many workers have been lost with the task that it had.
  struct Lost {
    size_t task = 0;
    int workers = 0;
  };
  std::optional<Lost> lose(int worker);

  /// The worker gave its task back.
  void give_back(int worker);

  /// Takes back what ran out by `now`; returns those that had it.
  std::vector<int> expire(double now);

  bool all_answered() const { return answered_ == tasks_.size(); }
  bool is_answered(size_t task) const { return tasks_[task].is_answered; }
  bool has_waiting() const { return !waiting_.empty(); }
  /// Whether an answer is to be expected of anybody.
  bool has_leases() const { return !leases_.empty(); }

 private:
  struct Task {
    bool is_answered = false;
    int expired = 0;
    int lost = 0;
  };
  struct Lease {
    int worker;
    size_t task;
    double until;
  };

  std::vector<Task> tasks_;
  std::set<size_t> waiting_;
  std::vector<Lease> leases_;
  size_t answered_ = 0;
};

}  // namespace tilewright
