#include "app/tui/shell_command.h"

#include <algorithm>
#include <vector>

#include "app/cli/settings.h"
#include "app/cli/shell_word.h"
#include "core/base/error.h"
#include "core/machine/machine.h"
#include "tuner/evaluate/command_template.h"

namespace tilewright {

namespace {

/// Whether nothing can be added: the line has the option, or is no command line at all.
bool is_settled(const std::string& line, const std::string& option) {
  try {
    const std::vector<std::string> words = split_words(line);
    return words.empty() || std::ranges::any_of(words, [&](const std::string& word) {
             return word == option || word.starts_with(option + "=");
           });
  } catch (const Error&) {  // a database may hold what no shell would take
    return true;
  }
}

/// What a shell takes without being told, as far as the start of the workbench shows it; empty
/// where it was told.
std::string taken_anyway(const Globals& globals, const std::string& name,
                         std::string_view built_in) {
  const auto setting = globals.settings.find(name);
  if (setting == globals.settings.end()) return std::string(built_in);
  return setting->second.source == "--" + name ? "" : setting->second.value;
}

}  // namespace

std::string with_database(std::string line, const State& state) {
  const bool needs_none = line.starts_with("tilewright machine ");
  const bool is_taken = taken_anyway(state.tune.globals, "db", state.db) == state.db;
  if (is_taken || needs_none || is_settled(line, "--db")) return line;
  return line + " --db " + shell_word(state.db);
}

std::string with_machine(std::string line, std::string_view machine, const State& state) {
  const bool is_taken = taken_anyway(state.tune.globals, "machine", kDefaultMachine) == machine;
  if (is_taken || is_settled(line, "--machine")) return line;
  const std::vector<std::string> presets = machine_names();
  const std::string preset(machine.substr(0, machine.find(':')));  // NAME:datasheet
  if (std::ranges::find(presets, preset) == presets.end()) return line;
  return line + " --machine " + shell_word(machine);
}

}  // namespace tilewright
