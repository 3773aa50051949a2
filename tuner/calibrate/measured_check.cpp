#include "tuner/calibrate/measured_check.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/base/error.h"
#include "core/base/statistics.h"
#include "core/base/thread_pool.h"
#include "kernels/kernel.h"
#include "simulator/timing.h"

namespace tilewright {

namespace {

/// Instructions of a launch that a check simulates at most.
constexpr int64_t kMaxInstructions = 200'000'000;

std::string name_of_run(const MeasuredRun& run) {
  std::string name = run.problem.text() + " " + run.config.text();
  name += " cores=" + std::to_string(run.cores);
  if (run.condition == RunCondition::kRepeated) name += " repeated";
  return name;
}

MeasuredPlan::Run build_run(const MeasuredRun& run, const Machine& machine) {
  const Machine chip = with_cores(machine, run.cores);
  Launch launch = find_kernel(run.problem.kernel).build(run.problem, run.config, chip);
  if (launch.instruction_count() > kMaxInstructions) {
    throw Error(ErrorKind::kInfeasible, run.problem.text() + " has too many instructions");
  }
  if (run.condition == RunCondition::kRepeated) launch = repeated(std::move(launch));
  return {run, std::move(launch)};
}

/// Parameters of a row that are no sizes of its problem: those whose effect is of interest.
std::map<std::string, std::string> choices_of(const MeasuredPoint& point) {
  static const std::vector<std::string> kChoices = {"tile", "swizzle", "layout", "buffers",
                                                    "cores"};
  std::map<std::string, std::string> choices;
  for (const auto& [name, value] : point.parameters()) {
    if (std::find(kChoices.begin(), kChoices.end(), name) != kChoices.end()) choices[name] = value;
  }
  return choices;
}

/// The only parameter in which two rows differ, "" when there is none or more than one.
std::string only_difference(const MeasuredPoint& a, const MeasuredPoint& b) {
  if (a.hardware != b.hardware || a.kernel != b.kernel || a.metric != b.metric) return "";
  const auto in_a = a.parameters();
  const auto in_b = b.parameters();
  const auto choices = choices_of(a);
  std::string difference;
  if (in_a.size() != in_b.size()) return "";
  for (const auto& [name, value] : in_a) {
    const auto other = in_b.find(name);
    if (other == in_b.end()) return "";
    if (other->second == value) continue;
    if (!difference.empty() || !choices.contains(name)) return "";
    difference = name;
  }
  return difference;
}

std::string without(const MeasuredPoint& point, const std::string& parameter) {
  std::string text;
  for (const auto& [name, value] : point.parameters()) {
    if (name != parameter) text += (text.empty() ? "" : ";") + name + "=" + value;
  }
  return text;
}

/// Compares each row with the next one below that differs in one choice.
std::vector<Effect> find_effects(const std::vector<CheckRow>& rows) {
  std::vector<Effect> effects;
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t j = i + 1; j < rows.size(); ++j) {
      const std::string parameter = only_difference(rows[i].point, rows[j].point);
      if (parameter.empty()) continue;
      Effect effect;
      effect.hardware = rows[i].point.hardware;
      effect.kernel = rows[i].point.kernel;
      effect.params = without(rows[i].point, parameter);
      effect.parameter = parameter;
      effect.from = rows[i].point.parameters().at(parameter);
      effect.to = rows[j].point.parameters().at(parameter);
      effect.metric = rows[i].point.metric;
      effect.measured = rows[j].measured - rows[i].measured;
      effect.simulated = rows[j].simulated - rows[i].simulated;
      if (effect.measured == 0) continue;
      effect.error = effect.simulated / effect.measured - 1;
      effects.push_back(std::move(effect));
      break;
    }
  }
  return effects;
}

ErrorSummary summary_of(std::vector<double> errors) {
  ErrorSummary summary;
  for (double& error : errors) error = std::abs(error);
  std::sort(errors.begin(), errors.end());
  summary.count = static_cast<int64_t>(errors.size());
  summary.mean = mean(errors);
  summary.median = percentile(errors, 50);
  summary.p90 = percentile(errors, 90);
  summary.largest = errors.empty() ? 0 : errors.back();
  return summary;
}

}  // namespace

Launch repeated(Launch launch) {
  for (Tensor& tensor : launch.tensors) {
    tensor.warm = !tensor.workspace;
    tensor.warm_parts = std::ssize(launch.cores);
  }
  for (const Template& body : launch.templates) {
    for (const auto* list : {&body.prologue, &body.body, &body.epilogue}) {
      for (const Instruction& instruction : *list) {
        const Tile& target = instruction.dst;
        if (target.space == Memory::kGm && target.tensor >= 0)
          launch.tensors[static_cast<size_t>(target.tensor)].dirty = true;
      }
    }
  }
  return launch;
}

