#pragma once

#include <string>
#include <vector>

#include "app/cli/options.h"
#include "core/base/json.h"
#include "core/machine/machine.h"
#include "core/space/problem.h"
#include "core/space/space.h"
#include "kernels/kernel.h"
#include "simulator/launch.h"

namespace tilewright {

/// --shape, --dtype, --layout, --epilogue, --out-dtype and --mask as a request. Error (usage).
ProblemRequest read_request(const Arguments& arguments);
/// The same with `shape` in place of --shape.
ProblemRequest read_request(const Arguments& arguments, const std::string& shape);

/// The problem of a request. Error (usage), also where its product of sizes is beyond what can be
/// simulated.
Problem read_problem(const Kernel& kernel, const ProblemRequest& request);

/// The request that makes a problem which a database or a session names: nothing in such a text is
/// taken for granted. Error (failed) for one that the kernel does not make.
ProblemRequest request_for(const Kernel& kernel, const Problem& problem);

/// Builds the launch of a config. Error (usage) when it has more instructions than can be simulated
/// in reasonable time.
Launch build_launch(const Kernel& kernel, const Problem& problem, const Config& config,
                    const Machine& machine);

/// The arguments of `tilewright run` for a request, an option with its value each: kernel, --shape,
/// --dtype and so on, and every value of the config, in several --config that stay short.
std::vector<std::string> run_arguments(const Problem& problem, const Config& config);

/// {name: value, ...}.
Json to_json(const Config& config);
/// The same with labels for values that are no numbers.
Json to_json(const Config& config, const Space& space);
/// One value of a parameter: its label, or the number.
Json json_value(const Space& space, const std::string& parameter, int64_t value);

}  // namespace tilewright
