#include "db/formats/t4.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"
#include "db/formats/json_stream.h"
#include "db/formats/table_readers.h"

namespace tilewright {

namespace {

constexpr const char* kBenchmark = "benchmark_time";
constexpr double kMost = 1e18;

class T4Reader {
 public:
  T4Reader(ByteSource& source, ResultFile& file) : source_(source), file_(file) {}

  void read() {
    // The metadata may stand behind the results, so its unit is applied at the end.
    JsonStream stream;
    stream.entries_in = "results";
    stream.entry = [&](std::string_view, const Json& value, const std::string& where) {
      add_row(JsonReader(value, where));
    };
    stream.member = [&](std::string_view key, const Json& value, const std::string& where) {
      if (key == "metadata") read_metadata(JsonReader(value, where));
    };
    stream_json(source_, stream);
    finish_table(builder_, std::move(table_), file_);
    if (!file_.tables.empty()) scale(file_.tables.back());
  }

 private:
  /// Which times of a row have a unit of their own and are in us by now.
  struct OwnUnits {
    bool time = false;
    bool benchmark = false;
  };

  static double known_unit(const JsonReader& unit) {
    const double us = us_in(unit.string());
    if (us == 0) {
      unit.fail(fmt::format("unknown unit '{}' (it is ns, us, ms or s, or the name of one)",
                            printable(unit.string())));
    }
    return us;
  }

  void read_metadata(const JsonReader& json) {
    if (json.has("timeunit")) {
      const JsonReader unit = json.at("timeunit");
      us_ = known_unit(unit);
    }
    if (json.has("kernel_name")) table_.kernel = json.at("kernel_name").string();
    if (json.has("device_name")) table_.device = json.at("device_name").string();
    if (json.has("problem")) {
      try {
        table_.problem = parse_problem(json.at("problem").string());
      } catch (const Error& error) {
        throw error.in(json.where());
      }
    }
  }

  void add_row(const JsonReader& json) {
    const JsonReader configuration = json.at("configuration");
    if (builder_.names().empty()) builder_.set_parameters(configuration.keys(), json.where());
    std::vector<RawValue> values;
    for (const std::string& name : builder_.names()) {
      values.push_back(raw_value(configuration.at(name)));
    }
    if (configuration.raw().size() != values.size()) {
      configuration.fail("other parameters than the first result has");
    }
    ResultRow row;
    read_status(json, row);
    if (json.has("times")) read_times(json.at("times"), row);
    OwnUnits own;
    if (json.has("measurements")) own = read_measurements(json, row);
    if (json.has("timestamp")) row.timestamp = json.at("timestamp").string();
    if (row.status == AttemptStatus::kOk && !is_time(row.time_us)) {
      json.fail("the time of a result without failure must be above 0");
    }
    const int64_t repeated = builder_.repeated();
    builder_.add(values, std::move(row), json.where());
    if (builder_.repeated() == repeated) own_units_.push_back(own);
  }

  static void read_status(const JsonReader& json, ResultRow& row) {
    if (!json.has("invalidity")) return;
    const std::string word = json.at("invalidity").string();
    row.status = status_of(word);
    if (row.status != AttemptStatus::kOk) row.reason = word;
  }

  static void read_times(const JsonReader& json, ResultRow& row) {
    row.compile_us =
        time_at(json, json.has("compilation_time") ? "compilation_time" : "compilation");
    row.framework_us = time_at(json, "framework");
    row.search_us = time_at(json, "search_algorithm");
    row.verification_us = time_at(json, "validation");
    if (!json.has("runtimes") || !json.at("runtimes").is_array()) return;
    for (const Json& time : json.at("runtimes").raw()) {
      if (time.is_number() && is_time(time.get<double>()))
        row.times_us.push_back(time.get<double>());
    }
  }

  static double time_at(const JsonReader& json, std::string_view key) {
    return json.has(key) && json.at(key).is_number() ? json.at(key).number(-kMost, kMost) : 0;
  }

  /// The time is the measurement of that name, or that of the first objective; a text in its place
  /// is the reason of the failure.
  static OwnUnits read_measurements(const JsonReader& json, ResultRow& row) {
    OwnUnits own;
    std::string objective = "time";
    if (json.has("objectives")) {
      const std::vector<JsonReader> names = json.at("objectives").items();
      if (!names.empty()) objective = names.front().string();
    }
    for (const JsonReader& item : json.at("measurements").items()) {
      const std::string name = item.at("name").string();
      const JsonReader value = item.at("value");
      if (name != objective && name != kBenchmark) {
        if (value.is_number()) row.metrics.emplace_back(name, value.number(-1e300, 1e300));
      } else if (!value.is_number()) {
        if (row.status == AttemptStatus::kOk) value.fail("a result without failure has a time");
        if (value.is_string()) row.reason = value.string();
      } else if (name == kBenchmark) {
        row.benchmark_us = value.number(-kMost, kMost);
        own.benchmark = apply_unit(item, row.benchmark_us);
      } else if (row.status == AttemptStatus::kOk) {
        row.time_us = value.number(-kMost, kMost);
        own.time = apply_unit(item, row.time_us);
      }
    }
    return own;
  }

