#include "app/tui/lab/kernel_outcome.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/cli/clock.h"
#include "app/cli/kernel_run.h"
#include "app/cli/problem_arguments.h"
#include "app/cli/shell_word.h"
#include "app/cli/trace_file.h"
#include "app/cli/work_estimate.h"
#include "app/tui/progress_sink.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// Of a job with further steps than the simulation.
constexpr double kSimulationShare = 0.7;

void look_closer(const RunKernelJob& job, const Kernel& kernel, const Launch& launch,
                 const JobProgress& progress, KernelRun& run) {
  if (job.finds_hazards) {
    run.hazards = find_hazards(launch, run.machine);
    progress.at(job.checks ? 0.8 : 0.95);
  }
  if (job.checks) {
    run.check = check_kernel(kernel, run.problem, run.config, run.machine, {0});
    progress.at(0.95);
  }
}

/// Keeps a run as `tilewright run` does. A lock is not waited for as long as there: the result is
/// wanted on the screen.
void keep_outcome(const RunKernelJob& job, const KernelRun& run, KernelOutcome& outcome) {
  constexpr int kBusyMs = 1000;
  try {
    Store store = Store::open(job.db, OpenMode::kReadWrite, kBusyMs);
    const std::string command =
        fmt::format("{}{}{}", command_line_of(job.request), job.checks ? " --check" : "",
                    job.finds_hazards ? " --hazards" : "");
    outcome.run = keep({command, 0}, run, store);
  } catch (const Error& error) {
    outcome.not_kept = error.message();
  }
}

}  // namespace

bool KernelOutcome::uses_cube() const {
  return std::ranges::any_of(profile.pipes,
                             [](const PipeProfile& pipe) { return pipe.pipe == Pipe::kCube; });
}

double peak_flops_of(const KernelOutcome& outcome) {
  const Machine& machine = outcome.request.machine->machine;
  const DType type = outcome.request.problem.types.front();
  if (outcome.uses_cube()) return machine.peak_flops(type);
  const int64_t width = bytes_of(type);
  const double elements = static_cast<double>(machine.vector.repeat_bytes / width) /
                          machine.vector.cost_of(VectorOp::kAdd, width <= 2).slope;
  return elements * machine.cores.clock_mhz * 1e6 *
         static_cast<double>(machine.cores.aic * machine.cores.aiv_per_aic);
}

std::string command_line_of(const KernelRequest& request) {
  const Problem& problem = request.problem;
  return fmt::format("tilewright run {} --fidelity detailed --machine {}",
                     join(run_arguments(problem, request.config), " "),
                     shell_word(request.machine->argument));
}

KernelOutcome run_kernel(const RunKernelJob& job, const JobProgress& progress) {
  const double started = wall_seconds();
  const Kernel& kernel = find_kernel(job.request.problem.kernel);
  KernelRun run;
  run.machine = job.request.machine->machine;
  run.problem = job.request.problem;
  run.config = job.request.config;
  if (job.checks) refuse_huge(estimate_check(kernel, run.problem), "a check");
  const Launch launch = build_launch(kernel, run.problem, run.config, run.machine);
  if (job.checks) refuse_huge(estimate_check(kernel, run.problem, launch), "a check");
  if (job.finds_hazards) refuse_huge(estimate_hazards(launch), "a search for hazards");
  progress.at(0);
  const JobProgress simulation =
      progress.part(0, job.checks || job.finds_hazards ? kSimulationShare : 1);
  ProfileSink sink(launch);
  ProgressSink watch(simulation, launch);
  TeeSink both(sink, watch);
  take_timing(launch, time_detailed(launch, run.machine, &both), run);
  look_closer(job, kernel, launch, progress, run);

  KernelOutcome outcome;
  outcome.request = job.request;
  outcome.run = job.run;
  outcome.time_us = run.measurement.time_us;
  outcome.flops = run.flops;
  outcome.instructions = launch.instruction_count();
  outcome.profile = sink.profile(run.timing);
  outcome.roofline = run.roofline;
  outcome.uses = kernel.space(run.problem, run.machine).uses(run.config);
  outcome.advice =
      advise(kernel, run.problem, run.config, run.machine, outcome.profile, run.roofline);
  outcome.check = run.check;
  outcome.hazards = run.hazards;
  run.wall_ms = outcome.wall_ms = (wall_seconds() - started) * 1e3;
  if (job.keeps) keep_outcome(job, run, outcome);
  return outcome;
}

RestoredRuns restore_runs(const RestoreRunsJob& job, const JobProgress& progress) {
  RestoredRuns restored{{}, job.shown, job.pinned};
  const auto count = static_cast<double>(job.runs.size());
  for (const SavedRun& run : job.runs) {
    const double done = static_cast<double>(&run - job.runs.data());
    const JobProgress part = progress.part(done / count, (done + 1) / count);
    try {
      KernelOutcome outcome =
          run_kernel({.request = run.request, .db = "", .keeps = false, .run = run.run}, part);
      restored.runs.push_back(
          {run.number, std::make_shared<const KernelOutcome>(std::move(outcome))});
    } catch (const Error&) {
      continue;
    }
  }
  return restored;
}

std::string export_timeline(const ExportTimelineJob& job, const JobProgress& progress) {
  const Machine& machine = job.request.machine->machine;
  const Launch launch = build_launch(find_kernel(job.request.problem.kernel), job.request.problem,
                                     job.request.config, machine);
  progress.at(0);
  ProgressSink watch(progress, launch);
  time_traced(launch, machine, job.path, &watch);
  return fmt::format("timeline of {} instructions written to {}",
                     format_count(launch.instruction_count()), printable(job.path));
}

}  // namespace tilewright
