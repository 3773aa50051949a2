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

/// A kernel run's result names its problem and its config; other kinds have neither.
std::string runs_query() {
  return fmt::format(R"sql(
SELECT id, kind, label,
  CASE WHEN status = 'running' AND process_is_gone(result) THEN 'gone' ELSE status END, date, coalesce(machine, ''), command,
  CASE WHEN json_valid(result) THEN coalesce(json_extract(result, '$.problem'), '') ELSE '' END,
  CASE WHEN json_valid(result) THEN coalesce((
    SELECT group_concat(key || '=' || value, ',') FROM json_each(result, '$.config')), '')
    ELSE '' END,
  CASE WHEN json_valid(result) THEN coalesce(json_extract(result, '$.time_us'), 0) ELSE 0 END
FROM runs ORDER BY id DESC LIMIT {})sql",
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

/// Rows of the saved query "best", by the names of its columns.
std::vector<BestRow> best_rows(const QueryResult& table) {
  const auto column = [&](std::string_view name) {
    size_t index = 0;
    while (index < table.columns.size() && table.columns[index] != name) ++index;
    TW_CHECK(index < table.columns.size(), "the saved query has this column");
    return index;
  };
  const size_t problem = column("problem");
  const size_t config = column("config");
  const size_t machine = column("machine");
  const size_t evaluator = column("evaluator");
  const size_t time = column("time_us");
  std::vector<BestRow> rows;
  for (const std::vector<Cell>& row : table.rows) {
    rows.push_back({to_text(row[problem]), to_text(row[config]), to_text(row[machine]),
                    to_text(row[evaluator]), number_of(row[time])});
  }
  return rows;
}

}  // namespace

HomeData load_home(const std::string& db, const std::function<bool()>& stop) {
  HomeData data;
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
  for (const std::vector<Cell>& row : query(*store, runs_query(), current, limits).rows) {
    data.runs.push_back(run_row(row));
  }
  data.best = best_rows(query(*store, "best", current, limits));
  for (const SavedSession& session : store->sessions()) {
    data.sessions.push_back({session.name, session.date, session.summary});
  }
  const StoreInfo info = store->info();
  data.run_count = count_of(info, "run");
  data.measurement_count = count_of(info, "measurement");
  data.bytes = info.bytes;
  data.schema_version = info.schema_version;
  data.exists = true;
  return data;
}

}  // namespace tilewright
