#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/cli/context.h"
#include "app/cli/tune_arguments.h"
#include "app/cli/tune_report.h"
#include "core/machine/machine.h"
#include "tuner/session/session.h"

namespace tilewright {

/// What is searched, and how its results are named and weighted.
struct TuneTarget {
  Machine machine;
  std::string model;     ///< empty: one kernel
  std::string workload;  ///< empty: one kernel
  std::string label;
  std::vector<TuneProblem> problems;
  CallCounts calls;
  std::optional<SizeRange> range;  ///< of a family; `problems` are its members
  /// A problem of the family.
  std::function<TuneProblem(int64_t m)> member = {};

  bool is_model() const { return !model.empty(); }
  bool is_family() const { return range.has_value(); }
};

/// The target of a `tune` command line: a kernel's problem, a family of them, or the problems that
/// a workload makes of a model, for which it is served once. Nothing when interrupted meanwhile.
/// Error as of the arguments; (not found) for a name that is neither kernel nor model.
std::optional<TuneTarget> read_tune_target(Context& context);

}  // namespace tilewright
