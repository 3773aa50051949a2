#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "app/tui/command_table.h"
#include "app/tui/screen.h"

namespace tilewright {

struct FusionPlans;
struct FusionAnswer;

/// Which ops of a graph share a kernel: plans of several planners, edited, explained, compared.
const ScreenInfo& fusion_screen();
std::vector<WorkbenchCommand> fusion_commands();

/// News of workers.
void fusion_planned(State& state, const JobSnapshot& job,
                    const std::shared_ptr<const FusionPlans>& plans);
void fusion_answered(State& state, int64_t job, const std::shared_ptr<const FusionAnswer>& answer);
void fusion_job_ended(State& state, const JobSnapshot& job);

}  // namespace tilewright
