#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/cli/context.h"
#include "app/cli/foreign_target.h"
#include "app/cli/tune_arguments.h"
#include "app/cli/tune_report.h"
#include "core/machine/machine.h"
#include "tuner/session/family_session.h"
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
  FamilyMaker family = {};         ///< of a range

  std::optional<ForeignTarget> foreign = std::nullopt;  ///< of a file; `problems` are its own
  std::optional<MachineRow> device = std::nullopt;      ///< what it is tuned for, if no machine

  /// One problem, of which there is more to say than of many.
  bool is_one() const { return !is_model() && !is_family() && problems.size() == 1; }
  std::string machine_name() const { return device ? device->name : machine.name; }
  std::string fingerprint() const { return device ? device->fingerprint : machine.fingerprint(); }
  /// The key of a config, but for the evaluator.
  MeasurementKey key(const Problem& problem, const Config& config) const;
  bool is_model() const { return !model.empty(); }
  bool is_family() const { return range.has_value(); }
};

/// The target of a `tune` command line: a kernel's problem, those of a file of another tool, a
/// family of them, or the problems that a workload makes of a model, for which it is served once.
/// Nothing when interrupted meanwhile. Error as of the arguments; (not found) for a name that is
/// neither kernel nor model.
std::optional<TuneTarget> read_tune_target(Context& context);

}  // namespace tilewright