MeasuredPlan plan_rows(const std::vector<MeasuredPoint>& points, const RowRules& rules,
                       const Machine& machine) {
  MeasuredPlan plan;
  std::map<std::string, size_t> runs;
  for (const MeasuredPoint& point : points) {
    try {
      const MeasuredRun run = plan_row(point, rules, machine);
      if (!(point.value > 0) && run.metric.is_time())
        throw Error(ErrorKind::kInfeasible, "its time is not positive");
      const auto [known, is_new] = runs.try_emplace(name_of_run(run), plan.runs.size());
      if (is_new) {
        try {
          plan.runs.push_back(build_run(run, machine));
        } catch (...) {
          runs.erase(known);
          throw;
        }
      }
      plan.rows.push_back({point, run.metric, known->second, run.measured_as});
    } catch (const Error& error) {
      plan.not_simulated.push_back({point, error.message()});
    }
  }
  return plan;
}

RunResult simulate_run(const MeasuredPlan::Run& run, const Machine& machine) {
  const Machine chip = with_cores(machine, run.run.cores);
  const TimingResult timing = time_detailed(run.launch, chip);
  return {chip.us_of_ticks(timing.ticks), profiler_counters(timing, chip)};
}

double row_value(const MeasuredPlan::Row& row, const RunResult& result, const Machine& machine) {
  const double boundary = machine.measured_as[row.measured_as].boundary_us;
  const double total = result.us + boundary;
  if (row.metric.is_time()) return total;
  for (const auto& [name, value] : result.counters) {
    if (name != row.metric.counter) continue;
    // Shares of the time are shares of all that was measured.
    const double share = name.ends_with("_ratio") ? result.us / total : 1;
    return value * share * row.metric.counter_scale;
  }
  return 0;
}

double measured_value(const MeasuredPlan::Row& row) {
  return row.point.value * row.metric.scale;
}

double row_error(const MeasuredPlan::Row& row, double simulated) {
  const double measured = measured_value(row);
  return row.metric.is_time() ? simulated / measured - 1 : simulated - measured;
}

std::vector<double> simulate_rows(const MeasuredPlan& plan, const Machine& machine, int jobs,
                                  const std::function<void(size_t)>& done) {
  std::vector<RunResult> results(plan.runs.size());
  parallel_in_order(
      plan.runs.size(), jobs, [&](size_t i) { results[i] = simulate_run(plan.runs[i], machine); },
      [&](size_t i) { done(i + 1); }, [] { return false; });
  std::vector<double> values;
  for (const MeasuredPlan::Row& row : plan.rows)
    values.push_back(row_value(row, results[row.run], machine));
  return values;
}

std::vector<ErrorSummary> summarize_errors(const std::vector<CheckRow>& rows) {
  std::vector<std::pair<std::string, std::string>> groups;
  std::map<std::pair<std::string, std::string>, std::vector<double>> errors;
  std::map<std::string, bool> is_time;
  for (const CheckRow& row : rows) {
    const std::pair key(row.point.kernel, row.point.metric);
    if (!errors.contains(key)) groups.push_back(key);
    errors[key].push_back(row.error);
    errors[{"", row.is_time ? "time" : "ratio"}].push_back(row.error);
    is_time[row.point.metric] = row.is_time;
  }
  groups.emplace_back("", "time");
  groups.emplace_back("", "ratio");
  is_time["time"] = true;
  std::vector<ErrorSummary> summaries;
  for (const auto& group : groups) {
    if (errors[group].empty()) continue;
    ErrorSummary summary = summary_of(errors[group]);
    summary.kernel = group.first;
    summary.metric = group.second;
    summary.is_time = is_time[group.second];
    summaries.push_back(std::move(summary));
  }
  return summaries;
}

CheckReport report_rows(const MeasuredPlan& plan, const std::vector<double>& simulated) {
  CheckReport report;
  for (size_t i = 0; i < plan.rows.size(); ++i) {
    const MeasuredPlan::Row& row = plan.rows[i];
    report.rows.push_back({row.point, row.metric.is_time(), measured_value(row), simulated[i],
                           row_error(row, simulated[i])});
  }
  report.not_simulated = plan.not_simulated;
  report.summary = summarize_errors(report.rows);
  report.effects = find_effects(report.rows);
  return report;
}

}  // namespace tilewright
