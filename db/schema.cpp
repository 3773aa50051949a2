#include "db/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <system_error>

#include "core/base/error.h"

namespace tilewright {

namespace {

/// kMigrations[v] leads from version v to v + 1. What was released never changes: a new version is
/// a new element. The views at the end are the public interface (docs/database.md).
constexpr const char* kMigrations[] = {
    R"sql(
CREATE TABLE machine (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  fingerprint TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL           -- canonical JSON
) STRICT;

CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,                 -- kernel, tune, serve, plan
  label TEXT NOT NULL,
  command TEXT NOT NULL,
  model TEXT NOT NULL,                -- empty when there is none
  workload TEXT NOT NULL,             -- empty when there is none
  machine TEXT NOT NULL REFERENCES machine(fingerprint),
  seed INTEGER NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('running', 'done', 'interrupted', 'failed')),
  date TEXT NOT NULL,
  wall_ms REAL,                       -- NULL while running
  tool TEXT NOT NULL,
  result TEXT NOT NULL DEFAULT ''     -- JSON; the process while running
) STRICT;

CREATE TABLE problem (
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE,          -- canonical
  kernel TEXT NOT NULL,
  dtype TEXT,                         -- of the first tensor
  types TEXT NOT NULL,
  layouts TEXT NOT NULL,
  m INTEGER, n INTEGER, k INTEGER,    -- NULL for kernels with other sizes
  epilogue TEXT NOT NULL
) STRICT;

CREATE TABLE measurement (
  id INTEGER PRIMARY KEY,
  kernel TEXT NOT NULL,
  kernel_revision INTEGER NOT NULL,
  problem_id INTEGER NOT NULL REFERENCES problem(id),
  config TEXT NOT NULL,
  machine TEXT NOT NULL REFERENCES machine(fingerprint),
  evaluator TEXT NOT NULL,
  status TEXT NOT NULL
    CHECK (status IN ('ok', 'infeasible', 'compile', 'runtime', 'timeout', 'wrong_result')),
  reason TEXT NOT NULL,
  time_us REAL CHECK ((status = 'ok') = (time_us IS NOT NULL) AND (time_us IS NULL OR time_us > 0)),
  time_ticks INTEGER NOT NULL,
  counters TEXT NOT NULL,             -- JSON object, empty when there are none
  UNIQUE (problem_id, config, kernel, kernel_revision, machine, evaluator)
) STRICT;

CREATE TABLE attempt (
  id INTEGER PRIMARY KEY,
  measurement_id INTEGER NOT NULL REFERENCES measurement(id),
  run_id INTEGER NOT NULL REFERENCES run(id),
  repetition INTEGER NOT NULL,        -- 0, 1, ... of the measurement within the run
  status TEXT NOT NULL
    CHECK (status IN ('ok', 'infeasible', 'compile', 'runtime', 'timeout', 'wrong_result')),
  reason TEXT NOT NULL,
  time_us REAL,
  wall_us REAL NOT NULL,
  date TEXT NOT NULL,
  UNIQUE (measurement_id, run_id, repetition)
) STRICT;

CREATE TABLE winner (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES run(id),
  kernel TEXT NOT NULL,
  kernel_revision INTEGER NOT NULL,
  problem_id INTEGER NOT NULL REFERENCES problem(id),
  op TEXT NOT NULL,                   -- names of the model's ops, joined by ','
  evaluator TEXT NOT NULL,
  config TEXT NOT NULL,
  time_us REAL NOT NULL CHECK (time_us > 0),
  baseline_config TEXT NOT NULL,
  baseline_us REAL,                   -- NULL when the baseline failed
  runner_up_us REAL,                  -- NULL when no other config worked
  evaluations INTEGER NOT NULL,
  cache_hits INTEGER NOT NULL,
  complete INTEGER NOT NULL CHECK (complete IN (0, 1)),  -- the search ended by itself or its budget
  UNIQUE (run_id, kernel, problem_id)
) STRICT;

CREATE VIEW runs AS
  SELECT run.id, run.kind, run.label, run.status, run.date, run.wall_ms, run.model, run.workload,
         machine.name AS machine, run.machine AS fingerprint, run.seed, run.tool, run.command,
         run.result
  FROM run JOIN machine ON machine.fingerprint = run.machine;

CREATE VIEW measurements AS
  SELECT measurement.id, measurement.kernel, measurement.kernel_revision, problem.dtype, problem.m,
         problem.n, problem.k, problem.epilogue, measurement.config, measurement.status,
         measurement.reason, measurement.time_us, measurement.time_ticks,
         machine.name AS machine, measurement.machine AS fingerprint, measurement.evaluator,
         problem.text AS problem, measurement.counters
  FROM measurement
  JOIN problem ON problem.id = measurement.problem_id
  JOIN machine ON machine.fingerprint = measurement.machine;

CREATE VIEW attempts AS
  SELECT attempt.id, attempt.run_id AS run, attempt.measurement_id AS measurement,
         attempt.repetition, measurement.kernel, measurement.kernel_revision, problem.dtype,
         problem.m, problem.n, problem.k, problem.epilogue, measurement.config, attempt.status,
         attempt.reason, attempt.time_us, attempt.wall_us, attempt.date,
         machine.name AS machine, measurement.evaluator, problem.text AS problem
  FROM attempt
  JOIN measurement ON measurement.id = attempt.measurement_id
  JOIN problem ON problem.id = measurement.problem_id
  JOIN machine ON machine.fingerprint = measurement.machine;

CREATE VIEW winners AS
  SELECT winner.run_id AS run, winner.kernel, winner.op, problem.m, problem.n, problem.k,
         problem.dtype, problem.epilogue, winner.config, winner.time_us, winner.baseline_config,
         winner.baseline_us, winner.baseline_us / winner.time_us AS gain,
         winner.runner_up_us, winner.evaluations, winner.cache_hits, winner.complete,
         machine.name AS machine, run.machine AS fingerprint, run.model, run.workload, run.date,
         winner.kernel_revision, winner.evaluator, problem.text AS problem
  FROM winner
  JOIN run ON run.id = winner.run_id
  JOIN problem ON problem.id = winner.problem_id
  JOIN machine ON machine.fingerprint = run.machine;
)sql",
    R"sql(
