#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/cli/console.h"
#include "app/cli/options.h"
#include "app/cli/settings.h"
#include "core/base/json.h"
#include "core/machine/machine.h"
#include "db/queries.h"
#include "db/store.h"

namespace tilewright {

/// Version of every JSON object that a command prints (docs/formats.md); keys only grow.
constexpr int kOutputSchema = 1;

/// "tilewright 0.1.0": who made a row, a plan, a report.
std::string tool_name();

/// What a command gets: its arguments, the globals, and the ways to speak.
class Context {
 public:
  Context(const Arguments& arguments, const Globals& globals, Console& console,
          std::string command_line);

  const Arguments& arguments() const { return arguments_; }
  const Globals& globals() const { return globals_; }
  Console& console() { return console_; }
  const Console& console() const { return console_; }
  /// The command line as it was typed, for the rows of the database.
  const std::string& command_line() const { return command_line_; }

  /// The machine of --machine.
  Machine machine() const;

  /// The results database, created when it does not exist.
  Store open_store() const { return open_store(globals_.db); }
  /// The same at another path.
  Store open_store(const std::string& path) const;
  /// The results database, which must exist (Error, not found).
  Store open_existing_store(OpenMode mode) const;

  /// Data for stdout.
  void print(std::string_view text) { console_.print(text); }
  void print_json(const Json& json);
  /// The table as text or CSV, as the globals say.
  void print_table(const QueryResult& table);
  /// A heading in the text output.
  std::string heading(std::string_view text);

  /// Whether the command is to finish what is in flight, save and return: an interrupt came, or
  /// whoever runs it here says so. Any thread may ask.
  bool is_stopped() const;
  void set_stop(std::function<bool()> stop) { stop_ = std::move(stop); }

  /// Somebody who looks at what a command does before its work proper begins, and how much of that
  /// is done (0 to 1). Called on the command's thread.
  void set_stage_watch(std::function<void(const std::string& what, double share)> watch) {
    stage_watch_ = std::move(watch);
  }
  void tell_stage(const std::string& what, double share) const {
    if (stage_watch_) stage_watch_(what, share);
  }

  /// Messages for stderr: notes are silent with --quiet, warnings are not.
  void note(std::string_view text) const;
  void warn(std::string_view text) const;

 private:
  const Arguments& arguments_;
  const Globals& globals_;
  Console& console_;
  std::string command_line_;
  std::function<bool()> stop_ = {};  ///< empty: an interrupt
  std::function<void(const std::string&, double)> stage_watch_ = {};
};

/// {"schema": ...} to be filled by a command.
Json output_object();

/// {"name", "fingerprint"}.
Json machine_identity(const Machine& machine);

/// Revisions of this program, by which the database knows what is stale.
CurrentRevisions current_revisions();

/// What a run is; empty where it has no model or workload.
struct RunIdentity {
  RunKind kind = RunKind::kKernel;
  std::string label = {};
  std::string model = {};
  std::string workload = {};
};

/// How somebody could make a run again.
struct RunOrigin {
  std::string command_line;
  int64_t seed = 0;
};

/// A row of `run` that is always ended: as failed, unless finish() said otherwise.
class RunRecord {
 public:
  RunRecord(const Context& context, Store& store, const Machine& machine,
            const RunIdentity& identity);
  RunRecord(const RunOrigin& origin, Store& store, const Machine& machine,
            const RunIdentity& identity);
  RunRecord(const RunOrigin& origin, Store& store, const MachineRow& machine,
            const RunIdentity& identity);
  /// Goes on with a run that was begun before.
  RunRecord(Store& store, const Run& begun);
  ~RunRecord();
  RunRecord(const RunRecord&) = delete;
  RunRecord& operator=(const RunRecord&) = delete;

  int64_t id() const { return id_; }
  double wall_ms() const;
  /// `log`: of a serving run, kept together with its end.
  void finish(RunStatus status, const Json& result, std::span<const LogTable> log = {});

 private:
  Store& store_;
  int64_t id_ = 0;
  double started_;
  double before_ms_ = 0;  ///< of earlier parts of the run
  bool is_finished_ = false;
};

}  // namespace tilewright
