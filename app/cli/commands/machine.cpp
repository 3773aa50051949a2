// `tilewright machine`: presets and machine files.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/accuracy_document.h"
#include "app/cli/actions.h"
#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/measured_report.h"
#include "app/cli/progress.h"
#include "app/cli/table.h"
#include "core/base/file.h"
#include "tuner/calibrate/measured_check.h"

namespace tilewright {

namespace {

using Names = std::span<const std::string>;

/// A whole parameter as a whole number.
Cell value_of(const Machine& machine, const MachineField& field) {
  const double value = get_field(machine, field.path);
  if (field.whole) return static_cast<int64_t>(value);
  return value;
}

QueryResult machine_table() {
  QueryResult table;
  table.columns = {"name",    "cubes",    "MHz",         "f16 TFLOPS",
                   "HBM GiB", "HBM GB/s", "fingerprint", "description"};
  constexpr double kGiB = 1 << 30;
  for (const std::string& name : machine_names()) {
    const Machine machine = load_machine(name);
    table.rows.push_back({name, machine.cores.aic, machine.cores.clock_mhz,
                          machine.peak_flops(DType::kF16) * 1e-12,
                          static_cast<double>(machine.hbm.capacity_bytes) / kGiB,
                          machine.hbm.gb_per_s, machine.fingerprint(), machine.description});
  }
  return table;
}

int list_machines(Context& context, Names) {
  if (!context.globals().json) {
    context.print_table(machine_table());
    return kExitOk;
  }
  Json json = output_object();
  Json& machines = json["machines"] = Json::array();
  for (const std::string& name : machine_names()) {
    const Machine machine = load_machine(name);
    Json entry = machine_identity(machine);
    entry["description"] = machine.description;
    machines.push_back(std::move(entry));
  }
  context.print_json(json);
  return kExitOk;
}

int show_machine(Context& context, Names names) {
  const Machine machine = names.empty() ? context.machine() : load_machine(names[0]);
  if (context.globals().json) {
    context.print(machine_json(machine));
    return kExitOk;
  }
  QueryResult table;
  table.columns = {"parameter", "value", "unit", "meaning"};
  for (const MachineField& field : machine_fields()) {
    table.rows.push_back({field.path, value_of(machine, field), field.unit, field.meaning});
  }
  table.rows.push_back(
      {"fabric.topology", topology_text(machine.fabric), "", "how links join the chips"});
  if (!context.globals().csv) {
    context.print(fmt::format("{} ({})\n{}\n\n", context.heading(machine.name),
                              machine.fingerprint(), machine.description));
  }
  context.print_table(table);
  return kExitOk;
}

int diff_machines(Context& context, Names names) {
  const Machine a = load_machine(names[0]);
  const Machine b = load_machine(names[1]);
  QueryResult table;
  table.columns = {"parameter", a.name, b.name, "unit"};
  Json differences = Json::array();
  for (const MachineField& field : machine_fields()) {
    const double in_a = get_field(a, field.path);
    const double in_b = get_field(b, field.path);
    if (in_a == in_b) continue;
    table.rows.push_back({field.path, value_of(a, field), value_of(b, field), field.unit});
    differences.push_back(
        {{"parameter", field.path}, {"unit", field.unit}, {"values", {in_a, in_b}}});
  }
  const std::string topologies[] = {topology_text(a.fabric), topology_text(b.fabric)};
  if (topologies[0] != topologies[1]) {
    table.rows.push_back({"fabric.topology", topologies[0], topologies[1], ""});
    differences.push_back({{"parameter", "fabric.topology"}, {"unit", ""}, {"values", topologies}});
  }
  if (context.globals().json) {
    Json json = output_object();
    json["machines"] = {machine_identity(a), machine_identity(b)};
    json["differences"] = std::move(differences);
    context.print_json(json);
  } else if (table.rows.empty() && !context.globals().csv) {
    context.print(fmt::format("{} and {} have equal parameters\n", names[0], names[1]));
  } else {
    context.print_table(table);
  }
  return kExitOk;
}

int check_machine(Context& context, Names names) {
  const Machine machine = names.empty() ? context.machine() : load_machine(names[0]);
  const std::string path = points_path(context);
  const MeasuredPlan plan = plan_rows(read_measured_points(path), row_rules(), machine);
  Progress progress(context.console().err(), context.globals().quiet);
  const std::vector<double> simulated =
      simulate_rows(plan, machine, context.globals().jobs, [&](size_t done) {
        progress.update([&] { return fmt::format("{} of {} runs", done, plan.runs.size()); });
      });
  progress.clear();
  const CheckReport report = report_rows(plan, simulated);
  if (context.arguments().has("markdown")) {
    write_file(context.arguments().text("markdown"), accuracy_document(machine, report));
  }
  if (context.globals().json) {
    Json json = output_object();
    json["machine"] = machine_identity(machine);
    put_report(report, json);
    context.print_json(json);
  } else if (context.globals().csv) {
    context.print_table(rows_table(report));
  } else {
    context.print(report_text(context, machine, report));
  }
  return kExitOk;
}

}  // namespace

int run_machine(Context& context) {
  const Action actions[] = {{"list", 0, 0, list_machines},
                            {"show", 0, 1, show_machine},
                            {"diff", 2, 2, diff_machines},
                            {"check", 0, 1, check_machine}};
  return run_action(context, "machine", actions);
}

}  // namespace tilewright
