#include "app/cli/context.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/cli/clock.h"
#include "app/cli/interrupt.h"
#include "app/cli/table.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "kernels/kernel.h"
#include "tuner/evaluate/simulator_evaluator.h"

namespace tilewright {

namespace {

/// Names of files may hold bytes that are no UTF-8; they are replaced rather than refused.
std::string dumped(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

/// The folder of the default database is ours to make; one that the user names is not.
void make_default_folder(const Globals& globals) {
  if (globals.db.empty()) {
    throw Error(ErrorKind::kUsage,
                "there is no home folder for the results database; use --db FILE");
  }
  if (!globals.db_is_default) return;
  const std::filesystem::path folder = std::filesystem::path(globals.db).parent_path();
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) {
    throw Error(ErrorKind::kFailed, fmt::format("cannot create the folder {}: {}; use --db FILE",
                                                folder.string(), failure.message()));
  }
}

}  // namespace

std::string tool_name() {
  return "tilewright " TILEWRIGHT_VERSION;
}

Context::Context(const Arguments& arguments, const Globals& globals, Console& console,
                 std::string command_line)
    : arguments_(arguments),
      globals_(globals),
      console_(console),
      command_line_(std::move(command_line)) {}

Machine Context::machine() const {
  return load_machine(globals_.machine);
}

Store Context::open_store(const std::string& path) const {
  make_default_folder(globals_);
  return Store::open(path, OpenMode::kReadWrite);
}

Store Context::open_existing_store(OpenMode mode) const {
  std::error_code none;
  if (!std::filesystem::exists(globals_.db, none)) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("there is no results database {}; `tilewright tune` or `run` makes it, "
                            "--db names another",
                            globals_.db));
  }
  return Store::open(globals_.db, mode);
}

void Context::print_json(const Json& json) {
  print(dumped(json, 2) + "\n");
}

void Context::print_table(const QueryResult& table) {
  print(globals_.csv ? to_csv(table) : to_table(table));
}

std::string Context::heading(std::string_view text) {
  return console_.out().styled(Style::kBold, printable(text, text.size()));
}

bool Context::is_stopped() const {
  return stop_ ? stop_() : interrupted();
}

void Context::note(std::string_view text) const {
  if (!globals_.quiet) console_.message(printable(text, text.size()));
}

void Context::warn(std::string_view text) const {
  console_.message("tilewright: warning: " + printable(text, text.size()));
}

Json output_object() {
  Json json;
  json["schema"] = kOutputSchema;
  return json;
}

Json machine_identity(const Machine& machine) {
  return {{"name", machine.name}, {"fingerprint", machine.fingerprint()}};
}

CurrentRevisions current_revisions() {
  CurrentRevisions current;
  for (const Kernel* kernel : all_kernels()) {
    current.kernels.emplace_back(kernel->name(), kernel->revision());
  }
  current.evaluators = simulator_evaluator_ids();
  return current;
}

RunRecord::RunRecord(const Context& context, Store& store, const Machine& machine,
                     const RunIdentity& identity)
    : RunRecord({context.command_line(), context.globals().seed}, store, machine, identity) {}

RunRecord::RunRecord(const RunOrigin& origin, Store& store, const Machine& machine,
                     const RunIdentity& identity)
    : RunRecord(origin, store,
                MachineRow{machine.name, machine.fingerprint(), machine_json(machine)}, identity) {}

RunRecord::RunRecord(const RunOrigin& origin, Store& store, const MachineRow& machine,
                     const RunIdentity& identity)
    : store_(store), started_(wall_seconds()) {
  store.save_machine(machine.name, machine.fingerprint, machine.description);
  Run run;
  run.kind = identity.kind;
  run.label = identity.label;
  run.model = identity.model;
  run.workload = identity.workload;
  run.command = origin.command_line;
  run.machine_fingerprint = machine.fingerprint;
  run.seed = origin.seed;
  run.date = iso_date();
  run.tool = tool_name();
  id_ = store.begin_run(run);
}

RunRecord::RunRecord(Store& store, const Run& begun)
    : store_(store), id_(begun.id), started_(wall_seconds()), before_ms_(begun.wall_ms) {
  store.resume_run(id_);
}

RunRecord::~RunRecord() {
  if (is_finished_) return;
  try {
    store_.finish_run(id_, RunStatus::kFailed, wall_ms(), "");
  } catch (const std::exception&) {
    // The error that led here is the one to tell; the row stays "running".
  }
}

double RunRecord::wall_ms() const {
  return before_ms_ + (wall_seconds() - started_) * 1e3;
}

void RunRecord::finish(RunStatus status, const Json& result, std::span<const LogTable> log) {
  store_.finish_run(id_, status, wall_ms(), dumped(result, -1), log);
  is_finished_ = true;
}

}  // namespace tilewright
