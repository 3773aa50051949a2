#include "app/tui/results/results_update.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "app/tui/grid.h"
#include "app/tui/lab/lab_screen.h"
#include "app/tui/results/results_screen.h"
#include "app/tui/screen.h"
#include "core/base/format.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// Queries that the history keeps.
constexpr size_t kMostHistory = 100;

/// The cursor of the list stays on what it was on, though the history above it grows.
void remember(ResultsState& results, const std::string& sql) {
  const std::vector<SourceLine> rows = source_rows(results);
  const auto row = static_cast<size_t>(results.source.row);
  const auto kind = row < rows.size() ? rows[row].kind : SourceLine::Kind::kSaved;
  const size_t before = results.history.size();
  std::erase(results.history, sql);
  results.history.push_back(sql);
  if (results.history.size() > kMostHistory) results.history.erase(results.history.begin());
  results.recalled = 0;
  if (kind == SourceLine::Kind::kHistory) {
    results.source.row = static_cast<int>(results.catalog->saved.size());
  } else if (kind == SourceLine::Kind::kEntry) {
    results.source.row += static_cast<int>(results.history.size() - before);
  }
}

/// The text of the history that many entries back; nothing where there is none.
void recall(ResultsState& results, size_t back) {
  // What stands there already is the newest just after it was run.
  const std::string shown = results.sql.utf8();
  if (back == 1 && !results.history.empty() && results.history.back() == shown) ++back;
  if (back == 0 || back > results.history.size()) return;
  put_sql(results, results.history[results.history.size() - back]);
  results.recalled = back;
}

void show_failure(State& state, const QueryOutcome& outcome) {
  ResultsState& results = state.results;
  if (outcome.offset < 0 || results.sql.utf8() != outcome.sql) return;
  results.sql.cursor = characters_before(results.sql.text, outcome.offset);
  if (state.screen != Screen::kResults) return;
  state.pane().pane = kSqlPane;
  results.is_typing = true;
}

void show_table(State& state, const QueryOutcome& outcome) {
  ResultsState& results = state.results;
  results.rows = outcome.rows;
  results.wanted = {};
  results.facts.reset();
  results.row = {};
  results.frequent = {};
  results.column = 0;
  results.ms = outcome.ms;
  results.shown_sql = outcome.sql;
  results.is_typing = false;
  if (state.screen == Screen::kResults) state.pane().pane = kGridPane;
}

/// Completes the word at the cursor, or puts in the next choice of the one before.
void complete(State& state, int step) {
  ResultsState& results = state.results;
  if (!results.catalog) return;
  if (!results.completion) {
    SqlCompletion found =
        complete_sql(results.sql.text, results.sql.cursor, results.catalog->entries);
    if (found.choices.empty()) {
      state.say("nothing completes this", Role::kDim);
      return;
    }
    results.completion = OpenCompletion{std::move(found), 0};
  } else {
    const size_t count = results.completion->completion.choices.size();
    results.completion->chosen = step > 0 ? (results.completion->chosen + 1) % count
                                          : (results.completion->chosen + count - 1) % count;
  }
  const OpenCompletion& open = *results.completion;
  results.sql.replace_before(open.completion.begin,
                             TextEdit(open.completion.choices[open.chosen]).text);
  if (open.completion.choices.size() == 1) results.completion.reset();
}

bool take_special(State& state, Key key, Effects& effects) {
  ResultsState& results = state.results;
  if (key == keys::kF5 || key == keys::ctrl('r')) {
    const std::string obstacle = query_obstacle(state);
    if (obstacle.empty()) {
      start_query(state, effects);
    } else {
      state.say(obstacle, Role::kWarn);
    }
  } else if (key == keys::kUp && results.sql.line() == 0) {
    recall(results, results.recalled + 1);
  } else if (key == keys::kDown && results.recalled > 1 &&
             results.sql.line() + 1 == results.sql.line_count()) {
    recall(results, results.recalled - 1);
  } else if (key == keys::kTab) {
    complete(state, 1);
  } else if (key == keys::kEscape || key == keys::ctrl('c') || key == keys::kBackTab) {
    if (!cancel_query(state, effects)) results.is_typing = false;
  } else {
    return false;
  }
  return true;
}

void settle_arrangement(State& state, Effects& effects) {
  ResultsState& results = state.results;
  if (!results.rows || results.arrange_job != 0 || results.rows->order == results.wanted) return;
  results.arrange_job =
      submit(state, effects, "arrange rows", ArrangeJob{results.rows->table, results.wanted});
}

