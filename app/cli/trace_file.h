#pragma once

#include <string>

#include "core/machine/machine.h"
#include "core/timeline/timeline.h"
#include "simulator/launch.h"
#include "simulator/timing.h"

namespace tilewright {

/// Times a launch in detail and writes its timeline to `path` on the way: as CSV when that ends
/// with .csv, else as a Chrome trace. The file appears when it is whole; Error (failed) when it
/// cannot be written, and when interrupted() says so. `beside` gets the events too; what it throws
/// ends the work.
TimingResult time_traced(const Launch& launch, const Machine& machine, const std::string& path,
                         TimelineSink* beside = nullptr);

}  // namespace tilewright
