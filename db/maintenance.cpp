// Check, vacuum, info and merge: what is done to a results database as a whole.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>

#include "core/base/error.h"
#include "core/base/text.h"
#include "db/result_check.h"
#include "db/schema.h"
#include "db/store.h"

namespace tilewright {

namespace {

constexpr const char* kTables[] = {
    "machine", "run",    "problem", "measurement",    "attempt",       "trial",
    "best",    "winner", "session", "served_problem", "serving_chunk", "fusion_plan"};

/// What is known of a run at its start. Runs that agree in all of it are told apart by `nth`, their
/// place among their equals.
constexpr const char* kRunKey = "kind, label, command, model, workload, machine, seed, date, tool";

constexpr const char* kCopyMachines =
    "INSERT INTO main.machine (name, fingerprint, description) "
    "SELECT name, fingerprint, description FROM other.machine WHERE true ORDER BY id "
    "ON CONFLICT (fingerprint) DO NOTHING";

constexpr const char* kCopyProblems =
    "INSERT INTO main.problem (text, kernel, dtype, types, layouts, m, n, k, epilogue) "
    "SELECT text, kernel, dtype, types, layouts, m, n, k, epilogue FROM other.problem "
    "WHERE true ORDER BY id ON CONFLICT (text) DO NOTHING";

/// SELECT of the runs of a database with their `nth`.
std::string numbered_runs(const char* database) {
  return fmt::format(
      "(SELECT *, row_number() OVER (PARTITION BY {} ORDER BY id) AS nth FROM {}.run)", kRunKey,
      database);
}

std::string copy_runs() {
  return fmt::format(
      "INSERT INTO main.run ({0}, status, wall_ms, result) "
      "SELECT {0}, status, wall_ms, result FROM {1} AS theirs WHERE NOT EXISTS "
      "(SELECT 1 FROM {2} AS ours WHERE ({0}, ours.nth) = "
      "(theirs.kind, theirs.label, theirs.command, theirs.model, theirs.workload, theirs.machine, "
      "theirs.seed, theirs.date, theirs.tool, theirs.nth)) ORDER BY id",
      kRunKey, numbered_runs("other"), numbered_runs("main"));
}

std::string map_runs() {
  return fmt::format(
      "CREATE TEMP TABLE run_map AS SELECT theirs.id AS theirs, ours.id AS ours "
      "FROM {1} AS theirs JOIN {2} AS ours USING ({0}, nth)",
      kRunKey, numbered_runs("other"), numbered_runs("main"));
}

/// A run that was still going when it was merged last may have ended since.
constexpr const char* kUpdateRuns =
    "UPDATE main.run SET status = theirs.status, wall_ms = theirs.wall_ms, result = theirs.result "
    "FROM temp.run_map, other.run AS theirs WHERE main.run.id = run_map.ours "
    "AND theirs.id = run_map.theirs AND main.run.status = 'running' AND theirs.status <> 'running'";

constexpr const char* kCopyMeasurements =
    "INSERT INTO main.measurement (problem_id, config, kernel, kernel_revision, machine, "
    "evaluator, "
    "status, reason, time_us, time_ticks, counters, repetitions, spread_us) "
    "SELECT ours.id, m.config, m.kernel, m.kernel_revision, m.machine, m.evaluator, m.status, "
    "m.reason, m.time_us, m.time_ticks, m.counters, m.repetitions, m.spread_us FROM "
    "other.measurement AS m "
    "JOIN other.problem AS p ON p.id = m.problem_id JOIN main.problem AS ours ON ours.text = "
    "p.text "
    "WHERE true ORDER BY m.id "
    "ON CONFLICT (problem_id, config, kernel, kernel_revision, machine, evaluator) DO UPDATE SET "
    "status = excluded.status, reason = excluded.reason, time_us = excluded.time_us, "
    "time_ticks = excluded.time_ticks, counters = excluded.counters, "
    "repetitions = excluded.repetitions, spread_us = excluded.spread_us "
    "WHERE measurement.status <> 'ok' AND excluded.status = 'ok'";

constexpr const char* kCopyAttempts =
    "INSERT INTO main.attempt (measurement_id, run_id, repetition, status, reason, time_us, "
    "wall_us, "
    "date) SELECT om.id, run_map.ours, a.repetition, a.status, a.reason, a.time_us, a.wall_us, "
    "a.date FROM other.attempt AS a JOIN other.measurement AS m ON m.id = a.measurement_id "
    "JOIN other.problem AS p ON p.id = m.problem_id JOIN main.problem AS op ON op.text = p.text "
    "JOIN main.measurement AS om ON om.problem_id = op.id AND om.config = m.config "
    "  AND om.kernel = m.kernel AND om.kernel_revision = m.kernel_revision "
    "  AND om.machine = m.machine AND om.evaluator = m.evaluator "
    "JOIN temp.run_map ON run_map.theirs = a.run_id "
    "WHERE true ORDER BY a.id ON CONFLICT (measurement_id, run_id, repetition) DO NOTHING";

/// A run that was still going when it was merged last may have tried more since.
constexpr const char* kCopyTrials =
    "INSERT INTO main.trial (run_id, place, measurement_id, proposer) "
    "SELECT run_map.ours, t.place, om.id, t.proposer FROM other.trial AS t "
    "JOIN temp.run_map ON run_map.theirs = t.run_id "
    "JOIN other.measurement AS m ON m.id = t.measurement_id "
    "JOIN other.problem AS p ON p.id = m.problem_id JOIN main.problem AS op ON op.text = p.text "
    "JOIN main.measurement AS om ON om.problem_id = op.id AND om.config = m.config "
    "  AND om.kernel = m.kernel AND om.kernel_revision = m.kernel_revision "
    "  AND om.machine = m.machine AND om.evaluator = m.evaluator "
    "WHERE true ON CONFLICT (run_id, place) DO NOTHING";

constexpr const char* kCopyServedProblems =
    "INSERT INTO main.served_problem (run_id, problem_id, calls) "
    "SELECT run_map.ours, op.id, s.calls FROM other.served_problem AS s "
    "JOIN temp.run_map ON run_map.theirs = s.run_id "
    "JOIN other.problem AS p ON p.id = s.problem_id JOIN main.problem AS op ON op.text = p.text "
    "WHERE true ON CONFLICT (run_id, problem_id) DO NOTHING";

constexpr const char* kCopyWinners =
    "INSERT INTO main.winner (run_id, kernel, kernel_revision, problem_id, op, evaluator, config, "
    "time_us, baseline_config, baseline_us, runner_up_us, evaluations, cache_hits, complete, "
    "confidence, footprint, worst_regret) "
    "SELECT run_map.ours, w.kernel, w.kernel_revision, op.id, w.op, w.evaluator, w.config, "
    "w.time_us, w.baseline_config, w.baseline_us, w.runner_up_us, w.evaluations, w.cache_hits, "
    "w.complete, w.confidence, w.footprint, w.worst_regret FROM other.winner AS w JOIN "
    "other.problem AS p ON p.id = w.problem_id "
    "JOIN main.problem AS op ON op.text = p.text JOIN temp.run_map ON run_map.theirs = w.run_id "
    "WHERE true ORDER BY w.id ON CONFLICT (run_id, kernel, problem_id) DO NOTHING";

/// A log is whole or not there, so that only runs without one get one.
constexpr const char* kCopyServingChunks =
    "INSERT INTO main.serving_chunk (run_id, kind, place, name, chunk, first_row, rows, codec, "
    "data) SELECT run_map.ours, c.kind, c.place, c.name, c.chunk, c.first_row, c.rows, c.codec, "
    "c.data FROM other.serving_chunk AS c JOIN temp.run_map ON run_map.theirs = c.run_id "
    "WHERE run_map.ours NOT IN (SELECT run_id FROM main.serving_chunk) ORDER BY c.id";

/// SQLite's findings come several to a row, below a title.
void add_findings(std::vector<std::string>& findings, const std::string& text) {
  for (const std::string_view line : split(text, '\n')) {
    if (line != "ok" && !line.empty() && !line.starts_with("***")) {
      findings.push_back(printable(line, 200));
    }
  }
}

/// Logs are only understood when they are unpacked. A transaction that ends here leaves nothing of
/// them.
void refuse_damaged_logs(Database& database) {
  const std::vector<std::string> findings = check_serving_logs(database);
  if (findings.empty()) return;
  throw Error(
      ErrorKind::kFailed,
      findings.front() + "; nothing was merged, see what `tilewright db check` says of that file");
}

/// The other database attached as `other` for the life of this object.
class Attached {
 public:
  Attached(Database& database, const std::string& path) : database_(database) {
    Statement(database_, "ATTACH ?1 AS other").bind(1, read_only_uri(path)).run();
  }
  ~Attached() {
    try {
      database_.execute("DROP TABLE IF EXISTS temp.run_map");
      database_.execute("DETACH other");
    } catch (const Error&) {
      // What the user must hear is the error that led here; the connection keeps a name attached.
    }
  }
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;

