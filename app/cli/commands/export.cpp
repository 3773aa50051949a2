// `tilewright export`: the plan of a tuning run, or what a run measured.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <variant>

#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/plan/plan.h"
#include "db/formats/catlass_csv.h"
#include "db/formats/csv_table.h"
#include "db/formats/import.h"
#include "db/formats/t4.h"
#include "db/queries.h"
#include "tuner/session/plan_maker.h"

namespace tilewright {

namespace {

const std::vector<std::string> kFormats = {"plan", "t4", "csv", "catlass", "vllm-moe"};

/// Whether a run of that kind has what the format holds.
bool has_results(const Run& run, const std::string& format) {
  if (run.kind == RunKind::kTune) return format != "vllm-moe";
  return run.kind == RunKind::kImport && format != "plan";
}

/// Numbers of runs, as a query gives them.
std::vector<int64_t> runs_of(Store& store, std::string_view sql) {
  std::vector<int64_t> runs;
  for (const std::vector<Cell>& row : query(store, sql, {}).rows) {
    runs.push_back(std::get<int64_t>(row.front()));
  }
  return runs;
}

/// The newest run that has what is exported; of tunings, where none has winners, the newest.
Run latest_run(const std::string& format, Store& store) {
  if (format == "vllm-moe") {
    for (const int64_t id :
         runs_of(store, "SELECT id FROM runs WHERE kind = 'import' ORDER BY id DESC")) {
      Run run = store.load_run(id);
      if (moe_table_of_run(run)) return run;
    }
    throw Error(ErrorKind::kNotFound, fmt::format("{} has no import of a table of vLLM's fused MoE",
                                                  store.database().path()));
  }
  for (const int64_t id : runs_of(store,
                                  "SELECT max(run) FROM winners JOIN runs ON runs.id = winners.run "
                                  "WHERE runs.kind = 'tune' HAVING max(run) IS NOT NULL")) {
    return store.load_run(id);
  }
  if (const std::optional<Run> latest = store.latest_run(RunKind::kTune)) return *latest;
  throw Error(ErrorKind::kNotFound,
              fmt::format("{} has no tuning run; make one with `tilewright tune`",
                          store.database().path()));
}

Run chosen_run(const Arguments& arguments, Store& store) {
  if (arguments.positionals().empty()) return latest_run(arguments.text("format"), store);
  Run run = store.load_run(parse_int(arguments.positionals()[0], "RUN"));
  const std::string format = arguments.text("format");
  if (!has_results(run, format)) {
    const bool may_be_imported = format != "plan";
    throw Error(ErrorKind::kUsage,
                fmt::format("run {} is of kind {}, not {}", run.id, name_of(run.kind),
                            format == "vllm-moe" ? "an import run"
                            : may_be_imported    ? "a tuning or import run"
                                                 : "a tuning run"));
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
    context.note(fmt::format("wrote {}: {} table{} with {} range{}, from run {} ({}) on {}", path,
                             plan.tables.size(), plan.tables.size() == 1 ? "" : "s", ranges,
                             ranges == 1 ? "" : "s", run.id, run.label, plan.machine_name));
  }
}

/// What was measured of the problem of --problem, or of the only one.
const ResultTable& chosen_table(const Arguments& arguments, const Run& run,
                                const std::vector<ResultTable>& tables) {
  if (tables.empty()) {
    throw Error(ErrorKind::kNotFound, fmt::format("run {} has measured nothing", run.id));
  }
  if (!arguments.has("problem") && tables.size() == 1) return tables.front();
  if (!arguments.has("problem")) {
    throw Error(ErrorKind::kUsage,
                fmt::format("run {} has {} problems and the format holds one: choose with "
                            "--problem 1 to {} (1 is {})",
                            run.id, tables.size(), tables.size(), tables.front().problem.text()));
  }
  return tables[static_cast<size_t>(arguments.integer("problem", 1, std::ssize(tables))) - 1];
}

/// The text of a format that holds measurements, and how many results are in it.
std::string results_text(Context& context, Store& store, const Run& run, int64_t& rows) {
  const Arguments& arguments = context.arguments();
  const std::string format = arguments.text("format");
  if (format == "vllm-moe") {
    const std::optional<MoeTable> moe = moe_table_of_run(run);
    if (!moe) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("run {} did not import a table of vLLM's fused MoE", run.id));
    }
    rows = std::ssize(moe->entries);
    context.note(fmt::format("vLLM looks for it under the name {}", moe_file_name(*moe)));
    return write_moe_table(*moe);
  }
  int64_t left_out = 0;
  const std::vector<ResultTable> tables = tables_of_run(store, run, left_out);
  if (left_out > 0) {
    context.warn(
        fmt::format("left out {} with other parameters", format_counted(left_out, "config")));
  }
  if (format == "catlass") {
    const std::string text = write_catlass_csv(tables, left_out);
    if (left_out > 0) {
      context.warn(
          fmt::format("left out {}: no product of matrices", format_counted(left_out, "problem")));
    }
    rows = std::ranges::count(text, '\n') - 1;
    if (rows == 0) {
      throw Error(ErrorKind::kNotFound,
                  fmt::format("run {} has measured no product of matrices, and the format catlass "
                              "holds nothing else",
                              run.id));
    }
    return text;
  }
  const ResultTable& table = chosen_table(arguments, run, tables);
  rows = std::ssize(table.rows);
  return format == "t4" ? write_t4(table) : write_csv_table(table);
}

