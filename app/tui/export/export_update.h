#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "app/tui/effects.h"
#include "app/tui/export/export_data.h"
#include "app/tui/state.h"

namespace tilewright {

/// What the Export screen does: winners are selected, checked and written.

/// Reads the run again, or another one; 0: the newest with winners.
void load_export_run(State& state, int64_t run, Effects& effects);

/// Places of the selected winners.
std::vector<size_t> selected_places(const ExportState& exporting);
/// The winner of the cursor; null when there is none.
const ListedWinner* chosen_winner(const ExportState& exporting);

/// What the screen asks for now; nothing without winners or, of a plan, without selected ones.
std::optional<ExportRequest> export_request(const ExportState& exporting);
/// The draft of just that; null while it is being made.
const ExportDraft* current_draft(const ExportState& exporting);

/// One line of the checks.
struct ShownCheck {
  PlanCheck check;
  int64_t job = 0;  ///< that is at it; 0: none
};
/// The checks of the selection, those that wait for a key among them.
std::vector<ShownCheck> shown_checks(const State& state);

/// Whether the screen is shown and one of its jobs is at work.
bool is_exporting(const State& state);

/// Why nothing can be written now; empty when it can.
std::string write_obstacle(const State& state);
/// Why a check that takes its time cannot be begun.
std::string verify_obstacle(const State& state, ExportVerdict::Kind kind);

/// Moves the cursor of the focused pane, or its first line.
void move_in_export(State& state, int step);
void toggle_winner(State& state);
void select_winners(State& state, bool selects);
void next_format(State& state);
void start_verification(State& state, ExportVerdict::Kind kind, Effects& effects);
void write_draft(State& state, Effects& effects);

/// The command line that writes the same bytes; empty where there is none.
std::string export_command_line(const State& state);

/// Asks for the draft of what is selected now.
void settle_export(State& state, Effects& effects);

}  // namespace tilewright
