#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/tui/canvas.h"
#include "app/tui/state.h"

namespace tilewright {

/// What stands in the border of a pane.
struct FrameText {
  std::string_view title = {};
  std::string_view foot = {};  ///< keys of the pane
  bool is_focused = false;
};

/// A frame with its inside blank.
void draw_frame(Canvas& canvas, const Rect& rect, const FrameText& text);

/// A line that is being typed, behind a mark; what is too long is cut at its begin.
void draw_line_edit(Canvas& canvas, int y, std::string_view mark, const LineEdit& edit);

/// A key and what it does.
struct Hint {
  std::string key;
  std::string meaning;
};

/// Hints from left to right, as many as fit; the first one always stands. Returns the column
/// behind.
int draw_hints(Canvas& canvas, int x, int y, const std::vector<Hint>& hints, int columns);

/// Hints as one text of at most `columns`, for the foot of a pane.
std::string hint_text(const std::vector<Hint>& hints, int columns);

/// "label   value" with the label dim; returns the column behind.
int draw_fact(Canvas& canvas, int y, std::string_view label, std::string_view value,
              Role role = Role::kText, int label_columns = 9);

/// A column of a table.
struct Column {
  std::string_view title;
  int columns = 8;
  bool is_right = false;  ///< aligned: numbers
};

/// The columns of a table that fit a width: the last ones are left out, and the one at `flexible`
/// takes what is left.
std::vector<Column> fit_columns(std::vector<Column> columns, size_t flexible, int width);

/// First row of a page of text after a key that scrolls it; nothing for another key.
std::optional<int> scrolled(Key key, int first_row, int rows, int visible);

/// Where a page lies over a screen.
Rect overlay_box(const Rect& screen);

/// First row of a list that keeps the chosen one in sight.
int first_row(int chosen, int count, int visible);

/// A list of rows with a cursor.
struct TableView {
  std::vector<Column> columns;
  int rows = 0;
  int chosen = 0;
  bool has_focus = false;  ///< only then the cursor is shown
};
struct TableRow {
  std::vector<std::string> values;
  Role role = Role::kText;
};
/// The heading and as many rows as there is room for, around the chosen one. `row_of` is called for
/// those alone.
void draw_table(Canvas& canvas, const TableView& table, const std::function<TableRow(int)>& row_of);

/// Heading of a table in row `y`.
void draw_table_head(Canvas& canvas, int y, const std::vector<Column>& columns);
/// A row of it; values without a column are left out.
void draw_table_row(Canvas& canvas, int y, const std::vector<Column>& columns,
                    const std::vector<std::string>& values, Role role = Role::kText);

/// A text broken to the width, from row `y` on; returns the row behind.
int draw_wrapped(Canvas& canvas, int x, int y, std::string_view text, Role role = Role::kText);

}  // namespace tilewright