CREATE TABLE session (
  name TEXT PRIMARY KEY,
  date TEXT NOT NULL,                 -- of the last change
  summary TEXT NOT NULL,              -- what it was at
  state TEXT NOT NULL                 -- JSON
) STRICT;

CREATE VIEW sessions AS SELECT name, date, summary FROM session;
)sql",
    R"sql(
CREATE TABLE serving_chunk (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES run(id),
  kind TEXT NOT NULL
    CHECK (kind IN ('request', 'token', 'step', 'step_end', 'op', 'event')),
  place INTEGER NOT NULL CHECK (place >= 0),          -- of the column in its table
  name TEXT NOT NULL,                                 -- of the column
  chunk INTEGER NOT NULL CHECK (chunk >= 0),
  first_row INTEGER NOT NULL CHECK (first_row >= 0),
  rows INTEGER NOT NULL CHECK (rows > 0),
  codec TEXT NOT NULL,
  data BLOB NOT NULL,
  UNIQUE (run_id, kind, place, chunk)
) STRICT;

CREATE VIEW serving_chunks AS
  SELECT run_id AS run, kind, name AS "column", count(*) AS chunks, sum(rows) AS rows, codec,
         sum(length(data)) AS bytes
  FROM serving_chunk GROUP BY run_id, kind, place, name, codec;
)sql",
    R"sql(
ALTER TABLE measurement ADD COLUMN repetitions INTEGER NOT NULL DEFAULT 1 CHECK (repetitions > 0);
ALTER TABLE measurement ADD COLUMN spread_us REAL NOT NULL DEFAULT 0 CHECK (spread_us >= 0);

ALTER TABLE winner ADD COLUMN confidence REAL CHECK (confidence BETWEEN 0 AND 1);
ALTER TABLE winner ADD COLUMN footprint INTEGER CHECK (footprint >= 0);
ALTER TABLE winner ADD COLUMN worst_regret REAL CHECK (worst_regret >= 0);

CREATE TABLE trial (
  run_id INTEGER NOT NULL REFERENCES run(id),
  place INTEGER NOT NULL CHECK (place >= 0),          -- 0, 1, ... without gaps
  measurement_id INTEGER NOT NULL REFERENCES measurement(id),
  proposer TEXT NOT NULL,             -- empty when it was not recorded
  PRIMARY KEY (run_id, place)
) STRICT, WITHOUT ROWID;

