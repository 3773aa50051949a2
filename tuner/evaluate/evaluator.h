#pragma once

#include <string>

#include "core/space/measurement.h"
#include "core/space/problem.h"
#include "core/space/space.h"

namespace tilewright {

/// Thrown by an evaluator that was told to stop before it had a result: nothing was measured, and
/// nothing is to be kept. No Error, since the config has not failed.
struct EvaluationStopped {};

/// What turns a problem and a config into a measurement, on one machine. evaluate() is called from
/// several threads at once, and its result depends on its arguments alone.
class Evaluator {
 public:
  virtual ~Evaluator() = default;

  /// The evaluator part of a measurement's key: "sim/<timing revision>/<fidelity>",
  /// "cmd/<hash of the command>", "table/<hash of the file>".
  virtual std::string id() const = 0;

  /// A config that fails is a measurement with its status and reason. An Error thrown is taken for
  /// one, too: infeasible when it says so, runtime otherwise.
  virtual Measurement evaluate(const Problem& problem, const Config& config) const = 0;

  /// Whether a failure that the database has is to be tried again, since it came of a limit that is
  /// no more.
  virtual bool is_outdated(const Measurement& /*stored*/) const { return false; }
};

}  // namespace tilewright
