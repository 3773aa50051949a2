#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "app/tui/command_table.h"
#include "app/tui/screen.h"

namespace tilewright {

/// One kernel: edit its problem and config, see what fits, run it, and read where its time goes.
const ScreenInfo& lab_screen();
std::vector<WorkbenchCommand> lab_commands();

/// A run of the Lab is over.
void kernel_finished(State& state, int64_t job, const std::shared_ptr<const KernelOutcome>& outcome,
                     Effects& effects);

/// The runs of a session that was opened again are there.
void runs_restored(State& state, const std::shared_ptr<const RestoredRuns>& restored,
                   Effects& effects);

/// A job failed or was cancelled: whoever waits for it waits no longer.
void job_ended_without_result(State& state, const JobSnapshot& job);

/// Shows a problem and config, given by their canonical texts, and simulates it; `run` is the one
/// of the database that is shown again so, 0 where it is none.
void open_in_lab(State& state, std::string_view problem, std::string_view config,
                 std::string_view machine, Effects& effects, int64_t run = 0);

}  // namespace tilewright
