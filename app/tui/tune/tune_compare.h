#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/tui/command_table.h"
#include "app/tui/jobs.h"
#include "app/tui/lab/kernel_outcome.h"
#include "app/tui/lab/lab_figures.h"
#include "app/tui/state.h"
#include "app/tui/widgets.h"

namespace tilewright {

/// Two configs of a problem, each simulated in detail.
struct ComparedConfigs {
  KernelOutcome a;
  KernelOutcome b;
  RunDiff diff;
};

/// Error where one of them cannot be simulated, JobCancelled.
std::shared_ptr<const ComparedConfigs> compare_configs(const CompareConfigsJob& job,
                                                       const JobProgress& progress);

/// Whether two configs of the problem that is shown are marked.
bool shows_comparison(const TuneState& tune);

/// The marked configs beside each other: time, the parameters that differ, and as soon as they are
/// simulated where their time goes. None while there are not two.
std::vector<TableRow> comparison_rows(const TuneState& tune);

void configs_compared(State& state, int64_t job,
                      const std::shared_ptr<const ComparedConfigs>& compared);

/// Marks, and the value that the tile space is held at.
std::vector<WorkbenchCommand> tune_compare_commands();

}  // namespace tilewright
