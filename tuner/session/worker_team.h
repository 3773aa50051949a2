#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tuner/session/message_link.h"

namespace tilewright {

/// How long a worker may take for an evaluation before somebody else gets it, too.
struct LeaseRule {
  double min_seconds = 60;
  double medians = 10;  ///< times the median of the evaluations so far
};

/// What rank 0 knows of the workers of its job, ranks 1 to size() - 1 of the link. It lives as long
/// as the job, over any number of pools.
class WorkerTeam {
 public:
  struct Worker {
    bool is_lost = false;    ///< dead, or it refused to work
    bool is_silent = false;  ///< its lease ran out and it has not been heard since
    bool is_busy = false;    ///< with a task, perhaps of an earlier round
    int64_t told = 0;        ///< evaluators that were described to it

    bool is_usable() const { return !is_lost && !is_silent; }
  };

  /// `seconds`: a clock. `note`: gets a line for the user when a worker is lost; may be empty. The
  /// link outlives the team.
  WorkerTeam(MessageLink& link, LeaseRule rule, std::function<double()> seconds,
             std::function<void(const std::string&)> note);

  MessageLink& link() { return link_; }
  double now() const { return seconds_(); }
  const std::function<double()>& clock() const { return seconds_; }
  int size() const { return static_cast<int>(workers_.size()); }
  Worker& worker(int rank) { return workers_[static_cast<size_t>(rank)]; }
  bool has_usable() const;

  /// The number by which workers know the evaluator that a text describes and that has that id.
  int64_t number_of(const std::string& text, const std::string& id);
  void send_task(int rank, int64_t task, int64_t evaluator, const std::string& problem,
                 const std::string& config);
  void lose(int rank, const std::string& reason);

  /// Numbers for the tasks of a round, so that a late answer is never taken for one of another; the
  /// first of `count`.
  int64_t reserve_tasks(size_t count);

  void add_duration(double seconds);
  double lease_seconds() const;

  /// Sends all workers home. True when every one of them is there to hear it.
  bool dismiss();

 private:
  struct EvaluatorEntry {
    std::string text;
    std::string id;
  };

  MessageLink& link_;
  LeaseRule rule_;
  std::function<double()> seconds_;
  std::function<void(const std::string&)> note_;
  std::vector<Worker> workers_;  // by rank; that of rank 0 is not used
  std::vector<EvaluatorEntry> evaluators_;
  std::vector<double> durations_;  // seconds of the evaluations so far, ascending
  int64_t next_task_ = 0;
};

}  // namespace tilewright
