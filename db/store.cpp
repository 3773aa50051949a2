#include "db/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/space/problem.h"
#include "db/result_check.h"
#include "db/run_process.h"
#include "db/schema.h"

namespace tilewright {

namespace {

RunKind parse_run_kind(const std::string& name) {
  for (const RunKind kind :
       {RunKind::kKernel, RunKind::kTune, RunKind::kServe, RunKind::kPlan, RunKind::kImport}) {
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
  (run.status == RunStatus::kRunning ? run.process : run.result) = row.text(13);
  return run;
}

/// NULL stands for 0.
void bind_positive(Statement& statement, int parameter, double value) {
  if (value > 0) {
    statement.bind(parameter, value);
  } else {
    statement.bind_null(parameter);
  }
}

template <typename T>
void bind_known(Statement& statement, int parameter, const std::optional<T>& value) {
  if (value) {
    statement.bind(parameter, *value);
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
    case RunKind::kImport:
      return "import";
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
  // Where several make a file at the same time, SQLite refuses some steps at once, without waiting.
  constexpr int kTries = 40;
  constexpr int kPauseMs = 10;
  for (int tried = 1;; ++tried) {
    try {
      const int patience_ms = tried == 1 ? busy_timeout_ms : std::min(busy_timeout_ms, kPauseMs);
      auto database = std::make_unique<Database>(path, mode, patience_ms);
      prepare_schema(*database, mode);
      database->set_busy_timeout(busy_timeout_ms);
      return Store(std::move(database));
    } catch (const LockedError&) {
      if (tried == kTries || busy_timeout_ms == 0) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(kPauseMs));
    }
  }
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
          "tool, result) "
          "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'running', ?8, ?9, ?10)")
      .bind(1, name_of(run.kind))
      .bind(2, run.label)
      .bind(3, run.command)
      .bind(4, run.model)
      .bind(5, run.workload)
      .bind(6, run.machine_fingerprint)
      .bind(7, run.seed)
      .bind(8, run.date)
      .bind(9, run.tool)
      .bind(10, this_process())
      .run();
  return database_->last_insert_id();
}

void Store::resume_run(int64_t id) {
  database_->cached("UPDATE run SET status = 'running', result = ?2 WHERE id = ?1")
      .bind(1, id)
      .bind(2, this_process())
      .run();
}

void Store::plan_run(int64_t id, std::string_view plan) {
  database_
      ->cached(
          "UPDATE run SET result = json_patch(result, ?2) "
          "WHERE id = ?1 AND status = 'running'")
      .bind(1, id)
      .bind(2, plan)
      .run();
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
  if (database_->changed_rows() != 1) {
    throw DamagedError(database_->path(), fmt::format("run {} is not there any more", id));
  }
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

std::optional<Run> Store::latest_run_labelled(std::string_view label, std::optional<RunKind> kind,
                                              int64_t before) {
  Statement& row = database_->cached(
      "SELECT id, kind, label, command, model, workload, machine, fingerprint, seed, date, tool, "
      "status, wall_ms, result FROM runs WHERE label = ?1 AND (?2 = 0 OR id < ?2) "
      "AND (?3 = '' OR kind = ?3) ORDER BY id DESC LIMIT 1");
  const Pending pending(row);
  row.bind(1, label).bind(2, before).bind(3, kind ? name_of(*kind) : std::string_view());
  if (!row.step()) return std::nullopt;
  return read_run(row);
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

void Store::save_winners(int64_t run_id, std::span<const Winner> winners) {
  Transaction transaction(*database_);
  database_->cached("DELETE FROM winner WHERE run_id = ?1").bind(1, run_id).run();
  for (const Winner& winner : winners) {
    const int64_t problem = problem_id(winner.problem);
    Statement& insert = database_->cached(
        "INSERT INTO winner (run_id, kernel, kernel_revision, problem_id, op, evaluator, config, "
        "time_us, baseline_config, baseline_us, runner_up_us, evaluations, cache_hits, complete, "
        "confidence, footprint, worst_regret) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)");
    insert.bind(1, run_id).bind(2, winner.kernel).bind(3, int64_t{winner.kernel_revision});
    insert.bind(4, problem).bind(5, join(winner.ops, ",")).bind(6, winner.evaluator);
    insert.bind(7, winner.config).bind(8, winner.time_us).bind(9, winner.baseline_config);
    bind_positive(insert, 10, winner.baseline_us);
    bind_positive(insert, 11, winner.runner_up_us);
    insert.bind(12, winner.evaluations).bind(13, winner.cache_hits);
    insert.bind(14, int64_t{winner.complete});
    bind_known(insert, 15, winner.confidence);
    bind_known(insert, 16, winner.footprint);
    bind_known(insert, 17, winner.worst_regret);
    insert.run();
  }
  transaction.commit();
}

std::vector<Winner> Store::load_winners(int64_t run_id) {
  Statement& row = database_->cached(
      "SELECT winner.kernel, kernel_revision, problem.text, op, evaluator, config, time_us, "
      "baseline_config, baseline_us, runner_up_us, evaluations, cache_hits, complete, confidence, "
      "footprint, worst_regret, winner.id FROM winner JOIN problem ON problem.id = problem_id "
      "WHERE run_id = "
      "?1 ORDER BY winner.id");
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
    check_config(*database_, "winner", row.integer(16), winner.config);
    winner.time_us = row.real(6);
    winner.baseline_config = row.text(7);
    check_config(*database_, "winner", row.integer(16), winner.baseline_config);
    winner.baseline_us = row.real(8);
    winner.runner_up_us = row.real(9);
    winner.evaluations = row.integer(10);
    winner.cache_hits = row.integer(11);
    winner.complete = row.integer(12) != 0;
    if (!row.is_null(13)) winner.confidence = row.real(13);
    if (!row.is_null(14)) winner.footprint = row.integer(14);
    if (!row.is_null(15)) winner.worst_regret = row.real(15);
  }
  return winners;
}

std::vector<int64_t> Store::trials_of_winners(int64_t run_id, std::string_view looks) {
  Statement& row = database_->cached(
      "WITH tried AS (SELECT measurement_id, problem_id, min(place) AS place "
      "FROM trial JOIN measurement AS m ON m.id = measurement_id "
      "WHERE run_id = ?1 AND proposer <> ?2 GROUP BY measurement_id), "
      "found AS (SELECT measurement_id, row_number() OVER "
      "(PARTITION BY problem_id ORDER BY place) AS number FROM tried) "
      "SELECT coalesce(found.number, 0) FROM winner JOIN run ON run.id = winner.run_id "
      "LEFT JOIN measurement ON measurement.problem_id = winner.problem_id "
      "AND measurement.config = winner.config AND measurement.kernel = winner.kernel "
      "AND measurement.kernel_revision = winner.kernel_revision "
      "AND measurement.machine = run.machine AND measurement.evaluator = winner.evaluator "
      "LEFT JOIN found ON found.measurement_id = measurement.id "
      "WHERE winner.run_id = ?1 ORDER BY winner.id");
  const Pending pending(row);
  row.bind(1, run_id).bind(2, looks);
  std::vector<int64_t> trials;
  while (row.step()) trials.push_back(row.integer(0));
  return trials;
}

void Store::save_served_problems(int64_t run_id, std::span<const ServedProblem> problems) {
  Transaction transaction(*database_);
  database_->cached("DELETE FROM served_problem WHERE run_id = ?1").bind(1, run_id).run();
  for (const ServedProblem& served : problems) {
    const int64_t problem = problem_id(served.problem);
    database_
        ->cached(
            "INSERT INTO served_problem (run_id, problem_id, calls) VALUES (?1, ?2, ?3) "
            "ON CONFLICT DO UPDATE SET calls = calls + excluded.calls")
        .bind(1, run_id)
        .bind(2, problem)
        .bind(3, served.calls)
        .run();
  }
  transaction.commit();
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
