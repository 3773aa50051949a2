#include "tuner/calibrate/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/text.h"
#include "core/base/thread_pool.h"
#include "tuner/calibrate/linear_solve.h"

namespace tilewright {

namespace {

constexpr double kStep = 0.02;    // of the range, for differences
constexpr double kPull = 0.02;    // residual of a parameter that went through its whole range
constexpr double kEnough = 1e-4;  // relative gain of a step that is not worth another
constexpr std::string_view kBoundaryPrefix = "measured_as.";
constexpr std::string_view kBoundarySuffix = ".boundary_us";

/// N of "measured_as.N.boundary_us", -1 for other names.
int64_t boundary_index(const std::string& name) {
  if (!name.starts_with(kBoundaryPrefix) || !name.ends_with(kBoundarySuffix)) return -1;
  const size_t digits = name.size() - kBoundaryPrefix.size() - kBoundarySuffix.size();
  if (digits == 0 || digits > 6) return -1;
  return parse_int(std::string_view(name).substr(kBoundaryPrefix.size(), digits), name);
}

/// A point of the search: one coordinate a parameter, 0 at its low bound and 1 at its high one.
using Point = std::vector<double>;

/// Residuals of a plan's rows as a function of the coordinates.
class Objective {
 public:
  Objective(const MeasuredPlan& plan, const Machine& start,
            const std::vector<FitParameter>& parameters, int jobs)
      : plan_(plan), start_(start), parameters_(parameters), jobs_(jobs) {
    for (const FitParameter& parameter : parameters) {
      const double place =
          (fit_value(start, parameter.name) - parameter.low) / (parameter.high - parameter.low);
      origin_.push_back(std::clamp(place, 0.0, 1.0));
    }
  }

  const Point& origin() const { return origin_; }

  double value(size_t parameter, double place) const {
    return parameters_[parameter].low +
           place * (parameters_[parameter].high - parameters_[parameter].low);
  }

  Machine machine(const Point& point) const {
    Machine machine = start_;
    for (size_t p = 0; p < point.size(); ++p)
      set_fit_value(machine, parameters_[p].name, value(p, point[p]));
    return machine;
  }

  /// Residuals of the rows, and of the pull, at each of the points.
  std::vector<std::vector<double>> residuals(const std::vector<Point>& points) const {
    const size_t runs = plan_.runs.size();
    std::vector<Machine> machines;
    for (const Point& point : points) machines.push_back(machine(point));
    std::vector<RunResult> results(points.size() * runs);
    parallel_in_order(
        results.size(), jobs_,
        [&](size_t i) { results[i] = simulate_run(plan_.runs[i % runs], machines[i / runs]); },
        [](size_t) {}, [] { return false; });
    std::vector<std::vector<double>> all;
    for (size_t i = 0; i < points.size(); ++i) {
      std::vector<double>& list = all.emplace_back();
      for (const MeasuredPlan::Row& row : plan_.rows) {
        const double simulated = row_value(row, results[i * runs + row.run], machines[i]);
        const double error = row_error(row, simulated);
        list.push_back(row.metric.is_time() ? std::log1p(error) : error);
      }
      for (size_t p = 0; p < origin_.size(); ++p)
        list.push_back(kPull * (points[i][p] - origin_[p]));
    }
    return all;
  }

