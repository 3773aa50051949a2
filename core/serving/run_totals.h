#pragma once

#include "core/serving/engine.h"
#include "core/serving/metrics.h"

namespace tilewright {

/// What a run of the engine knows beyond its requests. KV blocks in use are averaged over the time
/// of the steps, as each step leaves them.
RunTotals totals_of(const ServingResult& result, const Capacity& capacity);

}  // namespace tilewright
