#include <fmt/format.h>

#include <algorithm>

#include "app/tui/results/results_update.h"
#include "app/tui/results/results_views.h"
#include "app/tui/widgets.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

Role role_of(SqlWord word) {
  switch (word) {
    case SqlWord::kKeyword:
      return Role::kKey;
    case SqlWord::kString:
      return Role::kGood;
    case SqlWord::kNumber:
      return Role::kField;
    case SqlWord::kComment:
      return Role::kDim;
    case SqlWord::kName:
    case SqlWord::kSign:
      break;
  }
  return Role::kText;
}

const QueryOutcome* failure_of(const ResultsState& results) {
  return results.outcome && !results.outcome->rows ? results.outcome.get() : nullptr;
}

/// The place of what is wrong, while the editor still shows it.
size_t wrong_place(const ResultsState& results) {
  const QueryOutcome* failure = failure_of(results);
  return failure && failure->offset >= 0 ? characters_before(results.sql.text, failure->offset)
                                         : std::u32string::npos;
}

/// The role of each character.
std::vector<Role> roles_of(const ResultsState& results) {
  const std::u32string& text = results.sql.text;
  const size_t wrong = wrong_place(results);
  std::vector<Role> roles(text.size() + 1, Role::kText);
  for (const SqlToken& token : sql_tokens(text)) {
    const bool is_wrong = wrong >= token.begin && wrong < token.end;
    for (size_t i = token.begin; i < token.end; ++i) {
      roles[i] = is_wrong ? Role::kBad : role_of(token.word);
    }
  }
  return roles;
}

void draw_text(const State& state, const SqlWindow& window, Canvas& canvas) {
  const ResultsState& results = state.results;
  const std::u32string& text = results.sql.text;
  const std::vector<Role> roles = roles_of(results);
  int line = 0;
  int column = 0;
  const int first = static_cast<int>(window.first_line);
  for (size_t i = 0; i <= text.size() && line < first + window.rows; ++i) {
    const int x = column - static_cast<int>(window.first_column);
    const bool is_end = i == text.size() || text[i] == U'\n';
    const bool is_cursor = results.is_typing && i == results.sql.cursor;
    if (line >= first && x >= 0) {
      if (!is_end || is_cursor) {
        canvas.put(x, line - first, is_end ? U' ' : text[i], is_cursor ? Role::kCursor : roles[i]);
      }
    }
    ++column;
    if (is_end) {
      ++line;
      column = 0;
    }
  }
}

void draw_choices(const OpenCompletion& open, Canvas& canvas, int y) {
  const std::vector<std::string>& choices = open.completion.choices;
  // From the first that lets the chosen one be seen.
  size_t first = 0;
  const auto width_upto = [&](size_t begin) {
    int width = 0;
    for (size_t i = begin; i <= open.chosen; ++i) width += columns_of(choices[i]) + 1;
    return width;
  };
  while (first < open.chosen && width_upto(first) > canvas.width()) ++first;
  int x = 0;
  for (size_t i = first; i < choices.size() && x < canvas.width(); ++i) {
    x = canvas.text(x, y, choices[i], i == open.chosen ? Role::kCursor : Role::kDim) + 1;
  }
}

/// "line 2, column 7: no such column: tme"
std::string failure_text(const ResultsState& results, const QueryOutcome& failure) {
  const size_t place = wrong_place(results);
  if (place == std::u32string::npos) return failure.failure;
  TextEdit upto;
  upto.text = results.sql.text;
  upto.cursor = std::min(place, upto.text.size());
  return fmt::format("line {}, column {}: {}", upto.line() + 1, upto.column() + 1, failure.failure);
}

/// Rows below the text: choices of a completion, or what is wrong.
int rows_below(const ResultsState& results, int width, int height) {
  if (height < 2) return 0;
  if (results.completion) return 1;
  const QueryOutcome* failure = failure_of(results);
  if (!failure) return 0;
  const int lines = static_cast<int>(wrapped(failure_text(results, *failure), width).size());
  return std::clamp(lines, 1, std::max(1, height / 2));
}

}  // namespace

SqlWindow sql_window(const ResultsState& results, int width, int height) {
  SqlWindow window;
  window.rows = std::max(1, height - rows_below(results, width, height));
  const auto rows = static_cast<size_t>(window.rows);
  const size_t line = results.sql.line();
  if (results.is_typing && line + 1 > rows) window.first_line = line + 1 - rows;
  const size_t column = results.sql.column();
  const auto columns = static_cast<size_t>(std::max(1, width));
  if (results.is_typing && column + 1 > columns) window.first_column = column + 1 - columns;
  return window;
}

std::string sql_title(const State& state) {
  if (state.results.query_job != 0) return "SQL  under way, Esc cancels";
  return state.results.is_typing ? "SQL  typing, Esc leaves" : "SQL  read-only";
}

std::string sql_legend(const State& state, const Rect&) {
  const ResultsState& results = state.results;
  if (!results.is_typing) return "Enter edit";
  return fmt::format("line {} of {}, column {}", results.sql.line() + 1, results.sql.line_count(),
                     results.sql.column() + 1);
}

void draw_sql(const State& state, Canvas canvas) {
  const ResultsState& results = state.results;
  if (results.sql.text.empty() && !results.is_typing) {
    draw_wrapped(canvas, 0, 0,
                 "e types SQL, F5 runs it, Tab completes tables, columns and keywords; or take a "
                 "query from the list with Enter",
                 Role::kDim);
    return;
  }
  const SqlWindow window = sql_window(results, canvas.width(), canvas.height());
  Canvas text = canvas.part({0, 0, canvas.width(), window.rows});
  draw_text(state, window, text);
  if (window.rows >= canvas.height()) return;
  if (results.completion) {
    draw_choices(*results.completion, canvas, window.rows);
  } else if (const QueryOutcome* failure = failure_of(results)) {
    Canvas below = canvas.part({0, window.rows, canvas.width(), canvas.height() - window.rows});
    draw_wrapped(below, 0, 0, failure_text(results, *failure), Role::kBad);
  }
}

}  // namespace tilewright
