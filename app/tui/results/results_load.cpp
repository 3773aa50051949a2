#include "app/tui/results/results_load.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "app/cli/clock.h"
#include "app/cli/context.h"
#include "app/cli/table.h"
#include "app/tui/results/results_state.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "db/queries.h"
#include "db/store.h"

namespace tilewright {

namespace {

QueryResult query_result(const ArrangedRows& rows) {
  QueryResult result;
  result.columns = rows.table->columns;
  for (const uint32_t row : rows.rows) result.rows.push_back(rows.table->rows[row]);
  return result;
}

}  // namespace

std::shared_ptr<const ResultsCatalog> load_catalog(const LoadCatalogJob& job,
                                                   const JobProgress& progress) {
  auto catalog = std::make_shared<ResultsCatalog>();
  for (const SavedQuery& saved : saved_queries()) {
    catalog->saved.push_back({saved.name, saved.description, saved.sql, false});
  }
  try {
    set_own_queries(*catalog, read_own_queries(job.queries));
  } catch (const Error& error) {
    catalog->own_failure = error.message();
  }
  try {
    Store store = Store::open(job.db, OpenMode::kReadOnly);
    catalog->exists = true;
    catalog->entries = catalog_of(store, RowCounts::kLeftOut);
    progress.show(std::make_shared<const ResultsCatalog>(*catalog));
    catalog->entries = catalog_of(store, RowCounts::kCounted);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;
  }
  return catalog;
}

std::shared_ptr<const OwnQueries> save_query(const SaveQueryJob& job) {
  auto own = std::make_shared<OwnQueries>();
  own->queries = save_own_query(job.queries, {job.name, job.sql});
  own->name = trim(job.name);
  own->is_deleted = job.sql.empty();
  return own;
}

std::shared_ptr<const QueryOutcome> run_query(const QueryJob& job, const JobProgress& progress) {
  auto outcome = std::make_shared<QueryOutcome>();
  outcome->sql = job.sql;
  const double started = wall_seconds();
  QueryLimits limits;
  limits.max_rows = kMostResultRows;
  limits.cuts = true;
  limits.stop = [&] {
    return progress.is_cancelled() || wall_seconds() - started > kMostQuerySeconds;
  };
  try {
    Store store = Store::open(job.db, OpenMode::kReadOnly);
    QueryResult result = query(store, job.sql, current_revisions(), limits);
    auto table = std::make_shared<QueryTable>();
    table->columns = std::move(result.columns);
    table->rows = std::move(result.rows);
    table->is_cut = result.is_cut;
    settle_columns(*table);
    outcome->rows = std::make_shared<const ArrangedRows>(arrange(std::move(table), {}));
  } catch (const SqlError& error) {
    outcome->failure = error.message();
    outcome->offset = error.offset();
  } catch (const Error& error) {
    if (progress.is_cancelled()) throw JobCancelled{};
    outcome->failure =
        wall_seconds() - started > kMostQuerySeconds
            ? fmt::format(
                  "stopped after {:.0f} s; narrow the query with WHERE, or use `tilewright "
                  "query`, which has no limit of time",
                  kMostQuerySeconds)
            : error.message();
  }
  outcome->ms = (wall_seconds() - started) * 1e3;
  return outcome;
}

std::shared_ptr<const WrittenResult> write_result(const WriteResultJob& job) {
  auto written = std::make_shared<WrittenResult>();
  written->path = job.path;
  std::error_code none;
  if (!job.replaces && std::filesystem::exists(job.path, none)) {
    written->would_replace = true;
    return written;
  }
  const QueryResult result = query_result(*job.rows);
  if (job.path.ends_with(".json")) {
    Json json = output_object();
    json.update(to_json(result));
    write_file(job.path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  } else {
    write_file(job.path, to_csv(result));
  }
  written->rows = std::ssize(result.rows);
  return written;
}

std::shared_ptr<const FoundRun> find_run(const FindRunJob& job) {
  Store store = Store::open(job.db, OpenMode::kReadOnly);
  const Run run = store.load_run(job.run);
  auto found = std::make_shared<FoundRun>();
  found->run = run.id;
  found->kind = name_of(run.kind);
  found->machine = run.machine_name;
  if (run.kind != RunKind::kKernel) return found;
  const std::vector<MeasurementKey> keys = store.keys_of_run(run.id);
  if (keys.empty()) return found;
  found->problem = keys.front().problem;
  found->config = keys.front().config;
  return found;
}

}  // namespace tilewright
