// What was measured and tried: the part of the store that a tuning session lives on.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "db/result_check.h"
#include "db/store.h"

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

/// Binds parameters 1 to 5: every field of the key but the config.
void bind_series(Statement& statement, const Series& series) {
  statement.bind(1, series.problem).bind(2, series.kernel);
  statement.bind(3, int64_t{series.kernel_revision}).bind(4, series.machine_fingerprint);
  statement.bind(5, series.evaluator);
}

void bind_key(Statement& statement, const MeasurementKey& key) {
  bind_series(statement, {key.kernel, key.kernel_revision, key.problem, key.machine_fingerprint,
                          key.evaluator});
  statement.bind(6, key.config);
}

/// Columns kernel, kernel_revision, problem, config, machine, evaluator from `first` on.
MeasurementKey read_key(const Statement& row, int first) {
  return {row.text(first),     static_cast<int>(row.integer(first + 1)),
          row.text(first + 2), row.text(first + 3),
          row.text(first + 4), row.text(first + 5)};
}

/// Columns status, reason, time_us, time_ticks, spread_us from `first` on.
Measurement read_measurement(const Statement& row, int first) {
  Measurement measurement;
  measurement.status = parse_attempt_status(row.text(first));
  measurement.reason = row.text(first + 1);
  measurement.time_us = row.real(first + 2);
  measurement.time_ticks = row.integer(first + 3);
  measurement.spread_us = row.real(first + 4);
  return measurement;
}

void bind_time(Statement& statement, int parameter, double time_us, bool known) {
  if (known) {
    statement.bind(parameter, time_us);
  } else {
    statement.bind_null(parameter);
  }
}

/// The times of the first `count` successes are those behind the measurement.
std::vector<double> read_repetitions(Database& database, int64_t measurement_id, int64_t count) {
  Statement& row = database.cached(
      "SELECT time_us FROM attempt WHERE measurement_id = ?1 AND status = 'ok' "
      "ORDER BY id LIMIT ?2");
  const Pending pending(row);
  row.bind(1, measurement_id).bind(2, count);
  std::vector<double> times_us;
  while (row.step()) times_us.push_back(row.real(0));
  return times_us;
}

}  // namespace

std::optional<Measurement> Store::find(const MeasurementKey& key) {
  Statement& row = database_->cached(
      "SELECT status, reason, time_us, time_ticks, spread_us, counters, repetitions, id "
      "FROM measurement WHERE problem_id = (SELECT id FROM problem WHERE text = ?1) "
      "AND kernel = ?2 AND kernel_revision = ?3 AND machine = ?4 AND evaluator = ?5 "
      "AND config = ?6");
  const Pending pending(row);
  bind_key(row, key);
  if (!row.step()) return std::nullopt;
  Measurement measurement = read_measurement(row, 0);
  measurement.counters = parse_counters(row.text(5), database_->path() + ": counters");
  if (row.integer(6) > 1) {
    measurement.times_us = read_repetitions(*database_, row.integer(7), row.integer(6));
  }
  return measurement;
}

std::optional<int64_t> Store::measurement_id(const MeasurementKey& key) {
  Statement& row = database_->cached(
      "SELECT id FROM measurement WHERE problem_id = (SELECT id FROM problem WHERE text = ?1) "
      "AND kernel = ?2 AND kernel_revision = ?3 AND machine = ?4 AND evaluator = ?5 "
      "AND config = ?6");
  const Pending pending(row);
  bind_key(row, key);
  if (!row.step()) return std::nullopt;
  return row.integer(0);
}