INSERT INTO trial (run_id, place, measurement_id, proposer)
  SELECT run_id, row_number() OVER (PARTITION BY run_id ORDER BY min(id)) - 1, measurement_id, ''
  FROM attempt GROUP BY run_id, measurement_id;

CREATE TABLE served_problem (
  run_id INTEGER NOT NULL REFERENCES run(id),
  problem_id INTEGER NOT NULL REFERENCES problem(id),
  calls INTEGER NOT NULL CHECK (calls > 0),
  PRIMARY KEY (run_id, problem_id)
) STRICT, WITHOUT ROWID;

-- The times of a problem in order, and the failures of a kernel by age.
CREATE INDEX measurement_time ON measurement (problem_id, time_us) WHERE time_us IS NOT NULL;
CREATE INDEX measurement_failure ON measurement (kernel) WHERE time_us IS NULL;

-- The fastest config of everything that was measured, kept by the triggers below; of equally fast
-- ones the first by its text.
CREATE TABLE best (
  problem_id INTEGER NOT NULL REFERENCES problem(id),
  kernel TEXT NOT NULL,
  kernel_revision INTEGER NOT NULL,
  machine TEXT NOT NULL REFERENCES machine(fingerprint),
  evaluator TEXT NOT NULL,
  measurement_id INTEGER NOT NULL,
  time_us REAL NOT NULL,
  PRIMARY KEY (problem_id, kernel, kernel_revision, machine, evaluator)
) STRICT, WITHOUT ROWID;

INSERT INTO best
  SELECT problem_id, kernel, kernel_revision, machine, evaluator, id, time_us
  FROM (SELECT *, row_number() OVER (
          PARTITION BY problem_id, kernel, kernel_revision, machine, evaluator
          ORDER BY time_us, config) AS place
        FROM measurement WHERE status = 'ok')
  WHERE place = 1;

CREATE TRIGGER best_after_insert AFTER INSERT ON measurement WHEN NEW.status = 'ok' BEGIN
  INSERT INTO best VALUES (NEW.problem_id, NEW.kernel, NEW.kernel_revision, NEW.machine,
                           NEW.evaluator, NEW.id, NEW.time_us)
    ON CONFLICT DO UPDATE SET measurement_id = excluded.measurement_id, time_us = excluded.time_us
    WHERE excluded.time_us < time_us OR (excluded.time_us = time_us AND NEW.config <
      (SELECT config FROM measurement WHERE id = best.measurement_id));
END;

CREATE TRIGGER best_after_update AFTER UPDATE OF problem_id, config, kernel, kernel_revision,
  machine, evaluator, status, time_us ON measurement
  WHEN OLD.status = 'ok' OR NEW.status = 'ok' BEGIN
  DELETE FROM best WHERE problem_id = OLD.problem_id AND kernel = OLD.kernel
    AND kernel_revision = OLD.kernel_revision AND machine = OLD.machine
    AND evaluator = OLD.evaluator AND measurement_id = OLD.id;
  INSERT INTO best
    SELECT problem_id, kernel, kernel_revision, machine, evaluator, id, time_us FROM measurement
    WHERE problem_id = OLD.problem_id AND kernel = OLD.kernel
      AND kernel_revision = OLD.kernel_revision AND machine = OLD.machine
      AND evaluator = OLD.evaluator AND time_us IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM best WHERE problem_id = OLD.problem_id AND kernel = OLD.kernel
        AND kernel_revision = OLD.kernel_revision AND machine = OLD.machine
        AND evaluator = OLD.evaluator)
    ORDER BY time_us, config LIMIT 1;
  INSERT INTO best SELECT NEW.problem_id, NEW.kernel, NEW.kernel_revision, NEW.machine,
                          NEW.evaluator, NEW.id, NEW.time_us WHERE NEW.status = 'ok'
    ON CONFLICT DO UPDATE SET measurement_id = excluded.measurement_id, time_us = excluded.time_us
    WHERE excluded.time_us < time_us OR (excluded.time_us = time_us AND NEW.config <
      (SELECT config FROM measurement WHERE id = best.measurement_id));
