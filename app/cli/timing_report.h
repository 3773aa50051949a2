#pragma once

#include <string>

#include "app/cli/context.h"
#include "core/base/json.h"
#include "core/machine/machine.h"
#include "core/timeline/breakdown.h"
#include "db/queries.h"
#include "simulator/roofline.h"
#include "simulator/timing.h"

namespace tilewright {

/// [{cause, us, cycles, share}], longest first.
Json json_of(const Breakdown& breakdown, const Machine& machine);
/// {components[], verdict, reason}.
Json json_of(const Roofline& roofline);

/// A line for each cause and the total.
std::string text_of(const Breakdown& breakdown, const Machine& machine);
/// Heading with the verdict, its reason, and a line for each component.
std::string text_of(Context& context, const Roofline& roofline);

/// The counters of each core that ran something, by the names of the Ascend profiler
/// (docs/formats.md, "Counters of the cores").
QueryResult core_counters(const Launch& launch, const TimingResult& timing, const Machine& machine);

/// Cycles of ticks, with their fraction.
double cycles_of(int64_t ticks);

}  // namespace tilewright
