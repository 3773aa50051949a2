#pragma once

#include <string>

#include "app/tui/canvas.h"
#include "app/tui/state.h"

namespace tilewright {

/// The panes of the Lab: pure functions from the state to cells.

void draw_lab_form(const State& state, Canvas canvas);
void draw_lab_time(const State& state, Canvas canvas);
void draw_lab_engines(const State& state, Canvas canvas);
void draw_lab_roofline(const State& state, Canvas canvas);
void draw_lab_advice(const State& state, Canvas canvas);
void draw_lab_history(const State& state, Canvas canvas);

/// Columns and rows that the whole form takes beside nothing else.
int rows_of_form(const LabState& lab);
/// Of these, rows for findings that a run may have.
constexpr int kMostFindings = 2;
/// The field at a row of the form; -1 when there is none.
int field_at(const State& state, int row, int width, int height);
/// The row of the history (newest first) at a row of its pane; -1 when there is none.
int history_row_at(const LabState& lab, int row, int height);

/// "needs a run: press Enter" in panes that show a result; true when there is none.
bool draw_without_result(const State& state, Canvas& canvas);

}  // namespace tilewright
