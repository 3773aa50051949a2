#include <fmt/format.h>

#include <algorithm>

#include "app/tui/export/export_screen.h"
#include "app/tui/lab/lab_screen.h"
#include "app/tui/results/results_screen.h"
#include "app/tui/results/results_update.h"
#include "app/tui/row_commands.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

template <int kStep>
void column_by(State& state, std::string_view, Effects&) {
  move_column(state, kStep);
}

std::string no_column(const State& state) {
  const ResultsState& results = state.results;
  const bool has = results.rows && !results.rows->table->columns.empty();
  return has ? "" : "there is no result yet; Enter on a saved query gets one";
}

std::string no_value(const State& state) {
  const std::string obstacle = no_column(state);
  if (!obstacle.empty()) return obstacle;
  return chosen_value(state.results) ? "" : "the result has no rows";
}

const SourceLine* chosen_source(const std::vector<SourceLine>& rows, const ResultsState& results) {
  const auto row = static_cast<size_t>(results.source.row);
  return row < rows.size() ? &rows[row] : nullptr;
}

std::string no_source(const State& state) {
  if (!state.results.catalog) return "the database is still being read";
  return "";
}

void take_source(State& state) {
  const std::vector<SourceLine> rows = source_rows(state.results);
  if (const SourceLine* line = chosen_source(rows, state.results)) {
    put_sql(state.results, sql_of(state.results, *line));
  }
}

void load(State& state, std::string_view, Effects& effects) {
  if (const std::string obstacle = query_obstacle(state);
      state.results.query_job != 0 && !obstacle.empty()) {
    state.say(obstacle, Role::kWarn);
    return;
  }
  take_source(state);
  start_query(state, effects);
}

void edit(State& state, std::string_view, Effects&) {
  if (state.pane().pane == kSourcesPane) take_source(state);
  state.pane().pane = kSqlPane;
  state.results.is_typing = true;
}

template <bool kDescending>
void sort_rows(State& state, std::string_view, Effects&) {
  RowOrder& wanted = state.results.wanted;
  const bool is_so = wanted.column == state.results.column && wanted.is_descending == kDescending;
  wanted.column = is_so ? -1 : state.results.column;
  wanted.is_descending = !is_so && kDescending;
}

void filter(State& state, std::string_view text, Effects&) {
  state.results.wanted.filter = {std::string(text), -1};
}

/// Only the rows with the value that the cursor is on.
void only_value(State& state, std::string_view, Effects&) {
  ResultsState& results = state.results;
  const auto row = static_cast<size_t>(results.frequent.row);
  if (!results.facts || row >= results.facts->frequent.size()) return;
  const ValueCount& value = results.facts->frequent[row];
  results.wanted.filter = {value.value, results.facts->column, value.is_null};
}

std::string no_frequent(const State& state) {
  const ResultsState& results = state.results;
  return results.facts && !results.facts->frequent.empty() ? "" : "there are no values";
}

std::string nothing_to_keep(const State& state) {
  return trim(state.results.sql.utf8()).empty() ? "there is no SQL to keep: e types some" : "";
}

void keep_query(State& state, std::string_view name, Effects& effects) {
  submit(state, effects, "keep query",
         SaveQueryJob{state.tune.globals.queries, std::string(name), state.results.sql.utf8()});
}

std::string no_own(const State& state) {
  return chosen_own(state.results) ? "" : "only queries of your own (my: ...) can be deleted";
}

void delete_query(State& state, std::string_view, Effects& effects) {
  submit(state, effects, "delete query",
         SaveQueryJob{state.tune.globals.queries, chosen_own(state.results)->name, ""});
}

void show_frequency(State& state, std::string_view, Effects&) {
  state.pane().pane = kColumnPane;
}

void copy_value(State& state, std::string_view, Effects& effects) {
  effects.emplace_back(CopyEffect{whole_value(*chosen_value(state.results))});
}

/// Tabs between the values, as spreadsheets take them.
void copy_row(State& state, std::string_view, Effects& effects) {
  const ResultsState& results = state.results;
  const uint32_t row = results.rows->rows[static_cast<size_t>(results.row.row)];
  std::vector<std::string> values;
  for (const ResultValue& value : results.rows->table->rows[row]) {
    values.push_back(whole_value(value));
  }
  effects.emplace_back(CopyEffect{join(values, "\t")});
}

void write(State& state, std::string_view path, Effects& effects) {
  if (!path.ends_with(".csv") && !path.ends_with(".json")) {
    throw Error(ErrorKind::kUsage,
                fmt::format("'{}' says no format: results are written to FILE.csv or FILE.json",
                            printable(path)));
  }
  submit(state, effects, "write result",
         WriteResultJob{state.results.rows, std::string(path), /*replaces=*/false});
}

void write_over(State& state, std::string_view, Effects& effects) {
  submit(state, effects, "write result",
         WriteResultJob{state.results.rows, state.results.unwritten, /*replaces=*/true});
}

