#pragma once

#include <string>

#include "app/tui/home/home_state.h"

namespace tilewright {

/// Runs on Home's list; older ones are found with `tilewright query runs`.
constexpr int kRunsShown = 500;

/// Reads what Home shows. A database that is not there yet is no error. Error (failed) for a
/// damaged one.
HomeData load_home(const std::string& db);

}  // namespace tilewright
