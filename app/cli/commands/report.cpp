// `tilewright report`: where the time of one run went, or what is computed under a name of its own.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "app/cli/advice_report.h"
#include "app/cli/clock.h"
#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/kernel_run.h"
#include "app/cli/problem_arguments.h"
#include "app/cli/report_diff.h"
#include "app/cli/run_report.h"
#include "app/cli/steps_report.h"
#include "app/cli/timing_report.h"
#include "app/cli/work_estimate.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "tuner/advice/advice.h"

namespace tilewright {

namespace {

constexpr size_t kRowsShown = 15;
constexpr int64_t kMostSteps = 1'000'000;

Json json_of(const ReportSection& section, double total) {
  Json rows = Json::array();
  for (const ReportRow& row : section.rows) {
    Json& json = rows.emplace_back();
    json["name"] = row.name;
    json[section.unit.empty() ? "value" : section.unit] = row.value;
    if (section.sums_up) json["share"] = total > 0 ? row.value / total : 0.0;
    if (row.count > 0) json["count"] = row.count;
  }
  return rows;
}

Json json_of(const KernelDetails& details) {
  const TimingResult& timing = details.profile.timing;
  Json json;
  json["problem"] = details.problem.text();
  json["config"] = to_json(details.config);
  json["evaluator"] = details.evaluator;
  json["time_us"] = details.machine.us_of_ticks(timing.ticks);
  json["cycles"] = cycles_of(timing.ticks);
  json["roofline"] = json_of(details.roofline);
  if (details.padding) {
    json["padding_read_bytes"] = details.padding->read_bytes;
    json["padding_write_bytes"] = details.padding->write_bytes;
  }
  return json;
}

Json json_of(const RunReport& report) {
  Json json = output_object();
  json["run"] = identity_json(report.run);
  if (report.kernel) json.update(json_of(*report.kernel));
  for (const ReportSection& section : report.sections) {
    json[section.key] = json_of(section, report.total);
  }
  json["result"] = stored_result(report.run);
  return json;
}

std::string shown(const ReportSection& section, double value) {
  if (!section.unit.empty()) return shown_amount(section.unit, value);
  return fmt::format("{:.6g}", value);
}

std::string text_of(Context& context, const ReportSection& section, double total) {
  const bool has_counts =
      std::ranges::any_of(section.rows, [](const ReportRow& row) { return row.count > 0; });
  std::string text =
      context.heading(section.title + (section.unit == "cycles" ? ", in cycles" : "")) + "\n";
  const size_t rows = std::min(kRowsShown, section.rows.size());
  for (const ReportRow& row : std::span(section.rows).first(rows)) {
    std::string line = fmt::format("  {:<42}", printable(row.name, 38));
    if (has_counts)
      line += fmt::format("{:>11}", row.count > 0 ? format_count(row.count) + "x" : "");
    line += fmt::format("{:>15}", shown(section, row.value));
    if (section.sums_up && total > 0) line += fmt::format("{:>9}", format_share(row.value / total));
    text += line + "\n";
  }
  if (section.rows.empty()) text += fmt::format("  {}\n", section.if_empty);
  if (rows < section.rows.size()) {
    text += fmt::format("  ... and {} more, see --json\n", section.rows.size() - rows);
  }
  return text;
}

std::string head_of(Context& context, const RunReport& report) {
  const Run& run = report.run;
  std::string text = context.heading(fmt::format("run {}: {}", run.id, name_of(run.kind))) + "\n";
  text += labelled("what", run.label);
  text += labelled("when", fmt::format("{} by {}, {}", run.date, run.tool, name_of(run.status)));
  text += labelled("machine", fmt::format("{} ({})", run.machine_name, run.machine_fingerprint));
  if (!report.kernel) return text;
  const KernelDetails& details = *report.kernel;
  const TimingResult& timing = details.profile.timing;
  text += labelled("config", details.config.text());
  text += labelled("time", fmt::format("{}, {} cycles, simulated again in detail",
                                       format_us(details.machine.us_of_ticks(timing.ticks)),
                                       format_count(timing.ticks / kTicksPerCycle)));
  if (!details.is_detailed() && details.stored_us > 0) {
    text += labelled(
        "", fmt::format("{} when it ran, by {}", format_us(details.stored_us), details.evaluator));
  }
  if (details.padding) text += labelled("padding", text_of(*details.padding));
  return text;
}

/// What --machine takes for a machine: the name of a preset, else what it was given as.
std::string machine_argument(const Context& context, const Machine& machine) {
  const std::string preset = machine.name.substr(0, machine.name.find(':'));
  const std::vector<std::string> presets = machine_names();
  const bool is_preset = std::ranges::find(presets, preset) != presets.end();
  return is_preset ? machine.name : context.globals().machine;
}

/// Advice that was followed, with the run that was kept of it.
struct AppliedRun {
  int64_t number = 0;  ///< of the advice
  int64_t run = 0;
  AppliedAdvice result;
};

KernelRun run_changed(const Context& context, const Advice& advice, const Machine& machine) {
  const InterruptExit exit;  // until it is over there is nothing to keep
  const double started = wall_seconds();
  KernelRun run;
  run.machine = machine;
  run.problem = advice.changed_problem;
  run.config = advice.changed_config;
  const Launch launch =
      build_launch(find_kernel(run.problem.kernel), run.problem, run.config, machine);
  const WorkNotice notice(context, estimate_timing(launch, machine, Fidelity::kDetailed),
                          "simulating the change");
  time_run(launch, Fidelity::kDetailed, run);
  run.wall_ms = (wall_seconds() - started) * 1e3;
  return run;
}

AppliedRun follow(const Context& context, Store& store, const RunReport& report,
                  std::span<const Advice> list, int64_t number) {
  const Machine& machine = report.kernel->machine;
  const Advice& advice = numbered(list, number);
  require_pays(advice);
  const KernelRun run = run_changed(context, advice, machine);
  const double before_us = machine.us_of_ticks(report.kernel->profile.timing.ticks);
  return {number, keep(context, run, store), compare(advice, before_us, run.measurement.time_us)};
}

Json json_of(const AppliedRun& applied) {
  Json json = json_of(applied.result);
  json["number"] = applied.number;
  json["run"] = applied.run;
  return json;
}

std::string text_of(Context& context, const AppliedRun& applied) {
  const AppliedAdvice& result = applied.result;
  std::string text = context.heading(fmt::format("advice {} followed, kept as run {}",
                                                 applied.number, applied.run)) +
                     "\n";
  text += labelled("before", format_us(result.before_us));
  text += labelled("estimate", fmt::format("{}, {} saved", format_us(result.estimated_us),
                                           format_share(result.estimated_gain)));
  text += labelled("real", fmt::format("{}, {} {}", format_us(result.real_us),
                                       format_share(std::abs(result.real_gain)),
                                       result.real_gain < 0 ? "lost" : "saved"));
  return text;
}

RunReport read(const Context& context, Store& store) {
  const InterruptExit exit;  // simulating again cannot be stopped, and nothing is written
  RunReport report = read_report(store, context.arguments().positionals()[0], &context);
  if (context.arguments().has("apply") && !report.kernel) {
    throw Error(ErrorKind::kUsage,
                fmt::format("--apply follows advice on a kernel run, and run {} is of kind {}",
                            report.run.id, name_of(report.run.kind)));
  }
  if (context.arguments().has("steps") && report.run.kind != RunKind::kServe) {
    throw Error(ErrorKind::kUsage,
                fmt::format("--steps is of serving runs, and run {} is of kind {}", report.run.id,
                            name_of(report.run.kind)));
  }
  return report;
}

std::vector<Advice> advice_on(const KernelDetails& details) {
  const InterruptExit exit;
  return advise(find_kernel(details.problem.kernel), details.problem, details.config,
                details.machine, details.profile, details.roofline);
}

/// The steps of a serving run, one by one.
void print_steps_csv(Context& context, const RunReport& report) {
  if (report.run.kind != RunKind::kServe) {
    throw Error(ErrorKind::kUsage,
                fmt::format("--csv gives the steps of a serving run, and run {} is of kind {}; use "
                            "--json",
                            report.run.id, name_of(report.run.kind)));
  }
  if (!report.serving) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("run {} ({}) has the status '{}' and kept no steps; run it again",
                            report.run.id, report.run.label, name_of(report.run.status)));
  }
  context.print_table(steps_table(*report.serving));
}