void settle_facts(State& state, Effects& effects) {
  ResultsState& results = state.results;
  if (!results.rows || results.rows->table->columns.empty() || results.facts_job != 0) return;
  const bool is_known = results.facts && results.facts->rows == results.rows &&
                        results.facts->column == results.column;
  if (is_known) return;
  results.facts_job =
      submit(state, effects, "describe column", DescribeJob{results.rows, results.column});
}

/// The words of a statement in lower case, comments left out.
std::vector<std::string> words_of(const std::string& sql) {
  const std::u32string text = cells_of(sql);
  std::vector<std::string> words;
  for (const SqlToken& token : sql_tokens(text)) {
    if (token.word == SqlWord::kComment) continue;
    words.push_back(lower_case(utf8_of(text.substr(token.begin, token.end - token.begin))));
  }
  return words;
}

/// Whether a query reads from the runs alone, and calls nothing else `id`.
bool has_ids_of_runs(const std::string& sql) {
  const std::vector<std::string> words = words_of(sql);
  const auto word = [&](size_t place) { return place < words.size() ? words[place] : ""; };
  const auto from = static_cast<size_t>(std::ranges::find(words, "from") - words.begin());
  if (word(from + 1) != "runs" && word(from + 1) != "run") return false;
  if (std::ranges::count(words, "from") != 1 || std::ranges::count(words, "join") != 0)
    return false;
  for (size_t i = from + 2; i < from + 5; ++i) {
    if (word(i) == ",") return false;  // another table, behind an alias or not
    if (word(i) == "by" || word(i) == "limit") break;
  }
  for (size_t i = 1; i < from; ++i) {
    constexpr std::array kBefore = {"select", "distinct", ",", "."};
    if (word(i) == "id" && std::ranges::find(kBefore, word(i - 1)) == kBefore.end()) return false;
  }
  return true;
}

void follow_focus(State& state) {
  ResultsState& results = state.results;
  if (state.pane().pane == kComparePane) results.shows_compared = true;
  if (state.pane().pane == kColumnPane) results.shows_compared = false;
  if (state.pane().pane != kSqlPane) results.is_typing = false;
}

}  // namespace

std::vector<SourceLine> source_lines(const ResultsState& results) {
  std::vector<SourceLine> lines;
  if (!results.catalog || !results.catalog->exists) return lines;
  const auto add = [&](std::string heading, SourceLine::Kind kind, size_t count) {
    if (count == 0) return;
    lines.push_back({SourceLine::Kind::kHeading, 0, std::move(heading)});
    for (size_t i = 0; i < count; ++i) lines.push_back({kind, i});
  };
  add("Saved queries", SourceLine::Kind::kSaved, results.catalog->saved.size());
  add("History", SourceLine::Kind::kHistory, results.history.size());
  add("Views and tables", SourceLine::Kind::kEntry, results.catalog->entries.size());
  return lines;
}

std::vector<SourceLine> source_rows(const ResultsState& results) {
  std::vector<SourceLine> rows = source_lines(results);
  std::erase_if(rows,
                [](const SourceLine& line) { return line.kind == SourceLine::Kind::kHeading; });
  return rows;
}

std::string sql_of(const ResultsState& results, const SourceLine& line) {
  switch (line.kind) {
    case SourceLine::Kind::kSaved:
      return std::string(trim(results.catalog->saved[line.index].sql));
    case SourceLine::Kind::kEntry:
      return fmt::format("SELECT * FROM {} LIMIT 1000", results.catalog->entries[line.index].name);
    case SourceLine::Kind::kHistory:
      return results.history[results.history.size() - 1 - line.index];
    case SourceLine::Kind::kHeading:
      break;
  }
  return "";
}

const ResultValue* value_in(const ResultsState& results, std::string_view column) {
  const auto row = static_cast<size_t>(results.row.row);
  if (!results.rows || row >= results.rows->rows.size()) return nullptr;
  const QueryTable& table = *results.rows->table;
  const std::optional<size_t> place = column_named(table, column);
  return place ? &table.rows[results.rows->rows[row]][*place] : nullptr;
}

const ResultValue* chosen_value(const ResultsState& results) {
  const auto row = static_cast<size_t>(results.row.row);
  if (!results.rows || row >= results.rows->rows.size()) return nullptr;
  const std::vector<ResultValue>& values = results.rows->table->rows[results.rows->rows[row]];
  const auto column = static_cast<size_t>(results.column);
  return column < values.size() ? &values[column] : nullptr;
}

