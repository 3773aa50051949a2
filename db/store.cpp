#include "db/store.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/space/problem.h"
#include "db/schema.h"

namespace tilewright {

namespace {

std::string counters_text(const Measurement& measurement) {
  if (measurement.counters.empty()) return "";
  Json counters = Json::object();
  for (const auto& [name, value] : measurement.counters) counters[name] = value;
  return counters.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::pair<std::string, double>> parse_counters(const std::string& text,
                                                           const std::string& where) {
  std::vector<std::pair<std::string, double>> counters;
  if (text.empty()) return counters;
  const Json document = parse_json(text, where);
  const JsonReader reader(document, where);
  for (const std::string& name : reader.keys()) {
    counters.emplace_back(name, reader.at(name).number(-1e300, 1e300));
  }
  return counters;
}

RunKind parse_run_kind(const std::string& name) {
  for (const RunKind kind : {RunKind::kKernel, RunKind::kTune, RunKind::kServe, RunKind::kPlan}) {
    if (name_of(kind) == name) return kind;
  }
  throw Error(ErrorKind::kFailed,
              fmt::format("the database has a run of unknown kind '{}'", printable(name)));
}

RunStatus parse_run_status(const std::string& name) {
  for (const RunStatus status : {RunStatus::kRunning, RunStatus::kDone, RunStatus::kInterrupted}) {
    if (name_of(status) == name) return status;
  }
  return RunStatus::kFailed;
}

/// Columns in the order of the SELECTs below that read runs.
Run read_run(const Statement& row) {
  Run run;
  run.id = row.integer(0);
  run.kind = parse_run_kind(row.text(1));
  run.label = row.text(2);
  run.command = row.text(3);
  run.model = row.text(4);
  run.workload = row.text(5);
  run.machine_name = row.text(6);
  run.machine_fingerprint = row.text(7);
  run.seed = row.integer(8);
  run.date = row.text(9);
  run.tool = row.text(10);
  run.status = parse_run_status(row.text(11));
  run.wall_ms = row.real(12);
  run.result = row.text(13);
  return run;
}

/// A statement of ours that leaves no row pending, which would hold back checkpoints.
class Pending {
 public:
  explicit Pending(Statement& statement) : statement_(statement) {}
  ~Pending() { statement_.reset(); }
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;

 private:
  Statement& statement_;
};

void bind_time(Statement& statement, int parameter, double time_us, bool known) {
  if (known) {
    statement.bind(parameter, time_us);
  } else {
    statement.bind_null(parameter);
  }
}

}  // namespace

std::string_view name_of(RunKind kind) {
  switch (kind) {
    case RunKind::kKernel:
      return "kernel";
    case RunKind::kTune:
      return "tune";
    case RunKind::kServe:
      return "serve";
    case RunKind::kPlan:
      return "plan";
  }
  TW_CHECK(false, "a kind outside its enumeration");
  return "";
}

std::string_view name_of(RunStatus status) {
  switch (status) {
    case RunStatus::kRunning:
      return "running";
    case RunStatus::kDone:
      return "done";
    case RunStatus::kInterrupted:
      return "interrupted";
    case RunStatus::kFailed:
      return "failed";
  }
  TW_CHECK(false, "a status outside its enumeration");
  return "";
}

Store Store::open(const std::string& path, OpenMode mode, int busy_timeout_ms) {
  std::error_code none;
  if (mode == OpenMode::kReadOnly && !std::filesystem::exists(path, none)) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("there is no results database {}; a run or a tuning makes one", path));
  }
  auto database = std::make_unique<Database>(path, mode, busy_timeout_ms);
  prepare_schema(*database, mode);
  return Store(std::move(database));
}

void Store::save_machine(std::string_view name, std::string_view fingerprint,
                         std::string_view description) {
  database_
      ->cached(
          "INSERT INTO machine (name, fingerprint, description) VALUES (?1, ?2, ?3) "
          "ON CONFLICT (fingerprint) DO NOTHING")
      .bind(1, name)
      .bind(2, fingerprint)
      .bind(3, description)
      .run();
}