 private:
  Database& database_;
};

}  // namespace

std::vector<std::string> Store::check() {
  std::vector<std::string> findings;
  try {
    // SQLite reads zeros behind the end. While there is a log, the file may be behind it.
    const StoreInfo size = info();
    std::error_code none;
    const auto bytes = std::filesystem::file_size(size.path, none);
    if (!none && size.log_bytes == 0 && static_cast<int64_t>(bytes) < size.bytes) {
      findings.push_back(fmt::format("the file ends after {} of {} bytes", bytes, size.bytes));
    }
    std::ranges::move(check_schema(*database_), std::back_inserter(findings));
    Statement integrity(*database_, "PRAGMA integrity_check");
    while (integrity.step()) add_findings(findings, integrity.text(0));
    Statement keys(*database_, "PRAGMA foreign_key_check");
    while (keys.step()) {
      // Tables without row ids have no number to tell.
      const std::string row = keys.is_null(1) ? "a row" : "row " + keys.text(1);
      findings.push_back(fmt::format("{} of {} refers to a row of {} that does not exist", row,
                                     keys.text(0), keys.text(2)));
    }
    std::ranges::move(check_results(*database_), std::back_inserter(findings));
    std::ranges::move(check_serving_logs(*database_), std::back_inserter(findings));
  } catch (const DamagedError& error) {
    findings.push_back(error.finding());
  }
  return findings;
}

void Store::vacuum() {
  database_->execute("VACUUM");
  database_->execute("PRAGMA wal_checkpoint(TRUNCATE)");
}

StoreInfo Store::info(std::initializer_list<std::string_view> counted) {
  StoreInfo info;
  info.path = database_->path();
  Statement size(*database_,
                 "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()");
  size.step();
  info.bytes = size.integer(0);
  std::error_code none;
  const auto log_bytes = std::filesystem::file_size(info.path + "-wal", none);
  info.log_bytes = none ? 0 : static_cast<int64_t>(log_bytes);
  Statement version(*database_, "PRAGMA user_version");
  version.step();
  info.schema_version = static_cast<int>(version.integer(0));
  for (const char* table : kTables) {
    const bool is_wanted = std::ranges::find(counted, std::string_view(table)) != counted.end();
    if (counted.size() > 0 && !is_wanted) continue;
    Statement count(*database_, fmt::format("SELECT count(*) FROM {}", table));
    count.step();
    info.rows.emplace_back(table, count.integer(0));
  }
  return info;
}

MergeCounts Store::copy_from_other() {
  const auto run = [&](std::string_view sql) {
    Statement(*database_, sql).run();
    return database_->changed_rows();
  };
  MergeCounts counts;
  counts.machines = run(kCopyMachines);
  counts.problems = run(kCopyProblems);
  counts.runs = run(copy_runs());
  run(map_runs());
  run(kUpdateRuns);
  counts.measurements = run(kCopyMeasurements);
  counts.attempts = run(kCopyAttempts);
  counts.trials = run(kCopyTrials);
  counts.winners = run(kCopyWinners);
  counts.served_problems = run(kCopyServedProblems);
  counts.serving_chunks = run(kCopyServingChunks);
  if (counts.serving_chunks > 0) refuse_damaged_logs(*database_);
  return counts;
}

MergeCounts Store::merge(const std::string& other_path) {
  std::error_code none;
  if (std::filesystem::equivalent(other_path, database_->path(), none)) {
    throw Error(ErrorKind::kUsage, fmt::format("{} cannot be merged into itself", other_path));
  }
  // Opening it as a store of its own refuses what is not a results database of this schema.
  Store other = Store::open(other_path, OpenMode::kReadOnly);
  // Damage is found while the file is read by itself: once it is attached, SQLite no longer says
  // which of the two files is damaged.
  const std::vector<std::string> findings = other.check();
  if (!findings.empty()) throw DamagedError(other_path, findings.front());
  try {
    const Attached attached(*database_, other_path);
    Transaction transaction(*database_);
    const MergeCounts counts = copy_from_other();
    transaction.commit();
    return counts;
  } catch (const Error& error) {
    throw error.in("merging " + other_path);
  }
}

}  // namespace tilewright
