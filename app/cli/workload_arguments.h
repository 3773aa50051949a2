#pragma once

#include <string>
#include <vector>

#include "app/cli/context.h"
#include "core/workload/workload.h"

namespace tilewright {

/// Options of which requests of a workload are meant and when they arrive: limit, offset, window,
/// rate, arrivals, trace.
std::vector<Option> workload_options();

/// " limit=60 rate=4": those that were given; empty where none was.
std::string workload_choices(const Arguments& arguments);

/// The workload of that name (a preset, or the path of a trace) with workload_options() applied:
/// first the window, then offset and limit, then rate or arrivals. Notes on how it was read go to
/// stderr. Errors as load_workload(), slice_requests() and apply_arrivals().
Workload read_workload_arguments(const Context& context, const std::string& name);

}  // namespace tilewright
