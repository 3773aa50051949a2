#pragma once

#include <string>

#include "app/cli/command.h"
#include "app/cli/console.h"

namespace tilewright {

/// What the program is and its commands, one line each.
std::string program_help(const Stream& stream);

/// Everything about a command: usage, examples, arguments, options.
std::string command_help(const Command& command, const Stream& stream);

}  // namespace tilewright