END;

CREATE TRIGGER best_after_delete AFTER DELETE ON measurement WHEN OLD.status = 'ok' BEGIN
  DELETE FROM best WHERE problem_id = OLD.problem_id AND kernel = OLD.kernel
    AND kernel_revision = OLD.kernel_revision AND machine = OLD.machine
    AND evaluator = OLD.evaluator AND measurement_id = OLD.id;
  INSERT INTO best
    SELECT problem_id, kernel, kernel_revision, machine, evaluator, id, time_us FROM measurement
    WHERE problem_id = OLD.problem_id AND kernel = OLD.kernel
      AND kernel_revision = OLD.kernel_revision AND machine = OLD.machine
      AND evaluator = OLD.evaluator AND time_us IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM best WHERE problem_id = OLD.problem_id AND kernel = OLD.kernel
        AND kernel_revision = OLD.kernel_revision AND machine = OLD.machine
        AND evaluator = OLD.evaluator)
    ORDER BY time_us, config LIMIT 1;
END;

DROP VIEW measurements;
CREATE VIEW measurements AS
  SELECT measurement.id, measurement.kernel, measurement.kernel_revision, problem.dtype, problem.m,
         problem.n, problem.k, problem.epilogue, measurement.config, measurement.status,
         measurement.reason, measurement.time_us, measurement.time_ticks,
         machine.name AS machine, measurement.machine AS fingerprint, measurement.evaluator,
         problem.text AS problem, measurement.counters, measurement.repetitions,
         measurement.spread_us
  FROM measurement
  JOIN problem ON problem.id = measurement.problem_id
  JOIN machine ON machine.fingerprint = measurement.machine;

DROP VIEW winners;
CREATE VIEW winners AS
  SELECT winner.run_id AS run, winner.kernel, winner.op, problem.m, problem.n, problem.k,
         problem.dtype, problem.epilogue, winner.config, winner.time_us, winner.baseline_config,
         winner.baseline_us, winner.baseline_us / winner.time_us AS gain,
         winner.runner_up_us, winner.evaluations, winner.cache_hits, winner.complete,
         machine.name AS machine, run.machine AS fingerprint, run.model, run.workload, run.date,
         winner.kernel_revision, winner.evaluator, problem.text AS problem, winner.confidence,
         winner.footprint, winner.worst_regret
  FROM winner
  JOIN run ON run.id = winner.run_id
  JOIN problem ON problem.id = winner.problem_id
  JOIN machine ON machine.fingerprint = run.machine;

CREATE VIEW trials AS
  SELECT trial.run_id AS run, trial.place, measurement.kernel, measurement.kernel_revision,
         problem.dtype, problem.m, problem.n, problem.k, problem.epilogue, measurement.config,
         measurement.status, measurement.reason, measurement.time_us, trial.proposer,
         machine.name AS machine, measurement.machine AS fingerprint, measurement.evaluator,
         problem.text AS problem, trial.measurement_id AS measurement
  FROM trial
  JOIN measurement ON measurement.id = trial.measurement_id
  JOIN problem ON problem.id = measurement.problem_id
  JOIN machine ON machine.fingerprint = measurement.machine;

CREATE VIEW best_measurements AS
  SELECT best.kernel, best.kernel_revision, problem.dtype, problem.m, problem.n, problem.k,
         problem.epilogue, measurement.config, best.time_us, machine.name AS machine,
         best.machine AS fingerprint, best.evaluator, problem.text AS problem,
         best.measurement_id AS measurement
  FROM best
  JOIN measurement ON measurement.id = best.measurement_id
  JOIN problem ON problem.id = best.problem_id
  JOIN machine ON machine.fingerprint = best.machine;

CREATE VIEW served_problems AS
  SELECT served_problem.run_id AS run, problem.kernel, problem.dtype, problem.m, problem.n,
         problem.k, problem.epilogue, served_problem.calls, machine.name AS machine,
         run.machine AS fingerprint, run.model, run.workload, run.date, problem.text AS problem
  FROM served_problem
  JOIN run ON run.id = served_problem.run_id
  JOIN problem ON problem.id = served_problem.problem_id
  JOIN machine ON machine.fingerprint = run.machine;
)sql",
    R"sql(