int64_t Store::begin_run(const Run& run) {
  database_
      ->cached(
          "INSERT INTO run (kind, label, command, model, workload, machine, seed, status, date, "
          "tool) "
          "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'running', ?8, ?9)")
      .bind(1, name_of(run.kind))
      .bind(2, run.label)
      .bind(3, run.command)
      .bind(4, run.model)
      .bind(5, run.workload)
      .bind(6, run.machine_fingerprint)
      .bind(7, run.seed)
      .bind(8, run.date)
      .bind(9, run.tool)
      .run();
  return database_->last_insert_id();
}

void Store::finish_run(int64_t id, RunStatus status, double wall_ms, std::string_view result,
                       std::span<const LogTable> log) {
  const std::vector<LogChunk> chunks = packed(log);
  Transaction transaction(*database_);
  write_serving_log(*database_, id, chunks);
  database_->cached("UPDATE run SET status = ?2, wall_ms = ?3, result = ?4 WHERE id = ?1")
      .bind(1, id)
      .bind(2, name_of(status))
      .bind(3, wall_ms)
      .bind(4, result)
      .run();
  TW_CHECK(database_->changed_rows() == 1, "a run that ends has begun");
  transaction.commit();
}

Run Store::load_run(int64_t id) {
  Statement& row = database_->cached(
      "SELECT id, kind, label, command, model, workload, machine, fingerprint, seed, date, tool, "
      "status, wall_ms, result FROM runs WHERE id = ?1");
  const Pending pending(row);
  if (!row.bind(1, id).step()) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("there is no run {} in {} (`tilewright query runs` "
                            "lists them)",
                            id, database_->path()));
  }
  return read_run(row);
}

std::optional<Run> Store::latest_run(RunKind kind) {
  Statement& row = database_->cached(
      "SELECT id, kind, label, command, model, workload, machine, fingerprint, seed, date, tool, "
      "status, wall_ms, result FROM runs WHERE kind = ?1 ORDER BY id DESC LIMIT 1");
  const Pending pending(row);
  if (!row.bind(1, name_of(kind)).step()) return std::nullopt;
  return read_run(row);
}

std::optional<Run> Store::latest_run_labelled(std::string_view label) {
  Statement& row = database_->cached(
      "SELECT id, kind, label, command, model, workload, machine, fingerprint, seed, date, tool, "
      "status, wall_ms, result FROM runs WHERE label = ?1 ORDER BY id DESC LIMIT 1");
  const Pending pending(row);
  if (!row.bind(1, label).step()) return std::nullopt;
  return read_run(row);
}

std::vector<MeasurementKey> Store::keys_of_run(int64_t run_id) {
  Statement& row = database_->cached(
      "SELECT measurement.kernel, kernel_revision, problem.text, config, machine, evaluator "
      "FROM measurement JOIN problem ON problem.id = problem_id "
      "JOIN (SELECT measurement_id, min(id) AS first FROM attempt WHERE run_id = ?1 "
      "GROUP BY measurement_id) ON measurement_id = measurement.id ORDER BY first");
  const Pending pending(row);
  row.bind(1, run_id);
  std::vector<MeasurementKey> keys;
  while (row.step()) {
    MeasurementKey& key = keys.emplace_back();
    key.kernel = row.text(0);
    key.kernel_revision = static_cast<int>(row.integer(1));
    key.problem = row.text(2);
    key.config = row.text(3);
    key.machine_fingerprint = row.text(4);
    key.evaluator = row.text(5);
  }
  return keys;
}

std::string Store::machine_description(std::string_view fingerprint) {
  Statement& row = database_->cached("SELECT description FROM machine WHERE fingerprint = ?1");
  const Pending pending(row);
  if (!row.bind(1, fingerprint).step()) {
    throw Error(ErrorKind::kNotFound, fmt::format("there is no machine {} in {}",
                                                  printable(fingerprint), database_->path()));
  }
  return row.text(0);
}

