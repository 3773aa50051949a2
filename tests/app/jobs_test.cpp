// Workers: order, progress, cancelling, failures. No test sleeps; a latch says when to go on.

#include "app/tui/jobs.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <latch>
#include <map>
#include <memory>
#include <thread>

#include "app/tui/home/home_state.h"
#include "core/base/error.h"

namespace tilewright {
namespace {

/// Takes the changes of a runner until a job is over.
class Watcher {
 public:
  void wake() {
    const std::scoped_lock lock(mutex_);
    ++calls_;
    changed_.notify_all();
  }

  void forget() { last_.clear(); }

  JobSnapshot wait_for_end(JobRunner& runner, int64_t id) {
    return wait_until(runner, id, [](const JobSnapshot& job) { return job.is_over(); });
  }
  JobSnapshot wait_until(JobRunner& runner, int64_t id,
                         const std::function<bool(const JobSnapshot&)>& condition) {
    for (;;) {
      // Before the changes are taken: a call in between must end the wait below.
      const int before = calls();
      for (const JobSnapshot& job : runner.take_changes()) last_[job.id] = job;
      if (last_.contains(id) && condition(last_[id])) return last_[id];
      std::unique_lock lock(mutex_);
      if (!changed_.wait_for(lock, std::chrono::seconds(20), [&] { return calls_ != before; }) &&
          calls_ == before) {
        ADD_FAILURE() << "job " << id << " never got there";
        return last_[id];
      }
    }
  }

 private:
  int calls() {
    const std::scoped_lock lock(mutex_);
    return calls_;
  }

