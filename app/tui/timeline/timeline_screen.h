#pragma once

#include <memory>
#include <vector>

#include "app/tui/command_table.h"
#include "app/tui/screen.h"

namespace tilewright {

/// Every instruction of a run on its core and pipe, from the whole launch to a single one.
const ScreenInfo& timeline_screen();
std::vector<WorkbenchCommand> timeline_commands();

/// The events of a run are indexed.
void timeline_ready(State& state, int64_t job, const std::shared_ptr<const TimelineData>& data,
                    Effects& effects);

/// The statistics of an area are there.
void area_ready(State& state, int64_t job, const std::shared_ptr<const AreaData>& data);

/// Shows the timeline of a run, simulating it again in the background. What is shown of the same
/// run already stays as it is.
void open_timeline(State& state, const KernelRequest& request, Effects& effects);

/// The kernel that the Lab shows a result of; null when it shows none.
const KernelRequest* current_request(const State& state);

}  // namespace tilewright
