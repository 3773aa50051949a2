#include "app/cli/evaluator_arguments.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "app/cli/foreign_target.h"
#include "app/cli/interrupt.h"
#include "app/cli/settings.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "tuner/evaluate/command_evaluator.h"
#include "tuner/evaluate/simulator_evaluator.h"
#include "tuner/evaluate/table_evaluator.h"

namespace tilewright {

namespace {

constexpr std::string_view kCommandPrefix = "cmd ";
constexpr std::string_view kTablePrefix = "table:";
constexpr int64_t kMiB = int64_t{1} << 20;

/// The command that --evaluator holds, without the word that may stand before it: what has
/// placeholders needs none. Nothing for what is no command.
std::optional<std::string_view> command_text(std::string_view what) {
  if (what.starts_with(kCommandPrefix)) return what.substr(kCommandPrefix.size());
  if (what.starts_with(kTablePrefix) || !has_placeholder(what)) return std::nullopt;
  return what;
}

[[noreturn]] void refuse_unknown(const std::string& what) {
  const std::vector<std::string> kinds = {"sim", "cmd", "table"};
  const std::string first = what.substr(0, what.find_first_of(": "));
  const std::string suggestion = did_you_mean(first, kinds);
  throw Error(ErrorKind::kUsage,
              fmt::format("--evaluator '{}' is unknown{} (it is sim; table:FILE; or a program with "
                          "placeholders such as './bench {{tile_m}} {{tile_n}}', or any program as "
                          "'cmd PROGRAM ...')",
                          printable(what), suggestion));
}

/// "3..30", or one number for both.
RepetitionRule read_repetitions(const Arguments& arguments) {
  constexpr int64_t kMost = 10'000;
  const std::string text = arguments.text("repetitions");
  const size_t dots = text.find("..");
  const int64_t min = parse_int(std::string_view(text).substr(0, dots), "--repetitions");
  const int64_t max = dots == std::string::npos
                          ? min
                          : parse_int(std::string_view(text).substr(dots + 2), "--repetitions");
  if (min < 1 || max < min || max > kMost) {
    throw Error(ErrorKind::kUsage, fmt::format("--repetitions {} is no range MIN..MAX within 1..{}",
                                               printable(text), kMost));
  }
  RepetitionRule rule;
  rule.min = static_cast<int>(min);
  rule.max = static_cast<int>(max);
  return rule;
}

CommandOptions read_options(const Arguments& arguments) {
  CommandOptions options;
  options.limits.seconds = arguments.number("eval-timeout", 0.001, 1e6);
  options.limits.memory_bytes = arguments.integer("eval-memory", 0, int64_t{1} << 40) * kMiB;
  options.limits.output_bytes = arguments.integer("eval-output", 1, 1 << 10) * kMiB;
  options.repetitions = read_repetitions(arguments);
  options.environment = child_environment();
  options.stop = interrupted;
  return options;
}

void check_command(const Arguments& arguments, std::string_view text,
                   std::span<const TuneProblem> like) {
  const CommandTemplate command(text);
  for (const TuneProblem& problem : like) {
    command.check(problem.problem, problem.space.parameters());
  }
  const CommandOptions options = read_options(arguments);
  const std::string program = command.fixed_program();
  if (!program.empty()) {
    const std::string file = find_program(program, options.environment);
    if (file.empty() || ::access(file.c_str(), F_OK) != 0) {
      throw Error(ErrorKind::kNotFound,
                  fmt::format("--evaluator: there is no program '{}'", printable(program)));
    }
    std::error_code none;
    if (std::filesystem::is_directory(file, none) || ::access(file.c_str(), X_OK) != 0) {
      throw Error(ErrorKind::kFailed,
                  fmt::format("--evaluator: '{}' is not executable", printable(program)));
    }
  }
}

std::unique_ptr<Evaluator> command_evaluator(const Arguments& arguments, std::string_view text,
                                             std::span<const TuneProblem> problems) {
  CommandOptions options = read_options(arguments);
  for (const TuneProblem& problem : problems) {
    options.spaces.emplace(problem.problem.text(), problem.space);
  }
  return std::make_unique<CommandEvaluator>(CommandTemplate(text), std::move(options));
}

/// The file whose results are the times: that of --evaluator, or the target itself; nothing where
/// something else gives them.
std::optional<std::string> table_path(const Arguments& arguments) {
  const std::string what = arguments.text("evaluator");
  if (what.starts_with(kTablePrefix)) return what.substr(kTablePrefix.size());
  const std::string& target = arguments.positionals()[0];
  if (is_table_file(target) && !arguments.has("evaluator")) return target;
  return std::nullopt;
}

/// The table of a file for each problem: that of an equal problem, or the only one.
std::unique_ptr<Evaluator> table_evaluator(const std::string& path,
                                           std::span<const TuneProblem> problems) {
  const ResultFile file = read_results(path);
  std::map<std::string, ResultTable> tables;
  for (const TuneProblem& each : problems) {
    const std::string text = each.problem.text();
    const auto equal = std::ranges::find_if(
        file.tables, [&](const ResultTable& table) { return table.problem.text() == text; });
    const bool is_only = file.tables.size() == 1 && problems.size() == 1;
    if (equal == file.tables.end() && !is_only) {
      throw Error(ErrorKind::kUsage, fmt::format("--evaluator table:{} has no results of {}",
                                                 printable(path, 200), printable(text, 160)));
    }
    const ResultTable& table = is_only ? file.tables.front() : *equal;
    tables.emplace(text, matched_table(table, each.space));
  }
  return std::make_unique<TablesEvaluator>(std::move(tables), file.hash);
}

}  // namespace

std::vector<Option> evaluator_options() {
  return {
      {"evaluator", 0, "WHAT", "sim",
       "what times a config: sim, the simulator; 'PROGRAM {tile_m} ...', a program that prints the "
       "time in us (cmd before it where it has no placeholder); or table:FILE, results of another "
       "tool"},
      {"eval-timeout", 0, "S", "60", "seconds that one run of the command may take"},
      {"eval-memory", 0, "MIB", "0", "address space of each of its processes; 0: no limit"},
      {"eval-output", 0, "MIB", "1", "what one run of it may write"},
      {"repetitions", 0, "MIN..MAX", "3..30",
       "how often it is run: until the standard error of the time is below 1 %"},
  };
}

void check_evaluator_arguments(const Arguments& arguments, std::span<const TuneProblem> like) {
  const std::string what = arguments.text("evaluator");
  const std::optional<std::string_view> command = command_text(what);
  const std::optional<std::string> table = command ? std::nullopt : table_path(arguments);
  if ((command || table) && arguments.has("fidelity")) {
    throw Error(ErrorKind::kUsage, "--fidelity is of the simulator; leave it or --evaluator out");
  }
  if (command) return check_command(arguments, *command, like);
  if (!table && what != "sim") refuse_unknown(what);
  for (const char* option : {"eval-timeout", "eval-memory", "eval-output", "repetitions"}) {
    if (!arguments.has(option)) continue;
    throw Error(ErrorKind::kUsage,
                fmt::format("--{} makes sense only with --evaluator 'PROGRAM ...'", option));
  }
  if (table) {
    if (table->empty()) {
      throw Error(ErrorKind::kUsage, "--evaluator table: names no file; give table:FILE");
    }
    std::error_code none;
    if (!std::filesystem::exists(*table, none)) read_results(*table);  // says why
    return;
  }
  if (is_foreign_file(arguments.positionals()[0])) {
    throw Error(
        ErrorKind::kUsage,
        fmt::format("the simulator cannot time {}: give --evaluator 'PROGRAM {{name}} ...' or "
                    "--evaluator table:FILE",
                    printable(arguments.positionals()[0], 200)));
  }
}

std::unique_ptr<Evaluator> make_evaluator(const Arguments& arguments, const Machine& machine,
                                          std::span<const TuneProblem> problems) {
  check_evaluator_arguments(arguments, problems);
  const std::string what = arguments.text("evaluator");
  if (const std::optional<std::string_view> command = command_text(what)) {
    return command_evaluator(arguments, *command, problems);
  }
  if (const std::optional<std::string> table = table_path(arguments)) {
    return table_evaluator(*table, problems);
  }
  const bool composed = arguments.text("fidelity") == "composed";
  return std::make_unique<SimulatorEvaluator>(machine,
                                              composed ? Fidelity::kComposed : Fidelity::kDetailed);
}

}  // namespace tilewright
