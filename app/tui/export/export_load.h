#pragma once

#include <memory>

#include "app/tui/export/export_data.h"
#include "app/tui/jobs.h"

namespace tilewright {

/// What the jobs of the Export screen do. They throw Error or JobCancelled.

std::shared_ptr<const ExportView> load_export(const LoadExportJob& job,
                                              const JobProgress& progress);
std::shared_ptr<const ExportDraft> draft_export(const DraftExportJob& job,
                                                const JobProgress& progress);
std::shared_ptr<const ExportVerdict> verify_numerics(const VerifyNumericsJob& job,
                                                     const JobProgress& progress);
std::shared_ptr<const ExportVerdict> verify_replay(const VerifyReplayJob& job,
                                                   const JobProgress& progress);
std::shared_ptr<const WrittenPlan> write_plan_file(const WriteExportJob& job);

}  // namespace tilewright