std::string nothing_unwritten(const State& state) {
  return state.results.unwritten.empty() ? "no file waits to be replaced; w writes one" : "";
}

void open_row(State& state, std::string_view, Effects& effects) {
  ResultsState& results = state.results;
  const auto text_in = [&](std::string_view column) {
    const ResultValue* value = value_in(results, column);
    return value ? whole_value(*value) : std::string();
  };
  const std::string problem = text_in("problem");
  const std::string config = text_in("config");
  if (!problem.empty() && !config.empty()) {
    open_in_lab(state, problem, config, text_in("machine"), effects);
  } else if (const int64_t run = chosen_run_id(results); run != 0) {
    results.run_job = submit(state, effects, "find run", FindRunJob{state.db, run});
  }
}

std::string nothing_to_open(const State& state) {
  const std::string obstacle = no_value(state);
  if (!obstacle.empty()) return obstacle;
  const ResultsState& results = state.results;
  const auto has = [&](std::string_view column) {
    const ResultValue* value = value_in(results, column);
    return value && !whole_value(*value).empty();
  };
  if ((has("problem") && has("config")) || chosen_run_id(results) != 0) return "";
  return "the row has neither problem and config nor a run (a column `run`, or `id` of runs)";
}

/// Why the row's run cannot have winners, as far as the row tells.
std::string no_winners(const State& state) {
  const ResultsState& results = state.results;
  const int64_t run = chosen_run_id(results);
  if (run == 0) return "the row has no run";
  const ResultValue* kind = value_in(results, "kind");
  const std::string text = kind ? whole_value(*kind) : "tune";
  if (text == "tune") return "";
  return fmt::format("run {} is of kind {}: only a tuning has winners", run, printable(text));
}

void export_run(State& state, std::string_view, Effects& effects) {
  open_export(state, chosen_run_id(state.results), effects);
}

/// Asks for the number of a run where no row says it.
bool asks_for_run(State& state, std::string_view command, std::string_view argument, int64_t& run) {
  run = argument.empty() ? chosen_run_id(state.results) : parse_int(argument, "RUN");
  if (run > 0) return false;
  if (!argument.empty()) throw Error(ErrorKind::kUsage, "runs count from 1");
  state.palette = Palette{.line = LineEdit(), .asking = std::string(command)};
  return true;
}

void mark_a(State& state, std::string_view argument, Effects& effects) {
  int64_t run = 0;
  if (asks_for_run(state, "mark.a", argument, run)) return;
  state.results.mark_a = run;
  state.say(fmt::format("A, the baseline, is run {}{}", run,
                        state.results.mark_b == 0 ? "; b marks the run beside it" : ""));
  compare_marked(state, effects);
}

void mark_b(State& state, std::string_view argument, Effects& effects) {
  int64_t run = 0;
  if (asks_for_run(state, "mark.b", argument, run)) return;
  state.results.mark_b = run;
  state.say(
      fmt::format("B is run {}{}", run, state.results.mark_a == 0 ? "; a marks the baseline" : ""));
  compare_marked(state, effects);
}

void compare_again(State& state, std::string_view, Effects& effects) {
  state.pane().pane = kComparePane;
  if (!state.results.compared && state.results.compare_job == 0) compare_marked(state, effects);
}

std::vector<WorkbenchCommand> asking_commands() {
  return {
      {.id = "open",
       .place = Place::kResults,
       .keys = "Enter",
       .hint = "open",
       .help = "the problem and config of the row in the Lab, or its run",
       .act = open_row,
       .obstacle = nothing_to_open,
       .pane = kGridPane},
      {.id = "export",
       .place = Place::kResults,
       .keys = "x",
       .hint = "export",
       .help = "the winners of the row's tuning, on Export",
       .act = export_run,
       .obstacle = no_winners,
       .pane = kGridPane,
       .is_hinted = [](const State& state) { return no_winners(state).empty(); }},
      {.id = "load",
       .place = Place::kResults,
       .keys = "Enter",
       .hint = "ask",
       .help = "put the chosen query into the editor and run it",
       .act = load,
       .obstacle = no_source,
       .pane = kSourcesPane},
      {.id = "type",
       .place = Place::kResults,
       .keys = "Enter i",
       .help = "in SQL: type; Esc leaves",
       .act = edit,
       .pane = kSqlPane},
      {.id = "edit",
       .place = Place::kResults,
       .keys = "e",
       .hint = "edit SQL",
       .help = "type SQL, beginning with the chosen query of the list",
       .act = edit},
      {.id = "new",
       .place = Place::kResults,
       .keys = "n",
       .help = "type SQL from nothing; the history keeps what was run",
       .act =
           [](State& state, std::string_view, Effects&) {
             put_sql(state.results, "");
             state.results.outcome.reset();
             state.pane().pane = kSqlPane;
             state.results.is_typing = true;
           }},
      {.id = "save",
       .place = Place::kResults,
       .keys = "s",
       .hint = "save",
       .help = "keep the SQL of the editor under a name, in the list of saved queries",
       .act = keep_query,
       .obstacle = nothing_to_keep,
       .argument = "NAME"},
      {.id = "delete",
       .place = Place::kResults,
       .keys = "d Del",
       .hint = "delete",
       .help = "in the list: delete the chosen query of your own",
       .act = delete_query,
       .obstacle = no_own,
       .pane = kSourcesPane,
       .is_hinted = [](const State& state) { return chosen_own(state.results) != nullptr; }},
      {.id = "run",
       .place = Place::kResults,
       .keys = "F5 Ctrl-R r",
       .hint = "run",
       .help = "run the SQL; Esc cancels it",
       .act = [](State& state, std::string_view, Effects& effects) { start_query(state, effects); },
       .obstacle = query_obstacle},
  };
}

