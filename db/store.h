#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/space/measurement.h"
#include "db/database.h"
#include "db/serving_log.h"

namespace tilewright {

/// What was executed and kept.
enum class RunKind { kKernel, kTune, kServe, kPlan, kImport };
/// "kernel", "tune", "serve", "plan", "import".
std::string_view name_of(RunKind kind);

enum class RunStatus { kRunning, kDone, kInterrupted, kFailed };
/// "running", "done", "interrupted", "failed".
std::string_view name_of(RunStatus status);

/// A row of `run`. begin_run() ignores id, status, wall_ms and result.
struct Run {
  int64_t id = 0;
  RunKind kind = RunKind::kKernel;
  std::string label;
  std::string command;              ///< the command line
  std::string model;                ///< empty when there is none
  std::string workload;             ///< empty when there is none
  std::string machine_name;         ///< filled on reading
  std::string machine_fingerprint;  ///< of a machine saved before
  int64_t seed = 0;
  std::string date;  ///< ISO 8601; this library reads no clock
  std::string tool;  ///< program and version
  RunStatus status = RunStatus::kRunning;
  double wall_ms = 0;
  std::string result;  ///< JSON
  /// Filled on reading while it runs, or where it was killed: its process (state_of_process()) and
  /// what plan_run() was told.
  std::string process;
};

/// What a tuning session found for one problem; a row of `winner`.
struct Winner {
  std::string kernel;
  int kernel_revision = 0;
  std::string problem;           ///< canonical text
  std::vector<std::string> ops;  ///< names of the model's ops with this problem
  std::string evaluator;
  std::string config;  ///< canonical text
  double time_us = 0;
  std::string baseline_config;
  double baseline_us = 0;   ///< 0 when the baseline failed
  double runner_up_us = 0;  ///< 0 when no other config worked
  int64_t evaluations = 0;
  int64_t cache_hits = 0;
  bool complete = true;  ///< false when the session was stopped before the search ended
  /// Probability that no other config that was tried is faster, 0 to 1, as far as the noise of the
  /// times tells; empty when it was not computed.
  std::optional<double> confidence = {};
  std::optional<int64_t> footprint = {};  ///< on-chip bytes of the config, where they are known
  /// Of a config that serves several problems: the largest share by which one of them is slower
  /// than with a config of its own; empty for a config that won by itself.
  std::optional<double> worst_regret = {};

  /// Baseline time / best time; 0 when the baseline failed.
  double gain() const { return baseline_us / time_us; }
};

/// One thing that a run tried, in the order of `place`; a row of `trial`.
struct StoredTrial {
  MeasurementKey key;
  std::string proposer;     ///< who asked for it
  Measurement measurement;  ///< without counters and repetitions
};

/// What the tries of a run came to, those of all its parts where it was resumed.
struct TrialCounts {
  int64_t evaluations = 0;  ///< keys that it measured itself
  int64_t cache_hits = 0;   ///< tries of what was known by then
  int64_t screened = 0;     ///< tries that a cheaper evaluator answered
  int64_t failures = 0;     ///< tries without a time
};

/// A try to be kept.
struct TrialRow {
  MeasurementKey key;
  std::string proposer;
  /// What was measured just now; empty for what the database knew before.
  std::optional<Measurement> measurement = {};
  double wall_us = 0;     ///< that the measurement took
  std::string date = {};  ///< ISO 8601
};

/// All that is measured of one problem at one place is a series: its keys differ in the config.
struct Series {
  std::string kernel;
  int kernel_revision = 0;
  std::string problem;  ///< canonical text
  std::string machine_fingerprint;
  std::string evaluator;
};

struct KnownMeasurement {
  std::string config;       ///< canonical text
  Measurement measurement;  ///< without counters and repetitions
};

/// A fast config of another series of the same kernel: a hint, never an answer.
struct EarlierConfig {
  MeasurementKey key;
  double time_us = 0;
  bool is_current = false;  ///< same revision, machine and evaluator: only the problem differs
  int place = 0;            ///< 0: the fastest of its series
};

/// A config that gave no time.
struct EarlierFailure {
  MeasurementKey key;
  AttemptStatus status = AttemptStatus::kRuntime;
  std::string reason;
};

/// A problem that a serving run asked for.
struct ServedProblem {
  std::string problem;  ///< canonical text
  int64_t calls = 0;    ///< at least 1
};

/// A session of the workbench: what comes back when it is opened again.
struct SavedSession {
  std::string name;
  std::string date;     ///< ISO 8601, of the last change
  std::string summary;  ///< what it was at, one line
  std::string state;    ///< JSON; empty in lists
};

/// What is in the file.
struct StoreInfo {
  std::string path;
  int64_t bytes = 0;      ///< of the file, without its log
  int64_t log_bytes = 0;  ///< of the log beside it (FILE-wal)
  int schema_version = 0;
  std::vector<std::pair<std::string, int64_t>> rows;  ///< by table
};

/// Rows that a merge added.
struct MergeCounts {
  int64_t machines = 0;
  int64_t runs = 0;
  int64_t problems = 0;
  int64_t measurements = 0;  ///< new, or failed here and fine there
  int64_t attempts = 0;
  int64_t trials = 0;
  int64_t winners = 0;
  int64_t served_problems = 0;
  int64_t serving_chunks = 0;  ///< of the logs of serving runs
};

/// The results database: everything that was ever measured, by key. One object is one connection,
/// used by one thread at a time; any number of processes may have the same file open, one writes at
/// a time. All calls throw Error (failed) for a damaged, foreign, locked, read-only or full
/// database.
/// A machine as the database keeps it.
struct MachineRow {
  std::string name;
  std::string fingerprint;
  std::string description;  ///< JSON
};

class Store {
 public:
  static constexpr int kBusyTimeoutMs = 30'000;

