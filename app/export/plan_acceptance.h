#pragma once

#include <functional>
#include <string>
#include <vector>

#include "app/export/export_source.h"
#include "tuner/session/plan_checks.h"

namespace tilewright {

/// The serving engine takes the plan of some winners: read back, of a machine that is what it was,
/// and of kernels that have not changed since.
PlanCheck check_engine(const ExportSource& source, const std::vector<Winner>& winners);

/// The checks that take no longer than a moment: fit, ranges, tables, engine.
std::vector<PlanCheck> quick_checks(const ExportSource& source, const std::vector<Winner>& winners,
                                    const CheckProgress& progress);

/// The numbers of the configs, where the machine is known.
PlanCheck numeric_check(const ExportSource& source, const std::vector<Winner>& winners,
                        const CheckProgress& progress);

}  // namespace tilewright
