#include "app/tui/jobs.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <exception>

#include "core/base/error.h"

namespace tilewright {

JobRunner::JobRunner(JobWork work, std::function<void()> wake)
    : work_(std::move(work)),
      wake_(std::move(wake)),
      quick_worker_([this](const std::stop_token& stop) { serve(quick_, stop); }),
      index_worker_([this](const std::stop_token& stop) { serve(index_, stop); }),
      long_worker_([this](const std::stop_token& stop) { serve(long_, stop); }) {}

JobRunner::~JobRunner() {
  cancel_all();
  quick_worker_.request_stop();
  index_worker_.request_stop();
  long_worker_.request_stop();
}

void JobRunner::cancel_all() {
  const std::scoped_lock lock(mutex_);
  for (Lane* lane : lanes()) {
    lane->queue.clear();
    if (lane->running) lane->running->stop.request_stop();
  }
}

bool JobRunner::stops_within(double seconds) {
  cancel_all();
  std::unique_lock lock(mutex_);
  return idle_.wait_for(lock, std::chrono::duration<double>(seconds), [this] {
    return std::ranges::none_of(lanes(), [](const Lane* lane) { return lane->running != nullptr; });
  });
}

JobRunner::Lane& JobRunner::lane_of(const JobRequest& request) {
  const bool is_quick =
      std::holds_alternative<LoadHomeJob>(request) || std::holds_alternative<AreaJob>(request);
  if (is_quick) return quick_;
  return std::holds_alternative<IndexTimelineJob>(request) ? index_ : long_;
}

void JobRunner::submit(int64_t id, std::string title, JobRequest request) {
  auto task = std::make_shared<Task>();
  task->snapshot = {.id = id, .title = std::move(title), .failure = {}, .result = {}};
  task->request = std::move(request);
  {
    const std::scoped_lock lock(mutex_);
    lane_of(task->request).queue.push_back(std::move(task));
  }
  queued_.notify_all();
}

void JobRunner::cancel(int64_t id) {
  std::shared_ptr<Task> taken;
  {
    const std::scoped_lock lock(mutex_);
    for (Lane* lane : lanes()) {
      if (lane->running && lane->running->snapshot.id == id) lane->running->stop.request_stop();
      const auto found = std::ranges::find_if(
          lane->queue, [id](const auto& task) { return task->snapshot.id == id; });
      if (found == lane->queue.end()) continue;
      taken = *found;
      lane->queue.erase(found);
    }
  }
  if (!taken) return;
  taken->snapshot.phase = JobPhase::kCancelled;
  publish(taken->snapshot);
}

std::vector<JobSnapshot> JobRunner::take_changes() {
  std::vector<JobSnapshot> changes;
  {
    const std::scoped_lock lock(mutex_);
    changes.swap(changes_);
  }
  std::ranges::sort(changes, {}, &JobSnapshot::id);
  return changes;
}

void JobRunner::publish(const JobSnapshot& snapshot) {
  {
    const std::scoped_lock lock(mutex_);
    const auto before = std::ranges::find(changes_, snapshot.id, &JobSnapshot::id);
    if (before == changes_.end()) {
      changes_.push_back(snapshot);
    } else {
      *before = snapshot;
    }
  }
  wake_();
}

void JobRunner::serve(Lane& lane, const std::stop_token& stop) {
  // Signals are for the interface thread, which a stop must find where it asked for it.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
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
  const JobProgress progress(task.stop.get_token(), [&](double fraction) {
    if (fraction < snapshot.fraction + 0.01) return;
    snapshot.fraction = fraction;
    publish(snapshot);
  });
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
