#pragma once

#include <cstdint>

#include "core/machine/machine.h"
#include "simulator/launch.h"

namespace tilewright {

/// Ticks of a launch to first order, launch and dispatch included (docs/model.md, "Advice"): what
/// its busiest cores need if the memory that all share gave each its constant part, and no less
/// than that memory needs for all bytes. Takes well below a thousandth of the time of a simulation
/// of a large launch; never reported as a measurement.
int64_t estimate_ticks(const Launch& launch, const Machine& machine);

}  // namespace tilewright