int export_results(Context& context, Store& store, const Run& run, const std::string& path) {
  int64_t rows = 0;
  const std::string text = results_text(context, store, run, rows);
  if (path == "-") {
    context.print(text);
    return kExitOk;
  }
  write_file(path, text);
  const std::string format = context.arguments().text("format");
  if (context.globals().json) {
    Json json = output_object();
    json["path"] = path;
    json["run"] = run.id;
    json["format"] = format;
    json["results"] = rows;
    context.print_json(json);
  } else {
    context.note(fmt::format("wrote {}: {} result{} of run {} ({}) as {}", path, rows,
                             rows == 1 ? "" : "s", run.id, run.label, format));
  }
  return kExitOk;
}

int export_plan(Context& context, Store& store, const Run& run, const std::string& path) {
  const std::vector<Winner> winners = store.load_winners(run.id);
  // What no plan can hold is not mended by tuning it again.
  const Plan plan = make_plan(run, winners);
  check_stale(context, run, winners);
  const auto incomplete = std::ranges::count(winners, false, &Winner::complete);
  if (incomplete > 0 || run.status != RunStatus::kDone) {
    context.warn(fmt::format("run {} is {}; {} of its {} winners come from an unfinished search",
                             run.id, name_of(run.status), incomplete, winners.size()));
  }
  if (path == "-") {
    context.print(write_plan(plan));
  } else {
    write_file(path, write_plan(plan));
    tell(context, run, plan, path);
  }
  return kExitOk;
}

}  // namespace

int run_export(Context& context) {
  const Arguments& arguments = context.arguments();
  const std::string format = arguments.text("format");
  if (std::ranges::find(kFormats, format) == kFormats.end()) {
    throw Error(ErrorKind::kUsage,
                fmt::format("there is no format '{}'{} (formats: {})", printable(format),
                            did_you_mean(format, kFormats), join(kFormats, ", ")));
  }
  if (!arguments.has("output")) {
    throw Error(ErrorKind::kUsage, fmt::format("export needs -o FILE; -o - prints the {}",
                                               format == "plan" ? "plan" : "results"));
  }
  if (arguments.has("problem") && format != "t4" && format != "csv") {
    throw Error(ErrorKind::kUsage, "--problem is of --format t4 and csv");
  }
  Store store = context.open_existing_store(OpenMode::kReadOnly);
  const Run run = chosen_run(arguments, store);
  const std::string path = arguments.text("output");
  return format == "plan" ? export_plan(context, store, run, path)
                          : export_results(context, store, run, path);
}

}  // namespace tilewright
