#pragma once

#include <string>
#include <vector>

#include "app/tui/state.h"

namespace tilewright {

/// The panes of Results.
enum ResultsPane : int { kSourcesPane, kSqlPane, kGridPane, kColumnPane, kComparePane };

/// A line of the list of what can be asked.
struct SourceLine {
  enum class Kind : uint8_t { kHeading, kSaved, kEntry, kHistory };
  Kind kind = Kind::kHeading;
  size_t index = 0;          ///< in the catalog or the history
  std::string heading = {};  ///< of a heading
};
/// Headings and entries, newest of the history first.
std::vector<SourceLine> source_lines(const ResultsState& results);
/// The lines that can be chosen; the cursor counts these.
std::vector<SourceLine> source_rows(const ResultsState& results);
/// The SQL that an entry stands for.
std::string sql_of(const ResultsState& results, const SourceLine& line);

/// A place of the result's column of that name, and the value of the chosen row in it.
const ResultValue* value_in(const ResultsState& results, std::string_view column);
/// The value under the cursor; null when there is none.
const ResultValue* chosen_value(const ResultsState& results);
/// The run that the chosen row is of; 0 when it is of none.
int64_t run_of_row(const ResultsState& results, uint32_t row);
int64_t chosen_run_id(const ResultsState& results);

/// Why nothing can be asked now; empty when it can.
std::string query_obstacle(const State& state);
/// Asks what stands in the editor.
void start_query(State& state, Effects& effects);
/// Ends the query that is under way; false when there is none.
bool cancel_query(State& state, Effects& effects);

/// Puts a text into the editor.
void put_sql(ResultsState& results, std::string_view sql);
/// A key while SQL is typed; false when it means something else.
bool type_sql(State& state, Key key, Effects& effects);

/// The query of the user's that the list's cursor is on; null when it is on something else.
const ResultsCatalog::Saved* chosen_own(const ResultsState& results);

/// Compares the marked runs, where both are.
void compare_marked(State& state, Effects& effects);

/// Moves the cursor of the focused pane by rows.
void move_rows(State& state, int step);
void move_column(State& state, int step);

/// Lines that the comparison has.
int compared_lines(const ComparedRuns& compared);

}  // namespace tilewright
