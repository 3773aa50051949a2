#pragma once

#include <memory>
#include <vector>

#include "app/tui/command_table.h"
#include "app/tui/screen.h"

namespace tilewright {

/// Searches for the fastest configs: begun, watched and steered.
const ScreenInfo& tune_screen();
std::vector<WorkbenchCommand> tune_commands();

/// News of workers.
void tune_shown(State& state, int64_t job, const std::shared_ptr<const TuneView>& view);
void matters_found(State& state, int64_t job, const std::shared_ptr<const TuneMatters>& matters);
void fit_found(State& state, int64_t job, const std::shared_ptr<const TuneFit>& fit);
void reason_found(State& state, int64_t job, const std::shared_ptr<const CellReason>& reason);
/// A job failed or was cancelled.
void tune_job_ended(State& state, const JobSnapshot& job);

/// Puts a problem into the form, and searches it unless another search is at work.
void tune_problem(State& state, const Problem& problem, Effects& effects);
/// Shows a tuning that is in the database, and follows it while another process is at it.
void open_tuned_run(State& state, int64_t run, Effects& effects);

}  // namespace tilewright
