// What a form means: its problem, whether its config fits, and how the work spreads over cores.

#include <algorithm>
#include <limits>

#include "app/cli/problem_arguments.h"
#include "app/tui/lab/lab_form.h"
#include "core/base/error.h"

namespace tilewright {

namespace {

/// Elements of a result beyond which a launch is not built just to count its tasks: these make some
/// hundred thousand of the smallest tiles, up to 25 ms. With heads every row of a head is counted.
constexpr double kQuickElements = 0x1p26;
constexpr double kQuickHeadRows = 0x1p21;

/// Whether the launch is built within a frame. Its tasks and tables grow with the result and, of
/// attention, with the blocks of the cache; not with the depth of a product or the length of a
/// head.
bool is_quick_to_build(const Problem& problem) {
  constexpr std::string_view kInside[] = {"k",       "dim",   "block",   "kv_heads",
                                          "context", "vocab", "experts", "skew"};
  double elements = 1;
  for (const auto& [name, value] : problem.sizes) {
    if (std::ranges::find(kInside, name) != std::end(kInside)) continue;
    elements *= static_cast<double>(std::max<int64_t>(1, value));
  }
  if (problem.has("context")) {
    const int64_t blocks = problem.size("context") / problem.size("block");
    elements *= static_cast<double>(std::max<int64_t>(1, blocks));
  }
  return elements <= (problem.has("heads") ? kQuickHeadRows : kQuickElements);
}

/// Name of the first constraint that the config breaks; empty when none.
std::string broken_constraint(const Space& space, const Config& config) {
  for (const Constraint& constraint : space.constraints()) {
    std::vector<int64_t> values;
    for (const std::string& name : constraint.parameters) values.push_back(config.at(name));
    if (!constraint.violation(values).empty()) return constraint.name;
  }
  return "";
}

/// Whether every value is one of its parameter's, so that constraints can be asked.
bool is_listed(const Space& space, const Config& config) {
  return std::ranges::all_of(space.parameters(), [&](const Parameter& parameter) {
    return config.has(parameter.name) &&
           std::ranges::binary_search(parameter.values, config.at(parameter.name));
  });
}

void count_tasks(const Launch& launch, const Machine& machine, LabCheck& check) {
  bool is_cube = false;
  for (const CoreProgram& core : launch.cores) {
    is_cube = is_cube || (core.kind == CoreKind::kAic && !core.tasks.empty());
  }
  for (const CoreProgram& core : launch.cores) {
    if ((core.kind == CoreKind::kAic) != is_cube || core.tasks.empty()) continue;
    const auto count = static_cast<int64_t>(core.tasks.size());
    check.tasks += count;
    ++check.cores;
    if (count > check.most_tasks) check.full_cores = 0;
    check.most_tasks = std::max(check.most_tasks, count);
    if (count == check.most_tasks) ++check.full_cores;
  }
  check.available_cores = machine.cores.aic * (is_cube ? 1 : machine.cores.aiv_per_aic);
}

}  // namespace

LabCheck check_form(const LabForm& form) {
  LabCheck check;
  const Machine& machine = form.machine->machine;
  const Kernel& kernel = find_kernel(form.kernel);
  try {
    check.problem = read_problem(kernel, form.request());
    const Space space = kernel.space(check.problem, machine);
    check.has_problem = true;
    check.parameters = space.parameters();
    check.uses = space.uses(form.config);
    check.wrong = space.violation(form.config);
    if (!check.wrong.empty() && is_listed(space, form.config)) {
      check.broken = broken_constraint(space, form.config);
    }
    check.fallback = kernel.default_config(check.problem, machine);
    if (!check.wrong.empty() || !is_quick_to_build(check.problem)) return check;
    count_tasks(kernel.build(check.problem, form.config, machine), machine, check);
  } catch (const Error& error) {
    check.wrong = error.message();
  }
  return check;
}

}  // namespace tilewright
