#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/cli/options.h"

namespace tilewright {

class Context;

/// A command line that works, with what it does.
struct Example {
  std::string command;
  std::string meaning;
};

/// A command of the program: everything that parsing, help and documents need, and what runs it.
struct Command {
  std::string name;
  std::string summary;  ///< one line
  std::string details;  ///< paragraphs of the full help; may be empty
  std::vector<Positional> positionals;
  std::vector<Option> options;
  std::vector<Example> examples;
  bool has_csv = false;  ///< its output is a table
  /// Does the work and returns the exit status; throws Error.
  int (*run)(Context&) = nullptr;
};

/// Every command, in the order of the help: the one table.
const std::vector<Command>& commands();

/// The command of that name; Error (usage) suggests the nearest.
const Command& find_command(std::string_view name);

/// Statuses that are no error kind (core/base/error.h has 1 to 5).
constexpr int kExitOk = 0;
constexpr int kExitUsage = 2;
constexpr int kExitCheckFailed = 4;
constexpr int kExitNothingFits = 5;
constexpr int kExitInterrupted = 130;

}  // namespace tilewright
