#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/machine/machine.h"
#include "tuner/calibrate/measured_check.h"

namespace tilewright {

/// A parameter to fit and the bounds that it must keep to. `name` is the path of a machine
/// parameter, or measured_as.N.boundary_us of the N-th hardware name.
struct FitParameter {
  std::string name;
  std::string unit;
  double low = 0;
  double high = 0;
};

/// A parameter with the bounds that physics leaves it: a rate is at most the datasheet's and at
/// least a fifth of it, a fixed cost at most twice the datasheet's (at least 500 cycles), a
/// boundary at most 30 us. Error (usage) for an unknown name, suggesting the nearest, and for
/// parameters that cannot be fitted (counts, sizes).
FitParameter fit_parameter(const std::string& name, const Machine& datasheet);

/// What is fitted when nothing else is said: few parameters, each with a mechanism that the square
/// GEMMs and streams of published measurements show.
std::vector<std::string> default_fit();

/// A parameter's value in a machine, and the machine with another one.
double fit_value(const Machine& machine, const std::string& name);
void set_fit_value(Machine& machine, const std::string& name, double value);

struct FitOptions {
  int jobs = 1;
  int most_steps = 12;  ///< of each of the four searches
  std::function<void(int step, double cost)> progress = [](int, double) {};
};

struct FittedParameter {
  FitParameter parameter;
  double before = 0;
  double after = 0;
  /// Standard error of `after`, by the curvature of the objective; infinite without influence.
  double uncertainty = 0;
  /// Whether the points say where within the bounds it lies: a standard error of less than a
  /// quarter of the range.
  bool is_determined = false;
};

struct FitResult {
  Machine machine;
  std::vector<FittedParameter> parameters;
  double cost_before = 0;
  double cost_after = 0;
  int steps = 0;
};

/// Least squares over the rows of a plan. The residual of a time is ln(simulated / measured), of a
/// ratio simulated - measured; a weak pull of 0.02 of the range holds parameters that the rows do
/// not determine where they are. Search: Levenberg and Marquardt's damped Gauss-Newton steps with
/// forward differences of 2 % of the range, projected into the bounds, then probes along single
/// parameters; both twice. Same result for any `jobs`.
FitResult fit_machine(const MeasuredPlan& plan, const Machine& start,
                      const std::vector<FitParameter>& parameters, const FitOptions& options);

/// Splits points by a hash of kernel and params: rows of one run stay together. `share` of them,
/// about, are for validation only (the second part).
std::pair<std::vector<MeasuredPoint>, std::vector<MeasuredPoint>> split_points(
    const std::vector<MeasuredPoint>& points, double share);

}  // namespace tilewright
