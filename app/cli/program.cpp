#include "app/cli/program.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/console.h"
#include "app/cli/context.h"
#include "app/cli/help.h"
#include "app/cli/options.h"
#include "app/cli/settings.h"
#include "app/cli/shell_word.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// On a terminal the program is the workbench.
bool opens_workbench(const Arguments& globals, Console& console) {
  return !globals.has("version") && !globals.has("help") && console.out().is_terminal() &&
         ::isatty(STDIN_FILENO) != 0;
}

int without_command(const Arguments& globals, Console& console) {
  if (globals.has("version")) {
    console.print(tool_name() + "\n");
    return kExitOk;
  }
  if (globals.has("help")) {
    console.print(program_help(console.out()));
    return kExitOk;
  }
  console.message("tilewright: no command, and no terminal for the workbench\n");
  console.message(program_help(console.err()));
  return kExitUsage;
}

void check_output_form(const Command& command, const Globals& globals) {
  if (globals.json && globals.csv) {
    throw Error(ErrorKind::kUsage, "--json and --csv exclude each other");
  }
  if (globals.csv && !command.has_csv) {
    throw Error(ErrorKind::kUsage,
                fmt::format("the output of {} is no table; use --json", command.name));
  }
}

void tell_settings(const Globals& globals, const Console& console) {
  for (const auto& [name, setting] : globals.settings) {
    const std::string line = fmt::format("{} = {} ({})", name, setting.value, setting.source);
    console.message(printable(line, line.size()));
  }
}

/// Help is there even when the settings are what somebody needs help with.
Globals globals_of(const Command& command, const Arguments& arguments, Console& console) {
  try {
    return resolve_globals(arguments, console.out().is_terminal(), console.err().is_terminal());
  } catch (const Error&) {
    if (command.run != run_help) throw;
    Globals globals;
    globals.color_out = wants_color("auto", console.out().is_terminal());
    globals.color_err = wants_color("auto", console.err().is_terminal());
    return globals;
  }
}

int run_command(const std::vector<std::string>& tokens, Console& console) {
  // Without a command the options may be those of the workbench.
  std::vector<Option> first = global_options();
  const std::vector<Option>& workbench = find_command("tui").options;
  first.insert(first.end(), workbench.begin(), workbench.end());
  SplitLine line = split_command(tokens, first);
  if (line.command.empty()) {
    const Arguments arguments = parse_options(line.rest, first);
    if (!opens_workbench(arguments, console)) return without_command(arguments, console);
    line.command = "tui";
  }
  const Command& command = find_command(line.command);
  std::vector<Option> options = command.options;
  options.insert(options.end(), global_options().begin(), global_options().end());
  const Arguments arguments = parse_options(line.rest, options);
  if (arguments.has("help")) {
    console.print(command_help(command, console.out()));
    return kExitOk;
  }
  if (arguments.has("version")) return without_command(arguments, console);
  check_positionals(arguments, command.name, command.positionals);
  const Globals globals = globals_of(command, arguments, console);
  console.out().set_color(globals.color_out);
  console.err().set_color(globals.color_err);
  check_output_form(command, globals);
  if (globals.verbose) tell_settings(globals, console);
  Context context(arguments, globals, console, shell_line(tokens));
  return command.run(context);
}

int report(const Console& console, int status, std::string_view message) {
  console.message("tilewright: " + printable(message, message.size()));
  return status;
}

/// The one place where errors end.
template <typename Work>
int guarded(const Console& console, Work work) {
  try {
    return work();
  } catch (const Error& error) {
    return report(console, static_cast<int>(error.kind()), error.message());
  } catch (const std::bad_alloc&) {
    return report(console, 1, "out of memory; try a smaller problem or fewer --jobs");
  } catch (const std::exception& error) {
    return report(console, 1, fmt::format("internal error: {}", error.what()));
  }
}

}  // namespace

int run_program(int argc, char** argv) {
  // A parent may have left it ignored; a reader that went away ends us without a word.
  std::signal(SIGPIPE, SIG_DFL);
  // A file that may not grow is an error like a full disk, which the database survives.
  std::signal(SIGXFSZ, SIG_IGN);
  Console console;
  console.out().set_color(wants_color("auto", console.out().is_terminal()));
  console.err().set_color(wants_color("auto", console.err().is_terminal()));
  const std::vector<std::string> tokens(argv + (argc > 0 ? 1 : 0), argv + argc);
  return guarded(console, [&] {
    const int status = run_command(tokens, console);
    console.flush();
    return status;
  });
}

}  // namespace tilewright
