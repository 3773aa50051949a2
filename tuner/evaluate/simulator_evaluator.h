#pragma once

#include <string>

#include "core/machine/machine.h"
#include "core/space/measurement.h"
#include "tuner/evaluate/evaluator.h"

namespace tilewright {

/// Key text of the simulator's detailed timing: "sim/<timing revision>/detailed".
std::string simulator_evaluator_id();

/// The key of a kernel's config on a machine, but for the evaluator.
MeasurementKey kernel_key(const Problem& problem, const Config& config, const Machine& machine);

/// Builds the launch of a registered kernel's config and times it in detail. Thread-safe.
class SimulatorEvaluator : public Evaluator {
 public:
  /// The machine must outlive the evaluator.
  explicit SimulatorEvaluator(const Machine& machine) : machine_(machine) {}

  std::string id() const override { return simulator_evaluator_id(); }
  Measurement evaluate(const Problem& problem, const Config& config) const override;

 private:
  const Machine& machine_;
};

}  // namespace tilewright
