#include "tuner/evaluate/simulator_evaluator.h"

#include <fmt/format.h>

#include "kernels/kernel.h"

namespace tilewright {

std::string simulator_evaluator_id(Fidelity fidelity) {
  return fmt::format("sim/{}/{}", kTimingRevision, name_of(fidelity));
}

std::vector<std::string> simulator_evaluator_ids() {
  return {simulator_evaluator_id(Fidelity::kDetailed), simulator_evaluator_id(Fidelity::kComposed)};
}

MeasurementKey kernel_key(const Problem& problem, const Config& config, const Machine& machine) {
  MeasurementKey key;
  key.kernel = problem.kernel;
  key.kernel_revision = find_kernel(problem.kernel).revision();
  key.problem = problem.text();
  key.config = config.text();
  key.machine_fingerprint = machine.fingerprint();
  return key;
}

Measurement SimulatorEvaluator::evaluate(const Problem& problem, const Config& config) const {
  const Launch launch = find_kernel(problem.kernel).build(problem, config, machine_);
  const bool is_composed = fidelity_ == Fidelity::kComposed && can_be_composed(launch);
  const TimingResult timing =
      is_composed ? time_composed(launch, machine_) : time_detailed(launch, machine_);
  Measurement measurement;
  measurement.time_ticks = timing.ticks;
  measurement.time_us = machine_.us_of_ticks(timing.ticks);
  measurement.counters = profiler_counters(timing, machine_);
  return measurement;
}

bool SimulatorEvaluator::is_outdated(const Measurement& stored) const {
  return fidelity_ == Fidelity::kComposed && stored.status == AttemptStatus::kRuntime &&
         stored.reason.find("cannot be composed") != std::string::npos;
}

bool SimulatorEvaluator::is_cheaper(const Problem& problem, const Config& config) const {
  const Launch launch = find_kernel(problem.kernel).build(problem, config, machine_);
  return fidelity_ == Fidelity::kComposed &&
         resolve(Fidelity::kAuto, launch, machine_) == Fidelity::kComposed;
}

}  // namespace tilewright
