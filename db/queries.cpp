#include "db/queries.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "db/run_process.h"

namespace tilewright {

namespace {

const std::vector<SavedQuery>& all_saved_queries() {
  static const std::vector<SavedQuery> kQueries = {
      {"best", "best known config of every problem on every machine, by current revisions",
       R"sql(
SELECT kernel, dtype, m, n, k, epilogue, config, time_us, machine, evaluator, problem
FROM best_measurements
WHERE kernel_revision = ifnull((SELECT value FROM json_each(:kernels) WHERE key = kernel), 0)
  AND (evaluator NOT GLOB 'sim/*' OR evaluator IN (SELECT value FROM json_each(:evaluators)))
ORDER BY machine, kernel, dtype, n, k, epilogue, m, problem, evaluator
)sql"},
      {"coverage", "problems that were served or measured and have no winner of current revisions",
       R"sql(
WITH wanted AS (
  SELECT problem_id, fingerprint, sum(calls) AS calls FROM (
    SELECT problem_id, run.machine AS fingerprint, calls
    FROM served_problem JOIN run ON run.id = run_id
    UNION ALL
    SELECT problem_id, machine, 0 FROM best)
  GROUP BY problem_id, fingerprint)
SELECT problem.kernel, dtype, m, n, k, problem.epilogue, machine.name AS machine, calls,
       problem.text AS problem
FROM wanted JOIN problem ON problem.id = problem_id
JOIN machine ON machine.fingerprint = wanted.fingerprint
WHERE (problem_id, wanted.fingerprint) NOT IN (
  SELECT problem_id, run.machine FROM winner JOIN run ON run.id = run_id
  WHERE kernel_revision = ifnull((SELECT value FROM json_each(:kernels) WHERE key = kernel), 0)
    AND (evaluator NOT GLOB 'sim/*' OR evaluator IN (SELECT value FROM json_each(:evaluators))))
ORDER BY calls DESC, machine.name, problem.kernel, dtype, n, k, problem.epilogue, m, problem.text
)sql"},
      {"failed", "tries that gave no time, with the reason, newest first",
       R"sql(
SELECT run, kernel, dtype, m, n, k, config, status, reason, machine, date
FROM attempts WHERE status <> 'ok' ORDER BY id DESC
)sql"},
      {"failures", "configs that gave no time, counted by their reason, most frequent first",
       R"sql(
WITH series AS (
  SELECT kernel, machine, evaluator, count(*) AS configs FROM measurement
  GROUP BY problem_id, kernel, kernel_revision, machine, evaluator),
tried AS (
  SELECT kernel, machine, evaluator, sum(configs) AS configs FROM series
  GROUP BY kernel, machine, evaluator),
failed AS (
  SELECT kernel, machine, evaluator, status, reason, count(*) AS failures, max(id) AS last
  FROM measurement WHERE time_us IS NULL GROUP BY kernel, machine, evaluator, status, reason)
SELECT failed.kernel, status, reason, failures, 1.0 * failures / configs AS share, machine.name AS machine,
       evaluator, config AS last_config, problem.text AS last_problem
FROM failed JOIN tried USING (kernel, machine, evaluator)
JOIN machine ON machine.fingerprint = failed.machine
JOIN (SELECT id, problem_id, config FROM measurement) AS newest ON newest.id = failed.last
JOIN problem ON problem.id = newest.problem_id
ORDER BY failures DESC, last DESC
)sql"},
      {"gain", "newest winner of each shape and machine by its gain over the baseline",
       R"sql(
WITH ranked AS (
  SELECT *, row_number() OVER (PARTITION BY problem, fingerprint, evaluator ORDER BY run DESC)
    AS place
  FROM winners)
SELECT kernel, op, m, n, k, dtype, epilogue, config, time_us, baseline_config, baseline_us, gain,
       100 * (gain - 1) AS gain_percent, confidence, machine, evaluator, run, problem
FROM ranked WHERE place = 1 AND gain IS NOT NULL ORDER BY gain DESC, machine, problem, evaluator
)sql"},
      {"regressions", "configs that became slower by more than 1 % with a revision",
       R"sql(
WITH revised AS (  -- problems with results of several revisions
  SELECT problem_id, kernel, machine FROM best GROUP BY problem_id, kernel, machine
  HAVING count(*) > 1),
dated AS (
  SELECT measurement.*,
    CASE WHEN evaluator GLOB 'sim/*'
      THEN 'sim/' || substr(substr(evaluator, 5), instr(substr(evaluator, 5), '/') + 1)
      ELSE evaluator END AS family,
    CASE WHEN evaluator GLOB 'sim/*' THEN CAST(substr(evaluator, 5) AS INTEGER) ELSE 0 END
      AS timing_revision
  FROM revised JOIN measurement USING (problem_id, kernel, machine) WHERE time_us IS NOT NULL),
compared AS (
  SELECT *, lag(time_us) OVER earlier AS previous_us,
    lag(kernel_revision) OVER earlier AS previous_revision,
    lag(evaluator) OVER earlier AS previous_evaluator
  FROM dated
  WINDOW earlier AS (PARTITION BY problem_id, kernel, machine, config, family
                     ORDER BY kernel_revision, timing_revision))
SELECT compared.kernel, dtype, m, n, k, problem.epilogue, config, time_us, previous_us,
       100 * (time_us / previous_us - 1) AS slower_percent, kernel_revision, previous_revision,
       evaluator, previous_evaluator, machine.name AS machine, problem.text AS problem
FROM compared JOIN problem ON problem.id = problem_id
JOIN machine ON machine.fingerprint = compared.machine
WHERE time_us > 1.01 * previous_us
ORDER BY time_us / previous_us DESC, problem.text, config, machine.name
)sql"},
      {"runs", "everything that was executed and kept, newest first",
       R"sql(
SELECT id, kind, label, iif(status = 'running' AND process_is_gone(result), 'gone', status) AS status,
       date, wall_ms, model, workload, machine, tool
FROM runs ORDER BY id DESC
)sql"},
      {"slowest", "problems by the time of their best config, slowest first",
       R"sql(
WITH counted AS (
  SELECT problem_id, kernel, kernel_revision, machine, evaluator, count(time_us) AS measured
  FROM measurement GROUP BY problem_id, kernel, kernel_revision, machine, evaluator)
SELECT best.kernel, dtype, m, n, k, problem.epilogue, best.time_us, config, measured,
       machine.name AS machine, best.evaluator
FROM best JOIN counted USING (problem_id, kernel, kernel_revision, machine, evaluator)
JOIN problem ON problem.id = best.problem_id JOIN machine ON machine.fingerprint = best.machine
JOIN (SELECT id, config FROM measurement) AS fastest ON fastest.id = best.measurement_id
ORDER BY best.time_us DESC, problem.text, machine.name, best.evaluator, best.kernel_revision
)sql"},
      {"stale", "measurements of kernel or simulator revisions that are not current",
       R"sql(
WITH series AS (
  SELECT kernel, kernel_revision, machine, evaluator, count(*) AS measurements FROM measurement
  GROUP BY problem_id, kernel, kernel_revision, machine, evaluator)
SELECT kernel, kernel_revision,
       ifnull((SELECT value FROM json_each(:kernels) WHERE key = kernel), 0) AS current_revision, evaluator,
       machine.name AS machine, sum(measurements) AS measurements
FROM series JOIN machine ON machine.fingerprint = series.machine
WHERE kernel_revision <> ifnull((SELECT value FROM json_each(:kernels) WHERE key = kernel), 0)
   OR (evaluator GLOB 'sim/*' AND evaluator NOT IN (SELECT value FROM json_each(:evaluators)))
GROUP BY kernel, kernel_revision, evaluator, fingerprint
ORDER BY kernel, kernel_revision, evaluator, machine.name
)sql"},
      {"transfer",
       "the best config of one machine on another, as a share of what is possible there",
       R"sql(
SELECT here.kernel, dtype, m, n, k, problem.epilogue, fastest.config, home.name AS machine,
       away.name AS other_machine, tried.status, tried.time_us, there.time_us AS best_us,
       there.time_us / tried.time_us AS share, there.evaluator, problem.text AS problem
FROM best AS here
JOIN best AS there ON there.problem_id = here.problem_id AND there.kernel = here.kernel
  AND there.kernel_revision = here.kernel_revision AND there.machine <> here.machine
  AND CASE WHEN here.evaluator GLOB 'table/*' THEN there.evaluator GLOB 'table/*'
      ELSE there.evaluator = here.evaluator END
JOIN measurement AS fastest ON fastest.id = here.measurement_id
JOIN measurement AS tried ON tried.problem_id = here.problem_id AND tried.config = fastest.config
  AND tried.kernel = here.kernel AND tried.kernel_revision = here.kernel_revision
  AND tried.machine = there.machine AND tried.evaluator = there.evaluator
JOIN problem ON problem.id = here.problem_id
JOIN machine AS home ON home.fingerprint = here.machine
JOIN machine AS away ON away.fingerprint = there.machine
ORDER BY home.name, away.name, share, problem.text, there.evaluator
)sql"},
      {"winners", "which tile won for each shape, newest tuning of each shape and machine",
       R"sql(
WITH ranked AS (
  SELECT *, row_number() OVER (PARTITION BY problem, fingerprint, evaluator ORDER BY run DESC)
    AS place
  FROM winners)
SELECT kernel, op, m, n, k, dtype, epilogue, config, time_us, baseline_us, gain, machine, run
FROM ranked WHERE place = 1 ORDER BY machine, kernel, op, n, k, dtype, epilogue, m, problem, run
)sql"},
  };
  return kQueries;
}

/// Lets a statement read rows and call functions, and denies everything else: writes, ATTACH,
/// PRAGMAs that change something.
int authorize(void*, int action, const char* first, const char* second, const char*, const char*) {
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_FUNCTION:
      return second && std::string_view(second) == "load_extension" ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_PRAGMA: {
      const std::string_view name = first ? first : "";
      return name == "table_info" || name == "table_xinfo" || name == "table_list" ? SQLITE_OK
                                                                                   : SQLITE_DENY;
    }
    default:
      return SQLITE_DENY;
  }
}

/// process_is_gone(RESULT): 1 where the result of a running run names a process that is no more.
void process_is_gone(sqlite3_context* call, int, sqlite3_value** arguments) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(arguments[0]));
  const auto size = static_cast<size_t>(sqlite3_value_bytes(arguments[0]));
  const bool is_gone = text != nullptr && state_of_process({text, size}).is_gone;
  sqlite3_result_int(call, is_gone ? 1 : 0);
}

