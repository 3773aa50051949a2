#include "app/tui/results/results_screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "app/cli/shell_word.h"
#include "app/tui/layout.h"
#include "app/tui/results/results_update.h"
#include "app/tui/results/results_views.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr std::array<PaneInfo, 5> kPanes = {{
    {"Queries", nullptr, draw_sources},
    {"SQL", sql_title, draw_sql, sql_legend},
    {"Result", grid_title, draw_grid},
    {"Column", column_title, draw_column},
    {"A/B", comparison_title, draw_comparison},
}};

/// SQL above the result; below it, where there is room, the column or the comparison.
void add_main(const State& state, const Rect& rect, std::vector<PaneBox>& boxes) {
  constexpr int kThreePanes = 24;
  const int focused = state.pane().pane;
  const bool is_compared =
      focused == kComparePane || (focused != kColumnPane && state.results.shows_compared);
  const int below = is_compared ? kComparePane : kColumnPane;
  if (rect.height >= kThreePanes) {
    const int sql = rect.height >= 34 ? 9 : 7;
    const int least = is_compared ? 14 : 10;
    const std::array<Share, 3> shares = {Share{sql, 0}, Share{7, 2}, Share{least - 3, 1}};
    const std::vector<Rect> rows = split_rows(rect, shares);
    boxes.push_back({kSqlPane, rows[0]});
    boxes.push_back({kGridPane, rows[1]});
    boxes.push_back({below, rows[2]});
    return;
  }
  if (focused == kColumnPane || focused == kComparePane) {
    boxes.push_back({below, rect});
    return;
  }
  const std::array<Share, 2> shares = {Share{rect.height >= 18 ? 7 : 5, 0}, Share{4, 1}};
  const std::vector<Rect> rows = split_rows(rect, shares);
  boxes.push_back({kSqlPane, rows[0]});
  boxes.push_back({kGridPane, rows[1]});
}

std::vector<PaneBox> layout(const State& state, const Rect& body) {
  constexpr int kTwoColumns = 100;
  constexpr int kTwoRows = 9;
  const int focused = state.pane().pane;
  if (body.height < kTwoRows) return {{focused, body}};
  std::vector<PaneBox> boxes;
  if (body.width < kTwoColumns) {
    if (focused == kSourcesPane) return {{kSourcesPane, body}};
    add_main(state, body, boxes);
    return boxes;
  }
  const std::array<Share, 2> shares = {Share{28, 0}, Share{72, 1}};
  const std::vector<Rect> columns = split_columns(body, shares);
  boxes.push_back({kSourcesPane, columns[0]});
  add_main(state, columns[1], boxes);
  return boxes;
}

void enter(State& state, Effects& effects) {
  state.results.catalog_job =
      submit(state, effects, "read database", LoadCatalogJob{state.db, state.tune.globals.queries});
}

bool type(State& state, Key key, Effects& effects) {
  ResultsState& results = state.results;
  if (results.is_typing && state.pane().pane == kSqlPane) return type_sql(state, key, effects);
  if (key == keys::ctrl('c')) return cancel_query(state, effects);
  if (key != keys::kEscape) return false;
  if (cancel_query(state, effects)) return true;
  if (results.wanted.filter.is_empty()) return false;
  results.wanted.filter = {};
  return true;
}

bool paste(State& state, const std::u32string& text) {
  ResultsState& results = state.results;
  if (!results.is_typing || state.palette) return false;
  results.completion.reset();
  results.outcome.reset();
  results.sql.insert(text);
  return true;
}

std::vector<Hint> mode_hints(const State& state) {
  if (!state.results.is_typing || state.pane().pane != kSqlPane) return {};
  return {{"F1", "help"},    {"F5", "run"},    {"Tab", "complete"},
          {"Up", "history"}, {"Esc", "leave"}, {"Ctrl-R", "run"}};
}

void click_source(State& state, const Rect& inner, const MouseEvent& event, Effects& effects) {
  ResultsState& results = state.results;
  const std::vector<SourceLine> lines = source_lines(results);
  const int index = first_source_line(results, inner.height) + event.y;
  if (event.y < 0 || event.y >= inner.height || index >= static_cast<int>(lines.size())) return;
  const auto is_entry = [](const SourceLine& line) {
    return line.kind != SourceLine::Kind::kHeading;
  };
  if (!is_entry(lines[static_cast<size_t>(index)])) return;
  const int row = static_cast<int>(std::count_if(lines.begin(), lines.begin() + index, is_entry));
  if (row == results.source.row) {
    start_command(state, *command_named(Screen::kResults, "load"), "", effects);
  } else {
    results.source.row = row;
  }
}

