#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tilewright {

/// How one try to measure a config ended.
enum class AttemptStatus { kOk, kInfeasible, kCompile, kRuntime, kTimeout, kWrongResult };

/// "ok", "infeasible", "compile", "runtime", "timeout", "wrong_result".
std::string_view name_of(AttemptStatus status);
/// The status of that name; Error (failed) for an unknown one.
AttemptStatus parse_attempt_status(std::string_view name);

/// What one evaluation found: a time with its counters, or the reason why there is none.
struct Measurement {
  AttemptStatus status = AttemptStatus::kOk;
  std::string reason;      ///< empty when ok
  double time_us = 0;      ///< 0 when not ok
  int64_t time_ticks = 0;  ///< simulated time, 1/1024 cycle; 0 from evaluators that have none
  /// Counters by their profiler name, in a fixed order.
  std::vector<std::pair<std::string, double>> counters;
  /// Every repetition behind time_us, in the order measured; empty where one says it all.
  std::vector<double> times_us = {};
  double spread_us = 0;  ///< standard error of time_us; 0 where it is exact
};

/// What identifies a measurement: two evaluations with equal keys measure
/// the same thing and are never both run.
struct MeasurementKey {
  std::string kernel;
  int kernel_revision = 0;
  std::string problem;  ///< canonical text
  std::string config;   ///< canonical text
  std::string machine_fingerprint;
  std::string evaluator;  ///< "sim/<timing revision>/<fidelity>", "cmd/<hash>", "table/<hash>"

  friend bool operator==(const MeasurementKey&, const MeasurementKey&) = default;
};

}  // namespace tilewright
