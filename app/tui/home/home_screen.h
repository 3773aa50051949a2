#pragma once

#include <memory>
#include <vector>

#include "app/tui/command_table.h"
#include "app/tui/screen.h"

namespace tilewright {

/// What the database knows, the machine, the jobs, and where to begin.
const ScreenInfo& home_screen();
std::vector<WorkbenchCommand> home_commands();

/// The database was read.
void home_loaded(State& state, int64_t job, const std::shared_ptr<const HomeData>& data);
/// A job ended without a result.
void home_job_ended(State& state, const JobSnapshot& job);

/// Asks for what the database holds now.
void refresh_home(State& state, Effects& effects);
/// The same when nobody asked for it: it is not shown as a job.
void reread_home(State& state, Effects& effects);

}  // namespace tilewright
