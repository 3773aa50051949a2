#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/tui/screen.h"

namespace tilewright {

/// The parts of Home, and what they list.
enum HomePane : int { kRuns, kBest, kMachine, kSessions, kJobs, kStart };

std::span<const PaneInfo> home_panes();

/// A way to begin, by the command that it starts.
struct StartEntry {
  std::string_view command;
  std::string_view meaning;
};
std::span<const StartEntry> start_entries();

/// Rows at the top of a pane that say why the database could not be read; 0 where it could.
int failure_rows(const State& state, int pane, int width);

/// The runs and the best configs that the filter leaves.
std::vector<const RunRow*> shown_runs(const HomeState& home);
std::vector<const BestRow*> shown_best(const HomeState& home);

}  // namespace tilewright
