#include "app/tui/widgets.h"

#include <algorithm>

namespace tilewright {

void draw_frame(Canvas& canvas, const Rect& rect, const FrameText& text) {
  const Glyphs& glyphs = canvas.glyphs();
  const Role role = text.is_focused ? Role::kFocus : Role::kFrame;
  const int right = rect.right() - 1;
  const int bottom = rect.bottom() - 1;
  canvas.fill(rect, U' ');
  canvas.fill({rect.x, rect.y, rect.width, 1}, glyphs.horizontal, role);
  canvas.fill({rect.x, bottom, rect.width, 1}, glyphs.horizontal, role);
  canvas.fill({rect.x, rect.y, 1, rect.height}, glyphs.vertical, role);
  canvas.fill({right, rect.y, 1, rect.height}, glyphs.vertical, role);
  canvas.put(rect.x, rect.y, glyphs.top_left, role);
  canvas.put(right, rect.y, glyphs.top_right, role);
  canvas.put(rect.x, bottom, glyphs.bottom_left, role);
  canvas.put(right, bottom, glyphs.bottom_right, role);
  const int space = rect.width - 6;
  if (space < 1) return;
  if (!text.title.empty()) {
    canvas.put(rect.x + 2, rect.y, U' ', role);
    const int end = canvas.text(rect.x + 3, rect.y, text.title,
                                text.is_focused ? Role::kFocus : Role::kHeading, space);
    canvas.put(end, rect.y, U' ', role);
  }
  const int foot = columns_of(text.foot);
  if (foot == 0 || foot > space) return;
  const int x = rect.right() - 3 - foot;
  canvas.put(x - 1, bottom, U' ', role);
  canvas.text(x, bottom, text.foot, Role::kDim);
  canvas.put(x + foot, bottom, U' ', role);
}

void draw_line_edit(Canvas& canvas, int y, std::string_view mark, const LineEdit& edit) {
  const int x = canvas.text(0, y, mark, Role::kKey);
  const auto space = static_cast<size_t>(std::max(1, canvas.width() - x - 1));
  const size_t first = edit.cursor > space ? edit.cursor - space : 0;
  const std::u32string shown = edit.text.substr(first, space + 1);
  canvas.text(x, y, utf8_of(shown));
  const int cursor = x + static_cast<int>(edit.cursor - first);
  canvas.put(cursor, y, edit.cursor < edit.text.size() ? edit.text[edit.cursor] : U' ',
             Role::kCursor);
}

int draw_hints(Canvas& canvas, int x, int y, const std::vector<Hint>& hints, int columns) {
  const int end = x + columns;
  for (size_t i = 0; i < hints.size(); ++i) {
    const int width = columns_of(hints[i].key) + 1 + columns_of(hints[i].meaning);
    if (i > 0 && x + width > end) break;
    x = canvas.text(x, y, hints[i].key, Role::kKey) + 1;
    x = canvas.text(x, y, hints[i].meaning) + 2;
  }
  return x;
}

std::string hint_text(const std::vector<Hint>& hints, int columns) {
  std::string text;
  for (const Hint& hint : hints) {
    const std::string more = (text.empty() ? "" : "  ") + hint.key + " " + hint.meaning;
    if (columns_of(text) + columns_of(more) > columns) break;
    text += more;
  }
  return text;
}

int draw_fact(Canvas& canvas, int y, std::string_view label, std::string_view value, Role role,
              int label_columns) {
  canvas.text(0, y, label, Role::kDim, label_columns - 1);
  return canvas.text(label_columns, y, value, role);
}

std::vector<Column> fit_columns(std::vector<Column> columns, size_t flexible, int width) {
  const auto taken = [&] {
    int sum = 0;
    for (const Column& column : columns) sum += column.columns + 1;
    return sum - 1;
  };
  while (columns.size() > flexible + 1 && taken() > width) columns.pop_back();
  if (flexible < columns.size()) {
    columns[flexible].columns = std::max(4, columns[flexible].columns + width - taken());
  }
  return columns;
}

std::optional<int> scrolled(Key key, int first_row, int rows, int visible) {
  int step = 0;
  if (key == keys::kUp || key == Key{U'k'}) step = -1;
  if (key == keys::kDown || key == Key{U'j'}) step = 1;
  if (key == keys::kPageUp) step = -visible;
  if (key == keys::kPageDown || key == keys::kSpace) step = visible;
  if (key == keys::kHome || key == Key{U'g'}) step = -rows;
  if (key == keys::kEnd || key == Key{U'G'}) step = rows;
  if (step == 0) return std::nullopt;
  return std::clamp(first_row + step, 0, std::max(0, rows - visible));
}

Rect overlay_box(const Rect& screen) {
  const int width = std::min(116, screen.width - 2);
  return {(screen.width - width) / 2, 1, width, screen.height - 3};
}

int first_row(int chosen, int count, int visible) {
  return std::clamp(chosen - visible / 2, 0, std::max(0, count - visible));
}

void draw_table(Canvas& canvas, const TableView& table,
                const std::function<TableRow(int)>& row_of) {
  draw_table_head(canvas, 0, table.columns);
  const int first = first_row(table.chosen, table.rows, canvas.height() - 1);
  for (int y = 1; y < canvas.height() && first + y - 1 < table.rows; ++y) {
    const int row = first + y - 1;
    const TableRow drawn = row_of(row);
    draw_table_row(canvas, y, table.columns, drawn.values, drawn.role);
    if (row == table.chosen && table.has_focus) {
      canvas.restyle({0, y, canvas.width(), 1}, Role::kCursor);
    }
  }
}

void draw_table_head(Canvas& canvas, int y, const std::vector<Column>& columns) {
  std::vector<std::string> titles;
  for (const Column& column : columns) titles.emplace_back(column.title);
  draw_table_row(canvas, y, columns, titles, Role::kHeading);
}

void draw_table_row(Canvas& canvas, int y, const std::vector<Column>& columns,
                    const std::vector<std::string>& values, Role role) {
  int x = 0;
  for (size_t i = 0; i < columns.size() && i < values.size(); ++i) {
    const int width = columns[i].columns;
    const int skip = columns[i].is_right ? std::max(0, width - columns_of(values[i])) : 0;
    canvas.text(x + skip, y, values[i], role, width - skip);
    x += width + 1;
  }
}

int draw_wrapped(Canvas& canvas, int x, int y, std::string_view text, Role role) {
  for (const std::string& line : wrapped(text, canvas.width() - x)) canvas.text(x, y++, line, role);
  return y;
}

}  // namespace tilewright
