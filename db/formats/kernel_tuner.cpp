#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/error.h"
#include "core/base/text.h"
#include "db/formats/json_stream.h"
#include "db/formats/table_readers.h"

namespace tilewright {

namespace {

constexpr double kUsInMs = 1000;
constexpr double kMostMs = 1e15;
/// What old versions store as the time of a config that failed.
constexpr double kFailedTime = 1e20;

/// Whether a word is how a tool may write a value that is no text.
bool says(std::string_view word, const RawValue& value) {
  if (const auto* is_true = std::get_if<bool>(&value)) {
    const std::string name = lower_case(word);
    return *is_true ? name == "true" || name == "1" : name == "false" || name == "0";
  }
  const auto* whole = std::get_if<int64_t>(&value);
  if (whole != nullptr && word == std::to_string(*whole)) return true;
  const RawValue said = raw_value(word);
  if (const auto* number = std::get_if<double>(&said)) {
    return whole ? *number == static_cast<double>(*whole) : *number == std::get<double>(value);
  }
  return said == value;
}

/// Whether the key of a row has its values, in their order with commas between; texts may have
/// commas of their own.
bool says(std::string_view key, const std::vector<RawValue>& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) {
      if (!key.starts_with(',')) return false;
      key.remove_prefix(1);
    }
    const auto* text = std::get_if<std::string>(&values[i]);
    const std::string_view word = key.substr(0, text ? text->size() : key.find(','));
    if (text ? word != *text : !says(word, values[i])) return false;
    key.remove_prefix(word.size());
  }
  return key.empty();
}

class KernelTunerReader {
 public:
  KernelTunerReader(ByteSource& source, ResultFile& file) : source_(source), file_(file) {}

  void read() {
    JsonStream stream;
    stream.entries_in = "cache";
    stream.entry = [&](std::string_view key, const Json& value, const std::string& where) {
      add_row(key, JsonReader(value, where));
    };
    stream.member = [&](std::string_view key, const Json& value, const std::string& where) {
      take_member(key, JsonReader(value, where));
    };
    const bool is_whole = stream_json(source_, stream, true);
    if (!is_whole) {
      file_.notes.push_back(fmt::format("{} ends in the middle{}; its whole rows were read",
                                        source_.where(),
                                        source_.is_cut() ? " of its gzip data" : ""));
    }
    finish_table(builder_, std::move(table_), file_);
  }

 private:
  void take_member(std::string_view key, const JsonReader& json) {
    if (key == "device_name") table_.device = json.string();
    if (key == "kernel_name") table_.kernel = json.string();
    if (key == "problem_size") read_problem_size(json);
    if (key == "objective" && json.is_string() && json.string() != "time") {
      file_.notes.push_back(
          fmt::format("the objective was {}; times are what is read", printable(json.string())));
    }
    if (key == "tune_params_keys") {
      std::vector<std::string> names;
      for (const JsonReader& name : json.items()) names.push_back(name.string());
      builder_.set_parameters(names, json.where());
      has_parameters_ = true;
    }
    if (key == "tune_params" && has_parameters_) declare(json);
  }

  void declare(const JsonReader& json) {
    for (size_t i = 0; i < builder_.names().size(); ++i) {
      if (!json.has(builder_.names()[i])) continue;
      for (const JsonReader& value : json.at(builder_.names()[i]).items()) {
        builder_.declare(i, raw_value(value));
      }
    }
  }

  /// A number, a list of them, or, in some files, a text.
  void read_problem_size(const JsonReader& json) {
    constexpr int64_t kMost = int64_t{1} << 62;
    if (json.is_number()) {
      table_.problem.sizes = {{dimension_name(0), json.integer(0, kMost)}};
    } else if (json.is_array()) {
      const std::vector<JsonReader> sizes = json.items();
      if (sizes.size() > kMostDimensions) json.fail("more than three sizes");
      for (size_t i = 0; i < sizes.size(); ++i) {
        table_.problem.sizes.emplace_back(dimension_name(i), sizes[i].integer(0, kMost));
      }
    } else {
      file_.notes.push_back(
          fmt::format("{} is not a list of numbers and was left out", printable(json.where())));
    }
  }

