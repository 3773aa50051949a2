#pragma once

#include <span>
#include <string>

#include "app/cli/context.h"

namespace tilewright {

/// An action of a command such as `machine list`, with the names that may follow it.
struct Action {
  std::string name;
  size_t min_names = 0;
  size_t max_names = 0;
  int (*run)(Context&, std::span<const std::string> names) = nullptr;
};

/// Runs the action that the first positional argument names. Error (usage) for an unknown one, and
/// for too few or too many names.
int run_action(Context& context, const std::string& command, std::span<const Action> actions);

}  // namespace tilewright