int64_t run_of_row(const ResultsState& results, uint32_t row) {
  const QueryTable& table = *results.rows->table;
  std::optional<size_t> column = column_named(table, "run");
  // `id` is that of a run only beside what only runs have, or where nothing else was read.
  const bool is_of_runs = column_named(table, "kind") && column_named(table, "label");
  if (!column && (is_of_runs || has_ids_of_runs(results.shown_sql))) {
    column = column_named(table, "id");
  }
  if (!column) return 0;
  const auto* id = std::get_if<int64_t>(&table.rows[row][*column]);
  return id && *id > 0 ? *id : 0;
}

int64_t chosen_run_id(const ResultsState& results) {
  const auto row = static_cast<size_t>(results.row.row);
  const bool has_row = results.rows && row < results.rows->rows.size();
  return has_row ? run_of_row(results, results.rows->rows[row]) : 0;
}

std::string query_obstacle(const State& state) {
  if (state.results.query_job != 0) return "a query is under way; Esc cancels it";
  if (trim(state.results.sql.utf8()).empty()) {
    return "there is nothing to ask: e types SQL, Enter takes a saved query";
  }
  return "";
}

void start_query(State& state, Effects& effects) {
  ResultsState& results = state.results;
  results.completion.reset();
  const std::string sql = results.sql.utf8();
  remember(results, sql);
  results.query_job = submit(state, effects, "query", QueryJob{state.db, sql});
}

bool cancel_query(State& state, Effects& effects) {
  if (state.results.query_job == 0) return false;
  effects.emplace_back(CancelEffect{state.results.query_job});
  return true;
}

void put_sql(ResultsState& results, std::string_view sql) {
  results.sql = TextEdit(sql);
  results.completion.reset();
  results.recalled = 0;
}

bool type_sql(State& state, Key key, Effects& effects) {
  ResultsState& results = state.results;
  if (results.completion && (key == keys::kTab || key == keys::kBackTab)) {
    complete(state, key == keys::kTab ? 1 : -1);
    return true;
  }
  results.completion.reset();
  if (take_special(state, key, effects)) return true;
  const std::u32string before = results.sql.text;
  if (!results.sql.take(key)) return false;
  if (results.sql.text != before) {
    results.recalled = 0;
    results.outcome.reset();
  }
  return true;
}

void compare_marked(State& state, Effects& effects) {
  ResultsState& results = state.results;
  if (results.mark_a == 0 || results.mark_b == 0) return;
  if (results.compare_job != 0) effects.emplace_back(CancelEffect{results.compare_job});
  results.shows_compared = true;
  results.compare_failure.clear();
  results.compare_job =
      submit(state, effects, "compare", CompareRunsJob{state.db, results.mark_a, results.mark_b});
}

void move_rows(State& state, int step) {
  ResultsState& results = state.results;
  const auto move = [&](ListCursor& list, size_t count) {
    list.move_to(list.row + step, static_cast<int>(count));
  };
  switch (state.pane().pane) {
    case kSourcesPane:
      return move(results.source, source_rows(results).size());
    case kGridPane:
      return move(results.row, results.rows ? results.rows->rows.size() : 0);
    case kColumnPane:
      return move(results.frequent, results.facts ? results.facts->frequent.size() : 0);
    case kComparePane:
      if (!results.compared) return;
      results.compared_row = std::clamp(results.compared_row + step, 0,
                                        std::max(0, compared_lines(*results.compared) - 1));
      return;
    default:
      results.sql.take(step < 0 ? keys::kUp : keys::kDown);
  }
}

void move_column(State& state, int step) {
  ResultsState& results = state.results;
  if (!results.rows) return;
  const int last = static_cast<int>(results.rows->table->columns.size()) - 1;
  const int column = std::clamp(results.column + step, 0, std::max(0, last));
  if (column != results.column) results.frequent = {};
  results.column = column;
}

void settle_results(State& state, Effects& effects) {
  follow_focus(state);
  settle_arrangement(state, effects);
  settle_facts(state, effects);
}

void catalog_loaded(State& state, const std::shared_ptr<const ResultsCatalog>& catalog) {
  if (!catalog->own_failure.empty() &&
      (!state.results.catalog || state.results.catalog->own_failure != catalog->own_failure)) {
    state.say("your own queries: " + catalog->own_failure, Role::kWarn);
  }
  state.results.catalog = catalog;
  state.results.catalog_failure.clear();
  ListCursor& source = state.results.source;
  source.move_to(source.row, static_cast<int>(source_rows(state.results).size()));
}

const ResultsCatalog::Saved* chosen_own(const ResultsState& results) {
  const std::vector<SourceLine> rows = source_rows(results);
  const auto row = static_cast<size_t>(results.source.row);
  if (row >= rows.size() || rows[row].kind != SourceLine::Kind::kSaved) return nullptr;
  const ResultsCatalog::Saved& saved = results.catalog->saved[rows[row].index];
  return saved.is_own ? &saved : nullptr;
}

