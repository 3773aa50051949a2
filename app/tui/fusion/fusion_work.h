#pragma once

#include <memory>

#include "app/tui/fusion/fusion_data.h"
#include "app/tui/jobs.h"

namespace tilewright {

/// What the jobs of the Fusion screen do. They throw Error or JobCancelled.

std::shared_ptr<const FusionPlans> plan_fusion(const PlanFusionJob& job,
                                               const JobProgress& progress);
std::shared_ptr<const FusionAnswer> answer_fusion(const AskFusionJob& job,
                                                  const JobProgress& progress);

}  // namespace tilewright
