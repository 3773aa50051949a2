#pragma once

#include <string>
#include <vector>

#include "app/tui/canvas.h"
#include "app/tui/rect.h"
#include "app/tui/state.h"

namespace tilewright {

/// The panes of the Tune screen, each within its frame, and what their frames say.
void draw_tune_session(const State& state, Canvas canvas);
void draw_tune_progress(const State& state, Canvas canvas);
void draw_tune_space(const State& state, Canvas canvas);
void draw_tune_top(const State& state, Canvas canvas);
void draw_tune_matters(const State& state, Canvas canvas);
void draw_tune_log(const State& state, Canvas canvas);
void draw_tune_compare(const State& state, Canvas canvas);

std::string tune_session_title(const State& state);
std::string tune_progress_title(const State& state);
std::string tune_space_title(const State& state);
std::string tune_top_title(const State& state);
std::string tune_matters_title(const State& state);
std::string tune_log_title(const State& state);
std::string tune_compare_title(const State& state);

std::string tune_progress_legend(const State& state, const Rect& inside);

/// Rows of the session's pane, without its frame, that hold all it has to say.
int rows_of_session(const State& state);
/// Rows of its reason, of a session that failed.
int rows_of_failure(const State& state);
/// Rows below the fields of the form.
int rows_below_form(const State& state);
/// Where in the session's pane its list of problems begins, heading included; below 0 where it
/// shows none.
int first_problem_row(const State& state, int height);

/// Instead of a pane without data: what is under way, or what to press. False when there is data.
bool draw_without_session(const State& state, Canvas& canvas);

/// "m=512 n=4096 k=4096" of a canonical text; the text itself where it is no problem.
std::string brief_problem_text(const std::string& problem);

/// The cells of the tile space that are drawn, and where.
struct SpaceWindow {
  int left = 0;       ///< column of the canvas where the first cell begins
  int top = 1;        ///< row of the canvas of the first values
  int cell = 5;       ///< columns of a cell
  size_t column = 0;  ///< first value across
  size_t row = 0;     ///< first value down
  int columns = 0;    ///< that fit
  int rows = 0;
};
SpaceWindow space_window(const State& state, int width, int height);

}  // namespace tilewright
