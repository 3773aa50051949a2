#pragma once

#include <cstdint>
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
enum class RunKind { kKernel, kTune, kServe, kPlan };
/// "kernel", "tune", "serve", "plan".
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

  /// Baseline time / best time; 0 when the baseline failed.
  double gain() const { return baseline_us / time_us; }
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
  int64_t bytes = 0;  ///< of the file, without its log
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
  int64_t winners = 0;
  int64_t serving_chunks = 0;  ///< of the logs of serving runs
};

/// The results database: everything that was ever measured, by key. One object is one connection,
/// used by one thread at a time; any number of processes may have the same file open, one writes at
/// a time. All calls throw Error (failed) for a damaged, foreign, locked, read-only or full
/// database.
class Store {
 public:
  static constexpr int kBusyTimeoutMs = 10'000;

  /// Opens, creates or migrates; Error (not found) when a file to be read does not exist.
  static Store open(const std::string& path, OpenMode mode, int busy_timeout_ms = kBusyTimeoutMs);

  /// Makes a machine known; the description of a known fingerprint stays as it is.
  void save_machine(std::string_view name, std::string_view fingerprint,
                    std::string_view description);

  int64_t begin_run(const Run& run);
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
  /// The run with exactly that label that began last.
  std::optional<Run> latest_run_labelled(std::string_view label);
  /// What a run tried, in the order of its first tries.
  std::vector<MeasurementKey> keys_of_run(int64_t run_id);
  /// The description that a machine was saved with; Error (not found) for an unknown fingerprint.
  std::string machine_description(std::string_view fingerprint);

  /// Keeps a session under its name, in place of what was there.
  void save_session(const SavedSession& session);
  std::optional<SavedSession> load_session(std::string_view name);
  /// All sessions without their states, the last changed first.
  std::vector<SavedSession> sessions();

  std::optional<Measurement> find(const MeasurementKey& key);

  /// Keeps one try, and what it says about its key: the first try that was ok stays the
  /// measurement, until then the last failure is. Committed on return. The machine and the run must
  /// be known.
  void record(const MeasurementKey& key, const Measurement& measurement, int64_t run_id,
              double wall_us, std::string_view date);

  /// Replaces the winners of a run, in the given order.
  void save_winners(int64_t run_id, std::span<const Winner> winners);
  std::vector<Winner> load_winners(int64_t run_id);

  /// What is wrong with the file, also where it is too damaged to be read on; empty when nothing
  /// is.
  std::vector<std::string> check();
  void vacuum();
  StoreInfo info();

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
  MergeCounts copy_from_other();

  std::unique_ptr<Database> database_;
  /// Ids of committed problems: they never change, and a session asks for the same few.
  std::map<std::string, int64_t, std::less<>> problem_ids_;
};

}  // namespace tilewright
