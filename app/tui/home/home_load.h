#pragma once

#include <functional>
#include <string>

#include "app/tui/home/home_state.h"

namespace tilewright {

/// Runs on Home's list; older ones are found by its filter.
constexpr int kRunsShown = 500;
/// Best configs on Home's list; those of older problems are found with `tilewright query best`.
constexpr int kBestShown = 500;

/// Reads what Home shows, of the runs the newest that hold `filter` (in lower case), until `stop()`
/// says true. A database that is not there is no error. Error (failed) for a damaged one, and when
/// it was stopped.
HomeData load_home(const std::string& db, const std::string& filter,
                   const std::function<bool()>& stop);

}  // namespace tilewright