/// The connection restricted to reading, interruptible and bounded, for the life of this object.
class Restricted {
 public:
  Restricted(Database& database, const QueryLimits& limits) : connection_(database.handle()) {
    constexpr int kInstructionsBetweenAsking = 20'000;  // a fraction of a millisecond
    // A connection declares these table-valued functions at their first use, by a CREATE TABLE that
    // would be denied below.
    Statement(database, "SELECT 1 FROM json_each('[]'), json_tree('[]')").run();
    sqlite3_create_function(connection_, "process_is_gone", 1, SQLITE_UTF8, nullptr,
                            process_is_gone, nullptr, nullptr);
    sqlite3_set_authorizer(connection_, authorize, nullptr);
    length_ = sqlite3_limit(connection_, SQLITE_LIMIT_LENGTH,
                            static_cast<int>(std::min<int64_t>(limits.max_bytes, 64 << 20)));
    if (limits.stop) {
      stop_ = limits.stop;
      sqlite3_progress_handler(
          connection_, kInstructionsBetweenAsking,
          [](void* stop) { return (*static_cast<std::function<bool()>*>(stop))() ? 1 : 0; },
          &stop_);
    }
  }
  ~Restricted() {
    sqlite3_progress_handler(connection_, 0, nullptr, nullptr);
    sqlite3_limit(connection_, SQLITE_LIMIT_LENGTH, length_);
    sqlite3_set_authorizer(connection_, nullptr, nullptr);
  }
  Restricted(const Restricted&) = delete;
  Restricted& operator=(const Restricted&) = delete;