/// The cursor goes where the click was.
void click_sql(State& state, const Rect& inner, const MouseEvent& event) {
  ResultsState& results = state.results;
  const SqlWindow window = sql_window(results, inner.width, inner.height);
  results.is_typing = true;
  results.completion.reset();
  if (event.y < 0 || event.y >= window.rows) return;
  TextEdit& sql = results.sql;
  sql.cursor = 0;
  for (size_t line = 0; line < window.first_line + static_cast<size_t>(event.y); ++line) {
    sql.take(keys::kDown);
  }
  for (int x = -static_cast<int>(window.first_column); x < event.x; ++x) {
    if (sql.cursor >= sql.text.size() || sql.text[sql.cursor] == U'\n') break;
    ++sql.cursor;
  }
}

void click_grid(State& state, const Rect& inner, const MouseEvent& event, Effects& effects) {
  ResultsState& results = state.results;
  if (!results.rows) return;
  const GridWindow window = grid_window(results, inner.width, inner.height);
  int column = results.column;
  for (const GridWindow::Field& field : window.fields) {
    if (event.x >= field.x && event.x <= field.x + field.width) {
      column = static_cast<int>(field.column);
    }
  }
  const bool is_same = column == results.column;
  move_column(state, column - results.column);
  if (event.y == 0) {
    const bool is_up = results.wanted.column == column && !results.wanted.is_descending;
    start_command(state, *command_named(Screen::kResults, is_up ? "sort.down" : "sort.up"), "",
                  effects);
    return;
  }
  const int row = window.first_row + event.y - 1;
  if (event.y < 0 || row >= static_cast<int>(results.rows->rows.size())) return;
  if (row == results.row.row && is_same) {
    start_command(state, *command_named(Screen::kResults, "open"), "", effects);
  } else {
    results.row.row = row;
  }
}

void click_column(State& state, const Rect& inner, const MouseEvent& event, Effects& effects) {
  ResultsState& results = state.results;
  if (event.y < column_head(results) || !results.facts) return;
  const int row = first_frequent(results, inner.height) + event.y - column_head(results);
  if (row >= static_cast<int>(results.facts->frequent.size())) return;
  if (row == results.frequent.row) {
    start_command(state, *command_named(Screen::kResults, "only"), "", effects);
  } else {
    results.frequent.row = row;
  }
}

void mouse(State& state, int pane, const Rect& inner, const MouseEvent& event, Effects& effects) {
  if (event.kind == MouseEvent::Kind::kWheelUp || event.kind == MouseEvent::Kind::kWheelDown) {
    const int focused = std::exchange(state.pane().pane, pane);
    move_rows(state, event.kind == MouseEvent::Kind::kWheelUp ? -1 : 1);
    state.pane().pane = focused;
    return;
  }
  if (event.kind != MouseEvent::Kind::kPress) return;
  if (pane == kSourcesPane) click_source(state, inner, event, effects);
  if (pane == kSqlPane) click_sql(state, inner, event);
  if (pane == kGridPane) click_grid(state, inner, event, effects);
  if (pane == kColumnPane) click_column(state, inner, event, effects);
}

std::string command_line(const State& state) {
  const ResultsState& results = state.results;
  if (state.pane().pane == kComparePane && results.mark_a != 0 && results.mark_b != 0) {
    return fmt::format("tilewright diff {} {}", results.mark_a, results.mark_b);
  }
  const std::string sql(trim(results.sql.utf8()));
  if (sql.empty()) return "tilewright query";
  if (results.catalog) {
    for (const ResultsCatalog::Saved& saved : results.catalog->saved) {
      if (!saved.is_own && trim(saved.sql) == sql) return "tilewright query " + saved.name;
    }
  }
  return "tilewright query " + shell_word(sql);
}

std::string status(const State& state) {
  const ResultsState& results = state.results;
  if (!results.catalog) return "reading " + state.db;
  if (!results.catalog->exists) return fmt::format("{}: nothing was recorded yet", state.db);
  const std::string limit = results.rows && results.rows->table->is_cut
                                ? fmt::format(
                                      ", which holds no more than {} rows; narrow it with "
                                      "WHERE or LIMIT",
                                      format_count(kMostResultRows))
                                : "";
  if (!results.rows) return fmt::format("{}  opened for reading", state.db);
  // What is too long for its column can be read here.
  const ResultValue* value = chosen_value(results);
  const auto column = static_cast<size_t>(results.column);
  if (value && state.pane().pane == kGridPane && limit.empty() &&
      columns_of(shown_value(*value)) > results.rows->table->widths[column]) {
    return fmt::format("{} = {}", printable(results.rows->table->columns[column]),
                       whole_value(*value));
  }
  return fmt::format("{}  opened for reading, result of {} rows{}", state.db,
                     format_count(std::ssize(results.rows->table->rows)), limit);
}

}  // namespace

const ScreenInfo& results_screen() {
  static const ScreenInfo kScreen = {.screen = Screen::kResults,
                                     .name = "Results",
                                     .place = Place::kResults,
                                     .panes = kPanes,
                                     .layout = layout,
                                     .enter = enter,
                                     .settle = settle_results,
                                     .type = type,
                                     .paste = paste,
                                     .mode_hints = mode_hints,
                                     .mouse = mouse,
                                     .command_line = command_line,
                                     .status = status};
  return kScreen;
}

}  // namespace tilewright
