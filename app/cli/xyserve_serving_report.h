#pragma once

#include <string>

#include "app/cli/context.h"
#include "core/base/json.h"
#include "tuner/xyserve/serving_experiment.h"

namespace tilewright {

/// The experiment as JSON (docs/formats.md, "report xyserve-e2e").
Json json_of(const ServingExperiment& experiment, const Machine& machine);

/// Ratios beside the paper's, every point, and what the device's time went into.
std::string text_of(Context& context, const ServingExperiment& experiment, const Machine& machine);

}  // namespace tilewright