int64_t Store::upsert_measurement(const MeasurementKey& key, int64_t problem,
                                  const Measurement& measurement) {
  Statement& upsert = database_->cached(
      "INSERT INTO measurement (problem_id, config, kernel, kernel_revision, machine, evaluator, "
      "status, reason, time_us, time_ticks, counters, repetitions, spread_us) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) "
      "ON CONFLICT (problem_id, config, kernel, kernel_revision, machine, evaluator) DO UPDATE SET "
      "status = excluded.status, reason = excluded.reason, time_us = excluded.time_us, "
      "time_ticks = excluded.time_ticks, counters = excluded.counters, "
      "repetitions = excluded.repetitions, spread_us = excluded.spread_us "
      "WHERE measurement.status <> 'ok' RETURNING id");
  const Pending pending(upsert);
  upsert.bind(1, problem).bind(2, key.config).bind(3, key.kernel);
  upsert.bind(4, int64_t{key.kernel_revision}).bind(5, key.machine_fingerprint);
  upsert.bind(6, key.evaluator).bind(7, name_of(measurement.status)).bind(8, measurement.reason);
  bind_time(upsert, 9, measurement.time_us, measurement.status == AttemptStatus::kOk);
  upsert.bind(10, measurement.time_ticks).bind(11, counters_text(measurement));
  upsert.bind(12, std::max<int64_t>(std::ssize(measurement.times_us), 1));
  upsert.bind(13, measurement.spread_us);
  if (upsert.step()) return upsert.integer(0);
  const std::optional<int64_t> kept = measurement_id(key);
  if (kept) return *kept;
  throw DamagedError(database_->path(),
                     fmt::format("a measurement of problem {} is in an index and "
                                 "not in its table",
                                 problem));
}

void Store::add_attempts(int64_t measurement_id, int64_t run_id, const TrialRow& row) {
  const Measurement& measurement = *row.measurement;
  const bool is_ok = measurement.status == AttemptStatus::kOk;
  std::vector<std::optional<double>> times(measurement.times_us.begin(),
                                           measurement.times_us.end());
  // A failure ends the repetitions that went well before it.
  if (!is_ok) times.emplace_back();
  if (times.empty()) times.emplace_back(measurement.time_us);
  const double wall_us = row.wall_us / static_cast<double>(times.size());
  for (const std::optional<double>& time_us : times) {
    Statement& attempt = database_->cached(
        "INSERT INTO attempt (measurement_id, run_id, repetition, status, reason, time_us, "
        "wall_us, date) SELECT ?1, ?2, count(*), ?3, ?4, ?5, ?6, ?7 FROM attempt "
        "WHERE measurement_id = ?1 AND run_id = ?2");
    attempt.bind(1, measurement_id).bind(2, run_id).bind(3, name_of(measurement.status));
    attempt.bind(4, measurement.reason);
    bind_time(attempt, 5, time_us.value_or(0), time_us.has_value());
    attempt.bind(6, wall_us).bind(7, row.date).run();
  }
}

void Store::record_trials(int64_t run_id, std::span<const TrialRow> rows) {
  Transaction transaction(*database_);
  int64_t place = 0;
  {
    Statement& next = database_->cached(
        "SELECT place + 1 FROM trial WHERE run_id = ?1 ORDER BY place DESC LIMIT 1");
    const Pending pending(next);
    if (next.bind(1, run_id).step()) place = next.integer(0);
  }
  std::map<std::string, int64_t, std::less<>> new_problems;
  for (const TrialRow& row : rows) {
    std::optional<int64_t> id;
    if (row.measurement) {
      int64_t problem = 0;
      if (const auto known = problem_ids_.find(row.key.problem); known != problem_ids_.end()) {
        problem = known->second;
      } else {
        problem = problem_id(row.key.problem);
        new_problems.emplace(row.key.problem, problem);
      }
      id = upsert_measurement(row.key, problem, *row.measurement);
      add_attempts(*id, run_id, row);
    } else {
      id = measurement_id(row.key);
      if (!id) {
        throw Error(ErrorKind::kFailed,
                    fmt::format("database {}: the measurement of {} {} is gone", database_->path(),
                                printable(row.key.problem), printable(row.key.config)));
      }
    }
    database_
        ->cached(
            "INSERT INTO trial (run_id, place, measurement_id, proposer) VALUES (?1, ?2, ?3, ?4)")
        .bind(1, run_id)
        .bind(2, place++)
        .bind(3, *id)
        .bind(4, row.proposer)
        .run();
  }
  transaction.commit();
  problem_ids_.merge(new_problems);
}