void print(Context& context, const RunReport& report, std::span<const Advice> list,
           const std::optional<AppliedRun>& applied) {
  const int64_t steps = context.arguments().integer("steps", 1, kMostSteps);
  const std::string machine =
      report.kernel ? machine_argument(context, report.kernel->machine) : "";
  if (context.globals().json) {
    Json json = json_of(report);
    if (report.kernel) json["advice"] = json_of(list, machine);
    if (report.serving) json.update(json_of(*report.serving, steps));
    if (applied) json["applied"] = json_of(*applied);
    context.print_json(json);
    return;
  }
  context.print(head_of(context, report));
  if (report.kernel) context.print("\n" + text_of(context, report.kernel->roofline));
  for (const ReportSection& section : report.sections) {
    context.print("\n" + text_of(context, section, report.total));
  }
  if (report.serving) context.print("\n" + text_of(context, *report.serving, steps));
  if (report.kernel) context.print("\n" + text_of(context, list, machine));
  if (applied) context.print("\n" + text_of(context, *applied));
}

}  // namespace

int run_report(Context& context) {
  const bool applies = context.arguments().has("apply");
  const std::string& name = context.arguments().positionals()[0];
  if (name == "xyserve" || name == "xyserve-e2e") {
    if (applies) throw Error(ErrorKind::kUsage, "--apply follows advice on a run, not on " + name);
    if (context.globals().csv || context.arguments().has("steps")) {
      throw Error(ErrorKind::kUsage, "--csv and --steps are of serving runs, not of " + name);
    }
    return name == "xyserve" ? run_report_xyserve(context) : run_report_xyserve_serving(context);
  }
  if (context.arguments().has("quick")) {
    throw Error(ErrorKind::kUsage, "--quick shortens `report xyserve`; a run is as long as it was");
  }
  const InterruptGuard guard;
  const int64_t number = applies ? context.arguments().integer("apply", 1, 1000) : 0;
  Store store = context.open_existing_store(applies ? OpenMode::kReadWrite : OpenMode::kReadOnly);
  const RunReport report = read(context, store);
  if (context.globals().csv) {
    print_steps_csv(context, report);
    return kExitOk;
  }
  std::vector<Advice> list;
  if (report.kernel) list = advice_on(*report.kernel);
  std::optional<AppliedRun> applied;
  if (applies) applied = follow(context, store, report, list, number);
  print(context, report, list, applied);
  return kExitOk;
}

}  // namespace tilewright
