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

const char* name_of(ValueKind kind) {
  switch (kind) {
    case ValueKind::kInteger:
      return "integer";
    case ValueKind::kNumber:
      return "number";
    case ValueKind::kBoolean:
      return "boolean";
    case ValueKind::kText:
      return "text";
  }
  TW_CHECK(false, "a kind outside its enumeration");
  return "";
}

std::string checked_name(const std::string& name, std::string_view what) {
  if (name.empty() || printable(name, kMaxNameBytes) != name) {
    throw Error(ErrorKind::kUsage, fmt::format("{} '{}' is no name", what, printable(name)));
  }
  return name;
}

/// The machine that stands for a device of which nothing but the name is known.
std::string device_description(const std::string& device) {
  Json description;
  description["device"] = device;
  return description.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// What the configs of a table mean.
Json description_of(const ResultTable& table) {
  Json parameters = Json::array();
  for (size_t i = 0; i < table.parameters.size(); ++i) {
    Json parameter;
    parameter["name"] = table.parameters[i].name;
    parameter["kind"] = name_of(table.kinds[i]);
    if (!table.parameters[i].labels.empty()) parameter["labels"] = table.parameters[i].labels;
    parameters.push_back(std::move(parameter));
  }
  Json json;
  json["kernel"] = table.kernel;
  json["problem"] = table.problem.text();
  json["parameters"] = std::move(parameters);
  return json;
}

Measurement measurement_of(const ResultRow& row) {
  Measurement measurement;
  measurement.status = row.status;
  measurement.reason = row.reason;
  measurement.time_us = row.time_us;
  measurement.counters = row.metrics;
  if (row.status == AttemptStatus::kOk) measurement.times_us = row.times_us;
  for (const auto& [name, cost] : row.costs()) {
    if (cost != 0) measurement.counters.emplace_back(name, cost);
  }
  return measurement;
}

class Import {
 public:
  Import(Store& store, const ResultFile& file, const ImportOrigin& origin)
      : store_(store), file_(file), origin_(origin) {
    counts_.evaluator = "table/" + file.hash;
    counts_.problems = std::ssize(file.tables);
    counts_.device = device();
    counts_.fingerprint = Hasher().add(device_description(counts_.device)).hex();
    if (!origin.kernel.empty() && file.tables.size() != 1) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("{} has {} problems, so one kernel name does not fit", file.path,
                              file.tables.size()));
    }
  }

  ImportCounts run(const std::function<bool()>& stop) {
    bool stopped = false;
    for (const ResultTable& table : file_.tables) {
      for (const ResultRow& row : table.rows) {
        if ((stopped = stop())) break;
        add(table, row);
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
  std::string device() const {
    if (!origin_.device.empty()) return checked_name(origin_.device, "--device");
    const std::string named = file_.moe              ? file_.moe->device
                              : file_.tables.empty() ? ""
                                                     : file_.tables.front().device;
    return named.empty() ? kUnknownDevice : printable(named, kMaxNameBytes);
  }

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

  void add(const ResultTable& table, const ResultRow& row) {
    TrialRow trial;
    const Problem problem = problem_of(table);
    trial.key.kernel = problem.kernel;
    trial.key.problem = problem.text();
    trial.key.config = table.config(row).text();
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
    store_.save_machine(counts_.device, counts_.fingerprint, device_description(counts_.device));
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
      Json described = description_of(table);
      described["problem"] = problem_of(table).text();
      json["tables"].push_back(std::move(described));
    }
    if (file_.moe) json["moe"] = to_json(*file_.moe);
    return json;
  }

  Store& store_;
  const ResultFile& file_;
  const ImportOrigin& origin_;
  ImportCounts counts_;
  std::vector<TrialRow> batch_;
};

}  // namespace

ImportCounts import_results(Store& store, const ResultFile& file, const ImportOrigin& origin,
                            const std::function<bool()>& stop) {
  return Import(store, file, origin).run(stop);
}

}  // namespace tilewright