 private:
  sqlite3* connection_;
  std::function<bool()> stop_;
  int length_ = 0;
};

void bind_revisions(Statement& statement, const CurrentRevisions& current) {
  Json kernels = Json::object();
  for (const auto& [name, revision] : current.kernels) kernels[name] = revision;
  statement.bind_named(":kernels", kernels.dump());
  statement.bind_named(":evaluators", Json(current.evaluators).dump());
}

Cell cell_of(const Statement& row, int column) {
  if (row.is_null(column)) return {};
  if (row.is_integer(column)) return row.integer(column);
  if (row.is_real(column)) return row.real(column);
  return row.text(column);
}

int64_t bytes_of(const Cell& cell) {
  const auto* text = std::get_if<std::string>(&cell);
  return static_cast<int64_t>(sizeof(Cell) + (text ? text->size() : 0));
}

QueryResult collect(Statement& statement, const QueryLimits& limits) {
  QueryResult result;
  for (int i = 0; i < statement.column_count(); ++i) {
    result.columns.push_back(statement.column_name(i));
  }
  int64_t bytes = 0;
  while (statement.step()) {
    if (limits.cuts && (std::ssize(result.rows) == limits.max_rows || bytes > limits.max_bytes)) {
      result.is_cut = true;
      return result;
    }
    std::vector<Cell>& row = result.rows.emplace_back();
    for (int i = 0; i < statement.column_count(); ++i) {
      row.push_back(cell_of(statement, i));
      bytes += bytes_of(row.back());
    }
    if (limits.cuts) continue;
    if (std::ssize(result.rows) > limits.max_rows || bytes > limits.max_bytes) {
      throw Error(
          ErrorKind::kFailed,
          fmt::format("the query gives more than {} rows or {} MiB; narrow it with WHERE or "
                      "LIMIT",
                      limits.max_rows, limits.max_bytes >> 20));
    }
  }
  return result;
}

