#include "app/tui/jobs.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <exception>
#include <iterator>

#include "core/base/error.h"

namespace tilewright {

namespace {

/// Where a result lies, and how many hold it; nowhere for what is no shared object.
struct Holders {
  const void* place = nullptr;
  long count = 0;
};

/// Signals are for the interface thread, which a stop must find where it asked for it.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

Holders holders_of(const JobResult& result) {
  return std::visit(
      [](const auto& one) -> Holders {
        if constexpr (requires { one.use_count(); }) {
          return {one.get(), one.use_count()};
        } else {
          return {};
        }
      },
      result);
}

}  // namespace

bool is_reading(const JobRequest& request) {
  return std::visit(
      [](const auto& one) {
        return requires {
          one.kIsReading;
        };
      },
      request);
}

void JobMailbox::put(JobCommand command) {
  {
    const std::scoped_lock lock(mutex_);
    commands_.push_back(std::move(command));
  }
  came_.notify_all();
}

std::vector<JobCommand> JobMailbox::take() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(commands_, {});
}

void JobMailbox::wait(const std::stop_token& stop, double seconds) {
  std::unique_lock lock(mutex_);
  came_.wait_for(lock, stop, std::chrono::duration<double>(seconds),
                 [this] { return !commands_.empty(); });
}

JobRunner::JobRunner(JobWork work, std::function<void()> wake)
    : work_(std::move(work)), wake_(std::move(wake)) {
  for (Lane& lane : lanes_) {
    workers_.emplace_back([this, &lane](const std::stop_token& stop) { serve(lane, stop); });
  }
  workers_.emplace_back([this](const std::stop_token& stop) { free_results(stop); });
}

JobRunner::~JobRunner() {
  cancel_all();
  for (std::jthread& worker : workers_) worker.request_stop();
}

void JobRunner::cancel_all() {
  const std::scoped_lock lock(mutex_);
  for (Lane& lane : lanes_) {
    lane.queue.clear();
    if (lane.running) lane.running->stop.request_stop();
  }
}

bool JobRunner::stops_within(double seconds) {
  cancel_all();
  std::unique_lock lock(mutex_);
  return idle_.wait_for(lock, std::chrono::duration<double>(seconds), [this] {
    return std::ranges::none_of(lanes_, [](const Lane& lane) { return lane.running != nullptr; });
  });
}

void JobRunner::submit(int64_t id, std::string title, JobRequest request) {
  auto task = std::make_shared<Task>();
  task->snapshot = {.id = id, .title = std::move(title), .failure = {}, .result = {}};
  task->request = std::move(request);
  {
    const std::scoped_lock lock(mutex_);
    const JobLane lane = std::visit(
        [](const auto& one) { return std::decay_t<decltype(one)>::kLane; }, task->request);
    lanes_.at(static_cast<size_t>(lane)).queue.push_back(std::move(task));
  }
  queued_.notify_all();
}

void JobRunner::cancel(int64_t id) {
  std::shared_ptr<Task> taken;
  {
    const std::scoped_lock lock(mutex_);
    for (Lane& lane : lanes_) {
      if (lane.running && lane.running->snapshot.id == id) lane.running->stop.request_stop();
      const auto found = std::ranges::find_if(
          lane.queue, [id](const auto& task) { return task->snapshot.id == id; });
      if (found == lane.queue.end()) continue;
      taken = *found;
      lane.queue.erase(found);
    }
  }
  if (!taken) return;
  taken->snapshot.phase = JobPhase::kCancelled;
  publish(taken->snapshot);
}

void JobRunner::steer(int64_t id, JobCommand command) {
  const std::scoped_lock lock(mutex_);
  const auto put = [&](const std::shared_ptr<Task>& task) {
    if (task && task->snapshot.id == id) task->mailbox->put(command);
  };
  for (const Lane& lane : lanes_) {
    put(lane.running);
    for (const std::shared_ptr<Task>& task : lane.queue) put(task);
  }
}

std::vector<JobSnapshot> JobRunner::take_changes() {
  std::vector<JobSnapshot> changes;
  {
    const std::scoped_lock lock(mutex_);
    changes.swap(changes_);
    is_sweep_due_ = !given_.empty();
    for (const JobSnapshot& change : changes) {
      const void* place = holders_of(change.result).place;
      const auto is_same = [&](const JobResult& one) { return holders_of(one).place == place; };
      if (place && std::ranges::none_of(given_, is_same)) given_.push_back(change.result);
    }
  }
  sweep_.notify_all();
  std::ranges::sort(changes, {}, &JobSnapshot::id);
  return changes;
}

void JobRunner::free_results(const std::stop_token& stop) {
  block_signals();
  for (;;) {
    std::vector<JobResult> unused;  // freed at the end of the round, without the lock
    std::unique_lock lock(mutex_);
    sweep_.wait(lock, stop, [this] { return is_sweep_due_; });
    if (stop.stop_requested()) return;
    is_sweep_due_ = false;
    const auto first = std::partition(given_.begin(), given_.end(), [](const JobResult& one) {
      return holders_of(one).count > 1;
    });
    std::move(first, given_.end(), std::back_inserter(unused));
    given_.erase(first, given_.end());
    lock.unlock();
  }
}

void JobRunner::publish(const JobSnapshot& snapshot) {
  JobSnapshot replaced;  // freed without the lock, which the interface waits for
  {
    const std::scoped_lock lock(mutex_);
    const auto before = std::ranges::find(changes_, snapshot.id, &JobSnapshot::id);
    if (before == changes_.end()) {
      changes_.push_back(snapshot);
    } else {
      replaced = std::exchange(*before, snapshot);
    }
  }
  wake_();
}

void JobRunner::serve(Lane& lane, const std::stop_token& stop) {
  block_signals();
  for (;;) {
    std::shared_ptr<Task> task;
    {
      std::unique_lock lock(mutex_);
      queued_.wait(lock, stop, [&] { return !lane.queue.empty(); });
      if (stop.stop_requested()) return;
      task = lane.queue.front();
      lane.queue.pop_front();
      lane.running = task;
    }
    run(*task);
    {
      const std::scoped_lock lock(mutex_);
      lane.running.reset();
    }
    idle_.notify_all();
  }
}

void JobRunner::run(Task& task) {
  // A copy: cancel() reads the id of the running task from another thread.
  JobSnapshot snapshot = task.snapshot;
  snapshot.phase = JobPhase::kRunning;
  publish(snapshot);
  const auto report = [&](double fraction) {
    if (fraction < snapshot.fraction + 0.01) return;
    snapshot.fraction = fraction;
    publish(snapshot);
  };
  const auto show = [&](JobResult so_far) {
    snapshot.result = std::move(so_far);
    publish(snapshot);
  };
  const JobProgress progress(task.stop.get_token(), report, show, task.mailbox);
  try {
    snapshot.result = work_(task.request, progress);
    snapshot.phase = JobPhase::kDone;
    snapshot.fraction = 1;
  } catch (const JobCancelled&) {
    snapshot.phase = JobPhase::kCancelled;
  } catch (const Error& error) {
    snapshot.phase = JobPhase::kFailed;
    snapshot.failure = error.message();
  } catch (const std::bad_alloc&) {
    snapshot.phase = JobPhase::kFailed;
    snapshot.failure = "out of memory; try a smaller problem";
  } catch (const std::exception& error) {
    snapshot.phase = JobPhase::kFailed;
    snapshot.failure = error.what();
  }
  publish(snapshot);
}

}  // namespace tilewright
