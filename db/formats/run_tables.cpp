#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>

#include "core/base/error.h"
#include "core/base/text.h"
#include "db/formats/import.h"
#include "db/formats/table_readers.h"

namespace tilewright {

namespace {

/// What the values of a parameter stand for: nothing for whole numbers.
struct Meaning {
  std::string kind;
  std::vector<std::string> labels;
};
using Meanings = std::map<std::string, Meaning>;  // by parameter

/// Of each problem of a run that says so.
struct Described {
  std::string kernel;  ///< as the file called it
  Meanings meanings;
};

std::map<std::string, Described> described_by(const Run& run) {
  std::map<std::string, Described> found;
  if (run.result.empty()) return found;
  const std::string where = fmt::format("result of run {}", run.id);
  const Json document = parse_json(run.result, where);
  if (!document.is_object() || !document.contains("tables")) return found;
  for (const JsonReader& table : JsonReader(document, where).at("tables").items()) {
    Described described;
    described.kernel = table.at("kernel").string();
    for (const JsonReader& parameter : table.at("parameters").items()) {
      Meaning& meaning = described.meanings[parameter.at("name").string()];
      meaning.kind = parameter.at("kind").string();
      if (!parameter.has("labels")) continue;
      for (const JsonReader& label : parameter.at("labels").items()) {
        meaning.labels.push_back(label.string());
      }
    }
    found[table.at("problem").string()] = std::move(described);
  }
  return found;
}

RawValue meant(const Meaning& meaning, const std::string& label) {
  if (meaning.kind == "boolean") return lower_case(label) == "true";
  if (meaning.kind == "number") return parse_number(label, "label");
  if (meaning.kind == "integer") return parse_int(label, "value");
  return label;
}

/// Dates of the trials of a run, by place.
std::vector<std::string> dates_of(Store& store, int64_t run_id) {
  Statement& row = store.database().cached(
      "SELECT min(attempt.date) FROM trial LEFT JOIN attempt "
      "ON attempt.measurement_id = trial.measurement_id AND attempt.run_id = trial.run_id "
      "WHERE trial.run_id = ?1 GROUP BY trial.place ORDER BY trial.place");
  row.bind(1, run_id);
  std::vector<std::string> dates;
  while (row.step()) dates.push_back(row.text(0));
  row.reset();
  return dates;
}

ResultRow row_of(const Measurement& measurement, const std::string& date) {
  ResultRow row;
  row.status = measurement.status;
  row.reason = measurement.reason;
  row.time_us = measurement.time_us;
  row.times_us = measurement.times_us;
  row.timestamp = date;
  for (const auto& [name, value] : measurement.counters) {
    if (!row.set_cost(name, value)) row.metrics.emplace_back(name, value);
  }
  return row;
}

/// Collects the rows of one kernel, problem and evaluator.
class Collector {
 public:
  Collector(const MeasurementKey& key, const Run& run, const Described* described) {
    table_.kernel = described != nullptr ? described->kernel : key.kernel;
    table_.device = run.machine_name;
    table_.problem = parse_problem(key.problem);
    if (described != nullptr) meanings_ = described->meanings;
  }

  /// False when the config has other parameters.
  bool add(const std::string& config, ResultRow row) {
    std::vector<std::string> names;
    std::vector<std::string> values;
    for (const std::string_view part : split(std::string_view(config), ',')) {
      if (config.empty()) break;
      const size_t equals = std::min(part.find('='), part.size() - 1);
      names.emplace_back(part.substr(0, equals));
      values.push_back(unescaped_label(part.substr(equals + 1)));
    }
    if (!started_) begin(names);
    if (names != builder_.names()) return false;
    std::vector<RawValue> raw;
    for (size_t i = 0; i < names.size(); ++i) raw.push_back(value_of(names[i], values[i]));
    builder_.add(raw, std::move(row), "config");
    return true;
  }

  ResultTable finish() {
    builder_.finish(table_);
    return std::move(table_);
  }

 private:
  void begin(const std::vector<std::string>& names) {
    started_ = true;
    builder_.set_parameters(names, "config");
    for (size_t i = 0; i < names.size(); ++i) {
      const auto found = meanings_.find(names[i]);
      if (found == meanings_.end()) continue;
      for (const std::string& label : found->second.labels) {
        builder_.declare(i, meant(found->second, label));
      }
    }
  }

  RawValue value_of(const std::string& name, const std::string& value) const {
    const auto found = meanings_.find(name);
    return found == meanings_.end() ? raw_value(value) : meant(found->second, value);
  }

  ResultTable table_;
  ResultTableBuilder builder_;
  Meanings meanings_;
  bool started_ = false;
};

}  // namespace

std::vector<ResultTable> tables_of_run(Store& store, const Run& run, int64_t& left_out) {
  left_out = 0;
  const std::map<std::string, Described> described = described_by(run);
  const std::vector<std::string> dates = dates_of(store, run.id);
  using Group = std::tuple<std::string, std::string, std::string>;
  std::map<Group, size_t> places;
  std::vector<Collector> collectors;
  size_t place = 0;
  for (const StoredTrial& trial : store.trials(run.id)) {
    const MeasurementKey& key = trial.key;
    const auto [group, is_new] =
        places.emplace(Group(key.kernel, key.problem, key.evaluator), collectors.size());
    if (is_new) {
      const auto found = described.find(key.problem);
      collectors.emplace_back(key, run, found == described.end() ? nullptr : &found->second);
    }
    const std::optional<Measurement> measurement = store.find(key);
    if (!measurement) {
      throw DamagedError(store.database().path(),
                         fmt::format("trial {} of run {}: its measurement is not found by its key",
                                     place + 1, run.id));
    }
    const std::string date = place < dates.size() ? dates[place] : "";
    ++place;
    if (!collectors[group->second].add(key.config, row_of(*measurement, date))) ++left_out;
  }
  std::vector<ResultTable> tables;
  for (Collector& collector : collectors) tables.push_back(collector.finish());
  return tables;
}

std::optional<MoeTable> moe_table_of_run(const Run& run) {
  if (run.kind != RunKind::kImport || run.result.empty()) return std::nullopt;
  const std::string where = fmt::format("result of run {}", run.id);
  const Json document = parse_json(run.result, where);
  if (!document.contains("moe")) return std::nullopt;
  return moe_table_of(document["moe"], where);
}

}  // namespace tilewright
