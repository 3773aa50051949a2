#pragma once

#include <algorithm>
#include <cstdint>

#include "app/tui/jobs.h"
#include "core/timeline/timeline.h"
#include "simulator/launch.h"

namespace tilewright {

/// Counts the events of a detailed simulation: tells the job's progress, and ends a job that was
/// cancelled by throwing JobCancelled. Both the launch and the progress must outlive it.
class ProgressSink : public TimelineSink {
 public:
  ProgressSink(const JobProgress& progress, const Launch& launch)
      : progress_(progress), expected_(std::max<int64_t>(1, launch.instruction_count())) {}

  void begin(const TimelineLanes&) override {}
  void add(const TimelineEvent&) override {
    if (++events_ % kEventsPerReport != 0) return;
    progress_.at(static_cast<double>(events_) / static_cast<double>(expected_));
  }
  void finish() override {}

 private:
  /// Below a millisecond of simulation.
  static constexpr int64_t kEventsPerReport = 4096;

  const JobProgress& progress_;
  int64_t expected_;
  int64_t events_ = 0;
};

}  // namespace tilewright
