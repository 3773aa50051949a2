#pragma once

#include <string>
#include <vector>

#include "app/tui/canvas.h"
#include "app/tui/state.h"

namespace tilewright {

/// The panes of Results, each within its frame, and what their frames say.
void draw_sources(const State& state, Canvas canvas);
void draw_sql(const State& state, Canvas canvas);
void draw_grid(const State& state, Canvas canvas);
void draw_column(const State& state, Canvas canvas);
void draw_comparison(const State& state, Canvas canvas);

std::string sql_title(const State& state);
/// Where the cursor is in the SQL, or how to get it there.
std::string sql_legend(const State& state, const Rect& inside);
std::string grid_title(const State& state);
std::string column_title(const State& state);
std::string comparison_title(const State& state);

/// Where the list of sources is drawn from: its first line in a pane of that height.
int first_source_line(const ResultsState& results, int height);

/// Where the SQL is drawn from in a pane of that size: what is above and to the left is out of
/// sight.
struct SqlWindow {
  size_t first_line = 0;
  size_t first_column = 0;
  int rows = 0;
};
SqlWindow sql_window(const ResultsState& results, int width, int height);

/// What of the result is drawn in a pane of that size. Row 0 is the heading.
struct GridWindow {
  struct Field {
    size_t column = 0;
    int x = 0;
    int width = 0;
  };
  std::vector<Field> fields;  ///< from left to right, the chosen one among them
  int first_row = 0;
  int rows = 0;  ///< that there is room for
};
GridWindow grid_window(const ResultsState& results, int width, int height);
/// Columns before the first field: the cursor and the marks.
constexpr int kGridMargin = 2;

/// Rows above the list of values in the Column pane.
int column_head(const ResultsState& results);
int first_frequent(const ResultsState& results, int height);

}  // namespace tilewright
