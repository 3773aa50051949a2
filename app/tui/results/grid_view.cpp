#include <fmt/format.h>

#include <algorithm>

#include "app/tui/results/results_update.h"
#include "app/tui/results/results_views.h"
#include "app/tui/widgets.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// Title of a column with the mark of how it is sorted.
std::string heading_of(const ResultsState& results, size_t column) {
  const RowOrder& order = results.rows->order;
  const std::string& name = results.rows->table->columns[column];
  if (order.column != static_cast<int>(column)) return name;
  return name + (order.is_descending ? " >" : " <");
}

/// A mark takes room in a heading that fills its column.
int width_of(const ResultsState& results, size_t column) {
  return std::max(results.rows->table->widths[column], columns_of(heading_of(results, column)));
}

void draw_cell(Canvas& canvas, const GridWindow::Field& field, int y, const std::string& text,
               bool is_right, Role role) {
  const int skip = is_right ? std::max(0, field.width - columns_of(text)) : 0;
  canvas.text(field.x + skip, y, text, role, field.width - skip);
}

void draw_mark(const ResultsState& results, uint32_t row, Canvas& canvas, int y) {
  if (results.mark_a == 0 && results.mark_b == 0) return;
  const int64_t run = run_of_row(results, row);
  if (run == 0) return;
  if (run == results.mark_a) canvas.put(0, y, U'A', Role::kKey);
  if (run == results.mark_b) canvas.put(run == results.mark_a ? 1 : 0, y, U'B', Role::kKey);
}

void draw_row(const State& state, const GridWindow& window, int place, Canvas& canvas, int y) {
  const ResultsState& results = state.results;
  const QueryTable& table = *results.rows->table;
  const uint32_t row = results.rows->rows[static_cast<size_t>(place)];
  const bool is_chosen = place == results.row.row;
  for (const GridWindow::Field& field : window.fields) {
    const ResultValue& value = table.rows[row][field.column];
    const Role role = value.index() == 0 ? Role::kDim : Role::kText;
    draw_cell(canvas, field, y, shown_value(value), table.is_right[field.column], role);
    if (is_chosen && static_cast<int>(field.column) == results.column &&
        state.pane().pane == kGridPane) {
      canvas.restyle({field.x, y, field.width, 1}, Role::kCursor);
    }
  }
  draw_mark(results, row, canvas, y);
  if (is_chosen) canvas.put(kGridMargin - 1, y, canvas.glyphs().cursor);
}

void draw_nothing(const State& state, Canvas& canvas) {
  const ResultsState& results = state.results;
  if (results.query_job == 0 && results.outcome && !results.outcome->failure.empty()) {
    draw_wrapped(canvas, 0, 0, "the query failed: " + results.outcome->failure, Role::kBad);
    return;
  }
  draw_wrapped(canvas, 0, 0,
               results.query_job != 0
                   ? "the query is under way; Esc cancels it"
                   : "no result yet: Enter on a saved query, a view or a table shows its rows",
               Role::kDim);
}

/// "of 3,000 rows": what the filter and the limit leave out.
std::string count_text(const ArrangedRows& rows) {
  const QueryTable& table = *rows.table;
  const std::string all =
      fmt::format("{}{}", table.is_cut ? "the first " : "", format_count(std::ssize(table.rows)));
  const bool is_all = rows.rows.size() == table.rows.size();
  const std::string shown =
      is_all ? all : fmt::format("{} of {}", format_count(std::ssize(rows.rows)), all);
  return shown + (table.rows.size() == 1 && is_all ? " row" : " rows");
}

std::string filter_text(const QueryTable& table, const RowFilter& filter) {
  if (filter.is_empty()) return "";
  if (filter.column < 0) return fmt::format("  filter \"{}\"", printable(filter.text));
  return fmt::format("  only {} = {}", printable(table.columns[static_cast<size_t>(filter.column)]),
                     filter.is_null ? "NULL" : printable(filter.text));
}

std::string number(double value) {
  return fmt::format("{:.6g}", value);
}

/// The number of a histogram's cells scaled to eighths: anything is more than nothing.
int eighths_of(int64_t count, int64_t most) {
  if (count == 0 || most == 0) return 0;
  return std::max(1, static_cast<int>((8 * count + most - 1) / most));
}

/// "min [cells] max"
void draw_histogram(const ColumnFacts& facts, Canvas& canvas, int y) {
  const int64_t most = *std::ranges::max_element(facts.histogram);
  int x = canvas.text(0, y, number(facts.min), Role::kDim) + 1;
  for (const int64_t count : facts.histogram) {
    canvas.put(x++, y, canvas.glyphs().level(eighths_of(count, most)), Role::kGood);
  }
  canvas.text(x + 1, y, number(facts.max), Role::kDim);
}

/// The facts of the chosen column in one line, and how its numbers are spread.
void draw_facts(const ColumnFacts& facts, Canvas& canvas) {
  std::string text = fmt::format("n {}  null {}  distinct {}", format_count(facts.count),
                                 format_count(facts.nulls), format_count(facts.distinct));
  if (facts.has_numbers) {
    text += fmt::format("  min {}  p50 {}  max {}  mean {}", number(facts.min), number(facts.p50),
                        number(facts.max), number(facts.mean));
    draw_histogram(facts, canvas, 1);
  }
  canvas.text(0, 0, text);
}

