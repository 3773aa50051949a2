#pragma once

#include <functional>
#include <string>

#include "app/tui/home/home_state.h"

namespace tilewright {

/// Runs on Home's list; older ones are found with `tilewright query runs`.
constexpr int kRunsShown = 500;

/// Reads what Home shows, until `stop()` says true. A database that is not there is no error. Error
/// (failed) for a damaged one, and when it was stopped.
HomeData load_home(const std::string& db, const std::function<bool()>& stop);

}  // namespace tilewright