std::optional<Measurement> Store::find(const MeasurementKey& key) {
  Statement& row = database_->cached(
      "SELECT status, reason, time_us, time_ticks, counters FROM measurement "
      "WHERE problem_id = (SELECT id FROM problem WHERE text = ?1) AND config = ?2 AND kernel = ?3 "
      "AND kernel_revision = ?4 AND machine = ?5 AND evaluator = ?6");
  const Pending pending(row);
  row.bind(1, key.problem).bind(2, key.config).bind(3, key.kernel);
  row.bind(4, int64_t{key.kernel_revision}).bind(5, key.machine_fingerprint).bind(6, key.evaluator);
  if (!row.step()) return std::nullopt;
  Measurement measurement;
  measurement.status = parse_attempt_status(row.text(0));
  measurement.reason = row.text(1);
  measurement.time_us = row.real(2);
  measurement.time_ticks = row.integer(3);
  measurement.counters = parse_counters(row.text(4), database_->path() + ": counters");
  return measurement;
}

int64_t Store::problem_id(std::string_view text) {
  Statement& known = database_->cached("SELECT id FROM problem WHERE text = ?1");
  const Pending pending(known);
  if (known.bind(1, text).step()) return known.integer(0);

  const Problem problem = parse_problem(text);
  std::vector<std::string> types;
  for (const DType type : problem.types) types.emplace_back(name_of(type));
  Statement& insert = database_->cached(
      "INSERT INTO problem (text, kernel, types, layouts, epilogue, dtype, m, n, k) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
  insert.bind(1, text).bind(2, problem.kernel).bind(3, join(types, " "));
  insert.bind(4, join(problem.layouts, " ")).bind(5, problem.epilogue);
  if (!types.empty()) insert.bind(6, types[0]);
  int parameter = 7;
  for (const char* name : {"m", "n", "k"}) {
    if (problem.has(name)) insert.bind(parameter, problem.size(name));
    ++parameter;
  }
  insert.run();
  return database_->last_insert_id();
}

int64_t Store::upsert_measurement(const MeasurementKey& key, int64_t problem,
                                  const Measurement& measurement) {
  Statement& upsert = database_->cached(
      "INSERT INTO measurement (problem_id, config, kernel, kernel_revision, machine, evaluator, "
      "status, reason, time_us, time_ticks, counters) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) "
      "ON CONFLICT (problem_id, config, kernel, kernel_revision, machine, evaluator) DO UPDATE SET "
      "status = excluded.status, reason = excluded.reason, time_us = excluded.time_us, "
      "time_ticks = excluded.time_ticks, counters = excluded.counters "
      "WHERE measurement.status <> 'ok' RETURNING id");
  {
    const Pending pending(upsert);
    upsert.bind(1, problem).bind(2, key.config).bind(3, key.kernel);
    upsert.bind(4, int64_t{key.kernel_revision}).bind(5, key.machine_fingerprint);
    upsert.bind(6, key.evaluator).bind(7, name_of(measurement.status)).bind(8, measurement.reason);
    bind_time(upsert, 9, measurement.time_us, measurement.status == AttemptStatus::kOk);
    upsert.bind(10, measurement.time_ticks).bind(11, counters_text(measurement));
    if (upsert.step()) return upsert.integer(0);
  }
  Statement& kept = database_->cached(
      "SELECT id FROM measurement WHERE problem_id = ?1 AND config = ?2 AND kernel = ?3 "
      "AND kernel_revision = ?4 AND machine = ?5 AND evaluator = ?6");
  const Pending pending(kept);
  kept.bind(1, problem).bind(2, key.config).bind(3, key.kernel);
  kept.bind(4, int64_t{key.kernel_revision})
      .bind(5, key.machine_fingerprint)
      .bind(6, key.evaluator);
  TW_CHECK(kept.step(), "a measurement that conflicts exists");
  return kept.integer(0);
}

void Store::record(const MeasurementKey& key, const Measurement& measurement, int64_t run_id,
                   double wall_us, std::string_view date) {
  Transaction transaction(*database_);
  const auto known = problem_ids_.find(key.problem);
  const int64_t problem = known != problem_ids_.end() ? known->second : problem_id(key.problem);
  const int64_t id = upsert_measurement(key, problem, measurement);
  Statement& attempt = database_->cached(
      "INSERT INTO attempt (measurement_id, run_id, repetition, status, reason, time_us, wall_us, "
      "date) SELECT ?1, ?2, count(*), ?3, ?4, ?5, ?6, ?7 FROM attempt "
      "WHERE measurement_id = ?1 AND run_id = ?2");
  attempt.bind(1, id).bind(2, run_id).bind(3, name_of(measurement.status));
  attempt.bind(4, measurement.reason);
  bind_time(attempt, 5, measurement.time_us, measurement.status == AttemptStatus::kOk);
  attempt.bind(6, wall_us).bind(7, date).run();
  transaction.commit();
  if (known == problem_ids_.end()) problem_ids_.emplace(key.problem, problem);
}

void Store::save_winners(int64_t run_id, std::span<const Winner> winners) {
  Transaction transaction(*database_);
  database_->cached("DELETE FROM winner WHERE run_id = ?1").bind(1, run_id).run();
  for (const Winner& winner : winners) {
    const int64_t problem = problem_id(winner.problem);
    Statement& insert = database_->cached(
        "INSERT INTO winner (run_id, kernel, kernel_revision, problem_id, op, evaluator, config, "
        "time_us, baseline_config, baseline_us, runner_up_us, evaluations, cache_hits, complete) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)");
    insert.bind(1, run_id).bind(2, winner.kernel).bind(3, int64_t{winner.kernel_revision});
    insert.bind(4, problem).bind(5, join(winner.ops, ",")).bind(6, winner.evaluator);
    insert.bind(7, winner.config).bind(8, winner.time_us).bind(9, winner.baseline_config);
    bind_time(insert, 10, winner.baseline_us, winner.baseline_us > 0);
    bind_time(insert, 11, winner.runner_up_us, winner.runner_up_us > 0);
    insert.bind(12, winner.evaluations).bind(13, winner.cache_hits);
    insert.bind(14, int64_t{winner.complete}).run();
  }
  transaction.commit();
}

std::vector<Winner> Store::load_winners(int64_t run_id) {
  Statement& row = database_->cached(
      "SELECT winner.kernel, kernel_revision, problem.text, op, evaluator, config, time_us, "
      "baseline_config, baseline_us, runner_up_us, evaluations, cache_hits, complete "
      "FROM winner JOIN problem ON problem.id = problem_id WHERE run_id = ?1 ORDER BY winner.id");
  const Pending pending(row);
  row.bind(1, run_id);
  std::vector<Winner> winners;
  while (row.step()) {
    Winner& winner = winners.emplace_back();
    winner.kernel = row.text(0);
    winner.kernel_revision = static_cast<int>(row.integer(1));
    winner.problem = row.text(2);
    const std::string ops = row.text(3);
    for (const std::string_view op : split(ops, ',')) {
      if (!op.empty()) winner.ops.emplace_back(op);
    }
    winner.evaluator = row.text(4);
    winner.config = row.text(5);
    winner.time_us = row.real(6);
    winner.baseline_config = row.text(7);
    winner.baseline_us = row.real(8);
    winner.runner_up_us = row.real(9);
    winner.evaluations = row.integer(10);
    winner.cache_hits = row.integer(11);
    winner.complete = row.integer(12) != 0;
  }
  return winners;
}

void Store::save_session(const SavedSession& session) {
  database_
      ->cached(
          "INSERT INTO session (name, date, summary, state) VALUES (?1, ?2, ?3, ?4) "
          "ON CONFLICT (name) DO UPDATE SET date = excluded.date, summary = excluded.summary, "
          "state = excluded.state")
      .bind(1, session.name)
      .bind(2, session.date)
      .bind(3, session.summary)
      .bind(4, session.state)
      .run();
}

std::optional<SavedSession> Store::load_session(std::string_view name) {
  Statement& row =
      database_->cached("SELECT name, date, summary, state FROM session WHERE name = ?1");
  const Pending pending(row);
  if (!row.bind(1, name).step()) return std::nullopt;
  return SavedSession{row.text(0), row.text(1), row.text(2), row.text(3)};
}

std::vector<SavedSession> Store::sessions() {
  Statement& row =
      database_->cached("SELECT name, date, summary FROM session ORDER BY date DESC, name");
  const Pending pending(row);
  std::vector<SavedSession> sessions;
  while (row.step()) sessions.push_back({row.text(0), row.text(1), row.text(2), ""});
  return sessions;
}

}  // namespace tilewright
