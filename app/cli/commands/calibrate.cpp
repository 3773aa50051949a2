// `tilewright calibrate`: fit a machine's parameters to published measurements.

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/measured_report.h"
#include "app/cli/progress.h"
#include "app/cli/table.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "tuner/calibrate/fit.h"

namespace tilewright {

namespace {

constexpr std::string_view kDatasheetSuffix = ":datasheet";

/// The machine as its datasheet has it, whatever suffix the name has.
Machine datasheet_of(const std::string& name) {
  Machine machine = load_machine(name.ends_with(kDatasheetSuffix) ? name : name + ":datasheet");
  if (machine.name.ends_with(kDatasheetSuffix))
    machine.name.resize(machine.name.size() - kDatasheetSuffix.size());
  return machine;
}

/// "a,b=1:2" as parameters with bounds.
std::vector<FitParameter> read_fit(const Arguments& arguments, const Machine& datasheet) {
  std::vector<FitParameter> parameters;
  if (!arguments.has("fit")) {
    for (const std::string& name : default_fit())
      parameters.push_back(fit_parameter(name, datasheet));
    return parameters;
  }
  const std::string text = arguments.text("fit");
  for (std::string_view item : split(text, ',')) {
    const size_t equals = std::min(item.find('='), item.size());
    FitParameter parameter = fit_parameter(std::string(trim(item.substr(0, equals))), datasheet);
    if (equals < item.size()) {
      const std::string_view bounds = item.substr(equals + 1);
      const size_t colon = bounds.find(':');
      if (colon == std::string_view::npos) {
        throw Error(ErrorKind::kUsage, fmt::format("--fit {}: expected bounds as {}=LOW:HIGH",
                                                   printable(item), parameter.name));
      }
      parameter.low = parse_number(bounds.substr(0, colon), "--fit " + parameter.name);
      parameter.high = parse_number(bounds.substr(colon + 1), "--fit " + parameter.name);
    }
    for (const FitParameter& other : parameters) {
      if (other.name == parameter.name)
        throw Error(ErrorKind::kUsage, fmt::format("--fit names {} twice", parameter.name));
    }
    for (const MachineField& field : machine_fields()) {
      if (field.path != parameter.name) continue;
      if (parameter.low < field.min || parameter.high > field.max) {
        throw Error(ErrorKind::kUsage,
                    fmt::format("--fit {}: bounds {}:{} go beyond {} to {}", parameter.name,
                                parameter.low, parameter.high, field.min, field.max));
      }
    }
    if (!(parameter.low < parameter.high && parameter.low >= 0)) {
      throw Error(ErrorKind::kUsage, fmt::format("--fit {}: bounds {}:{} hold nothing",
                                                 parameter.name, parameter.low, parameter.high));
    }
    parameters.push_back(parameter);
  }
  return parameters;
}

/// Four digits are more than any fit means.
double rounded(double value) {
  if (value == 0) return 0;
  const double scale = std::pow(10.0, 3 - std::floor(std::log10(std::abs(value))));
  return std::round(value * scale) / scale;
}

/// Rounds the fitted values and marks them as fitted.
void mark(FitResult& fit, const std::string& path, size_t rows) {
  for (FittedParameter& fitted : fit.parameters) {
    fitted.after = rounded(fitted.after);
    const std::string& name = fitted.parameter.name;
    set_fit_value(fit.machine, name, fitted.after);
    const std::string source =
        fmt::format("fitted to {} rows of {}{}", rows, path.substr(path.rfind('/') + 1),
                    fitted.is_determined ? "" : "; the rows hardly determine it");
    if (name.starts_with("measured_as.")) {
      for (MeasuredAs& as : fit.machine.measured_as) {
        const auto index = static_cast<size_t>(&as - fit.machine.measured_as.data());
        if (name == fmt::format("measured_as.{}.boundary_us", index)) as.boundary = source;
      }
      continue;
    }
    std::erase_if(fit.machine.sources, [&](const auto& known) { return known.first == name; });
    fit.machine.sources.emplace_back(name, source);
  }
}

/// Errors of a part of the points before and after.
struct Part {
  std::string name;
  CheckReport before, after;
};

QueryResult parameter_table(const FitResult& fit) {
  QueryResult table;
  table.columns = {"parameter", "before", "after", "+-", "bounds", "note"};
  for (const FittedParameter& fitted : fit.parameters) {
    const FitParameter& parameter = fitted.parameter;
    const bool is_known = fitted.uncertainty < parameter.high - parameter.low;
    const bool at_bound =
        fitted.after <= rounded(parameter.low) || fitted.after >= rounded(parameter.high);
    table.rows.push_back({parameter.name, fitted.before, fitted.after,
                          is_known ? Cell(rounded(fitted.uncertainty)) : Cell("any"),
                          fmt::format("{:.4g}:{:.4g}", parameter.low, parameter.high),
                          fitted.is_determined ? at_bound ? "at its bound" : "" : "undetermined"});
  }
  return table;
}

/// Errors before and after, "19.2->4.8 %".
QueryResult error_table(const Part& part) {
  QueryResult table;
  table.columns = {"kernel", "metric", "rows", "mean", "median", "p90"};
  for (size_t i = 0; i < part.after.summary.size(); ++i) {
    const ErrorSummary& after = part.after.summary[i];
    const ErrorSummary& before = part.before.summary[i];
    const auto shown = [&](double was, double is) {
      return fmt::format("{:.1f}->{:.1f} {}", 100 * was, 100 * is, after.is_time ? "%" : "pt");
    };
    table.rows.push_back({after.kernel.empty() ? "all" : short_name(after.kernel, 12),
                          short_name(after.metric, 17), after.count, shown(before.mean, after.mean),
                          shown(before.median, after.median), shown(before.p90, after.p90)});
  }
  return table;
}

Json json_of(const Part& part) {
  Json json;
  for (const auto& [key, report] :
       {std::pair("before", &part.before), std::pair("after", &part.after)}) {
    Json& list = json[key] = Json::array();
    for (const ErrorSummary& summary : report->summary) list.push_back(json_of(summary));
  }
  return json;
}

Json json_of(const FitResult& fit, const std::vector<Part>& parts) {
  Json json = output_object();
  json["machine"] = machine_identity(fit.machine);
  json["steps"] = fit.steps;
  json["cost_before"] = fit.cost_before;
  json["cost_after"] = fit.cost_after;
  Json& parameters = json["parameters"] = Json::array();
  for (const FittedParameter& fitted : fit.parameters) {
    const bool finite = std::isfinite(fitted.uncertainty);
    parameters.push_back({{"parameter", fitted.parameter.name},
                          {"unit", fitted.parameter.unit},
                          {"low", fitted.parameter.low},
                          {"high", fitted.parameter.high},
                          {"before", fitted.before},
                          {"after", fitted.after},
                          {"uncertainty", finite ? Json(fitted.uncertainty) : Json(nullptr)},
                          {"determined", fitted.is_determined}});
  }
  for (const Part& part : parts) json[part.name] = json_of(part);
  return json;
}

}  // namespace

int run_calibrate(Context& context) {
  const Arguments& arguments = context.arguments();
  const std::string& name = arguments.positionals()[0];
  const Machine start = load_machine(name);
  const Machine datasheet = datasheet_of(name);
  const std::vector<FitParameter> parameters = read_fit(arguments, datasheet);
  const double share = arguments.number("validate", 0, 0.9);
  const std::string path = points_path(context);
  const auto [fitting, validating] = split_points(read_measured_points(path), share);
  const MeasuredPlan plan = plan_rows(fitting, row_rules(), start);
  const MeasuredPlan aside = plan_rows(validating, row_rules(), start);
  if (plan.rows.empty()) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{} has no rows to fit to that can be simulated on {}; `tilewright "
                            "machine check` says why",
                            path, start.name));
  }

  if (plan.rows.size() < parameters.size()) {
    context.warn(fmt::format("{} rows cannot determine {} parameters; name fewer with --fit",
                             plan.rows.size(), parameters.size()));
  }
  Progress progress(context.console().err(), context.globals().quiet);
  FitOptions options;
  options.jobs = context.globals().jobs;
  options.most_steps = static_cast<int>(arguments.integer("iterations", 1, 1000));
  options.progress = [&](int step, double cost) {
    progress.update([&] { return fmt::format("step {}, cost {:.4g}", step, cost); });
  };
  FitResult fit = fit_machine(plan, start, parameters, options);
  progress.clear();
  mark(fit, path, plan.rows.size());
  if (fit.machine.name.ends_with(kDatasheetSuffix)) fit.machine.name = datasheet.name;

  const auto report = [&](const MeasuredPlan& of, const Machine& machine) {
    return report_rows(of, simulate_rows(of, machine, options.jobs, [](size_t) {}));
  };
  std::vector<Part> parts = {{"fitting", report(plan, start), report(plan, fit.machine)}};
  if (!aside.rows.empty())
    parts.push_back({"validation", report(aside, start), report(aside, fit.machine)});

  const std::string file = calibrated_machine_json(datasheet, fit.machine);
  const std::string output = arguments.text("output");
  if (output == "-") {
    context.print(file);
    return kExitOk;
  }
  if (!output.empty()) write_file(output, file);
  if (context.globals().json) {
    context.print_json(json_of(fit, parts));
  } else if (context.globals().csv) {
    context.print_table(parameter_table(fit));
  } else {
    context.print(to_table(parameter_table(fit)));
    for (const Part& part : parts) {
      context.print(fmt::format("\n{}\n{}", context.heading(part.name + ": absolute errors"),
                                to_table(error_table(part))));
    }
  }
  return kExitOk;
}

}  // namespace tilewright