std::vector<WorkbenchCommand> row_commands() {
  return {
      {.id = "sort.up",
       .place = Place::kResults,
       .keys = "<",
       .hint = "sort up",
       .help = "rows by the chosen column, smallest first; again: as they came",
       .act = sort_rows<false>,
       .obstacle = no_column,
       .pane = kGridPane},
      {.id = "sort.down",
       .place = Place::kResults,
       .keys = ">",
       .hint = "sort down",
       .help = "rows by the chosen column, largest first; again: as they came",
       .act = sort_rows<true>,
       .obstacle = no_column,
       .pane = kGridPane},
      {.id = "filter",
       .place = Place::kResults,
       .keys = "/",
       .hint = "filter",
       .help = "only rows that hold a text; Esc shows all",
       .act = filter,
       .obstacle = no_column,
       .argument = "TEXT"},
      {.id = "frequency",
       .place = Place::kResults,
       .keys = "F",
       .hint = "frequency",
       .help = "the values of the chosen column by how often they occur",
       .act = show_frequency,
       .obstacle = no_column},
      {.id = "only",
       .place = Place::kResults,
       .keys = "Enter",
       .hint = "only these rows",
       .help = "in Column: only rows with this value; Esc shows all",
       .act = only_value,
       .obstacle = no_frequent,
       .pane = kColumnPane},
      {.id = "copy.value",
       .place = Place::kResults,
       .keys = "y",
       .hint = "copy",
       .help = "in Result: copy the value under the cursor",
       .act = copy_value,
       .obstacle = no_value,
       .pane = kGridPane},
      {.id = "copy.row",
       .place = Place::kResults,
       .keys = "Y",
       .help = "copy the row, tabs between its values",
       .act = copy_row,
       .obstacle = no_value},
      {.id = "write",
       .place = Place::kResults,
       .keys = "w",
       .hint = "write",
       .help = "write the rows as they are shown: FILE.csv or FILE.json",
       .act = write,
       .obstacle = no_column,
       .argument = "FILE"},
      {.id = "write.replace",
       .place = Place::kResults,
       .help = "write over the file that was in the way",
       .act = write_over,
       .obstacle = nothing_unwritten},
  };
}

std::vector<WorkbenchCommand> comparing_commands() {
  return {
      {.id = "mark.a",
       .place = Place::kResults,
       .keys = "a",
       .hint = "mark A",
       .help = "the run of the row, or of a number, is the baseline",
       .act = mark_a},
      {.id = "mark.b",
       .place = Place::kResults,
       .keys = "b",
       .hint = "mark B",
       .help = "the run of the row, or of a number, is compared with it",
       .act = mark_b},
      {.id = "diff",
       .place = Place::kResults,
       .keys = "D",
       .hint = "A/B",
       .help = "the two marked runs side by side",
       .act = compare_again},
  };
}

std::vector<WorkbenchCommand> moving_commands() {
  std::vector<WorkbenchCommand> table = {
      {.id = "right",
       .place = Place::kResults,
       .keys = "l Right",
       .help = "next column of the result",
       .act = column_by<1>},
      {.id = "left",
       .place = Place::kResults,
       .keys = "h Left",
       .help = "column before",
       .act = column_by<-1>},
      {.id = "refresh",
       .place = Place::kResults,
       .keys = "R",
       .help = "read again what can be asked",
       .act = [](State& state, std::string_view,
                 Effects& effects) { info_of(Screen::kResults).enter(state, effects); }},
  };
  const auto rows = row_commands<move_rows>(Place::kResults);
  table.insert(table.begin(), rows.begin(), rows.end());
  return table;
}

}  // namespace

std::vector<WorkbenchCommand> results_commands() {
  std::vector<WorkbenchCommand> all;
  for (const auto& commands :
       {asking_commands(), row_commands(), comparing_commands(), moving_commands()}) {
    all.insert(all.end(), commands.begin(), commands.end());
  }
  return all;
}

}  // namespace tilewright