[[noreturn]] void no_such_query(std::string_view name) {
  std::vector<std::string> names;
  for (const SavedQuery& saved : saved_queries()) names.push_back(saved.name);
  throw Error(
      ErrorKind::kNotFound,
      fmt::format("there is no saved query '{}'{} (saved queries: {}; anything longer than a "
                  "word is taken as SQL)",
                  printable(name), did_you_mean(name, names), join(names, ", ")));
}

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string escaped = "\"";
  for (const char c : text) escaped += c == '"' ? "\"\"" : std::string(1, c);
  return escaped + "\"";
}

}  // namespace

std::span<const SavedQuery> saved_queries() {
  return all_saved_queries();
}

std::string to_text(const Cell& cell) {
  if (const auto* whole = std::get_if<int64_t>(&cell)) return fmt::format("{}", *whole);
  if (const auto* number = std::get_if<double>(&cell)) return fmt::format("{}", *number);
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  return "";
}

std::string to_csv(const QueryResult& result) {
  std::string csv;
  const auto add_line = [&](const auto& values, const auto& text_of) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (i > 0) csv += ',';
      csv += quoted(text_of(values[i]));
    }
    csv += '\n';
  };
  add_line(result.columns, [](const std::string& name) { return name; });
  for (const std::vector<Cell>& row : result.rows) add_line(row, to_text);
  return csv;
}

QueryResult query(Store& store, std::string_view name_or_sql, const CurrentRevisions& current,
                  const QueryLimits& limits, const QueryTexts& texts) {
  const std::string_view text = trim(name_or_sql);
  const auto saved = std::ranges::find(saved_queries(), text, &SavedQuery::name);
  const bool is_saved = saved != saved_queries().end();
  if (!is_saved && text.find_first_of(" \t\r\n(;") == std::string_view::npos) no_such_query(text);

  const Restricted restricted(store.database(), limits);
  Statement statement(store.database(), is_saved ? std::string_view(saved->sql) : text,
                      is_saved ? SqlAuthor::kProgram : SqlAuthor::kUser);
  bind_revisions(statement, current);
  for (const auto& [name, value] : texts) statement.bind_named(name, value);
  return collect(statement, limits);
}

}  // namespace tilewright
