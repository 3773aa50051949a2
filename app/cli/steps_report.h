#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "app/cli/context.h"
#include "app/cli/run_report.h"
#include "core/base/json.h"
#include "db/queries.h"

namespace tilewright {

/// How often each kind of event came, by cause.
ReportSection event_counts(std::span<const StepEvent> events);

/// requests[], steps[], slowest_steps[] (so many), step_end_ns[] and events[].
Json json_of(const ServingDetails& details, int64_t slowest);

/// A line for each record of steps; behind its measures the times of its ops.
QueryResult steps_table(const ServingDetails& details);

/// The slowest steps with their composition, and the KV cache over time; lines of up to 80 columns.
std::string text_of(Context& context, const ServingDetails& details, int64_t slowest);

}  // namespace tilewright
