// `tilewright export`: the plan of a tuning run.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/plan/plan.h"
#include "tuner/session/plan_maker.h"

namespace tilewright {

namespace {

Run chosen_run(const Arguments& arguments, Store& store) {
  if (arguments.positionals().empty()) {
    std::optional<Run> latest = store.latest_run(RunKind::kTune);
    if (latest) return *latest;
    throw Error(ErrorKind::kNotFound,
                fmt::format("{} has no tuning run; make one with `tilewright tune`",
                            store.database().path()));
  }
  Run run = store.load_run(parse_int(arguments.positionals()[0], "RUN"));
  if (run.kind != RunKind::kTune) {
    throw Error(ErrorKind::kUsage,
                fmt::format("run {} is a {} run, not a tuning run", run.id, name_of(run.kind)));
  }
  return run;
}

PlanCurrency currency() {
  const CurrentRevisions current = current_revisions();
  PlanCurrency rules;
  rules.revision_of = [current](std::string_view kernel) {
    const auto found = std::ranges::find_if(
        current.kernels, [&](const auto& entry) { return entry.first == kernel; });
    return found == current.kernels.end() ? -1 : found->second;
  };
  rules.is_current = [current](std::string_view evaluator) {
    return !evaluator.starts_with("sim/") ||
           std::ranges::find(current.evaluators, evaluator) != current.evaluators.end();
  };
  return rules;
}

void check_stale(const Context& context, const Run& run, const std::vector<Winner>& winners) {
  const std::vector<std::string> stale = stale_winners(winners, currency());
  if (stale.empty()) return;
  const std::string what = fmt::format("{} of {} winners of run {} are out of date ({})",
                                       stale.size(), winners.size(), run.id, stale.front());
  if (!context.arguments().has("force")) {
    throw Error(ErrorKind::kCheckFailed,
                what + "; tune again, or export them as they are with --force");
  }
  context.warn(what);
}

void tell(Context& context, const Run& run, const Plan& plan, const std::string& path) {
  size_t ranges = 0;
  for (const PlanTable& table : plan.tables) ranges += table.ranges.size();
  if (context.globals().json) {
    Json json = output_object();
    json["path"] = path;
    json["run"] = run.id;
    json["machine"] = {{"name", plan.machine_name}, {"fingerprint", plan.machine_fingerprint}};
    json["model"] = plan.model;
    json["class"] = plan.workload_class;
    json["tables"] = plan.tables.size();
    json["ranges"] = ranges;
    context.print_json(json);
  } else {
    context.note(fmt::format("wrote {}: {} tables with {} ranges, from run {} ({}) on {}", path,
                             plan.tables.size(), ranges, run.id, run.label, plan.machine_name));
  }
}

}  // namespace

int run_export(Context& context) {
  const Arguments& arguments = context.arguments();
  if (!arguments.has("output")) {
    throw Error(ErrorKind::kUsage, "export needs -o FILE; -o - prints the plan");
  }
  Store store = context.open_existing_store(OpenMode::kReadOnly);
  const Run run = chosen_run(arguments, store);
  const std::vector<Winner> winners = store.load_winners(run.id);
  check_stale(context, run, winners);
  const Plan plan = make_plan(run, winners);
  const auto incomplete = std::ranges::count(winners, false, &Winner::complete);
  if (incomplete > 0 || run.status != RunStatus::kDone) {
    context.warn(fmt::format("run {} is {}; {} of its {} winners come from an unfinished search",
                             run.id, name_of(run.status), incomplete, winners.size()));
  }
  const std::string path = arguments.text("output");
  if (path == "-") {
    context.print(write_plan(plan));
  } else {
    write_file(path, write_plan(plan));
    tell(context, run, plan, path);
  }
  return kExitOk;
}

}  // namespace tilewright
