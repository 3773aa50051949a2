// `tilewright report`: where the time of one run went.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/problem_arguments.h"
#include "app/cli/run_report.h"
#include "app/cli/timing_report.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr size_t kRowsShown = 15;

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
  if (section.unit == "us") return format_us(value);
  if (section.unit == "cycles") return format_count(static_cast<int64_t>(value + 0.5));
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
  if (section.rows.empty()) text += "  nothing was kept\n";
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
  return text;
}

}  // namespace

int run_report(Context& context) {
  const InterruptGuard guard;
  const InterruptExit exit;  // simulating again cannot be stopped, and nothing is written
  Store store = context.open_existing_store(OpenMode::kReadOnly);
  const RunReport report = read_report(context, store, context.arguments().positionals()[0]);
  if (context.globals().json) {
    context.print_json(json_of(report));
    return kExitOk;
  }
  context.print(head_of(context, report));
  if (report.kernel) context.print("\n" + text_of(context, report.kernel->roofline));
  for (const ReportSection& section : report.sections) {
    context.print("\n" + text_of(context, section, report.total));
  }
  return kExitOk;
}

}  // namespace tilewright
