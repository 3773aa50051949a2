#pragma once

#include <string>

#include "app/tui/canvas.h"
#include "app/tui/state.h"

namespace tilewright {

/// The panes of the Export screen.

std::string export_winners_title(const State& state);
void draw_export_winners(const State& state, Canvas canvas);
std::string export_checks_title(const State& state);
void draw_export_checks(const State& state, Canvas canvas);
std::string export_preview_title(const State& state);
void draw_export_preview(const State& state, Canvas canvas);

/// Rows of the list of winners in a pane so high, its heading not among them.
int winner_rows(const ExportState& exporting, int height);
/// Lines that the checks take in a pane so wide.
int check_lines(const State& state, int width);

}  // namespace tilewright
