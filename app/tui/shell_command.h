#pragma once

#include <string>
#include <string_view>

#include "app/tui/state.h"

namespace tilewright {

/// The command line of a screen as it does the same in the shell from which the workbench was
/// started: with `--db` where that was given there, unless the line names a database or needs none.
std::string with_database(std::string line, const State& state);

/// The command line of a run that is known by its machine's name, with `--machine` unless a shell
/// takes that one anyway, the line names one, or no preset has that name.
std::string with_machine(std::string line, std::string_view machine, const State& state);

}  // namespace tilewright
