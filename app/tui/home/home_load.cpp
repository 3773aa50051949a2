#include "app/tui/home/home_load.h"

#include <fmt/format.h>

#include "app/cli/context.h"
#include "core/base/error.h"
#include "db/queries.h"
#include "db/store.h"

namespace tilewright {

namespace {

double number_of(const Cell& cell) {
  if (const auto* whole = std::get_if<int64_t>(&cell)) return static_cast<double>(*whole);
  if (const auto* number = std::get_if<double>(&cell)) return *number;
  return 0;
}

int64_t count_of(const StoreInfo& info, std::string_view table) {
  for (const auto& [name, rows] : info.rows) {
    if (name == table) return rows;
  }
  return 0;
}

/// A kernel run's result names its problem and its config; other kinds have neither. The filter
/// looks at what shown_runs() looks at.
std::string runs_query() {
  return fmt::format(R"sql(
SELECT id, kind, label, state, date, coalesce(machine, ''), command,
  CASE WHEN json_valid(result) THEN coalesce(json_extract(result, '$.problem'), '') ELSE '' END,
  CASE WHEN json_valid(result) THEN coalesce((
    SELECT group_concat(key || '=' || value, ',') FROM json_each(result, '$.config')), '')
    ELSE '' END,
  CASE WHEN json_valid(result) THEN coalesce(json_extract(result, '$.time_us'), 0) ELSE 0 END
FROM (SELECT *, iif(status = 'running' AND process_is_gone(result), 'gone', status) AS state
      FROM runs)
WHERE :filter = ''
   OR instr(lower(id || ' ' || kind || ' ' || label || ' ' || state || ' ' || coalesce(machine, '')), :filter) > 0
ORDER BY id DESC LIMIT {})sql",
                     kRunsShown);
}

RunRow run_row(const std::vector<Cell>& row) {
  RunRow run;
  run.id = static_cast<int64_t>(number_of(row[0]));
  run.kind = to_text(row[1]);
  run.label = to_text(row[2]);
  run.status = to_text(row[3]);
  run.date = to_text(row[4]);
  run.machine = to_text(row[5]);
  run.command = to_text(row[6]);
  run.problem = to_text(row[7]);
  run.config = to_text(row[8]);
  run.time_us = number_of(row[9]);
  return run;
}

/// The saved query "best" for the problems that were met last: their table is in the order of
/// problems, so that the others are not read.
std::string best_query() {
  return fmt::format(R"sql(
SELECT problem.text, fastest.config, machine.name, best.evaluator, best.time_us
FROM (
  SELECT * FROM best
  WHERE kernel_revision = ifnull((SELECT value FROM json_each(:kernels) WHERE key = kernel), 0)
    AND (evaluator NOT GLOB 'sim/*' OR evaluator IN (SELECT value FROM json_each(:evaluators)))
  ORDER BY problem_id DESC LIMIT {}) AS best
JOIN measurement AS fastest ON fastest.id = best.measurement_id
JOIN problem ON problem.id = best.problem_id
JOIN machine ON machine.fingerprint = best.machine
ORDER BY machine.name, best.kernel, dtype, n, k, problem.epilogue, m, problem.text, best.evaluator)sql",
                     kBestShown + 1);
}

BestRow best_row(const std::vector<Cell>& row) {
  return {to_text(row[0]), to_text(row[1]), to_text(row[2]), to_text(row[3]), number_of(row[4])};
}

}  // namespace

HomeData load_home(const std::string& db, const std::string& filter,
                   const std::function<bool()>& stop) {
  HomeData data;
  data.filter = filter;
  std::optional<Store> store;
  try {
    store = Store::open(db, OpenMode::kReadOnly);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kNotFound) return data;
    throw;
  }
  const CurrentRevisions current = current_revisions();
  QueryLimits limits;
  limits.stop = stop;
  for (const std::vector<Cell>& row :
       query(*store, runs_query(), current, limits, {{":filter", filter}}).rows) {
    data.runs.push_back(run_row(row));
  }
  for (const std::vector<Cell>& row : query(*store, best_query(), current, limits).rows) {
    data.best.push_back(best_row(row));
  }
  data.has_more_best = std::ssize(data.best) > kBestShown;
  if (data.has_more_best) data.best.pop_back();
  for (const SavedSession& session : store->sessions()) {
    data.sessions.push_back({session.name, session.date, session.summary});
  }
  const StoreInfo info = store->info({"run", "measurement"});
  data.run_count = count_of(info, "run");
  data.measurement_count = count_of(info, "measurement");
  data.bytes = info.bytes;
  data.schema_version = info.schema_version;
  data.exists = true;
  return data;
}

}  // namespace tilewright
