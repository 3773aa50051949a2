#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/tui/command_table.h"
#include "app/tui/screen.h"

namespace tilewright {

/// A serving run, under way or stored: load, latencies, steps, requests; new runs and comparisons.
const ScreenInfo& serve_screen();
std::vector<WorkbenchCommand> serve_commands();

/// A job has a run to show: one that is under way or over, or one that was read.
void serve_viewed(State& state, const JobSnapshot& job,
                  const std::shared_ptr<const ServeView>& view, Effects& effects);
/// The kernels of a step are found.
void kernels_found(State& state, int64_t job, const std::shared_ptr<const StepKernels>& kernels,
                   Effects& effects);
/// A job failed or was cancelled: whoever waits for it waits no longer.
void serve_job_ended(State& state, const JobSnapshot& job);

/// Shows a serving run of the database.
void open_serve_run(State& state, int64_t run, Effects& effects);

/// Mouse in the panes.
void serve_mouse(State& state, int pane, const Rect& inner, const MouseEvent& event,
                 Effects& effects);

}  // namespace tilewright
