#include "core/base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace tilewright {

namespace {

/// Progress of one parallel_in_order call, shared by its threads.
struct Progress {
  std::mutex mutex;
  std::condition_variable changed;
  size_t next = 0;                         // guarded by mutex: first piece nobody has taken
  size_t finished = 0;                     // guarded by mutex: pieces done or failed
  bool stopped = false;                    // guarded by mutex
  std::vector<char> is_finished;           // guarded by mutex
  std::vector<std::exception_ptr> errors;  // guarded by mutex
};

/// Takes and runs one piece of work. False when there is none left.
bool run_one(Progress& progress, size_t count, const std::function<void(size_t)>& work,
             const std::function<bool()>& stop) {
  size_t index = 0;
  {
    std::lock_guard lock(progress.mutex);
    if (!progress.stopped && stop()) progress.stopped = true;
    if (progress.stopped || progress.next == count) return false;
    index = progress.next++;
  }
  std::exception_ptr error;
  try {
    work(index);
  } catch (...) {
    error = std::current_exception();
  }
  {
    std::lock_guard lock(progress.mutex);
    progress.is_finished[index] = 1;
    progress.errors[index] = error;
    ++progress.finished;
    if (error) progress.stopped = true;
  }
  progress.changed.notify_all();
  return true;
}

}  // namespace

size_t parallel_in_order(size_t count, int jobs, const std::function<void(size_t)>& work,
                         const std::function<void(size_t)>& done,
                         const std::function<bool()>& stop) {
  Progress progress;
  progress.is_finished.resize(count);
  progress.errors.resize(count);
  std::vector<std::jthread> threads;
  const size_t helpers = std::min(count, static_cast<size_t>(std::max(1, jobs))) - (count > 0);
  for (size_t i = 0; i < helpers; ++i) {
    threads.emplace_back([&] {
      while (run_one(progress, count, work, stop)) {
      }
    });
  }

  // The caller delivers what is ready, works when nothing is, and waits when nothing is left.
  size_t delivered = 0;
  const auto deliver = [&] {
    for (;;) {
      {
        std::lock_guard lock(progress.mutex);
        if (delivered == count || !progress.is_finished[delivered]) return;
        if (progress.errors[delivered]) std::rethrow_exception(progress.errors[delivered]);
      }
      done(delivered++);
    }
  };
  try {
    for (;;) {
      deliver();
      if (run_one(progress, count, work, stop)) continue;
      std::unique_lock lock(progress.mutex);
      if (progress.finished == progress.next) break;
      const size_t seen = progress.finished;
      progress.changed.wait(lock, [&] { return progress.finished != seen; });
    }
    deliver();
  } catch (...) {
    std::lock_guard lock(progress.mutex);
    progress.stopped = true;
    throw;  // the jthreads join on the way out
  }
  return delivered;
}

int processor_count() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace tilewright
