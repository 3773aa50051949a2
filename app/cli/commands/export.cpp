// `tilewright export`: the plan of a tuning run, or what a run measured.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/progress.h"
#include "app/cli/table.h"
#include "app/export/export_source.h"
#include "app/export/export_text.h"
#include "app/export/plan_acceptance.h"
#include "app/export/replay_check.h"
#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "core/space/problem.h"
#include "db/formats/import.h"
#include "db/queries.h"
#include "tuner/session/active_search.h"
#include "tuner/session/plan_maker.h"

namespace tilewright {

namespace {

/// Whether a run of that kind has what the format holds.
bool has_results(const Run& run, const std::string& format) {
  if (run.kind == RunKind::kTune) return format != "vllm-moe";
  return run.kind == RunKind::kImport && format != "plan";
}

Run latest_moe_table(Store& store) {
  const QueryResult imports =
      query(store, "SELECT id FROM runs WHERE kind = 'import' ORDER BY id DESC", {});
  for (const std::vector<Cell>& row : imports.rows) {
    Run run = store.load_run(std::get<int64_t>(row.front()));
    if (moe_table_of_run(run)) return run;
  }
  throw Error(ErrorKind::kNotFound, fmt::format("{} has no import of a table of vLLM's fused MoE",
                                                store.database().path()));
}

Run chosen_run(const Arguments& arguments, Store& store) {
  const std::string format = arguments.text("format");
  if (arguments.positionals().empty()) {
    return format == "vllm-moe" ? latest_moe_table(store) : latest_tuning(store);
  }
  Run run = store.load_run(parse_int(arguments.positionals()[0], "RUN"));
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

/// The winners of --winners, or all.
std::vector<size_t> chosen_places(const Arguments& arguments, const ExportSource& source) {
  if (arguments.has("winners")) {
    return parse_numbers(arguments.text("winners"), source.winners.size());
  }
  std::vector<size_t> places(source.winners.size());
  std::iota(places.begin(), places.end(), size_t{0});
  return places;
}

void check_stale(const Context& context, const ExportSource& source,
                 const std::vector<size_t>& places) {
  std::vector<std::string> stale;
  for (const size_t place : places) {
    const ListedWinner& row = source.winners[place];
    if (row.state != WinnerState::kStale) continue;
    stale.push_back(fmt::format("{}: {}", printable(row.winner.problem, 160), row.reason));
  }
  if (stale.empty()) return;
  const std::string what = fmt::format("{} of {} winners of run {} are out of date ({})",
                                       stale.size(), places.size(), source.run.id, stale.front());
  if (!context.arguments().has("force")) {
    throw Error(ErrorKind::kCheckFailed,
                what + "; tune again, or export them as they are with --force");
  }
  context.warn(what);
}

QueryResult winner_rows(const ExportSource& source) {
  QueryResult table;
  table.columns = {"winner",      "state",        "ops", "problem", "config", "time_us",
                   "baseline_us", "gain_percent", "run", "try",     "reason"};
  for (size_t i = 0; i < source.winners.size(); ++i) {
    const ListedWinner& row = source.winners[i];
    const Winner& winner = row.winner;
    const bool has_baseline = winner.baseline_us > 0;
    table.rows.push_back({static_cast<int64_t>(i) + 1, std::string(name_of(row.state)),
                          join(winner.ops, ","), winner.problem, winner.config, winner.time_us,
                          has_baseline ? Cell(winner.baseline_us) : Cell(),
                          has_baseline ? Cell(100 * (winner.gain() - 1)) : Cell(), source.run.id,
                          row.trial > 0 ? Cell(row.trial) : Cell(), row.reason});
  }
  return table;
}

/// "qkv m=16,n=4608,k=3584": the model's ops, or the kernel, with the sizes.
std::string brief(const Winner& winner) {
  try {
    const Problem problem = parse_problem(winner.problem);
    return printable(
        fmt::format("{} {}", winner.ops.empty() ? problem.kernel : join(winner.ops, ","),
                    Config{problem.sizes}.text()),
        160);
  } catch (const Error&) {
    return printable(winner.problem, 160);  // of another tool
  }
}

/// What a terminal has room for.
QueryResult shown_rows(const ExportSource& source) {
  QueryResult table;
  table.columns = {"winner", "what", "state", "time", "gain %", "try", "reason"};
  for (size_t i = 0; i < source.winners.size(); ++i) {
    const ListedWinner& row = source.winners[i];
    const bool has_baseline = row.winner.baseline_us > 0;
    table.rows.push_back(
        {static_cast<int64_t>(i) + 1, brief(row.winner), std::string(name_of(row.state)),
         format_us(row.winner.time_us),
         has_baseline ? Cell(fmt::format("{:+.1f}", 100 * (row.winner.gain() - 1))) : Cell(),
         row.trial > 0 ? Cell(row.trial) : Cell(), row.reason});
  }
  return table;
}

int list_of(Context& context, Store& store, ExportSource& source) {
  const std::vector<int64_t> trials = store.trials_of_winners(source.run.id, kScreening);
  for (size_t i = 0; i < std::min(trials.size(), source.winners.size()); ++i) {
    source.winners[i].trial = trials[i];
  }
  if (context.globals().json) {
    Json json = output_object();
    json["run"] = source.run.id;
    json["label"] = source.run.label;
    json["machine"] = {{"name", source.run.machine_name},
                       {"fingerprint", source.run.machine_fingerprint}};
    json["winners"] = to_json(winner_rows(source))["rows"];
    context.print_json(json);
  } else if (context.globals().csv) {
    context.print_table(winner_rows(source));
  } else {
    context.print(
        fmt::format("{}\n", context.heading(fmt::format("run {} ({}) on {}", source.run.id,
                                                        printable(source.run.label, 160),
                                                        printable(source.run.machine_name)))));
    context.print(to_wrapped_table(shown_rows(source), context.console().out().columns()));
  }
  return kExitOk;
}

Json json_of(const ReplayedPlan& replayed) {
  Json json = Json::object();
  json["with"] = to_json(replayed.with);
  json["without"] = to_json(replayed.without);
  Json& gain = json["gain"] = Json::object();
  for (const Gain& each : replayed.gains) gain[each.key] = each.gain;
  return json;
}

/// All checks, those that compute and serve among them.
std::vector<PlanCheck> run_checks(Context& context, const ExportSource& source,
                                  const std::vector<Winner>& winners, Json& json) {
  Progress line(context.console().err(), context.globals().quiet);
  const auto progress = [&](const char* what) {
    return [&line, what](double fraction) {
      line.update([&] { return fmt::format("checking: {} {:.0f} %", what, 100 * fraction); });
    };
  };
  std::vector<PlanCheck> checks = quick_checks(source, winners, progress("plan"));
  checks.push_back(numeric_check(source, winners, progress("numerics")));
  const bool is_plan =
      std::ranges::find(checks, CheckStatus::kFailed, &PlanCheck::status) == checks.end();
  if (is_plan) {
    const ReplayedPlan replayed =
        check_replay(source.run, make_plan(source.run, winners), context.globals().db,
                     progress("replay"), [] { return false; });
    checks.push_back(replayed.check);
    if (!replayed.gains.empty()) json["replay"] = json_of(replayed);
  } else {
    checks.push_back({"replay", CheckStatus::kNotRun, "another check failed"});
  }
  line.clear();
  return checks;
}

/// Tells the checks: as data, or where the file itself is printed as messages. Whether none failed.
bool tell_checks(Context& context, const std::vector<PlanCheck>& checks, Json& json) {
  json["checks"] = Json::array();
  std::string text;
  for (const PlanCheck& check : checks) {
    json["checks"].push_back(
        {{"name", check.name}, {"status", name_of(check.status)}, {"text", check.text}});
    text += fmt::format("{:<8} {:<9} {}\n", name_of(check.status), check.name, check.text);
  }
  if (!context.globals().json) {
    if (context.arguments().text("output") == "-") {
      context.note(trim(text));
    } else {
      context.print(text);
    }
  }
  return std::ranges::find(checks, CheckStatus::kFailed, &PlanCheck::status) == checks.end();
}

void tell_plan(Context& context, const ExportSource& source, const ExportText& text,
               const WrittenExport& written, Json& json) {
  const Run& run = source.run;
  const std::string path = context.arguments().text("output");
  if (context.globals().json) {
    json["path"] = path;
    json["run"] = run.id;
    json["machine"] = {{"name", run.machine_name}, {"fingerprint", run.machine_fingerprint}};
    json["model"] = run.model;
    json["class"] = run.workload;
    json["tables"] = text.tables;
    json["ranges"] = text.ranges;
    if (!written.backup.empty()) json["backup"] = written.backup;
    return;
  }
  const std::string before = written.is_unchanged ? ", which had just that"
                             : !written.backup.empty()
                                 ? fmt::format(", what was there is in {}", written.backup)
                                 : "";
  context.note(fmt::format("wrote {}: {} with {}, from run {} ({}) on {}{}", path,
                           format_counted(static_cast<int64_t>(text.tables), "table"),
                           format_counted(static_cast<int64_t>(text.ranges), "range"), run.id,
                           run.label, run.machine_name, before));
}

void warn_unfinished(const Context& context, const ExportSource& source,
                     const std::vector<Winner>& winners) {
  const auto incomplete = std::ranges::count(winners, false, &Winner::complete);
  if (incomplete == 0 && source.run.status == RunStatus::kDone) return;
  context.warn(fmt::format("run {} is {}; {} of its {} winners come from an unfinished search",
                           source.run.id, name_of(source.run.status), incomplete, winners.size()));
}

int export_plan(Context& context, Store& store, const Run& run) {
  const Arguments& arguments = context.arguments();
  ExportSource source = load_export_source(store, run.id);
  if (arguments.has("list")) return list_of(context, store, source);
  const std::vector<size_t> places = chosen_places(arguments, source);
  const std::vector<Winner> winners = source.selected(places);
  // What no plan can hold is not mended by tuning it again.
  const ExportText text = plan_text(run, winners);
  check_stale(context, source, places);
  warn_unfinished(context, source, winners);
  Json json = output_object();
  if (arguments.has("check")) {
    const bool is_sound = tell_checks(context, run_checks(context, source, winners, json), json);
    if (!is_sound || !arguments.has("output")) {
      if (context.globals().json) context.print_json(json);
      if (!is_sound && arguments.has("output")) context.warn("nothing was written");
      return is_sound ? kExitOk : kExitCheckFailed;
    }
  }
  const std::string path = arguments.text("output");
  if (path == "-") {
    context.print(text.text);
    return kExitOk;
  }
  tell_plan(context, source, text, write_export(path, text.text), json);
  if (context.globals().json) context.print_json(json);
  return kExitOk;
}

int export_results(Context& context, Store& store, const Run& run) {
  const Arguments& arguments = context.arguments();
  const std::string format = arguments.text("format");
  const int64_t problem = arguments.has("problem") ? arguments.integer("problem", 1, INT64_MAX) : 0;
  const ExportText text = results_text(store, run, format, {.number = problem});
  for (const std::string& note : text.notes) {
    format == "vllm-moe" ? context.note(note) : context.warn(note);
  }
  const std::string path = arguments.text("output");
  if (path == "-") {
    context.print(text.text);
    return kExitOk;
  }
  const WrittenExport written = write_export(path, text.text);
  if (context.globals().json) {
    Json json = output_object();
    json["path"] = path;
    json["run"] = run.id;
    json["format"] = format;
    json["results"] = text.results;
    if (!written.backup.empty()) json["backup"] = written.backup;
    context.print_json(json);
  } else {
    context.note(fmt::format("wrote {}: {} of run {} ({}) as {}", path,
                             format_counted(text.results, "result"), run.id, run.label, format));
  }
  return kExitOk;
}

/// Options that make no sense together.
void refuse_contradictions(const Arguments& arguments) {
  const std::string format = arguments.text("format");
  const std::vector<std::string>& formats = export_formats();
  if (std::ranges::find(formats, format) == formats.end()) {
    throw Error(ErrorKind::kUsage,
                fmt::format("there is no format '{}'{} (formats: {})", printable(format),
                            did_you_mean(format, formats), join(formats, ", ")));
  }
  for (const char* option : {"winners", "list", "check"}) {
    if (!arguments.has(option) || format == "plan") continue;
    throw Error(ErrorKind::kUsage, fmt::format("--{} is of --format plan", option));
  }
  for (const char* option : {"winners", "check", "output"}) {
    if (!arguments.has("list") || !arguments.has(option)) continue;
    throw Error(ErrorKind::kUsage,
                fmt::format("--list writes nothing; leave out it or --{}", option));
  }
  if (!arguments.has("output") && !arguments.has("list") && !arguments.has("check")) {
    throw Error(ErrorKind::kUsage,
                fmt::format("export needs -o FILE; -o - prints the {}{}",
                            format == "plan" ? "plan" : "results",
                            format == "plan" ? ", --list its winners, --check checks them" : ""));
  }
  if (arguments.has("problem") && !holds_one_problem(format)) {
    throw Error(ErrorKind::kUsage, "--problem is of --format t4 and csv");
  }
}

}  // namespace

int run_export(Context& context) {
  const Arguments& arguments = context.arguments();
  refuse_contradictions(arguments);
  Store store = context.open_existing_store(OpenMode::kReadOnly);
  const Run run = chosen_run(arguments, store);
  return arguments.text("format") == "plan" ? export_plan(context, store, run)
                                            : export_results(context, store, run);
}

}  // namespace tilewright