void Store::record(const MeasurementKey& key, const Measurement& measurement, int64_t run_id,
                   double wall_us, std::string_view date) {
  const TrialRow row{key, "", measurement, wall_us, std::string(date)};
  record_trials(run_id, {&row, 1});
}

std::vector<MeasurementKey> Store::keys_of_run(int64_t run_id) {
  Statement& row = database_->cached(
      "SELECT measurement.kernel, kernel_revision, problem.text, config, machine, evaluator, "
      "measurement.id FROM (SELECT measurement_id, min(place) AS first FROM trial WHERE run_id = "
      "?1 "
      "GROUP BY measurement_id) JOIN measurement ON measurement.id = measurement_id "
      "JOIN problem ON problem.id = problem_id ORDER BY first");
  const Pending pending(row);
  row.bind(1, run_id);
  std::vector<MeasurementKey> keys;
  while (row.step()) {
    keys.push_back(read_key(row, 0));
    check_config(*database_, "measurement", row.integer(6), keys.back().config);
  }
  return keys;
}

std::vector<StoredTrial> Store::trials(int64_t run_id, int64_t first_place, int64_t at_most) {
  Statement& row = database_->cached(
      "SELECT m.kernel, m.kernel_revision, problem.text, m.config, m.machine, m.evaluator, "
      "m.status, m.reason, m.time_us, m.time_ticks, m.spread_us, trial.proposer, m.id "
      "FROM trial JOIN measurement AS m ON m.id = trial.measurement_id "
      "JOIN problem ON problem.id = m.problem_id WHERE trial.run_id = ?1 "
      "AND trial.place >= ?2 ORDER BY trial.place LIMIT ?3");
  const Pending pending(row);
  row.bind(1, run_id).bind(2, first_place).bind(3, at_most);
  std::vector<StoredTrial> trials;
  while (row.step()) {
    trials.push_back({read_key(row, 0), row.text(11), read_measurement(row, 6)});
    check_config(*database_, "measurement", row.integer(12), trials.back().key.config);
  }
  return trials;
}

std::map<std::string, TrialCounts> Store::trial_counts(int64_t run_id, std::string_view looks) {
  Statement& row = database_->cached(
      "WITH looked AS (SELECT measurement_id FROM trial WHERE run_id = ?1 AND proposer = ?2), "
      "tried AS (SELECT DISTINCT m.id, m.problem_id, m.status <> 'ok' AS failed, "
      "m.id IN looked AS is_screened, "
      "EXISTS (SELECT 1 FROM attempt WHERE measurement_id = m.id AND run_id = ?1) AS is_own "
      "FROM trial JOIN measurement AS m ON m.id = trial.measurement_id "
      "WHERE trial.run_id = ?1 AND proposer <> ?2) "
      "SELECT problem.text, count(*), sum(is_screened), sum(is_own AND NOT is_screened), "
      "sum(failed) FROM tried JOIN problem ON problem.id = problem_id GROUP BY problem_id");
  const Pending pending(row);
  row.bind(1, run_id).bind(2, looks);
  std::map<std::string, TrialCounts> counts;
  while (row.step()) {
    TrialCounts& of = counts[row.text(0)];
    of.screened = row.integer(2);
    of.evaluations = row.integer(3);
    of.cache_hits = row.integer(1) - of.screened - of.evaluations;
    of.failures = row.integer(4);
  }
  return counts;
}

std::vector<KnownMeasurement> Store::known(const Series& series) {
  Statement& row = database_->cached(
      "SELECT config, status, reason, time_us, time_ticks, spread_us FROM measurement "
      "WHERE problem_id = (SELECT id FROM problem WHERE text = ?1) AND kernel = ?2 "
      "AND kernel_revision = ?3 AND machine = ?4 AND evaluator = ?5 ORDER BY config");
  const Pending pending(row);
  bind_series(row, series);
  std::vector<KnownMeasurement> known;
  while (row.step()) known.push_back({row.text(0), read_measurement(row, 1)});
  return known;
}

