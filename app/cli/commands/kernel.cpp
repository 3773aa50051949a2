// `tilewright kernel`: the kernels of the registry and their spaces.

#include "kernels/kernel.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/actions.h"
#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/problem_arguments.h"
#include "app/cli/table.h"
#include "core/base/format.h"

namespace tilewright {

namespace {

using Names = std::span<const std::string>;

/// Stands for a size that nobody gave, so that the space has values to show.
int64_t example_of(const std::string& size) {
  if (!size.ends_with("heads")) return 128;
  return size.starts_with("kv_") ? 4 : 8;  // heads share KV heads
}

int list_kernels(Context& context, Names) {
  QueryResult table;
  table.columns = {"name", "revision", "sizes", "summary"};
  for (const Kernel* kernel : all_kernels()) {
    std::string sizes;
    for (const SizeInfo& size : kernel->sizes()) sizes += (sizes.empty() ? "" : ",") + size.name;
    table.rows.push_back({kernel->name(), int64_t{kernel->revision()}, sizes, kernel->summary()});
  }
  if (context.globals().json) {
    Json json = output_object();
    json["kernels"] = to_json(table)["rows"];
    context.print_json(json);
  } else if (context.globals().csv) {
    context.print_table(table);
  } else {
    context.print(to_wrapped_table(table, context.console().out().columns()));
  }
  return kExitOk;
}

/// What `show` tells of a kernel: its space for a problem.
struct Shown {
  const Kernel* kernel;
  Machine machine;
  Problem problem;
  Space space;
  Config fallback;
};

Shown look_at(const Context& context, const std::string& name) {
  const Kernel& kernel = find_kernel(name);
  ProblemRequest request = read_request(context.arguments());
  for (const SizeInfo& size : kernel.sizes()) {
    if (!size.fallback) request.sizes.try_emplace(size.name, example_of(size.name));
  }
  Machine machine = context.machine();
  Problem problem = read_problem(kernel, request);
  Space space = kernel.space(problem, machine);
  Config fallback = kernel.default_config(problem, machine);
  return {&kernel, std::move(machine), std::move(problem), std::move(space), std::move(fallback)};
}

Json json_of(const Shown& shown) {
  Json json = output_object();
  json["name"] = shown.kernel->name();
  json["summary"] = shown.kernel->summary();
  json["revision"] = shown.kernel->revision();
  Json& sizes = json["sizes"] = Json::array();
  for (const SizeInfo& size : shown.kernel->sizes()) {
    sizes.push_back({{"name", size.name},
                     {"meaning", size.meaning},
                     {"default", size.fallback ? Json(*size.fallback) : Json(nullptr)}});
  }
  json["problem"] = shown.problem.text();
  json["machine"] = machine_identity(shown.machine);
  Json& parameters = json["parameters"] = Json::array();
  for (const Parameter& parameter : shown.space.parameters()) {
    parameters.push_back({{"name", parameter.name},
                          {"meaning", parameter.meaning},
                          {"values", parameter.values},
                          {"default", shown.fallback.at(parameter.name)}});
  }
  Json& constraints = json["constraints"] = Json::array();
  for (const Constraint& constraint : shown.space.constraints()) {
    constraints.push_back({{"name", constraint.name}, {"parameters", constraint.parameters}});
  }
  json["legal_configs"] = shown.space.enumerate().size();
  return json;
}

QueryResult parameter_table(const Shown& shown) {
  QueryResult table;
  table.columns = {"parameter", "default", "values", "meaning"};
  for (const Parameter& parameter : shown.space.parameters()) {
    table.rows.push_back({parameter.name, shown.fallback.at(parameter.name),
                          fmt::format("{}", fmt::join(parameter.values, " ")), parameter.meaning});
  }
  return table;
}

void print_text(Context& context, const Shown& shown) {
  context.print(fmt::format("{} (revision {}): {}\n\n", context.heading(shown.kernel->name()),
                            shown.kernel->revision(), shown.kernel->summary()));
  QueryResult sizes;
  sizes.columns = {"size", "default", "meaning"};
  for (const SizeInfo& size : shown.kernel->sizes()) {
    sizes.rows.push_back(
        {size.name, size.fallback ? Cell(*size.fallback) : Cell("-"), size.meaning});
  }
  context.print(to_table(sizes) + "\n");
  context.print(fmt::format("{} on {}: {} legal configs\n", context.heading(shown.problem.text()),
                            shown.machine.name, format_count(std::ssize(shown.space.enumerate()))));
  if (!shown.space.parameters().empty()) context.print(to_table(parameter_table(shown)));
}

int show_kernel(Context& context, Names names) {
  const Shown shown = look_at(context, names[0]);
  if (context.globals().json) {
    context.print_json(json_of(shown));
  } else if (context.globals().csv) {
    context.print_table(parameter_table(shown));
  } else {
    print_text(context, shown);
  }
  return kExitOk;
}

}  // namespace

int run_kernel(Context& context) {
  const Action actions[] = {{"list", 0, 0, list_kernels}, {"show", 1, 1, show_kernel}};
  return run_action(context, "kernel", actions);
}

}  // namespace tilewright
