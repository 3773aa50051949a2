#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "app/cli/context.h"
#include "core/space/problem.h"
#include "kernels/kernel.h"
#include "simulator/launch.h"
#include "simulator/timing.h"

namespace tilewright {

/// What the program itself will need for some work, by the rates of docs/performance.md.
struct WorkEstimate {
  double seconds = 0;
  double bytes = 0;  ///< of memory

  friend WorkEstimate operator+(WorkEstimate a, WorkEstimate b) {
    return {a.seconds + b.seconds, a.bytes + b.bytes};
  }
};

/// What is announced: work that takes longer than this.
constexpr double kNotedSeconds = 10;
/// What is refused without --yes: 20 minutes, and half of the machine's memory.
constexpr double kMostSeconds = 1200;
double most_bytes();

/// Timing a launch.
WorkEstimate estimate_timing(const Launch& launch, const Machine& machine, Fidelity fidelity);
/// Looking for hazards in it.
WorkEstimate estimate_hazards(const Launch& launch);
/// Computing its numbers and those of the reference: the second decides.
WorkEstimate estimate_check(const Kernel& kernel, const Problem& problem, const Launch& launch);
/// The same, as far as it is clear before a launch is built, whose tasks alone could fill the
/// memory: the matrices of a GEMM, and the operations.
WorkEstimate estimate_check(const Kernel& kernel, const Problem& problem);

/// Error (usage) with the estimate where it is above the limits; `what` does the work.
void refuse_huge(const WorkEstimate& estimate, std::string_view what);

/// "45 s", "12 min", "3.4 h".
std::string format_duration(double seconds);

/// Says what long work will take and then, while it lives, how long it is under way. Nothing for
/// work that is short.
class WorkNotice {
 public:
  WorkNotice(const Context& context, const WorkEstimate& estimate, std::string what);
  WorkNotice(const WorkNotice&) = delete;
  WorkNotice& operator=(const WorkNotice&) = delete;

 private:
  std::mutex mutex_;  // of the thread alone, which sleeps on it
  std::condition_variable_any ended_;
  std::jthread thread_;
};

}  // namespace tilewright
