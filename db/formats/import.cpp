#include "db/formats/import.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr size_t kBatchRows = 1024;
constexpr size_t kMaxNameBytes = 200;
constexpr const char* kUnknownDevice = "unknown";

std::string checked_name(const std::string& name, std::string_view what) {
  if (name.empty() || printable(name, kMaxNameBytes) != name) {
    throw Error(ErrorKind::kUsage, fmt::format("{} '{}' is no name", what, printable(name)));
  }
  return name;
}

class Import {
 public:
  Import(Store& store, const ResultFile& file, const ImportOrigin& origin)
      : store_(store), file_(file), origin_(origin) {
    counts_.evaluator = "table/" + file.hash;
    counts_.problems = std::ssize(file.tables);
    device_ = origin.device.empty() ? device_of(file) : foreign_device(origin.device);
    counts_.device = device_.name;
    counts_.fingerprint = device_.fingerprint;
    if (!origin.kernel.empty() && file.tables.size() != 1) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("{} has {} problems, so one kernel name does not fit", file.path,
                              file.tables.size()));
    }
  }

  ImportCounts run(const std::function<bool()>& stop) {
    bool stopped = false;
    for (const ResultTable& table : file_.tables) {
      const Space space(table.parameters, {});
      for (const ResultRow& row : table.rows) {
        if ((stopped = stop())) break;
        add(table, space, row);
      }
    }
    flush();
    if (file_.moe && !store_.latest_run_labelled(label())) begin();
    if (counts_.run != 0) {
      store_.finish_run(counts_.run, stopped ? RunStatus::kInterrupted : RunStatus::kDone, 0,
                        result().dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    return counts_;
  }

 private:
  std::string label() const {
    return fmt::format("{} {}", printable(name_of_file(file_.path), kMaxNameBytes),
                       counts_.evaluator);
  }

  Problem problem_of(const ResultTable& table) const {
    Problem problem = table.problem;
    if (!origin_.kernel.empty()) {
      problem.kernel = identifier_of(checked_name(origin_.kernel, "--kernel"));
    }
    return problem;
  }

  void add(const ResultTable& table, const Space& space, const ResultRow& row) {
    TrialRow trial;
    const Problem problem = problem_of(table);
    trial.key.kernel = problem.kernel;
    trial.key.problem = problem.text();
    trial.key.config = space.text(table.config(row));
    trial.key.machine_fingerprint = counts_.fingerprint;
    trial.key.evaluator = counts_.evaluator;
    if (store_.find(trial.key)) {
      ++counts_.known;
      return;
    }
    trial.proposer = "import";
    trial.measurement = measurement_of(row);
    trial.wall_us = row.cost_us();
    trial.date = row.timestamp.empty() ? origin_.date : printable(row.timestamp);
    ++counts_.measurements;
    if (row.status != AttemptStatus::kOk) ++counts_.failures;
    counts_.repetitions += std::max<int64_t>(std::ssize(trial.measurement->times_us), 1);
    batch_.push_back(std::move(trial));
    if (batch_.size() == kBatchRows) flush();
  }

  void flush() {
    if (batch_.empty()) return;
    begin();
    store_.record_trials(counts_.run, batch_);
    batch_.clear();
  }

  void begin() {
    if (counts_.run != 0) return;
    store_.save_machine(device_.name, device_.fingerprint, device_.description);
    Run run;
    run.kind = RunKind::kImport;
    run.label = label();
    run.command = origin_.command;
    run.machine_fingerprint = counts_.fingerprint;
    run.date = origin_.date;
    run.tool = origin_.tool;
    counts_.run = store_.begin_run(run);
  }

  Json result() const {
    Json json;
    json["file"] = name_of_file(file_.path);
    json["format"] = file_.format;
    json["evaluator"] = counts_.evaluator;
    json["notes"] = file_.notes;
    json["tables"] = Json::array();
    for (const ResultTable& table : file_.tables) {
      json["tables"].push_back(
          describe_configs(table.kernel, problem_of(table).text(), table.parameters, table.kinds));
    }
    if (file_.moe) json["moe"] = to_json(*file_.moe);
    return json;
  }

  Store& store_;
  const ResultFile& file_;
  const ImportOrigin& origin_;
  MachineRow device_;
  ImportCounts counts_;
  std::vector<TrialRow> batch_;
};

}  // namespace

MachineRow foreign_device(const std::string& name) {
  MachineRow device;
  device.name = checked_name(name, "--device");
  Json description;
  description["device"] = name;
  device.description = description.dump(-1, ' ', false, Json::error_handler_t::replace);
  device.fingerprint = Hasher().add(device.description).hex();
  return device;
}

MachineRow device_of(const ResultFile& file) {
  const std::string named = file.moe              ? file.moe->device
                            : file.tables.empty() ? ""
                                                  : file.tables.front().device;
  return foreign_device(named.empty() ? kUnknownDevice : printable(named, kMaxNameBytes));
}

Json describe_configs(const std::string& kernel, const std::string& problem,
                      const std::vector<Parameter>& parameters,
                      const std::vector<ValueKind>& kinds) {
  Json described = Json::array();
  for (size_t i = 0; i < parameters.size(); ++i) {
    Json parameter;
    parameter["name"] = parameters[i].name;
    parameter["kind"] = name_of(kinds[i]);
    if (!parameters[i].labels.empty()) parameter["labels"] = parameters[i].labels;
    described.push_back(std::move(parameter));
  }
  Json json;
  json["kernel"] = kernel;
  json["problem"] = problem;
  json["parameters"] = std::move(described);
  return json;
}

ImportCounts import_results(Store& store, const ResultFile& file, const ImportOrigin& origin,
                            const std::function<bool()>& stop) {
  return Import(store, file, origin).run(stop);
}

}  // namespace tilewright