  void add_row(std::string_view key, const JsonReader& json) {
    if (!has_parameters_) json.fail("tune_params_keys has to stand before cache");
    std::vector<RawValue> values;
    for (const std::string& name : builder_.names()) {
      // Most values are small whole numbers, which need no place for an error.
      const Json* value = member(json, name);
      if (value != nullptr && is_small(*value)) {
        values.emplace_back(value->get<int64_t>());
      } else {
        values.push_back(raw_value(json.at(name)));
      }
    }
    if (!says(key, values)) {
      json.fail(fmt::format("its key '{}' says other values than its members", printable(key)));
    }
    ResultRow row;
    read_time(json, row);
    if (json.has("times")) read_repetitions(json.at("times"), row);
    row.compile_us = cost(json, "compile_time");
    row.benchmark_us = cost(json, "benchmark_time");
    row.framework_us = cost(json, "framework_time");
    row.search_us = cost(json, "strategy_time");
    row.verification_us = cost(json, "verification_time");
    if (json.has("timestamp")) row.timestamp = json.at("timestamp").string();
    read_metrics(json, row);
    builder_.add(values, std::move(row), json.where());
  }

  static void read_time(const JsonReader& json, ResultRow& row) {
    if (json.has("__error__")) return fail_with(json.at("__error__"), row);
    const JsonReader time = json.at("time");
    if (!time.is_number()) return fail_with(time, row);
    const double ms = time.number(-kFailedTime, kFailedTime);
    if (ms >= kFailedTime) {
      row.status = AttemptStatus::kRuntime;
      row.reason = "failed, without a reason in the file";
    } else {
      row.time_us = ms * kUsInMs;
      if (!is_time(row.time_us)) time.fail("must be above 0");
    }
  }

  static void fail_with(const JsonReader& json, ResultRow& row) {
    row.reason = json.string();
    row.status = status_of(row.reason);
    if (row.status == AttemptStatus::kOk) json.fail("expected a time or the name of a failure");
  }

  static void read_repetitions(const JsonReader& json, ResultRow& row) {
    for (const Json& ms : json.raw()) {
      if (!ms.is_number()) continue;
      const double us = ms.get<double>() * kUsInMs;
      if (is_time(us)) row.times_us.push_back(us);
    }
  }

  static double cost(const JsonReader& json, const std::string& key) {
    const Json* ms = member(json, key);
    if (ms == nullptr || !ms->is_number()) return 0;
    return std::clamp(ms->get<double>(), -kMostMs, kMostMs) * kUsInMs;
  }

  static bool is_small(const Json& value) {
    return value.is_number_integer() && value.get<uint64_t>() <= uint64_t{INT64_MAX};
  }

  /// Null when the object has no such member.
  static const Json* member(const JsonReader& json, const std::string& key) {
    const auto found = json.raw().find(key);
    return found == json.raw().end() ? nullptr : &*found;
  }

  /// Numbers under every other key.
  void read_metrics(const JsonReader& json, ResultRow& row) const {
    static const std::set<std::string, std::less<>> kKnown = {
        "time",           "times",         "compile_time",      "benchmark_time",
        "framework_time", "strategy_time", "verification_time", "timestamp"};
    for (const auto& [key, value] : json.raw().get_ref<const Json::object_t&>()) {
      if (!value.is_number() || kKnown.contains(key)) continue;
      if (std::ranges::find(builder_.names(), key) != builder_.names().end()) continue;
      row.metrics.emplace_back(key, value.get<double>());
    }
  }

  ByteSource& source_;
  ResultFile& file_;
  ResultTable table_;
  ResultTableBuilder builder_;
  bool has_parameters_ = false;
};

}  // namespace

void read_kernel_tuner(ByteSource& source, ResultFile& file) {
  KernelTunerReader(source, file).read();
}

}  // namespace tilewright
