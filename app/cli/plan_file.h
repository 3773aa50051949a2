#pragma once

#include <string>

#include "app/cli/context.h"
#include "core/machine/machine.h"
#include "core/plan/plan.h"

namespace tilewright {

/// Reads a plan and checks that it is meant for this machine, and that its kernels have not changed
/// since. Error (check failed) otherwise, unless forced; another model only gets a warning.
Plan load_plan(const Context& context, const std::string& path, const Machine& machine,
               const std::string& model, bool force);

/// Error (check failed), naming `path`, when a kernel of the plan has changed since.
void check_plan_revisions(const Plan& plan, const std::string& path);

}  // namespace tilewright
