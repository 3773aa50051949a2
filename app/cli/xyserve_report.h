#pragma once

#include <string>

#include "app/cli/context.h"
#include "core/base/json.h"
#include "tuner/xyserve/report.h"

namespace tilewright {

/// The report as JSON (docs/formats.md, "report xyserve").
Json json_of(const XyserveReport& report, const Machine& machine);

/// Results beside the paper's, the baselines beside measurements, and the GEMMs by shape.
std::string text_of(Context& context, const XyserveReport& report, const Machine& machine);

}  // namespace tilewright