  /// False where the measurement has no unit, so that the file's holds.
  static bool apply_unit(const JsonReader& measurement, double& time) {
    if (!measurement.has("unit")) return false;
    const JsonReader unit = measurement.at("unit");
    if (unit.string().empty()) return false;
    time *= known_unit(unit);
    return true;
  }

  void scale(ResultTable& table) const {
    if (us_ == 1) return;
    for (size_t i = 0; i < table.rows.size(); ++i) {
      ResultRow& row = table.rows[i];
      if (!own_units_[i].time) row.time_us *= us_;
      if (!own_units_[i].benchmark) row.benchmark_us *= us_;
      for (double* time :
           {&row.compile_us, &row.framework_us, &row.search_us, &row.verification_us}) {
        *time *= us_;
      }
      for (double& time : row.times_us) time *= us_;
    }
  }

  ByteSource& source_;
  ResultFile& file_;
  ResultTable table_;
  ResultTableBuilder builder_;
  std::vector<OwnUnits> own_units_;  // of the rows that are kept
  double us_ = 1000;                 // Kernel Tuner's files without a unit are in ms
};

/// T4's word for how a result was invalid.
const char* invalidity_of(AttemptStatus status) {
  switch (status) {
    case AttemptStatus::kOk:
      return "correct";
    case AttemptStatus::kInfeasible:
      return "constraints";
    case AttemptStatus::kCompile:
      return "compile";
    case AttemptStatus::kRuntime:
      return "runtime";
    case AttemptStatus::kTimeout:
      return "timeout";
    case AttemptStatus::kWrongResult:
      return "correctness";
  }
  TW_CHECK(false, "a status outside its enumeration");
  return "";
}

Json value_of(const ResultTable& table, size_t parameter, int64_t value) {
  const std::string text = value_text(table, parameter, value);
  switch (table.kinds[parameter]) {
    case ValueKind::kInteger:
      return value;
    case ValueKind::kBoolean:
      return text == "true";
    case ValueKind::kNumber:
      return Json::parse(text, nullptr, false).get<double>();  // 3.0 stays one
    case ValueKind::kText:
      return text;
  }
  TW_CHECK(false, "a kind outside its enumeration");
  return {};
}

Json measurements_of(const ResultRow& row) {
  const bool is_ok = row.status == AttemptStatus::kOk;
  Json list = Json::array();
  list.push_back({{"name", "time"},
                  {"value", is_ok ? Json(row.time_us) : Json(row.reason)},
                  {"unit", "microseconds"}});
  if (row.benchmark_us != 0) {
    list.push_back({{"name", kBenchmark}, {"value", row.benchmark_us}, {"unit", "microseconds"}});
  }
  for (const auto& [name, value] : row.metrics) {
    list.push_back({{"name", name}, {"value", value}, {"unit", ""}});
  }
  return list;
}

Json result_of(const ResultTable& table, const ResultRow& row) {
  Json configuration = Json::object();
  for (size_t i = 0; i < table.parameters.size(); ++i) {
    configuration[table.parameters[i].name] = value_of(table, i, row.values[i]);
  }
  Json result;
  result["timestamp"] = row.timestamp;
  result["configuration"] = std::move(configuration);
  result["times"] = {{"compilation_time", row.compile_us},
                     {"framework", row.framework_us},
                     {"search_algorithm", row.search_us},
                     {"validation", row.verification_us},
                     {"runtimes", row.times_us}};
  result["invalidity"] = invalidity_of(row.status);
  result["correctness"] = row.status == AttemptStatus::kOk ? 1 : 0;
  result["measurements"] = measurements_of(row);
  result["objectives"] = {"time"};
  return result;
}

}  // namespace

void read_t4(ByteSource& source, ResultFile& file) {
  T4Reader(source, file).read();
}

std::string write_t4(const ResultTable& table) {
  Json document;
  document["schema_version"] = "1.0.0";
  document["metadata"] = {{"timeunit", "microseconds"},
                          {"kernel_name", table.kernel},
                          {"device_name", table.device},
                          {"problem", table.problem.text()}};
  document["results"] = Json::array();
  for (const ResultRow& row : table.rows) document["results"].push_back(result_of(table, row));
  return document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace tilewright
