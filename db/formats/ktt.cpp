#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/format.h"
#include "core/base/text.h"
#include "db/formats/json_stream.h"
#include "db/formats/table_readers.h"

namespace tilewright {

namespace {

constexpr double kMost = 1e18;

class KttReader {
 public:
  KttReader(ByteSource& source, ResultFile& file) : source_(source), file_(file) {}

  void read() {
    JsonStream stream;
    stream.entries_in = "Results";
    stream.entry = [&](std::string_view, const Json& value, const std::string& where) {
      add_row(JsonReader(value, where));
    };
    stream.member = [&](std::string_view key, const Json& value, const std::string& where) {
      if (key == "Metadata") read_metadata(JsonReader(value, where));
    };
    stream_json(source_, stream);
    finish_table(builder_, std::move(table_), file_);
    if (!has_unit_ && !file_.tables.empty()) {
      throw Error(ErrorKind::kFailed,
                  fmt::format("{}: Metadata.TimeUnit is missing", source_.path()));
    }
    if (!file_.tables.empty()) scale(file_.tables.back());
    if (other_kernels_ > 0) {
      file_.notes.push_back(fmt::format("left out {} of other kernels than {}",
                                        format_counted(other_kernels_, "result"),
                                        printable(kernel_)));
    }
  }

 private:
  void read_metadata(const JsonReader& json) {
    if (json.has("Device")) table_.device = json.at("Device").string();
    const JsonReader unit = json.at("TimeUnit");
    us_ = us_in(unit.string());
    if (us_ == 0) unit.fail(fmt::format("unknown unit '{}'", printable(unit.string())));
    has_unit_ = true;
  }

  void add_row(const JsonReader& json) {
    const std::string kernel = json.at("KernelName").string();
    if (kernel_.empty()) kernel_ = table_.kernel = kernel;
    if (kernel != kernel_) {
      ++other_kernels_;
      return;
    }
    std::vector<std::string> names;
    std::vector<RawValue> values;
    for (const JsonReader& pair : json.at("Configuration").items()) {
      names.push_back(pair.at("Name").string());
      values.push_back(raw_value(pair.at("Value")));
    }
    if (builder_.names().empty()) builder_.set_parameters(names, json.where());
    if (names != builder_.names()) {
      json.at("Configuration").fail("other parameters than the first result has");
    }
    ResultRow row;
    read_result(json, row);
    builder_.add(values, std::move(row), json.where());
  }

  static void read_result(const JsonReader& json, ResultRow& row) {
    const std::string status = json.has("Status") ? json.at("Status").string() : "Ok";
    row.status = status_of(status);
    if (row.status == AttemptStatus::kOk) {
      const JsonReader time = json.at("TotalDuration");
      row.time_us = time.number(0, kMost);
      if (!is_time(row.time_us)) time.fail("must be above 0");
    } else {
      row.reason = status;
    }
    if (json.has("TotalOverhead") && json.at("TotalOverhead").is_number()) {
      row.framework_us = json.at("TotalOverhead").number(-kMost, kMost);
    }
    if (json.has("Timestamp") && json.at("Timestamp").is_string()) {
      row.timestamp = json.at("Timestamp").string();
    }
    if (!json.has("ComputationResults")) return;
    for (const JsonReader& part : json.at("ComputationResults").items()) read_counters(part, row);
  }

  /// Counters of the kernel's first function keep their names, those of others get theirs in front.
  static void read_counters(const JsonReader& part, ResultRow& row) {
    if (!part.has("ProfilingData") || !part.at("ProfilingData").has("Counters")) return;
    const bool is_first = row.metrics.empty();
    const std::string prefix =
        is_first || !part.has("KernelFunction") ? "" : part.at("KernelFunction").string() + ".";
    for (const JsonReader& counter : part.at("ProfilingData").at("Counters").items()) {
      row.metrics.emplace_back(prefix + counter.at("Name").string(),
                               counter.at("Value").number(-1e300, 1e300));
    }
  }

  void scale(ResultTable& table) const {
    for (ResultRow& row : table.rows) {
      row.time_us *= us_;
      row.framework_us *= us_;
    }
  }

  ByteSource& source_;
  ResultFile& file_;
  ResultTable table_;
  ResultTableBuilder builder_;
  std::string kernel_;
  double us_ = 1;
  bool has_unit_ = false;
  int64_t other_kernels_ = 0;
};

}  // namespace

void read_ktt(ByteSource& source, ResultFile& file) {
  KttReader(source, file).read();
}

}  // namespace tilewright