  /// Opens, creates or migrates; Error (not found) when a file to be read does not exist.
  static Store open(const std::string& path, OpenMode mode, int busy_timeout_ms = kBusyTimeoutMs);

  /// Makes a machine known; the description of a known fingerprint stays as it is.
  void save_machine(std::string_view name, std::string_view fingerprint,
                    std::string_view description);

  int64_t begin_run(const Run& run);
  /// A run that is gone on with is running again, in this process; its old result is gone.
  void resume_run(int64_t id);
  /// What a running run is to do: keys of a JSON object, kept until its result takes their place,
  /// so that others who follow it, or find it killed, know how far it is.
  void plan_run(int64_t id, std::string_view plan);
  /// The end of a run, in one transaction with its log if it is a serving run.
  void finish_run(int64_t id, RunStatus status, double wall_ms, std::string_view result,
                  std::span<const LogTable> log = {});
  /// One table of the log of a serving run; Errors as read_serving_log().
  LogTable serving_log(int64_t run_id, LogKind kind) {
    return read_serving_log(*database_, run_id, kind);
  }
  /// Error (not found) when there is no such run.
  Run load_run(int64_t id);
  /// The run of that kind that began last.
  std::optional<Run> latest_run(RunKind kind);
  /// The run with exactly that label that began last, of that kind where one is given, before the
  /// run `before` where that is not 0.
  std::optional<Run> latest_run_labelled(std::string_view label,
                                         std::optional<RunKind> kind = std::nullopt,
                                         int64_t before = 0);
  /// What a run tried, in the order of its first tries.
  std::vector<MeasurementKey> keys_of_run(int64_t run_id);
  /// The description that a machine was saved with; Error (not found) for an unknown fingerprint.
  std::string machine_description(std::string_view fingerprint);

  /// Keeps a session under its name, in place of what was there.
  void save_session(const SavedSession& session);
  std::optional<SavedSession> load_session(std::string_view name);
  /// All sessions without their states, the last changed first.
  std::vector<SavedSession> sessions();

  /// With counters, and with its repetitions where there are several.
  std::optional<Measurement> find(const MeasurementKey& key);

  /// Keeps tries of a run in their order, in one transaction, committed on return. What was
  /// measured becomes one row of `attempt` for each repetition, and says something about its key:
  /// the first success stays the measurement, until then the last failure is. The machine and the
  /// run must be known; Error (failed) for a try without a measurement whose key is not known.
  void record_trials(int64_t run_id, std::span<const TrialRow> rows);
  /// One try; nobody proposed it.
  void record(const MeasurementKey& key, const Measurement& measurement, int64_t run_id,
              double wall_us, std::string_view date);

  /// What a run tried, in order: from a place on, at most so many.
  std::vector<StoredTrial> trials(int64_t run_id, int64_t first_place = 0,
                                  int64_t at_most = INT64_MAX);
  /// The same as numbers, by problem. `looks`: who proposed what a cheaper evaluator was only asked
  /// in advance; those are no tries, and a try with such a measurement is one that it answered.
  std::map<std::string, TrialCounts> trial_counts(int64_t run_id, std::string_view looks);
  /// All measurements of a series, by config.
  std::vector<KnownMeasurement> known(const Series& series);
  /// The fastest config of a series, the first by its text of equally fast ones.
  std::optional<KnownMeasurement> best(const Series& series);
  /// What a measurement of the series took on average, all repetitions together; empty before the
  /// first one.
  std::optional<double> mean_wall_seconds(const Series& series);
  /// The `per_series` fastest configs of the other series of that kernel, at most `max_series` of
  /// them: current ones first, then those of the same machine, then the newest.
  std::vector<EarlierConfig> earlier_configs(const Series& series, int per_series,
                                             int max_series = 1000);
  /// The last `at_most` configs of a kernel that gave no time, newest first.
  std::vector<EarlierFailure> failures(std::string_view kernel, int64_t at_most);

  /// Replaces what a serving run asked for.
  void save_served_problems(int64_t run_id, std::span<const ServedProblem> problems);

  /// Replaces the winners of a run, in the given order.
  void save_winners(int64_t run_id, std::span<const Winner> winners);
  std::vector<Winner> load_winners(int64_t run_id);
  /// Which of the run's tries of its problem each winner is, from 1; 0 where the run never tried
  /// it. `looks` as of trial_counts().
  std::vector<int64_t> trials_of_winners(int64_t run_id, std::string_view looks);

  /// What is wrong with the file, also where it is too damaged to be read on; empty when nothing
  /// is.
  std::vector<std::string> check();
  void vacuum();
  /// Counts the rows of these tables, of all where none is named; some 50 ms for all of a million.
  StoreInfo info(std::initializer_list<std::string_view> counted = {});

  /// Adds what `other_path` has and this database has not; the other file is only read. Doing it
  /// again adds nothing. Runs that agree in everything known at their start, date included, are the
  /// same.
  MergeCounts merge(const std::string& other_path);

  Database& database() { return *database_; }

 private:
  explicit Store(std::unique_ptr<Database> database) : database_(std::move(database)) {}

  int64_t problem_id(std::string_view text);
  int64_t upsert_measurement(const MeasurementKey& key, int64_t problem,
                             const Measurement& measurement);
  std::optional<int64_t> measurement_id(const MeasurementKey& key);
  void add_attempts(int64_t measurement_id, int64_t run_id, const TrialRow& row);
  MergeCounts copy_from_other();

  std::unique_ptr<Database> database_;
  /// Ids of committed problems: they never change, and a session asks for the same few.
  std::map<std::string, int64_t, std::less<>> problem_ids_;
};

}  // namespace tilewright
