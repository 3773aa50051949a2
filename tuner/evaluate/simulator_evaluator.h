#pragma once

#include <string>
#include <vector>

#include "core/machine/machine.h"
#include "core/space/measurement.h"
#include "simulator/timing.h"
#include "tuner/evaluate/evaluator.h"

namespace tilewright {

/// Key text of the simulator at a fidelity (kAuto must be resolved first):
/// "sim/<timing revision>/<fidelity>".
std::string simulator_evaluator_id(Fidelity fidelity = Fidelity::kDetailed);
/// Of every fidelity.
std::vector<std::string> simulator_evaluator_ids();

/// The key of a kernel's config on a machine, but for the evaluator.
MeasurementKey kernel_key(const Problem& problem, const Config& config, const Machine& machine);

/// Builds the launch of a registered kernel's config and times it; composed where it can be, in
/// detail otherwise, at the composed fidelity. Thread-safe.
class SimulatorEvaluator : public Evaluator {
 public:
  /// The machine must outlive the evaluator; the fidelity is not kAuto.
  explicit SimulatorEvaluator(const Machine& machine, Fidelity fidelity = Fidelity::kDetailed)
      : machine_(machine), fidelity_(fidelity) {}

  std::string id() const override { return simulator_evaluator_id(fidelity_); }
  Measurement evaluate(const Problem& problem, const Config& config) const override;

  /// Failures that earlier versions had where a launch cannot be composed.
  bool is_outdated(const Measurement& stored) const override;

  /// Whether the composed timing of this config can be had, and takes less than the detailed one.
  bool is_cheaper(const Problem& problem, const Config& config) const;

 private:
  const Machine& machine_;
  Fidelity fidelity_;
};

}  // namespace tilewright