-- What was measured of each series, counted without a look at the rows.
CREATE INDEX measurement_series
  ON measurement (problem_id, kernel, kernel_revision, machine, evaluator, time_us);
-- Runs, counted and found by kind without a look at their results.
CREATE INDEX run_kind ON run (kind);
)sql",
    R"sql(
-- Plans of `fuse` that need not be made again: a cache, which may be emptied.
CREATE TABLE fusion_plan (
  id INTEGER PRIMARY KEY,
  graph TEXT NOT NULL,                -- hash of the region
  planner TEXT NOT NULL,
  machine TEXT NOT NULL REFERENCES machine(fingerprint),
  settings TEXT NOT NULL,             -- canonical
  revision TEXT NOT NULL,             -- of planners, code generation and timing
  plan TEXT NOT NULL,                 -- JSON
  UNIQUE (graph, planner, machine, settings)
) STRICT;

CREATE VIEW fusion_plans AS
  SELECT fusion_plan.id, graph, planner, machine.name AS machine,
         fusion_plan.machine AS fingerprint, settings, revision, plan
  FROM fusion_plan JOIN machine ON machine.fingerprint = fusion_plan.machine;
)sql",
};

constexpr std::string_view kMagic("SQLite format 3\0", 16);
constexpr size_t kHeaderBytes = 100;       // sqlite.org/fileformat2.html, 1.3
constexpr size_t kUserVersionOffset = 60;  // big-endian, 4 bytes
constexpr size_t kApplicationIdOffset = 68;

int64_t big_endian_32(std::string_view bytes) {
  int64_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

[[noreturn]] void refuse(const Database& database, const std::string& why) {
  throw Error(ErrorKind::kFailed, fmt::format("database {}: {}", database.path(), why));
}

void refuse_newer(const Database& database, int64_t version) {
  if (version <= schema_version()) return;
  refuse(database, fmt::format("written by a newer tilewright (schema {}, this program knows {}); "
                               "use that one, or another file with --db",
                               version, schema_version()));
}

/// True for a file of ours, false for one without content; refuses every other.
bool is_ours(const Database& database) {
  const std::string header = database.header(kHeaderBytes);
  if (header.empty()) {
    // SQLite takes a file of one byte for an empty one.
    std::error_code none;
    if (std::filesystem::file_size(database.path(), none) != 1) return false;
  }
  if (header.size() < kHeaderBytes && header.starts_with(kMagic)) {
    throw DamagedError(database.path(), "it ends within its header");
  }
  if (header.size() < kHeaderBytes || !header.starts_with(kMagic)) {
    refuse(database, "not an SQLite database; choose another file with --db");
  }
  if (big_endian_32(header.substr(kApplicationIdOffset)) != kApplicationId) {
    refuse(database, "an SQLite database of another application; choose another file with --db");
  }
  refuse_newer(database, big_endian_32(header.substr(kUserVersionOffset)));
  return true;
}

int64_t user_version(Database& database) {
  Statement read(database, "PRAGMA user_version");
  read.step();
  return read.integer(0);
}

/// A view of the database that no other process changes.
class ReadTransaction {
 public:
  explicit ReadTransaction(Database& database) : database_(database) { database_.execute("BEGIN"); }
  ~ReadTransaction() {
    try {
      database_.execute("ROLLBACK");
    } catch (const Error&) {
      // Some errors have ended it; the one to tell led here.
    }
  }
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

 private:
  Database& database_;
};

/// "table run", "column run.id", "view runs", ... of a schema; what SQLite makes itself is left
/// out.
std::set<std::string> objects_of(Database& database) {
  Statement row(database,
                "SELECT type || ' ' || name FROM sqlite_schema WHERE name NOT LIKE 'sqlite~_%' "
                "ESCAPE '~' UNION ALL SELECT 'column ' || t.name || '.' || c.name "
                "FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c "
                "WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite~_%' ESCAPE '~'");
  std::set<std::string> objects;
  while (row.step()) objects.insert(row.text(0));
  return objects;
}

/// `sql` without comments, which steps to a schema changed, and white space.
std::string bare(std::string sql) {
  for (size_t at = sql.find("--"); at != std::string::npos; at = sql.find("--", at)) {
    sql.erase(at, std::min(sql.find('\n', at), sql.size()) - at);
  }
  std::erase_if(sql, [](char c) { return c == ' ' || c == '\n'; });
  return sql;
}

/// The bare statement that made "table run", "view runs", ... of a schema.
std::map<std::string, std::string> definitions_of(Database& database) {
  Statement row(database,
                "SELECT type || ' ' || name, sql FROM sqlite_schema WHERE sql IS NOT NULL");
  std::map<std::string, std::string> definitions;
  while (row.step()) definitions[row.text(0)] = bare(row.text(1));
  return definitions;
}

/// The objects of a database that was never anything but of that version.
std::set<std::string> objects_of_version(int64_t version) {
  Database fresh(":memory:", OpenMode::kReadWrite, 0);
  for (int64_t v = 0; v < version; ++v) fresh.execute(kMigrations[v]);
  return objects_of(fresh);
}

/// Throws DamagedError where the file is not what its version says: it must have all of that
/// version and nothing of later ones. Views and indexes of the user's own are none of our business.
void check_objects(Database& database, int64_t version) {
  static const std::set<std::string> kCurrent = objects_of_version(schema_version());
  const bool is_current = version == schema_version();
  const std::set<std::string> expected = is_current ? kCurrent : objects_of_version(version);
  const std::set<std::string> found = objects_of(database);
  const auto refuse_first = [&](const std::set<std::string>& wanted, const auto& is_wrong,
                                const char* what) {
    const auto wrong = std::ranges::find_if(wanted, is_wrong);
    if (wrong == wanted.end()) return;
    throw DamagedError(database.path(),
                       fmt::format("its schema is not version {}: {} {}", version, *wrong, what));
  };
  refuse_first(
      expected, [&](const std::string& object) { return !found.contains(object); }, "is missing");
  refuse_first(
      kCurrent,
      [&](const std::string& object) {
        return found.contains(object) && !expected.contains(object);
      },
      "is of a later one");
}

/// The version of a file of ours, whose schema is what that version says.
int64_t checked_version(Database& database) {
  const ReadTransaction reading(database);
  const int64_t version = user_version(database);
  refuse_newer(database, version);
  check_objects(database, version);
  return version;
}

/// Another process may migrate at the same time, so the version is read again inside.
void migrate(Database& database) {
  Transaction transaction(database);
  const int64_t version = user_version(database);
  refuse_newer(database, version);
  for (int64_t v = version; v < schema_version(); ++v) database.execute(kMigrations[v]);
  database.execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                               kApplicationId, schema_version())
                       .c_str());
  transaction.commit();
}

}  // namespace