/// The facts that belong to what is shown; null while they are being found out.
const ColumnFacts* facts_of(const ResultsState& results) {
  const bool is_known = results.rows && results.facts && results.facts->rows == results.rows &&
                        results.facts->column == results.column;
  return is_known ? results.facts.get() : nullptr;
}

std::string column_name(const ResultsState& results) {
  const std::vector<std::string>& names = results.rows->table->columns;
  const auto column = static_cast<size_t>(results.column);
  return column < names.size() ? printable(names[column]) : "";
}

}  // namespace

GridWindow grid_window(const ResultsState& results, int width, int height) {
  GridWindow window;
  window.rows = std::max(0, height - 1);
  const int count = static_cast<int>(results.rows->rows.size());
  window.first_row = first_row(results.row.row, count, window.rows);
  const size_t columns = results.rows->table->columns.size();
  const auto chosen = static_cast<size_t>(results.column);
  // The leftmost column that still lets the chosen one be seen whole.
  size_t first = 0;
  int upto = kGridMargin;
  for (size_t i = 0; i <= chosen && i < columns; ++i) upto += width_of(results, i) + 1;
  while (first < chosen && upto - 1 > width) upto -= width_of(results, first++) + 1;
  int x = kGridMargin;
  for (size_t i = first; i < columns && x < width; ++i) {
    const int taken = std::min(width_of(results, i), width - x);
    // A number that is cut is another number, and of a text something must be left.
    constexpr int kLeastText = 4;
    const bool is_cut = taken < width_of(results, i);
    if (is_cut && i > first && (results.rows->table->is_right[i] || taken < kLeastText)) break;
    window.fields.push_back({i, x, taken});
    x += taken + 1;
  }
  return window;
}

std::string grid_title(const State& state) {
  const ResultsState& results = state.results;
  if (!results.rows) return "Result";
  const ArrangedRows& rows = *results.rows;
  std::string title = fmt::format("Result  {}  {:.1f} ms", count_text(rows), results.ms);
  if (rows.order.column >= 0) {
    title += fmt::format("  by {} {}",
                         printable(rows.table->columns[static_cast<size_t>(rows.order.column)]),
                         rows.order.is_descending ? "down" : "up");
  }
  return title + filter_text(*rows.table, rows.order.filter);
}

void draw_grid(const State& state, Canvas canvas) {
  const ResultsState& results = state.results;
  if (!results.rows) return draw_nothing(state, canvas);
  const QueryTable& table = *results.rows->table;
  const GridWindow window = grid_window(results, canvas.width(), canvas.height());
  for (const GridWindow::Field& field : window.fields) {
    const bool is_chosen = static_cast<int>(field.column) == results.column;
    draw_cell(canvas, field, 0, heading_of(results, field.column), table.is_right[field.column],
              is_chosen ? Role::kField : Role::kHeading);
  }
  const int count = static_cast<int>(results.rows->rows.size());
  for (int y = 0; y < window.rows && window.first_row + y < count; ++y) {
    draw_row(state, window, window.first_row + y, canvas, y + 1);
  }
  if (count > 0) return;
  const bool is_filtered = !results.rows->order.filter.is_empty();
  canvas.text(0, 1, is_filtered ? "no row passes the filter; Esc shows all" : "no rows",
              Role::kDim);
}

int column_head(const ResultsState& results) {
  return results.facts && results.facts->has_numbers ? 2 : 1;
}

int first_frequent(const ResultsState& results, int height) {
  const int count = results.facts ? static_cast<int>(results.facts->frequent.size()) : 0;
  return first_row(results.frequent.row, count, std::max(1, height - column_head(results)));
}

std::string column_title(const State& state) {
  const ResultsState& results = state.results;
  return results.rows ? "Column " + column_name(results) : "Column";
}

void draw_column(const State& state, Canvas canvas) {
  const ResultsState& results = state.results;
  const ColumnFacts* facts = facts_of(results);
  if (!facts) {
    draw_wrapped(canvas, 0, 0,
                 results.rows ? "looking at the values ..."
                              : "the values of the result's chosen column, by how often they occur",
                 Role::kDim);
    return;
  }
  draw_facts(*facts, canvas);
  constexpr int kCount = 10;
  constexpr int kBar = 16;
  const int value_width = std::max(8, std::min(48, canvas.width() - kCount - kBar - 4));
  const int head = column_head(results);
  const int first = first_frequent(results, canvas.height());
  for (int y = head; y < canvas.height(); ++y) {
    const auto index = static_cast<size_t>(first + y - head);
    if (index >= facts->frequent.size()) break;
    const ValueCount& value = facts->frequent[index];
    canvas.text(1, y, value.is_null ? "NULL" : value.value,
                value.is_null ? Role::kDim : Role::kText, value_width - 1);
    canvas.text_right(value_width + kCount, y, format_count(value.count));
    const double share =
        static_cast<double>(value.count) / static_cast<double>(std::max<int64_t>(1, facts->count));
    const int bar = std::min(kBar, canvas.width() - value_width - kCount - 9);
    if (bar > 3) {
      canvas.bar(value_width + kCount + 1, y, bar, share);
      canvas.text(value_width + kCount + 2 + bar, y, format_share(share), Role::kDim);
    }
    if (static_cast<int>(index) != results.frequent.row) continue;
    canvas.put(0, y, canvas.glyphs().cursor);
    if (state.pane().pane == kColumnPane) {
      canvas.restyle({0, y, value_width + kCount, 1}, Role::kCursor);
    }
  }
}

}  // namespace tilewright
