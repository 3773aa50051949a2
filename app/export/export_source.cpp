#include "app/export/export_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "app/cli/context.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/space/problem.h"
#include "db/queries.h"

namespace tilewright {

namespace {

/// Whether the columns of CATLASS's tuner have a place for the winner's problem.
bool fits_catlass(const ListedWinner& row) {
  try {
    const Problem problem = parse_problem(row.winner.problem);
    return problem.has("m") && problem.has("n") && problem.has("k") && problem.types.size() == 3;
  } catch (const Error&) {
    return false;  // of another tool
  }
}

/// The machine that a run's command line names; else that of its row.
std::string machine_argument(const Run& run) {
  const std::vector<std::string_view> words = split(run.command, ' ');
  constexpr std::string_view kOption = "--machine";
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == kOption && i + 1 < words.size()) return std::string(words[i + 1]);
    if (words[i].starts_with("--machine=")) return std::string(words[i].substr(kOption.size() + 1));
  }
  return run.machine_name;
}

/// Of presets alone: a file may have changed for reasons of its own.
std::string fingerprint_today(const Run& run) {
  const std::string argument = machine_argument(run);
  const std::string preset = argument.substr(0, argument.find(':'));
  const std::vector<std::string> presets = machine_names();
  if (std::ranges::find(presets, preset) == presets.end()) return "";
  try {
    return load_machine(argument).fingerprint();
  } catch (const Error&) {
    return "";
  }
}

}  // namespace

std::vector<Winner> ExportSource::selected(const std::vector<size_t>& places) const {
  std::vector<Winner> chosen;
  for (const size_t place : places) chosen.push_back(winners[place].winner);
  return chosen;
}

ExportSource load_export_source(Store& store, int64_t run) {
  ExportSource source;
  source.run = store.load_run(run);
  if (source.run.kind != RunKind::kTune) {
    throw Error(ErrorKind::kUsage, fmt::format("run {} is of kind {}, not a tuning run", run,
                                               name_of(source.run.kind)));
  }
  source.winners = list_winners(source.run, store.load_winners(run), current_currency());
  source.machine = machine_of_run(store, source.run);
  return source;
}

std::optional<Machine> machine_of_run(Store& store, const Run& run) {
  try {
    Machine machine = parse_machine(store.machine_description(run.machine_fingerprint),
                                    "machine " + run.machine_name, false);
    if (machine.fingerprint() == run.machine_fingerprint) return machine;
  } catch (const Error&) {
    return std::nullopt;
  }
  return std::nullopt;
}

PlanCurrency current_currency() {
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
  rules.fingerprint_of = fingerprint_today;
  return rules;
}

Run latest_tuning(Store& store) {
  const QueryResult newest = query(store,
                                   "SELECT max(run) FROM winners JOIN runs ON runs.id = "
                                   "winners.run WHERE runs.kind = 'tune' HAVING max(run) IS NOT "
                                   "NULL",
                                   {});
  if (!newest.rows.empty()) return store.load_run(std::get<int64_t>(newest.rows[0][0]));
  if (const std::optional<Run> latest = store.latest_run(RunKind::kTune)) return *latest;
  throw Error(ErrorKind::kNotFound,
              fmt::format("{} has no tuning run; make one with `tilewright tune`",
                          store.database().path()));
}

const std::vector<std::string>& export_formats() {
  static const std::vector<std::string> kFormats = {"plan", "t4", "csv", "catlass", "vllm-moe"};
  return kFormats;
}

std::vector<std::string> formats_of(const ExportSource& source) {
  std::vector<std::string> formats;
  const auto can = [](const ListedWinner& row) { return row.state != WinnerState::kNoPlan; };
  if (std::ranges::any_of(source.winners, can)) formats.emplace_back("plan");
  if (source.winners.empty()) return formats;
  formats.insert(formats.end(), {"csv", "t4"});
  if (std::ranges::any_of(source.winners, fits_catlass)) formats.emplace_back("catlass");
  return formats;
}

}  // namespace tilewright