std::vector<std::string> check_schema(Database& database) {
  Database fresh(":memory:", OpenMode::kReadWrite, 0);
  for (const char* migration : kMigrations) fresh.execute(migration);
  const std::map<std::string, std::string> found = definitions_of(database);
  std::vector<std::string> findings;
  for (const auto& [object, sql] : definitions_of(fresh)) {
    const auto place = found.find(object);
    if (place != found.end() && place->second == sql) continue;
    findings.push_back(fmt::format("{} is not defined as in schema {}", object, schema_version()));
  }
  return findings;
}

int schema_version() {
  return static_cast<int>(std::size(kMigrations));
}

void prepare_schema(Database& database, OpenMode mode) {
  const bool ours = is_ours(database);
  // What a long session goes through at random; SQLite's own 2 MiB would be read again and again.
  database.execute("PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY");
  if (mode == OpenMode::kReadOnly) {
    if (!ours) refuse(database, "empty, nothing was recorded yet");
    const int64_t version = checked_version(database);
    if (version < schema_version()) {
      refuse(database,
             fmt::format("has the older schema {}; `tilewright db info` with write access "
                         "brings it to {}",
                         version, schema_version()));
    }
    return;
  }
  database.execute("PRAGMA foreign_keys = ON");
  const int64_t version = checked_version(database);
  // The schema is complete in the file itself before WAL begins: a crash in between can not leave a
  // file whose header says nothing and whose content is all in the log.
  if (version < schema_version()) migrate(database);
  // Few checkpoints: each one waits for the disk twice, and a commit only appends to the log.
  database.execute(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000");
}

}  // namespace tilewright