void set_own_queries(ResultsCatalog& catalog, const std::vector<OwnQuery>& own) {
  std::erase_if(catalog.saved, [](const ResultsCatalog::Saved& saved) { return saved.is_own; });
  for (const OwnQuery& query : own) catalog.saved.push_back({query.name, "", query.sql, true});
}

void own_queries_changed(State& state, const std::shared_ptr<const OwnQueries>& own) {
  ResultsState& results = state.results;
  state.say(fmt::format("query {} is {}", printable(own->name),
                        own->is_deleted ? "deleted" : "kept; it stands in the list"),
            Role::kGood);
  if (!results.catalog) return;
  auto catalog = std::make_shared<ResultsCatalog>(*results.catalog);
  set_own_queries(*catalog, own->queries);
  catalog->own_failure.clear();
  catalog_loaded(state, catalog);
}

void query_finished(State& state, int64_t job, const std::shared_ptr<const QueryOutcome>& outcome) {
  ResultsState& results = state.results;
  if (job != results.query_job) return;
  results.query_job = 0;
  results.outcome = outcome;
  if (!outcome->rows) {
    show_failure(state, *outcome);
    state.say(outcome->failure, Role::kBad);
    return;
  }
  show_table(state, *outcome);
}

void rows_arranged(State& state, int64_t job, const std::shared_ptr<const ArrangedRows>& rows) {
  ResultsState& results = state.results;
  if (job != results.arrange_job) return;
  results.arrange_job = 0;
  // Another query was answered meanwhile.
  if (!results.rows || rows->table != results.rows->table) return;
  results.rows = rows;
  results.row = {};
  results.frequent = {};
}

void column_described(State& state, int64_t job, const std::shared_ptr<const ColumnFacts>& facts) {
  ResultsState& results = state.results;
  if (job != results.facts_job) return;
  results.facts_job = 0;
  results.facts = facts;
}

void result_written(State& state, const std::shared_ptr<const WrittenResult>& written) {
  if (!written->would_replace) {
    state.results.unwritten.clear();
    state.say(
        fmt::format("wrote {} rows to {}", format_count(written->rows), printable(written->path)),
        Role::kGood);
    return;
  }
  const std::string what = fmt::format("{} is there", printable(written->path));
  // Only the screen that has the command can ask.
  if (state.screen != Screen::kResults) return state.say(what + " and stays as it is", Role::kWarn);
  state.results.unwritten = written->path;
  state.question = Question{what + "; replace it?", "write.replace"};
}

void run_found(State& state, int64_t job, const std::shared_ptr<const FoundRun>& run,
               Effects& effects) {
  if (job != state.results.run_job) return;
  state.results.run_job = 0;
  if (state.screen != Screen::kResults) return;
  if (!run->problem.empty()) {
    open_in_lab(state, run->problem, run->config, run->machine, effects, run->run);
    return;
  }
  open_run(state, run->kind, run->run, effects);
}

void runs_compared(State& state, int64_t job, const std::shared_ptr<const ComparedRuns>& compared) {
  if (job != state.results.compare_job) return;
  state.results.compare_job = 0;
  state.results.compare_failure.clear();
  state.results.compared = compared;
  state.results.compared_row = 0;
}

void results_job_ended(State& state, const JobSnapshot& job) {
  ResultsState& results = state.results;
  if (job.id == results.query_job) results.query_job = 0;
  if (job.id == results.run_job) results.run_job = 0;
  const bool has_failed = job.phase == JobPhase::kFailed;
  if (job.id == results.catalog_job) {
    results.catalog_job = 0;
    results.catalog_failure = has_failed ? job.failure : "";
  }
  if (job.id == results.compare_job) {
    results.compare_job = 0;
    results.compared.reset();
    results.compare_failure = has_failed ? job.failure : "";
  }
  if (job.id == results.arrange_job) {
    results.arrange_job = 0;
    results.wanted = results.rows ? results.rows->order : RowOrder{};
  }
  if (job.id != results.facts_job) return;
  results.facts_job = 0;
  // What failed once is not asked for again and again.
  auto none = std::make_shared<ColumnFacts>();
  none->rows = results.rows;
  none->column = results.column;
  results.facts = std::move(none);
}

int compared_lines(const ComparedRuns& compared) {
  int lines = static_cast<int>(compared.facts.size()) + 1;
  for (const ComparedSection& section : compared.sections) {
    lines += static_cast<int>(section.rows.size()) + 1;
  }
  return lines;
}

}  // namespace tilewright