std::optional<KnownMeasurement> Store::best(const Series& series) {
  Statement& row = database_->cached(
      "SELECT config, status, reason, m.time_us, time_ticks, spread_us FROM best "
      "JOIN measurement AS m ON m.id = best.measurement_id "
      "WHERE best.problem_id = (SELECT id FROM problem WHERE text = ?1) AND best.kernel = ?2 "
      "AND best.kernel_revision = ?3 AND best.machine = ?4 AND best.evaluator = ?5");
  const Pending pending(row);
  bind_series(row, series);
  if (!row.step()) return std::nullopt;
  return KnownMeasurement{row.text(0), read_measurement(row, 1)};
}

std::optional<double> Store::mean_wall_seconds(const Series& series) {
  Statement& row = database_->cached(
      "SELECT sum(wall_us) / count(DISTINCT measurement_id) / 1e6 FROM measurement AS m "
      "JOIN attempt ON attempt.measurement_id = m.id "
      "WHERE problem_id = (SELECT id FROM problem WHERE text = ?1) AND kernel = ?2 "
      "AND kernel_revision = ?3 AND machine = ?4 AND evaluator = ?5");
  const Pending pending(row);
  bind_series(row, series);
  if (!row.step() || row.is_null(0)) return std::nullopt;
  return row.real(0);
}

std::vector<EarlierConfig> Store::earlier_configs(const Series& series, int per_series,
                                                  int max_series) {
  Statement& others = database_->cached(
      "SELECT best.kernel, kernel_revision, problem.text, '', machine, evaluator, "
      "kernel_revision = ?3 AND machine = ?4 AND evaluator = ?5 AS is_current, problem_id "
      "FROM best JOIN problem ON problem.id = best.problem_id WHERE best.kernel = ?2 "
      "AND (problem.text, kernel_revision, machine, evaluator) IS NOT (?1, ?3, ?4, ?5) "
      "ORDER BY is_current DESC, machine = ?4 DESC, measurement_id DESC LIMIT ?6");
  const Pending pending(others);
  bind_series(others, series);
  others.bind(6, int64_t{max_series});
  Statement& fastest = database_->cached(
      "SELECT config, time_us FROM measurement WHERE problem_id = ?1 AND kernel = ?2 "
      "AND kernel_revision = ?3 AND machine = ?4 AND evaluator = ?5 AND time_us IS NOT NULL "
      "ORDER BY time_us, config LIMIT ?6");
  const Pending pending_fastest(fastest);
  std::vector<EarlierConfig> configs;
  while (others.step()) {
    const MeasurementKey key = read_key(others, 0);
    fastest.reset();
    fastest.bind(1, others.integer(7)).bind(2, key.kernel).bind(3, int64_t{key.kernel_revision});
    fastest.bind(4, key.machine_fingerprint).bind(5, key.evaluator).bind(6, int64_t{per_series});
    for (int place = 0; fastest.step(); ++place) {
      EarlierConfig& config = configs.emplace_back();
      config.key = key;
      config.key.config = fastest.text(0);
      config.time_us = fastest.real(1);
      config.is_current = others.integer(6) != 0;
      config.place = place;
    }
  }
  return configs;
}

std::vector<EarlierFailure> Store::failures(std::string_view kernel, int64_t at_most) {
  Statement& row = database_->cached(
      "SELECT m.kernel, m.kernel_revision, problem.text, m.config, m.machine, m.evaluator, "
      "m.status, m.reason FROM measurement AS m JOIN problem ON problem.id = m.problem_id "
      "WHERE m.kernel = ?1 AND m.time_us IS NULL ORDER BY m.id DESC LIMIT ?2");
  const Pending pending(row);
  row.bind(1, kernel).bind(2, at_most);
  std::vector<EarlierFailure> failures;
  while (row.step()) {
    failures.push_back({read_key(row, 0), parse_attempt_status(row.text(6)), row.text(7)});
  }
  return failures;
}

}  // namespace tilewright