  std::mutex mutex_;  ///< guards calls_
  std::condition_variable changed_;
  int calls_ = 0;
  std::map<int64_t, JobSnapshot> last_;
};

TEST(JobRunner, GivesResultsAndProgress) {
  Watcher watcher;
  std::latch seen(1);
  JobRunner runner(
      [&](const JobRequest& request, const JobProgress& progress) -> JobResult {
        progress.at(0.5);
        seen.wait();
        return std::get<LoadHomeJob>(request).db + " was read";
      },
      [&] { watcher.wake(); });
  runner.submit(1, "read", LoadHomeJob{"a.db", ""});
  const JobSnapshot half =
      watcher.wait_until(runner, 1, [](const JobSnapshot& job) { return job.fraction > 0; });
  EXPECT_EQ(half.phase, JobPhase::kRunning);
  EXPECT_DOUBLE_EQ(half.fraction, 0.5);
  seen.count_down();
  const JobSnapshot done = watcher.wait_for_end(runner, 1);
  EXPECT_EQ(done.phase, JobPhase::kDone);
  EXPECT_EQ(done.title, "read");
  EXPECT_EQ(std::get<std::string>(done.result), "a.db was read");
}

TEST(JobRunner, ShortJobsAndTimelinesDoNotWaitForLongOnes) {
  Watcher watcher;
  std::latch release(1);
  JobRunner runner(
      [&](const JobRequest& request, const JobProgress&) -> JobResult {
        if (std::holds_alternative<RunKernelJob>(request)) release.wait();
        return std::string("done");
      },
      [&] { watcher.wake(); });
  runner.submit(1, "long", RunKernelJob{});
  runner.submit(2, "short", LoadHomeJob{});
  EXPECT_EQ(watcher.wait_for_end(runner, 2).phase, JobPhase::kDone);
  runner.submit(3, "timeline", IndexTimelineJob{});
  EXPECT_EQ(watcher.wait_for_end(runner, 3).phase, JobPhase::kDone);
  release.count_down();
  EXPECT_EQ(watcher.wait_for_end(runner, 1).phase, JobPhase::kDone);
}

TEST(JobRunner, CancelsWhatRunsAndWhatWaits) {
  Watcher watcher;
  JobRunner runner(
      [](const JobRequest&, const JobProgress& progress) -> JobResult {
        for (double fraction = 0.1;; fraction = 0.2) progress.at(fraction);
      },
      [&] { watcher.wake(); });
  runner.submit(1, "endless", RunKernelJob{});
  runner.submit(2, "waiting", RunKernelJob{});
  watcher.wait_until(runner, 1, [](const JobSnapshot& job) { return job.fraction > 0; });
  runner.cancel(2);
  EXPECT_EQ(watcher.wait_for_end(runner, 2).phase, JobPhase::kCancelled);
  runner.cancel(1);
  EXPECT_EQ(watcher.wait_for_end(runner, 1).phase, JobPhase::kCancelled);
  runner.cancel(99);  // nobody
}

TEST(JobRunner, SaysWhyAJobFailed) {
  Watcher watcher;
  JobRunner runner(
      [](const JobRequest& request, const JobProgress&) -> JobResult {
        if (std::holds_alternative<LoadHomeJob>(request)) throw std::bad_alloc();
        throw Error(ErrorKind::kFailed, "the tile is too large");
      },
      [&] { watcher.wake(); });
  runner.submit(1, "run", RunKernelJob{});
  runner.submit(2, "read", LoadHomeJob{});
  const JobSnapshot failed = watcher.wait_for_end(runner, 1);
  EXPECT_EQ(failed.phase, JobPhase::kFailed);
  EXPECT_EQ(failed.failure, "the tile is too large");
  EXPECT_NE(watcher.wait_for_end(runner, 2).failure.find("out of memory"), std::string::npos);
}

TEST(JobRunner, SaysWhetherItStops) {
  Watcher watcher;
  std::latch release(1);
  JobRunner runner(
      [&](const JobRequest& request, const JobProgress& progress) -> JobResult {
        progress.at(0.1);
        if (std::holds_alternative<RunKernelJob>(request)) release.wait();
        return std::string("done");
      },
      [&] { watcher.wake(); });
  EXPECT_TRUE(runner.stops_within(20)) << "nothing runs";
  runner.submit(1, "cannot be stopped", RunKernelJob{});
  watcher.wait_until(runner, 1, [](const JobSnapshot& job) { return job.fraction > 0; });
  EXPECT_FALSE(runner.stops_within(0.01));
  release.count_down();
  EXPECT_TRUE(runner.stops_within(20));
}

TEST(JobRunner, EndsWithWorkLeft) {
  Watcher watcher;
  JobRunner runner(
      [](const JobRequest&, const JobProgress& progress) -> JobResult {
        for (;;) progress.at(0.5);
      },
      [&] { watcher.wake(); });
  for (int64_t id = 1; id <= 5; ++id) runner.submit(id, "endless", RunKernelJob{});
  watcher.wait_until(runner, 1, [](const JobSnapshot& job) { return job.fraction > 0; });
}

TEST(JobRunner, ShowsWhatARunningJobFoundAndHandsItCommands) {
  Watcher watcher;
  JobRunner runner(
      [](const JobRequest&, const JobProgress& progress) -> JobResult {
        progress.show(std::string("so far"));
        std::vector<JobCommand> commands;
        while (commands.empty() && !progress.is_cancelled()) {
          progress.wait(20);
          commands = progress.commands();
        }
        return std::get<TuneCommand>(commands.front()).text;
      },
      [&] { watcher.wake(); });
  runner.submit(7, "waits", LoadHomeJob{"a.db", ""});
  const JobSnapshot shown =
      watcher.wait_until(runner, 7, [](const JobSnapshot& job) { return job.result.index() != 0; });
  EXPECT_EQ(shown.phase, JobPhase::kRunning);
  EXPECT_EQ(std::get<std::string>(shown.result), "so far");
  runner.steer(8, TuneCommand{.text = "for nobody"});
  runner.steer(7, TuneCommand{.text = "forest"});
  const JobSnapshot done = watcher.wait_for_end(runner, 7);
  EXPECT_EQ(done.phase, JobPhase::kDone);
  EXPECT_EQ(std::get<std::string>(done.result), "forest");
}

TEST(JobRunner, AJobThatWaitsForCommandsEndsWhenItIsCancelled) {
  Watcher watcher;
  JobRunner runner(
      [](const JobRequest&, const JobProgress& progress) -> JobResult {
        progress.show(std::string("waiting"));
        progress.wait(1000);
        progress.at(1);
        return {};
      },
      [&] { watcher.wake(); });
  runner.submit(1, "waits", LoadHomeJob{"a.db", ""});
  watcher.wait_until(runner, 1, [](const JobSnapshot& job) { return job.result.index() != 0; });
  runner.cancel(1);
  EXPECT_EQ(watcher.wait_for_end(runner, 1).phase, JobPhase::kCancelled);
}

TEST(JobRunner, FreesResultsItselfOnceNobodyShowsThem) {
  Watcher watcher;
  std::latch freed(1);
  std::thread::id by;
  JobRunner runner(
      [&](const JobRequest&, const JobProgress&) -> JobResult {
        return std::shared_ptr<const HomeData>(new HomeData, [&](const HomeData* data) {
          delete data;
          by = std::this_thread::get_id();
          freed.count_down();
        });
      },
      [&] { watcher.wake(); });
  runner.submit(1, "load", LoadHomeJob{});
  {
    const JobSnapshot done = watcher.wait_for_end(runner, 1);
    watcher.forget();
    runner.take_changes();
    EXPECT_FALSE(freed.try_wait()) << "it is still shown";
  }
  // As the interface does at every event; the worker lets go of the result just after it gave it.
  while (!freed.try_wait()) {
    runner.take_changes();
    std::this_thread::yield();
  }
  EXPECT_NE(by, std::this_thread::get_id());
}

}  // namespace
}  // namespace tilewright
