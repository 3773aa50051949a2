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

/// Shows the timeline of a run, simulating it again in the background.
void open_timeline(State& state, const KernelRequest& request, Effects& effects);

}  // namespace tilewright
