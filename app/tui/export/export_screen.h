#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "app/tui/command_table.h"
#include "app/tui/screen.h"

namespace tilewright {

struct ExportView;
struct ExportDraft;
struct ExportVerdict;
struct WrittenPlan;

/// The winners of a tuning on their way into a file: chosen, checked, compared with what is there,
/// written.
const ScreenInfo& export_screen();
std::vector<WorkbenchCommand> export_commands();

/// Shows the winners of a tuning run.
void open_export(State& state, int64_t run, Effects& effects);

/// News of workers.
void export_loaded(State& state, const JobSnapshot& job,
                   const std::shared_ptr<const ExportView>& view);
void export_drafted(State& state, int64_t job, const std::shared_ptr<const ExportDraft>& draft);
void export_verified(State& state, int64_t job,
                     const std::shared_ptr<const ExportVerdict>& verdict);
void export_written(State& state, int64_t job, const std::shared_ptr<const WrittenPlan>& written);
void export_job_ended(State& state, const JobSnapshot& job);

}  // namespace tilewright