 private:
  const MeasuredPlan& plan_;
  const Machine& start_;
  const std::vector<FitParameter>& parameters_;
  int jobs_;
  Point origin_;
};

double cost_of(const std::vector<double>& residuals) {
  double sum = 0;
  for (double residual : residuals) sum += residual * residual;
  return sum;
}

/// Derivatives of the residuals: [parameter][row].
SmallMatrix derivatives(const Objective& objective, const Point& point,
                        const std::vector<double>& here) {
  std::vector<Point> beside;
  std::vector<double> steps;
  for (size_t p = 0; p < point.size(); ++p) {
    steps.push_back(point[p] + kStep <= 1 ? kStep : -kStep);
    beside.push_back(point);
    beside.back()[p] += steps.back();
  }
  SmallMatrix all = objective.residuals(beside);
  for (size_t p = 0; p < point.size(); ++p) {
    for (size_t r = 0; r < here.size(); ++r) all[p][r] = (all[p][r] - here[r]) / steps[p];
  }
  return all;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

SmallMatrix curvature(const SmallMatrix& slopes) {
  SmallMatrix matrix(slopes.size(), std::vector<double>(slopes.size()));
  for (size_t i = 0; i < slopes.size(); ++i) {
    for (size_t j = 0; j < slopes.size(); ++j) matrix[i][j] = dot(slopes[i], slopes[j]);
  }
  return matrix;
}

/// The damped step from a point, projected into the bounds. Parameters at a bound that the gradient
/// pushes against stay there.
Point damped_step(const Point& point, const std::vector<double>& here, const SmallMatrix& slopes,
                  double damping) {
  std::vector<size_t> free;
  for (size_t p = 0; p < point.size(); ++p) {
    const double gradient = dot(slopes[p], here);
    if ((point[p] <= 0 && gradient > 0) || (point[p] >= 1 && gradient < 0)) continue;
    free.push_back(p);
  }
  SmallMatrix free_slopes;
  for (size_t p : free) free_slopes.push_back(slopes[p]);
  SmallMatrix matrix = curvature(free_slopes);
  for (size_t i = 0; i < free.size(); ++i) matrix[i][i] += damping * (matrix[i][i] + 1e-6);
  const SmallMatrix inverse = inverse_of(matrix);
  Point next = point;
  if (inverse.empty()) return next;
  for (size_t i = 0; i < free.size(); ++i) {
    double step = 0;
    for (size_t j = 0; j < free.size(); ++j) step -= inverse[i][j] * dot(free_slopes[j], here);
    // A matrix next to singular gives steps that are no numbers: the parameter stays.
    if (std::isfinite(step)) next[free[i]] = std::clamp(point[free[i]] + step, 0.0, 1.0);
  }
  return next;
}

/// Standard errors of the coordinates, without the pull.
std::vector<double> standard_errors(const SmallMatrix& slopes, const std::vector<double>& here) {
  const size_t count = slopes.size();
  const size_t rows = here.size() - count;
  SmallMatrix of_rows = slopes;
  for (std::vector<double>& slope : of_rows) slope.resize(rows);
  double cost = 0;
  for (size_t r = 0; r < rows; ++r) cost += here[r] * here[r];
  const double variance =
      cost / static_cast<double>(std::max<size_t>(1, rows - std::min(rows, count)));
  SmallMatrix matrix = curvature(of_rows);
  for (size_t p = 0; p < count; ++p) matrix[p][p] += 1e-9;
  const SmallMatrix inverse = inverse_of(matrix);
  std::vector<double> errors;
  for (size_t p = 0; p < count; ++p) {
    const bool known = !inverse.empty() && matrix[p][p] > 1e-8;
    errors.push_back(known ? std::sqrt(std::max(0.0, variance * inverse[p][p]))
                           : std::numeric_limits<double>::infinity());
  }
  return errors;
}

/// Where a search stands.
struct Place {
  Point point;
  std::vector<double> residuals;
};

/// Moves to the best of the points when it gains enough.
bool move_to_best(const Objective& objective, const std::vector<Point>& points, Place& place,
                  size_t& best) {
  std::vector<std::vector<double>> tried = objective.residuals(points);
  best = 0;
  for (size_t c = 1; c < tried.size(); ++c) {
    if (cost_of(tried[c]) < cost_of(tried[best])) best = c;
  }
  const double before = cost_of(place.residuals);
  if (!(before - cost_of(tried[best]) > kEnough * before)) return false;
  place = {points[best], std::move(tried[best])};
  return true;
}

/// Damped Gauss-Newton steps until none gains.
int descend(const Objective& objective, const FitOptions& options, Place& place) {
  int steps = 0;
  for (double damping = 0.01; steps < options.most_steps; ++steps) {
    options.progress(steps, cost_of(place.residuals));
    const SmallMatrix slopes = derivatives(objective, place.point, place.residuals);
    std::vector<Point> candidates;
    for (double factor : {0.1, 1.0, 10.0, 100.0})
      candidates.push_back(damped_step(place.point, place.residuals, slopes, damping * factor));
    size_t best = 0;
    if (!move_to_best(objective, candidates, place, best)) break;
    damping = std::clamp(damping * std::pow(10.0, static_cast<double>(best) - 1), 1e-6, 1e6);
  }
  return steps;
}

/// Simulated times have small jumps, at which slopes mislead: single coordinates are moved as long
/// as that gains, by steps that grow smaller.
int probe(const Objective& objective, const FitOptions& options, Place& place) {
  int steps = 0;
  for (double size : {0.1, 0.03, 0.01}) {
    for (; steps < options.most_steps; ++steps) {
      options.progress(steps, cost_of(place.residuals));
      std::vector<Point> candidates;
      for (size_t p = 0; p < place.point.size(); ++p) {
        for (double move : {-size, size}) {
          candidates.push_back(place.point);
          candidates.back()[p] = std::clamp(place.point[p] + move, 0.0, 1.0);
        }
      }
      size_t best = 0;
      if (!move_to_best(objective, candidates, place, best)) break;
    }
  }
  return steps;
}

}  // namespace

FitParameter fit_parameter(const std::string& name, const Machine& datasheet) {
  if (const int64_t index = boundary_index(name); index >= 0) {
    if (index >= std::ssize(datasheet.measured_as)) {
      throw Error(ErrorKind::kUsage, fmt::format("{}: the machine has {} names in measured_as",
                                                 name, datasheet.measured_as.size()));
    }
    return {name, "us", 0, 30};
  }
  std::vector<std::string> names;
  for (const MachineField& field : machine_fields()) {
    if (field.whole) continue;
    names.push_back(field.path);
    if (field.path != name) continue;
    const double value = get_field(datasheet, name);
    FitParameter parameter{name, field.unit, 0, 2 * value};
    if (field.unit == "B/cycle" || name == "hbm.gb_per_s") {
      parameter.low = value / 5;
      parameter.high = value;
    } else if (field.unit == "cycles") {
      parameter.high = std::max(500.0, 2 * value);
    } else if (field.unit == "B") {
      parameter.high = std::max(512.0, 2 * value);
    } else if (field.unit == "us") {
      parameter.high = 4 * value;
    }
    parameter.low = std::max(parameter.low, field.min);
    parameter.high = std::min(parameter.high, field.max);
    return parameter;
  }
  throw Error(
      ErrorKind::kUsage,
      fmt::format("'{}' is no parameter that can be fitted{} (see `tilewright machine show`; "
                  "counts and sizes cannot)",
                  printable(name), did_you_mean(name, names)));
}

std::vector<std::string> default_fit() {
  return {"mte1.l0b_bytes_per_cycle", "mte2.fixed_cycles",
          "l2.read_bytes_per_cycle",  "hbm.gb_per_s",
          "hbm.read_latency_cycles",  "hbm.burst_overhead_bytes",
          "fixpipe.bytes_per_cycle",  "launch.launch_us"};
}

double fit_value(const Machine& machine, const std::string& name) {
  const int64_t index = boundary_index(name);
  if (index < 0) return get_field(machine, name);
  return machine.measured_as[static_cast<size_t>(index)].boundary_us;
}

void set_fit_value(Machine& machine, const std::string& name, double value) {
  const int64_t index = boundary_index(name);
  if (index < 0) {
    set_field(machine, name, value);
  } else {
    machine.measured_as[static_cast<size_t>(index)].boundary_us = value;
  }
}

FitResult fit_machine(const MeasuredPlan& plan, const Machine& start,
                      const std::vector<FitParameter>& parameters, const FitOptions& options) {
  const Objective objective(plan, start, parameters, options.jobs);
  FitResult result;
  Place place{objective.origin(), objective.residuals({objective.origin()})[0]};
  result.cost_before = cost_of(place.residuals);
  for (int round = 0; round < 2; ++round) {
    result.steps += descend(objective, options, place);
    result.steps += probe(objective, options, place);
  }
  result.cost_after = cost_of(place.residuals);
  const Point& point = place.point;
  result.machine = objective.machine(point);
  const SmallMatrix slopes = derivatives(objective, point, place.residuals);
  const std::vector<double> errors = standard_errors(slopes, place.residuals);
  for (size_t p = 0; p < parameters.size(); ++p) {
    result.parameters.push_back(
        {parameters[p], fit_value(start, parameters[p].name), objective.value(p, point[p]),
         errors[p] * (parameters[p].high - parameters[p].low), errors[p] < 0.25});
  }
  return result;
}

std::pair<std::vector<MeasuredPoint>, std::vector<MeasuredPoint>> split_points(
    const std::vector<MeasuredPoint>& points, double share) {
  constexpr uint64_t kParts = 1000;
  std::pair<std::vector<MeasuredPoint>, std::vector<MeasuredPoint>> parts;
  for (const MeasuredPoint& point : points) {
    const uint64_t place = Hasher().add(point.kernel).add("\n").add(point.params).value() % kParts;
    const bool only_looked_at = static_cast<double>(place) < share * static_cast<double>(kParts);
    (only_looked_at ? parts.second : parts.first).push_back(point);
  }
  return parts;
}

}  // namespace tilewright
