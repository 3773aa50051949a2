#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/tui/jobs.h"
#include "app/tui/kernel_request.h"
#include "core/space/space.h"
#include "kernels/kernel.h"
#include "simulator/hazards.h"
#include "simulator/profile.h"
#include "simulator/roofline.h"
#include "tuner/advice/advice.h"

namespace tilewright {

/// Cycles of ticks, the last one not counted unless it is whole.
constexpr int64_t whole_cycles(int64_t ticks) {
  return ticks / kTicksPerCycle;
}

/// Everything that a run of one kernel found. Never changed after the worker made it.
struct KernelOutcome {
  KernelRequest request;
  int64_t run = 0;       ///< its number in the database; 0 where it was not kept
  std::string not_kept;  ///< why it could not be kept; empty when it was, or was not to be
  double time_us = 0;
  double flops = 0;          ///< of the problem, without padding
  int64_t instructions = 0;  ///< of the launch
  LaunchProfile profile;
  Roofline roofline;
  std::vector<ResourceUse> uses;
  std::vector<Advice> advice;
  std::optional<CheckResult> check;            ///< of the numbers, where asked
  std::optional<std::vector<Hazard>> hazards;  ///< found, where looked for
  double wall_ms = 0;

  int64_t ticks() const { return profile.timing.ticks; }
  /// Whole ones, as the command line prints them.
  int64_t cycles() const { return whole_cycles(ticks()); }
  double flops_per_s() const { return flops / time_us * 1e6; }
  /// Whether cube cores worked.
  bool uses_cube() const;
};

/// Peak of the cube cores for the outcome's type, or of the vector cores where it uses no cube:
/// elements per second of an addition.
double peak_flops_of(const KernelOutcome& outcome);

/// The command line that gives the same time.
std::string command_line_of(const KernelRequest& request);

/// The detailed simulation, with what else the job asks for; keeps the run as `tilewright run`
/// does, and says in the outcome where that cannot be done. Throws Error or JobCancelled.
KernelOutcome run_kernel(const RunKernelJob& job, const JobProgress& progress);

/// Runs of a session that are there again.
struct RestoredRuns {
  struct Run {
    int number = 0;
    std::shared_ptr<const KernelOutcome> outcome;  // shared with what shows it
  };
  std::vector<Run> runs;
  int shown = 0;
  int pinned = 0;
};

/// Runs of this size are brought back within a moment; larger ones are not.
constexpr int64_t kMostRestoredInstructions = 4'000'000;

/// Simulates them again, keeping nothing. Runs that cannot be had any more (another kernel revision
/// refuses the config) are left out. Throws JobCancelled.
RestoredRuns restore_runs(const RestoreRunsJob& job, const JobProgress& progress);

/// Writes the timeline of a kernel and says where. Throws Error or JobCancelled.
std::string export_timeline(const ExportTimelineJob& job, const JobProgress& progress);

}  // namespace tilewright
